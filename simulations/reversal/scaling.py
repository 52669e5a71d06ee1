"""How far each method gets on token reversal within a budget of rows: the longest prompt, the largest vocabulary.

Solved means a sampled token error below 5 % at an evaluation before the budget of rows, forward or backward, is
spent. Sizes are found by doubling and bisection, which takes it that what is solved at a size is solved below it, the
smallest sizes apart. A run counts forward and backward rows alike: one training answers for every budget up to the
rows that it spent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from joblib import Parallel, delayed

from kondo_theory.words import nearest, unhandled
from simulations.devices import single_thread
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile, working_for
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.search import SPENT, Attempt, Attempts, largest
from simulations.reversal.training import ReversalRun

__all__ = ["KIND", "SCALES", "Scale", "Search", "measure", "searches", "train_to_target"]

KIND = "reversal-scaling"
TARGET = 0.05
EVALUATED_EVERY = 50
"""Optimizer steps: a method that takes several a batch is evaluated at the same number of backward rows."""
AXES = ("length", "vocab_size")
_ALL = {config.label: config for config in QUALITY_METHODS if config.rule == "delight"}
_ABOVE_CRITICAL = ReversalConfig("token-gate", rate=0.17)
"""It learns M = 2; by the theory it stalls from M = 5 on with the mean of 10 answers as baseline, else from M = 3."""


def _named(*labels: str) -> tuple[ReversalConfig, ...]:
    return tuple(_ALL[label] for label in labels)


@dataclass(frozen=True)
class Scale:
    """Sizes of the measurement.

    Attributes
    ----------
    forward_rows, backward_rows : tuple of int
        Budgets, ascending.
    seeds : int
    most : int
        The largest H and M that are tried.
    longest, broadest : tuple of ReversalConfig
        Methods whose longest prompt and whose largest vocabulary is looked for.

    Raises
    ------
    ValueError
        If a size is below 1 or the budgets do not rise.
    """

    forward_rows: tuple[int, ...]
    backward_rows: tuple[int, ...]
    seeds: int = 2
    most: int = 128
    longest: tuple[ReversalConfig, ...] = field(
        default=_named("PG", "PMPO", "DG", "row gate(3 %)", "zero-price"), repr=False
    )
    broadest: tuple[ReversalConfig, ...] = field(
        default=(*_named("zero-price", "token gate(3 %)"), _ABOVE_CRITICAL), repr=False
    )

    def __post_init__(self) -> None:
        if min(*self.forward_rows, *self.backward_rows, self.seeds, self.most) < 1:
            raise ValueError(f"budgets, seeds and most must be at least 1, got {self}")
        for spent in SPENT:
            budgets = getattr(self, spent)
            if list(budgets) != sorted(set(budgets)):
                raise ValueError(f"budgets must rise, got {spent} {budgets}")

    def only(self, names: Sequence[str]) -> Scale:
        """Return the scale with the named searches alone: a method's, or one of its two as in ``PG, length``.

        Raises
        ------
        ValueError
            If there is no search of a name.
        """
        axes = dict(zip(AXES, (self.longest, self.broadest), strict=True))
        known = [f"{method.label}, {axis}" for axis, methods in axes.items() for method in methods]
        labels = {name.rsplit(", ", 1)[0] for name in known}
        for name in names:
            if name not in labels.union(known):
                raise ValueError(
                    f"study scaling has the searches {'; '.join(known)}, got {name!r}{nearest(name, known)}"
                )
        longest, broadest = (
            tuple(method for method in methods if {method.label, f"{method.label}, {axis}"} & {*names})
            for axis, methods in axes.items()
        )
        return replace(self, longest=longest, broadest=broadest)


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "smoke": Scale((5_000,), (500,), seeds=1, most=4),
        "quick": Scale((10**4, 10**5), (10**4,), most=32),
        "paper": Scale(
            (10**4, 10**5, 10**6),
            (10**4, 10**5, 10**6),
            longest=tuple(_ALL.values()),
            broadest=(*_ALL.values(), _ABOVE_CRITICAL),
        ),
    }
)
"""By preset: ``quick`` has what is published and what the claim compares, ``paper`` every method on both axes."""


@dataclass(frozen=True)
class Search:
    """One search: a method and its seed, and what grows, one of ``AXES``."""

    method: ReversalConfig
    axis: str

    def run(self, scale: Scale, attempts: Attempts) -> list[dict[str, object]]:
        """Return one row a kind of rows and budget: label, seed, axis, spent, budget, largest, most (what was tried).

        At M = 1 every answer is right: vocabularies start from 2.
        """
        rows: list[dict[str, object]] = []
        for spent in SPENT:
            for budget in getattr(scale, spent):

                def solves(size: int, spent: str = spent, budget: int = budget) -> bool:
                    trivial = self.axis == "vocab_size" and size == 1
                    return trivial or attempts.solved(self._resized(size), spent, budget)

                found = {"label": self.method.label, "seed": self.method.seed, "axis": self.axis}
                solved = largest(solves, scale.most)
                rows.append(found | {"spent": spent, "budget": budget, "largest": solved, "most": scale.most})
        return rows

    def _resized(self, size: int) -> ReversalConfig:
        if self.axis == "length":
            return replace(self.method, length=size)
        if self.axis == "vocab_size":
            return replace(self.method, vocab_size=size)
        raise unhandled("axis", self.axis, ("length", "vocab_size"))


def searches(scale: Scale) -> list[Search]:
    """Return every search of a scale."""
    seeds = range(scale.seeds)
    methods = dict(zip(AXES, (scale.longest, scale.broadest), strict=True))
    return [
        Search(replace(method, seed=seed, eval_every=max(1, EVALUATED_EVERY // method.passes)), axis)
        for axis in AXES
        for method in methods[axis]
        for seed in seeds
    ]


def measure(
    scale: Scale,
    *,
    device: str = "cpu",
    workers: int = 1,
    checkpoints: CheckpointDirectory | None = None,
    checkpoint_seconds: float = 30.0,
) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """Run every search, in processes side by side, and yield (index, rows) as each ends.

    Parameters
    ----------
    scale : Scale
    device : str
        A torch device; on a GPU one worker is usually best.
    workers : int
        Processes; they do not change the results.
    checkpoints : CheckpointDirectory, optional
        Open; it holds the runs so far and the state of the current ones, from which the searches go on.
    checkpoint_seconds : float
        How often a run saves its state, at most once an evaluation.

    Raises
    ------
    ReportedError
        If a policy stops being a number, or what was kept is damaged.
    """
    jobs = []
    for index, search in enumerate(searches(scale)):
        file = checkpoints.file(f"search-{index:03d}", seconds=checkpoint_seconds) if checkpoints else None
        jobs.append(delayed(_searched)(os.getpid(), index, search, scale, device, file))
    yield from Parallel(n_jobs=min(workers, len(jobs)), return_as="generator_unordered")(jobs)


def _searched(
    owner: int, index: int, search: Search, scale: Scale, device: str, file: CheckpointFile | None
) -> tuple[int, list[dict[str, object]]]:
    def trainer(config: ReversalConfig, spent: str, budget: int) -> Attempt:
        return train_to_target(config, spent, budget, torch.device(device), file)

    with working_for(owner):
        return index, search.run(scale, Attempts(trainer, file.path.with_suffix(".json") if file else None))


def train_to_target(
    config: ReversalConfig, spent: str, budget: int, device: torch.device, checkpoint: CheckpointFile | None = None
) -> Attempt:
    """Train until the token error, sampled every ``eval_every`` updates, is below 5 % or the rows are spent.

    Parameters
    ----------
    config : ReversalConfig
        Its number of updates does not count.
    spent : {"forward_rows", "backward_rows"}
    budget : int
        Rows.
    device : torch.device
    checkpoint : CheckpointFile, optional
        Saved when due. A state of this very run is continued; that of another is replaced.

    Raises
    ------
    ReportedError
        If the policy or the loss is not finite.
    """
    with single_thread():
        run = ReversalRun(config, device)
        state = checkpoint.load() if checkpoint is not None else None
        if state is not None and run.owns(state):
            run.restore(state)
        solved = bool(run.rows) and run.rows[-1]["token_error"] < TARGET
        try:
            while not solved and getattr(run.step.counts, spent) < budget:
                run.train_batch()
                if run.update % config.eval_every == 0:
                    run.evaluate()
                    solved = run.rows[-1]["token_error"] < TARGET
                    if checkpoint is not None and checkpoint.is_due():
                        run.save(checkpoint)
        except FloatingPointError as error:
            raise run.diverged(error, checkpoint) from error
        counts = run.step.counts
        return Attempt(solved, counts.forward_rows, counts.backward_rows)
