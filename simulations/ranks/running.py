"""From a plan to a table: a run over ranks, with checkpoints of rank 0 from which the same command goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
import torch.distributed as dist

from kondo_theory.training.ranks import Ranks
from simulations.devices import describe, single_thread
from simulations.errors import ReportedError
from simulations.ranks.placing import LostRankError, Placement, from_rank_0, process_group
from simulations.results.provenance import provenance
from simulations.results.tables import require_table_writable, save
from simulations.resuming.checkpoints import CheckpointFile
from simulations.resuming.runs import under_way

__all__ = ["RankPlan", "RankRun", "SharedError", "carry_out"]

_LOST = ("gloo", "nccl", "timed out", "connection")


class SharedError(ReportedError):
    """A failure that every rank knows of: one of them says so."""


class RankRun(Protocol):
    """A run whose every rank makes the same calls."""

    update: int
    rows: list[dict[str, Any]]

    def train_batch(self) -> None:
        """Take one update."""

    def evaluate(self) -> None:
        """Append the row of this update, of all ranks' numbers."""

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, whole on rank 0."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""


@dataclass(frozen=True)
class RankPlan:
    """What to run, and where the table goes.

    Attributes
    ----------
    kind : str
        Of the table.
    config : mapping
        JSON values: what the numbers depend on. A checkpoint of another configuration is refused, one of another
        number of ranks is not.
    updates, eval_every : int
    device : torch.device
    dtype : torch.dtype
    shard : bool
    out : Path
    overwrite : bool
    checkpoint_seconds, timeout : float
        Between checkpoints, at evaluations; and how long a rank waits for the others.
    code : str
        The code behind the run, see :func:`simulations.resuming.fingerprint.code_version`.
    command : str
    """

    kind: str
    config: Mapping[str, Any]
    updates: int
    eval_every: int
    device: torch.device
    dtype: torch.dtype
    shard: bool
    out: Path
    overwrite: bool
    checkpoint_seconds: float
    timeout: float
    code: str
    command: str

    @property
    def checkpoints(self) -> Path:
        """The directory beside the table that holds the state of an unfinished run."""
        return self.out.with_suffix(".partial")


def carry_out(
    plan: RankPlan, make: Callable[[Placement], RankRun], tidied: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """Run a plan on this rank; rank 0 writes the table, ``tidied`` of the run's rows.

    Raises
    ------
    LostRankError
        If another rank is gone, or silent for longer than the timeout.
    ReportedError
        If the table or the checkpoints cannot be written or are those of another run, or the policy diverges.
    """
    with (
        single_thread(),
        process_group(plan.device, plan.timeout) as ranks,
        _ending_with_the_others(plan, ranks),
        ExitStack() as stack,
    ):
        run = make(Placement(ranks, plan.device, plan.dtype, plan.shard))
        directory, file, state, refused = None, None, None, ""
        if ranks.rank == 0:
            try:
                require_table_writable(plan.out, overwrite=plan.overwrite)
                directory = stack.enter_context(under_way(plan.checkpoints, _identity(plan)))
                file = directory.file("run", seconds=plan.checkpoint_seconds)
                state = file.load()
            except ReportedError as error:
                refused = str(error)
        state, refused = from_rank_0((state, refused), ranks)
        if refused:
            raise SharedError(refused)
        _train(run, plan, ranks, file, state)
        if directory is not None:
            _save(tidied(pd.DataFrame(run.rows)), plan, ranks)
            directory.remove()
        dist.barrier()


def _train(
    run: RankRun, plan: RankPlan, ranks: Ranks, file: CheckpointFile | None, state: Mapping[str, Any] | None
) -> None:
    if state is None:
        run.evaluate()
    else:
        run.restore(state)
    while run.update < plan.updates:
        try:
            run.train_batch()
        except FloatingPointError as error:
            raise ReportedError(f"the run diverged after update {run.update}: {error}; {plan.config}") from error
        if run.update % plan.eval_every == 0 or run.update == plan.updates:
            run.evaluate()
            due = file is not None and (file.is_due() or run.update == plan.updates)
            if ranks.most(int(due), plan.device):  # rank 0 has the clock
                now = run.state()
                if file is not None:
                    file.save(now)


def _save(frame: pd.DataFrame, plan: RankPlan, ranks: Ranks) -> None:
    sidecar = provenance(describe(plan.device)) | {"command": plan.command, "code": plan.code, "ranks": ranks.size}
    save(frame, plan.out, kind=plan.kind, config=plan.config, sidecar=sidecar, overwrite=plan.overwrite)


def _identity(plan: RankPlan) -> dict[str, Any]:
    return {"configuration": plan.config, "code": plan.code, "device": describe(plan.device)}


@contextmanager
def _ending_with_the_others(plan: RankPlan, ranks: Ranks) -> Iterator[None]:
    """Tell a collective that failed from a fault of our own, whose traceback is wanted."""
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if isinstance(error, ReportedError) or not any(word in words for word in _LOST):
            raise
        what = f"did not answer within {plan.timeout:g} s" if "timed out" in words else "is gone"
        raise LostRankError(
            f"rank {ranks.rank} of {ranks.size} ends: another rank {what}; the same command goes on from the last"
            f" checkpoint, in {plan.checkpoints} of rank 0"
        ) from error
