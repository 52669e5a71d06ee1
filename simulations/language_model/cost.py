"""What a step on a language model takes, by phase, when all, some and few of its answers are kept.

4 prompts × 8 answers of exactly 24 tokens, on one CPU thread. All rates take the same answers, in turn, round after
round, so that a machine whose speed drifts slows them alike. The learning rate is zero: the policy stays.

FLOPs are those that torch's counter sees in matrix products, attention taken apart; bytes are those of the tensors
that forward and backward hold at once, above parameters, gradients and the optimizer's state. They are counted once,
before anything is timed. Seconds do not reproduce and lie in the table's sidecar, as the list ``seconds`` of one list
a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep
from simulations.devices import clock, resolve, single_thread
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.experiment import extra_versions, require_model
from simulations.language_model.models import Learner, make_learner
from simulations.language_model.sampling import Drawn, draw_answers, encode
from simulations.language_model.tasks import problems, task_function
from simulations.language_model.weights import load_directory, name_of
from simulations.networks.allocations import peak_bytes
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement

__all__ = ["KIND", "PARTS", "RATES", "SIZES", "Size", "measure", "write_table"]

KIND = "language-model-cost"
PARTS = ("sampling", "screening pass", "gate", "backward", "optimizer")
"""What is timed; ``screening pass`` is what a step takes whose sampler hands on no log-probabilities."""
RATES = (1.0, 0.25, 0.125, 0.03)


@dataclass(frozen=True)
class Size:
    """What a preset times: what learns, and rounds."""

    trainable: tuple[str, ...]
    rounds: int


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "smoke": Size(("last-6",), 1),
        "quick": Size(("all", "last-6"), 3),
        "paper": Size(("all", "last-15", "last-6", "lora-8"), 5),
    }
)


def measure(
    trainable: str, size: Size, device: torch.device, directory: Path | None = None, model: Any = None
) -> pd.DataFrame:
    """Time steps at every rate for one choice of what learns.

    Parameters
    ----------
    trainable : str
    size : Size
    device : torch.device
    directory : Path, optional
        Of the model; by default the verified weights.
    model : tuple, optional
        A model and its tokenizer, loaded already.

    Returns
    -------
    DataFrame
        One row a rate, and for last blocks one for each with and without the trunk's hidden states of sampling: rows
        kept, of ``answers``; backward_positions; sampling_flops, screening_flops and backward_flops, which have the
        second forward pass too; peak_bytes of it and of backward, of all that is kept at once, and micro_peak_bytes,
        in micro-batches; seconds: a list, of ``PARTS`` in each round, by :func:`simulations.devices.clock`.
    """
    config = LanguageModelConfig("pg", trainable=trainable)
    with single_thread():
        model, tokenizer = model or load_directory(directory)
        learner = make_learner(model.to(device), trainable, config.streams()["adapters"])
        draw = _drawing(config, learner, tokenizer, device)
        steps = _steps(learner, config)
        counted = _counted(draw, learner, steps)
        seconds = _timed(draw, learner, steps, size.rounds, clock(device)[0])
    same = {"trainable": trainable, "answers": config.prompts * config.answers}
    return pd.DataFrame(
        {"reuse": reuse, "rate": rate} | same | counted[reuse, rate] | {"seconds": seconds[reuse, rate]}
        for reuse, rate in steps
    )


_Steps = dict[tuple[bool, float], AnswerStep]
"""By whether the trunk is reused, and by rate."""


def _steps(learner: Learner, config: LanguageModelConfig) -> _Steps:
    passes = {True: learner.second} if learner.second is not learner.model else {}
    optimizer = torch.optim.AdamW(list(learner.parameters.values()), 0.0, weight_decay=0.0)
    options: dict[str, Any] = {"micro_tokens": config.micro_tokens, "tolerance": config.tolerance}
    return {
        (reuse, rate): AnswerStep(
            second, optimizer, None if rate == 1 else Gate(rate=rate), rule="abs-advantage", **options
        )
        for reuse, second in (passes | {False: learner.model}).items()
        for rate in RATES
    }


def _counted(draw: Callable[[], Drawn], learner: Learner, steps: _Steps) -> dict[tuple[bool, float], dict[str, int]]:
    """Return rows, positions, FLOPs and bytes of each step; everything has run once then."""
    kept: list[Drawn] = []
    sampling = _flops(lambda: kept.append(draw()))
    (drawn,) = kept
    learner.take(drawn.hidden)
    found = {key: _counts(step, drawn) for key, step in steps.items()}  # and each model has tried what it is once
    screening = {reuse: _flops(partial(_screen, steps[reuse, 1.0], drawn)) for reuse, rate in steps if rate == 1}
    flops = {
        (reuse, rate): {"sampling_flops": sampling, "screening_flops": screening[reuse]} for reuse, rate in steps
    }
    return {key: counts | flops[key] for key, counts in found.items()}


def _counts(step: AnswerStep, drawn: Drawn) -> dict[str, int]:
    """Return what one step keeps, holds at once and computes."""
    backward, gradients = partial(_backward, step, drawn), partial(_gradients, step)
    in_parts, step.micro_tokens = step.micro_tokens, drawn.answers.tokens.numel()
    found = {"peak_bytes": peak_bytes(backward, gradients)}
    found |= {"rows": step.counts.backward_rows, "backward_positions": step.counts.backward_positions}
    step.micro_tokens = in_parts
    found |= {"micro_peak_bytes": peak_bytes(backward, gradients), "backward_flops": _flops(backward)}
    step.step()
    return found


def _flops(call: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        call()
    return counter.get_total_flops()


def _gradients(step: AnswerStep) -> list[torch.Tensor]:
    return [each.grad for group in step.optimizer.param_groups for each in group["params"] if each.grad is not None]


def _timed(
    draw: Callable[[], Drawn], learner: Learner, steps: _Steps, rounds: int, now: Callable[[], float]
) -> dict[tuple[bool, float], list[list[float]]]:
    """Return the seconds of each step's parts, in each round."""
    seconds: dict[tuple[bool, float], list[list[float]]] = {key: [] for key in steps}
    for _ in range(rounds):
        started = now()
        drawn = draw()
        sampling = now() - started
        learner.take(drawn.hidden)
        screening = {}
        for reuse in dict.fromkeys(reuse for reuse, _ in steps):
            started = now()
            _screen(steps[reuse, 1.0], drawn)
            screening[reuse] = now() - started
        for key, step in steps.items():
            seconds[key].append([sampling, screening[key[0]], *_phases(step, drawn, now)])
    return seconds


def _phases(step: AnswerStep, drawn: Drawn, now: Callable[[], float]) -> list[float]:
    """Take a step; return the seconds of the gate, of backward and of the optimizer."""
    times = [now()]
    selection = step.select(drawn.answers, _advantage(drawn))
    times.append(now())
    step.optimizer.zero_grad()
    step.backward(drawn.answers, _advantage(drawn), selection)
    times.append(now())
    step.step()
    times.append(now())
    return [end - start for start, end in pairwise(times)]


def _backward(step: AnswerStep, drawn: Drawn) -> None:
    """Write the gradient of a step."""
    step.optimizer.zero_grad()
    step.backward(drawn.answers, _advantage(drawn), step.select(drawn.answers, _advantage(drawn)))


def _screen(step: AnswerStep, drawn: Drawn) -> None:
    step.screen(replace(drawn.answers, log_prob=None))


def _advantage(drawn: Drawn) -> torch.Tensor:
    """Return advantages of distinct sizes, the same in every round."""
    number, tokens = len(drawn.answers.tokens), drawn.answers.tokens
    return (1 + torch.randperm(number, generator=torch.Generator().manual_seed(0)).to(tokens.device)) / number


def _drawing(
    config: LanguageModelConfig, learner: Learner, tokenizer: Any, device: torch.device
) -> Callable[[], Drawn]:
    """Return what draws a batch of answers that are all as long as they may be."""
    asked = list(problems(config.task, task_function(config.task), config.prompts, config.seed))
    return partial(
        draw_answers,
        learner.model,
        encode(tokenizer, [problem.prompt for problem in asked], device),
        answers=config.answers,
        most_tokens=config.most_tokens,
        ends=torch.zeros(learner.model.config.vocab_size, dtype=torch.bool, device=device),
        generator=torch.Generator(device).manual_seed(config.streams()["sampling"]),
        before=learner.before,
    )


def write_table(
    preset: str,
    out: Path,
    *,
    model: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Time every choice on this machine and write the table; what an earlier call measured is kept.

    Raises
    ------
    ValueError, ReportedError
        If the device is not known or absent, the table cannot be written, or the model cannot be had.
    """
    size, resolved = SIZES[preset], resolve(device)
    config: dict[str, Any] = {"preset": preset, "model": name_of(model), "size": asdict(size), "rates": RATES}
    measurement = Measurement(out, KIND, config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    require_model(model)
    jobs = [
        (f"trainable-{number}", trainable, partial(measure, trainable, size, resolved, model))
        for number, trainable in enumerate(size.trainable, start=1)
    ]
    with measurement.in_parts() as parts:
        frame = measured_in_turn(jobs, parts.checkpoints, progress)
        rounded = [[[float(f"{part:.4g}") for part in times] for times in rounds] for rounds in frame.pop("seconds")]
        return parts.write(
            frame, seconds=rounded, parts=PARTS, clock=clock(resolved)[1], versions_of_the_extra=extra_versions()
        )
