"""What every gate would do to the pretrained policy, measured without training it: drift, noise, and what it keeps.

A block is four quarters of batches, two of them a half. The policy gradient of each half, with nothing divided by, is
an unbiased estimate of ∇J, the gradient of the mean reward, independent of the other half's tokens. So the mean over
the other half of a gate's batch gradient times it is an unbiased estimate of the gate's drift ⟨E g, ∇J⟩. Blocks are
independent of each other, and standard errors are those of a mean over blocks.

The batch gradient's length needs no gradient either: along a normal direction v in parameters E⟨g, v⟩² = E‖g‖².
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.advantage import group_advantage
from simulations.devices import resolve, single_thread
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.experiment import extra_versions, require_model
from simulations.language_model.frozen.directions import (
    Direction,
    SharedPrompts,
    along,
    gradient,
    require_sampled,
    scaled_step,
)
from simulations.language_model.frozen.gates import GATES, batch_facts, kept_facts
from simulations.language_model.models import at_temperature
from simulations.language_model.sampling import Drawn
from simulations.language_model.tasks import TASKS, problems
from simulations.language_model.training import LanguageModelRun
from simulations.language_model.weights import load_directory, name_of
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement

__all__ = ["SIZES", "Size", "measure", "write_table"]

_SEED = 1000  # of the first block: no run's
_LEAST = 1e-8  # what roots of mean squares are held above: AdamW's ε


@dataclass(frozen=True)
class Size:
    """What a preset measures: tasks, blocks of each, batches of a quarter, directions of a batch, temperature."""

    tasks: tuple[str, ...]
    blocks: int
    batches: int = 4
    probes: int = 2
    temperature: float = 1.0


_MAIN = ("reversal-3", "spelling")
_COLD = 0.5
_OTHERS = tuple(task for task in TASKS if task not in _MAIN)

SIZES: Mapping[str, Mapping[str, Size]] = MappingProxyType(
    {
        "frozen": {"smoke": Size(_MAIN[:1], 1, 1), "quick": Size(_MAIN, 3), "paper": Size(_MAIN, 8)},
        "frozen-tasks": {"smoke": Size(_OTHERS[:1], 1, 1), "quick": Size(_OTHERS, 4, 2), "paper": Size(_OTHERS, 8)},
        "frozen-temperature": {
            "smoke": Size(_MAIN[:1], 1, 1, temperature=_COLD),
            "quick": Size(_MAIN, 3, temperature=_COLD),
            "paper": Size(_MAIN, 8, temperature=_COLD),
        },
    }
)
"""By study and preset; a table's kind is ``language-model-STUDY``."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """A batch, and what the last blocks read of it: n tokens of answers in groups with spread.

    Attributes
    ----------
    shared : SharedPrompts
    log_prob : (n,) tensor
    row : (n,) tensor of int64
        Whose answer's each token is.
    advantage : (B,) tensor
    weights : (G, n) tensor
        For every gate kept · advantage · weight over the batch's number of tokens.
    kept : (G, B) boolean tensor
        Rows that hold a kept token.
    facts : list of dict
        For every gate what is kept, and what holds for the batch.
    """

    shared: SharedPrompts
    log_prob: Tensor
    row: Tensor
    advantage: Tensor
    weights: Tensor
    kept: Tensor
    facts: list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class _Quarter:
    """Some batches; an unbiased estimate of ∇J from them; the mean of the square of PG's batch gradient."""

    batches: list[_Batch]
    ascent: list[Tensor]
    square: list[Tensor]


def measure(
    task: str, block: int, size: Size, device: torch.device, directory: Path | None = None, model: Any = None
) -> pd.DataFrame:
    """Measure every gate on one block of a task's batches.

    Parameters
    ----------
    task : str
    block : int
        Its number: it has problems and draws of its own.
    size : Size
    device : torch.device
    directory : Path, optional
        Of the model; by default the verified weights.
    model : tuple, optional
        A model and its tokenizer, loaded already.

    Returns
    -------
    DataFrame
        One row a gate, and one named ``gradient``: ∇J itself; task, block and temperature in front. Means over
        batches: drift ⟨g, ∇J⟩; adam_drift, the same with ∇J over the root of each coordinate's mean square in the
        other half; squared_length ‖g‖², and of PG exact_squared_length; for gates that keep whole rows Σ A², Σ A·s
        and Σ s² over these, s the answer's derivative along ∇J; and what is kept
        (:mod:`simulations.language_model.frozen.gates`).
    """
    config = LanguageModelConfig("pg", task=task, seed=_SEED + block)
    with single_thread():
        network, tokenizer = model or load_directory(directory)
        if size.temperature != 1:
            network = at_temperature(network, size.temperature)
        run = LanguageModelRun(config, device, network, tokenizer)
        generators = [torch.Generator(device).manual_seed(run.seeds[name]) for name in ("gate", "adapters")]
        quarters = [_quarter(run, number, size, generators[0]) for number in range(4)]
        found = [each for half in (0, 1) for each in _half(run, quarters, half, size, generators[1])]
    means = pd.DataFrame(found).groupby("gate", sort=False).mean().reset_index()
    exact = sum(float(each.sum()) for quarter in quarters for each in quarter.square) / len(quarters)
    means["exact_squared_length"] = [exact if gate == "PG" else math.nan for gate in means["gate"]]
    for name, value in (("temperature", size.temperature), ("block", block), ("task", task)):
        means.insert(0, name, value)
    return means


def _quarter(run: LanguageModelRun, number: int, size: Size, ties: torch.Generator) -> _Quarter:
    """Draw some batches at once, and take the policy gradient of each."""
    config, rows = run.config, run.config.prompts * run.config.answers
    asked = list(problems(config.task, run.task, config.prompts * size.batches, run.seeds["problems"], number))
    drawn, reward = run.draw(asked, config.answers)
    batches: list[_Batch] = []
    ascent = [torch.zeros_like(each) for each in run.learner.parameters.values()]
    square = [torch.zeros_like(each) for each in ascent]
    for first in range(0, len(reward), rows):
        part = slice(first, first + rows)
        batch, found = _batch(run, _part(drawn, part), reward[part], ties)
        batches.append(batch)
        tokens = batch.facts[0]["answer_tokens"]
        unbiased = tokens / (len(reward) * (1 - 1 / config.answers))  # the mean holds the answer's own reward
        for total, squares, each in zip(ascent, square, found, strict=True):
            total.add_(each, alpha=unbiased)
            squares.addcmul_(each, each, value=1 / size.batches)
    return _Quarter(batches, ascent, square)


def _batch(run: LanguageModelRun, drawn: Drawn, reward: Tensor, ties: torch.Generator) -> tuple[_Batch, list[Tensor]]:
    """Return a batch with the weights of every gate, and PG's gradient of it."""
    answers, n_answers = drawn.answers, run.config.answers
    advantage, _ = group_advantage(reward, n_answers)
    shared = SharedPrompts.of(drawn, n_answers, (advantage.view(-1, n_answers) != 0).any(1))
    whole = torch.stack([gate.coefficient(answers, advantage, ties) for gate in GATES])
    common = batch_facts(answers, advantage, reward, n_answers)
    facts = [{**kept_facts(answers, advantage, reward, each), **common} for each in whole]
    weights = whole.flatten(1)[:, shared.places] / common["answer_tokens"]
    found, log_prob = gradient(run.learner, shared, weights[0])
    require_sampled(log_prob, drawn, shared.places, run.config.tolerance)
    row = shared.places // answers.tokens.shape[1]
    return _Batch(shared, log_prob, row, advantage, weights, (whole != 0).any(2), facts), found


def _part(drawn: Drawn, rows: slice) -> Drawn:
    """Return some rows of what was drawn."""
    names = ("tokens", "attention_mask", "answer_mask", "log_prob", "entropy")
    answers = replace(drawn.answers, **{name: getattr(drawn.answers, name)[rows] for name in names})
    assert drawn.hidden is not None
    return Drawn(answers, drawn.begin, drawn.hidden[rows])


def _half(
    run: LanguageModelRun, quarters: Sequence[_Quarter], half: int, size: Size, probes: torch.Generator
) -> Iterator[dict[str, Any]]:
    """Yield what each gate does in each batch of one half, along the gradient of the other."""
    own, other = quarters[2 * half : 2 * half + 2], quarters[2 - 2 * half : 4 - 2 * half]
    batches = [batch for quarter in own for batch in quarter.batches]
    shared, log_probs = [batch.shared for batch in batches], [batch.log_prob for batch in batches]

    def derivatives(direction: Direction) -> list[Tensor]:
        trial = max(batches, key=lambda batch: len(batch.log_prob))
        step = scaled_step(run.learner, direction, trial.shared, trial.log_prob)
        return along(run.learner, direction, shared, log_probs, step)

    both = [derivatives(quarter.ascent) for quarter in other]
    coordinates = zip(*(quarter.ascent for quarter in other), *(quarter.square for quarter in other), strict=True)
    adam = derivatives([(a + b) / ((c + d) / 2).sqrt().clamp(min=_LEAST) / 2 for a, b, c, d in coordinates])
    lengths = _squared_lengths(run, batches, size.probes, probes)
    for number, batch in enumerate(batches):
        first, second = both[0][number], both[1][number]
        mean = (first + second) / 2
        every = zip(batch.weights @ mean, batch.weights @ adam[number], lengths[number], strict=True)
        for place, (drift, adam_drift, length) in enumerate(every):
            found = {"drift": drift, "adam_drift": adam_drift, "squared_length": length}
            found |= _row_moments(batch, place, first, second)
            numbers = {name: float(value) for name, value in found.items()}
            yield {"gate": GATES[place].label, **numbers, **batch.facts[place]}
        scale = batch.facts[0]["answer_tokens"] / (len(batch.advantage) * (1 - 1 / run.config.answers))
        yield {"gate": "gradient", "drift": float(batch.weights[0] @ mean) * scale}


def _row_moments(batch: _Batch, place: int, first: Tensor, second: Tensor) -> dict[str, float]:
    """Return Σ A², Σ A·s and Σ s² over the rows that a gate keeps; the two directions are independent."""
    if not GATES[place].by_row:
        return dict.fromkeys(("row_aa", "row_as", "row_ss"), math.nan)
    zero = torch.zeros_like(batch.advantage)
    one, other = (zero.index_add(0, batch.row, each) for each in (first, second))
    kept, advantage = batch.kept[place], batch.advantage
    sums = {"row_aa": advantage**2, "row_as": advantage * (one + other) / 2, "row_ss": one * other}
    return {name: float(each[kept].sum()) for name, each in sums.items()}


def _squared_lengths(
    run: LanguageModelRun, batches: Sequence[_Batch], n_probes: int, generator: torch.Generator
) -> list[Tensor]:
    """Return unbiased estimates of ‖g‖² of every gate's gradient, (G,) for each batch, from directions of its own."""
    found, step = [], None
    for batch in batches:
        total = torch.zeros(len(batch.weights), dtype=torch.float64, device=batch.weights.device)
        for _ in range(n_probes):
            direction = [
                torch.randn(each.shape, dtype=each.dtype, device=each.device, generator=generator)
                for each in run.learner.parameters.values()
            ]
            step = step or scaled_step(run.learner, direction, batch.shared, batch.log_prob)
            (moves,) = along(run.learner, direction, [batch.shared], [batch.log_prob], step)
            total += (batch.weights @ moves) ** 2 / n_probes
        found.append(total)
    return found


def write_table(
    study: str,
    preset: str,
    out: Path,
    *,
    model: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure every task of a study and write the table; blocks that an earlier call measured are kept.

    Raises
    ------
    ValueError, ReportedError
        If the device is not known or absent, the table cannot be written, or the model cannot be had.
    """
    size, resolved = SIZES[study][preset], resolve(device)
    config: dict[str, Any] = {"preset": preset, "model": name_of(model), "size": asdict(size)}
    measurement = Measurement(out, f"language-model-{study}", config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    require_model(model)
    jobs = [
        (f"{task}-{block:03d}", task, partial(measure, task, block, size, resolved, model))
        for block in range(size.blocks)
        for task in size.tasks
    ]
    with measurement.in_parts() as parts:
        frame = measured_in_turn(jobs, parts.checkpoints, progress)
        return parts.write(frame, versions_of_the_extra=extra_versions())
