"""The largest size that a method solves, by doubling and bisection over runs that are kept one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from simulations.errors import ReportedError
from simulations.results.atomic import atomic_path
from simulations.reversal.config import ReversalConfig

__all__ = ["SPENT", "Attempt", "Attempts", "Trainer", "largest"]

SMALLEST = (1, 2, 4)
SPENT = ("forward_rows", "backward_rows")
"""Kinds of rows that a budget counts."""


@dataclass(frozen=True)
class Attempt:
    """How far a run got: what it had spent when it solved its task or, if it did not, when it was stopped."""

    solved: bool
    forward_rows: int
    backward_rows: int

    def within(self, spent: str, budget: int) -> bool | None:
        """Return whether the task was solved within a budget of ``SPENT`` rows; None if the run was too short."""
        rows: int = getattr(self, spent)
        if self.solved:
            return rows <= budget
        return False if rows >= budget else None


Trainer = Callable[[ReversalConfig, str, int], Attempt]
"""Trains, whatever the configuration's number of updates, to the target or until the budget of rows is spent."""


def largest(solved: Callable[[int], bool], most: int) -> int:
    """Return the largest n from 1 to ``most`` with ``solved(n)``, by doubling and bisection; 0 if neither 1, 2 nor 4.

    From the largest of those three on ``solved`` must fall once from true to false: the smallest tasks, solved in a
    few updates or not, need not be in order. It is asked about twice log₂ n times.
    """
    low = max((n for n in SMALLEST if n <= most and solved(n)), default=0)
    high = 2 * low
    while high > SMALLEST[-1] and high <= most and solved(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if solved(middle) else (low, middle)
    return low


class Attempts:
    """The runs so far, kept in a file after every one, so that a killed measurement goes on from there.

    Parameters
    ----------
    trainer : Trainer
    path : Path, optional
        Without it nothing is kept.

    Raises
    ------
    ReportedError
        If the file is damaged.
    """

    def __init__(self, trainer: Trainer, path: Path | None = None) -> None:
        self._trainer, self._path = trainer, path
        try:
            stored = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
            self._known = {key: Attempt(**attempt) for key, attempt in stored.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise ReportedError(f"{path} is damaged: remove it to run its search afresh") from error

    def solved(self, config: ReversalConfig, spent: str, budget: int) -> bool:
        """Return whether the task is solved within the budget; trains only if no run so far can tell."""
        key = json.dumps(asdict(config), sort_keys=True)
        known = self._known[key].within(spent, budget) if key in self._known else None
        if known is not None:
            return known
        self._known[key] = self._trainer(config, spent, budget)
        if self._path is not None:
            with atomic_path(self._path) as temporary:
                stored = {name: asdict(attempt) for name, attempt in self._known.items()}
                temporary.write_text(json.dumps(stored), encoding="utf-8")
        return bool(self._known[key].within(spent, budget))
