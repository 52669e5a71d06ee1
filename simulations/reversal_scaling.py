"""How far each method gets on token reversal within a budget of rows: the longest prompt, the largest vocabulary.

Solved means a sampled token error below 5 % before the budget of rows, forward or backward, is spent. Sizes are found
by doubling and bisection, which takes it that what is solved at a size is solved below it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from simulations.results import atomic_path
from simulations.reversal import ReversalRun, single_thread
from simulations.reversal_config import QUALITY_METHODS, ReversalConfig

__all__ = ["KIND", "PAPER", "Answers", "Scale", "Solver", "largest", "measure", "trains_to_target"]

KIND = "reversal-scaling"
TARGET = 0.05
SPENT = ("forward_rows", "backward_rows")
AXES = ("length", "vocab_size")
METHODS = (*QUALITY_METHODS[:4], QUALITY_METHODS[5])
"""PG, DG, zero price, row gate and token gate at 3 %."""

Solver = Callable[[ReversalConfig, str, int], bool]
"""Whether a run, its updates aside, reaches the target before it has spent the budget of ``SPENT`` rows."""


@dataclass(frozen=True)
class Scale:
    """Sizes of the measurement: budgets in rows, seeds, and the largest size that is tried.

    Raises
    ------
    ValueError
        If a size is below 1.
    """

    budgets: tuple[int, ...] = (10**4, 10**5, 10**6)
    seeds: int = 2
    most: int = 128

    def __post_init__(self) -> None:
        if min(*self.budgets, self.seeds, self.most) < 1:
            raise ValueError(f"budgets, seeds and most must be at least 1, got {self}")


PAPER = Scale()


def largest(solved: Callable[[int], bool], most: int) -> int:
    """Return the largest n from 1 to ``most`` with ``solved(n)``, by doubling and bisection; 0 if not even 1.

    ``solved`` must fall once from true to false; it is asked about twice log₂ n times.
    """
    low, high = 0, 1
    while high <= most and solved(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if solved(middle) else (low, middle)
    return low


class Answers:
    """What was solved so far, kept in a file after every answer, so that a killed measurement goes on from there.

    Parameters
    ----------
    solver : Solver
    path : Path, optional
        Without it nothing is kept.
    """

    def __init__(self, solver: Solver, path: Path | None = None) -> None:
        self._solver, self._path = solver, path
        stored = path is not None and path.exists()
        self._known: dict[str, bool] = json.loads(path.read_text(encoding="utf-8")) if stored and path else {}

    def __call__(self, config: ReversalConfig, spent: str, budget: int) -> bool:
        """Return the solver's answer, asked once."""
        key = json.dumps([asdict(config), spent, budget], sort_keys=True)
        if key not in self._known:
            self._known[key] = self._solver(config, spent, budget)
            if self._path is not None:
                with atomic_path(self._path) as temporary:
                    temporary.write_text(json.dumps(self._known), encoding="utf-8")
        return self._known[key]


def measure(
    solved: Solver, scale: Scale = PAPER, methods: Sequence[ReversalConfig] = METHODS
) -> Iterator[dict[str, object]]:
    """Yield one row a method, seed, kind of rows, budget and axis: label, seed, spent, budget, axis, largest.

    The sizes at which nothing is gained are not looked at: at M = 1 every answer is right, so vocabularies start
    from 2.
    """
    for budget in scale.budgets:
        for spent in SPENT:
            for axis in AXES:
                for method in methods:
                    for seed in range(scale.seeds):
                        config = replace(method, seed=seed)

                        def solves(size: int, config: ReversalConfig = config, axis: str = axis) -> bool:
                            trivial = axis == "vocab_size" and size == 1
                            return trivial or solved(_resized(config, axis, size), spent, budget)  # noqa: B023

                        found = {"label": method.label, "seed": seed, "spent": spent, "budget": budget, "axis": axis}
                        yield found | {"largest": largest(solves, scale.most)}


def _resized(config: ReversalConfig, axis: str, size: int) -> ReversalConfig:
    return replace(config, length=size) if axis == "length" else replace(config, vocab_size=size)


def trains_to_target(config: ReversalConfig, spent: str, budget: int, device: torch.device) -> bool:
    """Train until the token error, sampled every ``eval_every`` updates, is below 5 % or the rows are spent."""
    with single_thread():
        run = ReversalRun(config, device)
        while getattr(run.step.counts, spent) < budget:
            run.train_batch()
            if run.update % config.eval_every == 0:
                run.evaluate()
                if run.rows[-1]["token_error"] < TARGET:
                    return True
        run.evaluate()
        return bool(run.rows[-1]["token_error"] < TARGET)
