"""What an update of token reversal takes, in one interleaved run: its phases by method, and ways of sampling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from simulations.reversal import ReversalRun, single_thread
from simulations.reversal_config import ReversalConfig
from simulations.sequence_step import PHASES
from simulations.transformer import Transformer, sample

__all__ = ["METHODS", "StepTime", "run", "targets"]

METHODS = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("token-gate", rate=0.03),
    ReversalConfig("ppo"),
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
        samplers = _samplers(runs[0])
        phases: list[list[list[float]]] = [[] for _ in runs]
        seconds: list[list[float]] = [[] for _ in samplers]
        for repeat in range(warm_up + repeats):
            for state, found in zip(runs, phases, strict=True):
                before = dict(state.step.seconds)
                state.train_batch()
                if repeat >= warm_up:
                    found.append([state.step.seconds[phase] - before[phase] for phase in PHASES])
            for call, times in zip(samplers.values(), seconds, strict=True):
                started = time.perf_counter()
                call()
                if repeat >= warm_up:
                    times.append(time.perf_counter() - started)
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
