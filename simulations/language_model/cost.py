"""What a step on a language model takes on this machine, by phase, when all, some and few of its answers are kept.

4 prompts × 8 answers of exactly 24 tokens, on one CPU thread; all rates take the same answers, in turn, round after
round, so that a machine whose speed drifts slows them alike. The learning rate is zero: the policy stays.
Seconds do not reproduce and lie in the table's sidecar, as the list ``seconds`` of one list a row.
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

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep
from kondo_theory.training.answers.counts import AnswerCounts
from simulations.devices import clock, resolve, single_thread
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.experiment import extra_versions
from simulations.language_model.models import Learner, make_learner
from simulations.language_model.sampling import Drawn, draw_answers, encode
from simulations.language_model.tasks import problems, task_function
from simulations.language_model.weights import fetch_weights, load_directory, name_of, require_extra
from simulations.resuming.checkpoints import kept_or_measured
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
    warm_up: int = 1


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "smoke": Size(("last-6",), 1, 0),
        "quick": Size(("all", "last-6"), 3),
        "paper": Size(("all", "last-15", "last-6", "lora-8"), 7),
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
        kept, of ``answers``; backward_positions; and seconds: a list, of ``PARTS`` in each round, by
        :func:`simulations.devices.clock`.
    """
    config = LanguageModelConfig("pg", trainable=trainable)
    with single_thread():
        model, tokenizer = model or load_directory(directory)
        learner = make_learner(model.to(device), trainable, config.streams()["adapters"])
        learners = {True: learner} if learner.second is not learner.model else {}
        learners[False] = Learner(learner.model, learner.model, None)
        optimizer = torch.optim.AdamW(list(learner.parameters.values()), 0.0, weight_decay=0.0)
        keys = [(reuse, rate) for reuse in learners for rate in RATES]
        steps = {key: _step(learners[key[0]], optimizer, key[1], config) for key in keys}
        draw = _drawing(config, learner, tokenizer, device)
        seconds: dict[tuple[bool, float], list[list[float]]] = {key: [] for key in steps}
        now, _ = clock(device)
        for number in range(size.warm_up + size.rounds):
            started = now()
            drawn = draw()
            sampling = now() - started
            learner.take(drawn.hidden)
            screening = {reuse: _screening(steps[reuse, 1.0], drawn, now) for reuse in learners}
            for key, step in steps.items():
                found = _timed(step, drawn, now)
                if number >= size.warm_up:
                    seconds[key].append([sampling, screening[key[0]], *found])
    counts = {key: step.counts for key, step in steps.items()}
    return pd.DataFrame(
        {"trainable": trainable, "reuse": reuse, "rate": rate, "answers": config.prompts * config.answers}
        | {"rows": _mean(found, "backward_rows"), "backward_positions": _mean(found, "backward_positions")}
        | {"seconds": seconds[reuse, rate]}
        for (reuse, rate), found in counts.items()
    )


def _step(learner: Learner, optimizer: torch.optim.Optimizer, rate: float, config: LanguageModelConfig) -> AnswerStep:
    gate = None if rate == 1 else Gate(rate=rate)
    options: dict[str, Any] = {"micro_tokens": config.micro_tokens, "tolerance": config.tolerance}
    return AnswerStep(learner.second, optimizer, gate, rule="abs-advantage", **options)


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


def _screening(step: AnswerStep, drawn: Drawn, now: Callable[[], float]) -> float:
    started = now()
    step.screen(replace(drawn.answers, log_prob=None))
    return now() - started


def _timed(step: AnswerStep, drawn: Drawn, now: Callable[[], float]) -> list[float]:
    """Take a step on advantages of distinct sizes; return the seconds of the gate, backward and optimizer."""
    advantage = torch.linspace(-1, 1, len(drawn.answers.tokens), device=drawn.answers.tokens.device)
    times = [now()]
    selection = step.select(drawn.answers, advantage)
    times.append(now())
    step.optimizer.zero_grad()
    step.backward(drawn.answers, advantage, selection)
    times.append(now())
    step.step()
    times.append(now())
    return [end - start for start, end in pairwise(times)]


def _mean(counts: AnswerCounts, name: str) -> int:
    return round(getattr(counts, name) / counts.updates)


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
    require_extra()
    if model is None:
        fetch_weights()
    with measurement.in_parts() as parts:
        frames = []
        for number, trainable in enumerate(size.trainable, start=1):
            progress(f"{number} of {len(size.trainable)}: {trainable}")
            file = parts.checkpoints.file(f"trainable-{number}")
            frames.append(kept_or_measured(file, partial(measure, trainable, size, resolved, model)))
        frame = pd.concat(frames, ignore_index=True)
        rounded = [[[float(f"{part:.4g}") for part in times] for times in rounds] for rounds in frame.pop("seconds")]
        return parts.write(
            frame, seconds=rounded, parts=PARTS, clock=clock(resolved)[1], versions_of_the_extra=extra_versions()
        )
