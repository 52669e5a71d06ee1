"""What an update of token reversal takes, in one interleaved run: its phases by method, and ways of sampling.

``python -m simulations.benchmark_reversal FILE.parquet`` writes the phases as a table, which the figures draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from simulations.benchmark import BenchmarkRow, Case
from simulations.devices import clock, describe_cpu, single_thread
from simulations.results import provenance, save
from simulations.reversal import ReversalRun
from simulations.reversal_config import ReversalConfig
from simulations.sequence_step import PHASES
from simulations.transformer import Transformer, sample

__all__ = ["KIND", "METHODS", "StepTime", "case_targets", "cases", "run", "targets"]

KIND = "reversal-step-times"
UPDATE, SAMPLING = "token reversal, an update", "token reversal, sampling"

METHODS = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("row-gate", rate=0.03, rule="advantage"),
    ReversalConfig("token-gate", rate=0.03),
    ReversalConfig("ppo"),
    ReversalConfig("pmpo"),
)
SHARED, OWN, UNCACHED = "cache, prompts read once", "cache, prompts read by every row", "no cache"


@dataclass(frozen=True)
class StepTime:
    """Median milliseconds of one update's phases, or of sampling alone.

    Attributes
    ----------
    name : str
        The method's label, or the way of sampling.
    sampling, screening, training, total : float
        Milliseconds; the total is the median of the sums. Evaluation is not part of an update.
    total_ratio, training_ratio : float
        Over those of the first row of its kind: PG, or sampling as it is done. Training of a sampler is 0, its ratio
        nan.
    """

    name: str
    sampling: float
    screening: float
    training: float
    total: float
    total_ratio: float
    training_ratio: float


def run(
    repeats: int = 50, *, methods: Sequence[ReversalConfig] = METHODS, device: str = "cpu", warm_up: int = 5
) -> list[StepTime]:
    """Time every method's update and every way of sampling, interleaved, on one CPU thread.

    The methods train while they are timed, each its own policy from the same initialisation: what a gate keeps is
    that of early training.

    Parameters
    ----------
    repeats : int
        Updates of each method, at least 1.
    methods : sequence of ReversalConfig
        The first is what the others are compared with.
    device : str
        A torch device.
    warm_up : int
        Updates before the first that counts.

    Returns
    -------
    list of StepTime
        Methods first, then the three ways of sampling.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    with single_thread():
        runs = [ReversalRun(config, torch.device(device)) for config in methods]
        samplers, (now, _) = _samplers(runs[0]), clock(torch.device(device))
        phases: list[list[list[float]]] = [[] for _ in runs]
        seconds: list[list[float]] = [[] for _ in samplers]
        for repeat in range(warm_up + repeats):
            for state, found in zip(runs, phases, strict=True):
                before = dict(state.step.seconds)
                state.train_batch()
                if repeat >= warm_up:
                    found.append([state.step.seconds[phase] - before[phase] for phase in PHASES])
            for call, times in zip(samplers.values(), seconds, strict=True):
                started = now()
                call()
                if repeat >= warm_up:
                    times.append(now() - started)
    rows = []
    for config, found in zip(methods, phases, strict=True):
        sampling, screening, training = (_median_ms(column) for column in zip(*found, strict=True))
        rows.append((config.label, sampling, screening, training, _median_ms(map(sum, found))))
    ways = [(name, _median_ms(t), 0.0, 0.0, _median_ms(t)) for name, t in zip(samplers, seconds, strict=True)]
    return [*_compared(rows), *_compared(ways)]


def targets(rows: Sequence[StepTime]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that the project promises on a CPU."""
    gated = next(row for row in rows if row.name == "row gate(3 %)")
    return [
        ("row gate(3 %) / PG, sampling included", gated.total_ratio, "≤ 0.55"),
        ("row gate(3 %) / PG, training alone", gated.training_ratio, "≤ 0.2"),
    ]


def cases(quick: bool) -> list[Case]:
    """Return the cases of ``kondo bench``: updates by method, and ways of sampling; ``quick`` makes them tiny."""
    small: dict[str, Any] = {"length": 3, "prompts": 2, "answers": 2} if quick else {}
    runs = [ReversalRun(replace(config, **small), torch.device("cpu")) for config in METHODS]
    updates = {state.config.label: (1, _alone(state.train_batch)) for state in runs}
    sampling = {name: (1, _alone(call)) for name, call in _samplers(runs[0]).items()}
    return [Case(UPDATE, "update", updates), Case(SAMPLING, "batch", sampling)]


def case_targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that are promised, from the rows of ``kondo bench``."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    promises = ((UPDATE, "row gate(3 %)", "PG", "≤ 0.55"), (SAMPLING, SHARED, UNCACHED, "not promised"))
    return [
        (f"{case}: {over} / {under}", time_of[case, over] / time_of[case, under], required)
        for case, over, under, required in promises
    ]


def main() -> None:
    """Write the phases of an update as a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    chosen = parser.parse_args()
    frame = pd.DataFrame([asdict(row) for row in run(chosen.repeats)])
    sidecar = provenance(describe_cpu()) | {"command": "python -m simulations.benchmark_reversal " + chosen.file.name}
    save(frame, chosen.file, kind=KIND, config={"repeats": chosen.repeats}, sidecar=sidecar, overwrite=True)


def _alone(call: Callable[[], object]) -> Callable[[], None]:
    def on_one_thread() -> None:
        with single_thread():
            call()

    return on_one_thread


def _samplers(state: ReversalRun) -> dict[str, Callable[[], object]]:
    policy, config, generator = state.step.policy, state.config, state.generators["actions"]
    prompts = torch.randint(
        config.vocab_size, (config.prompts, config.length), generator=generator, device=state.device
    )
    every = prompts.repeat_interleave(config.answers, 0)
    return {
        SHARED: lambda: sample(policy, prompts, config.length, answers=config.answers, generator=generator),
        OWN: lambda: sample(policy, every, config.length, generator=generator),
        UNCACHED: lambda: _sample_without_cache(policy, every, config.length, generator),
    }


@torch.no_grad()
def _sample_without_cache(policy: Transformer, tokens: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """Append ``length`` tokens to each row, (B, H + length), every one after a full forward pass."""
    for _ in range(length):
        probability = policy(tokens, 1)[:, 0].softmax(-1)
        tokens = torch.cat([tokens, torch.multinomial(probability, 1, generator=generator)], 1)
    return tokens


def _median_ms(seconds: Iterable[float]) -> float:
    return 1e3 * median(seconds)


def _compared(rows: Sequence[tuple[str, float, float, float, float]]) -> list[StepTime]:
    _, _, _, first_training, first_total = rows[0]
    return [
        StepTime(*row, row[4] / first_total, row[3] / first_training if first_training else float("nan"))
        for row in rows
    ]


if __name__ == "__main__":
    main()
