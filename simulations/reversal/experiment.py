"""``kondo experiment reversal``: from what the user asked for to a table on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from simulations.devices import clock, describe, resolve
from simulations.results.provenance import provenance
from simulations.results.tables import save
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.extending import Former, whole_sidecar
from simulations.resuming.runs import Shown, progress_bar, under_way
from simulations.reversal.plan import SCALING, ReversalPlan, plan_reversal, study_kind
from simulations.reversal.scaling import measure, searches
from simulations.reversal.side_by_side.runs import run_many
from simulations.reversal.studies import COMPARED
from simulations.reversal.summary import compared
from simulations.reversal.training import tidy

__all__ = ["SCALING", "plan_reversal", "run_reversal"]


def run_reversal(plan: ReversalPlan, command: str = "", *, quiet: bool = False) -> Path:
    """Run the plan with a progress bar on standard error, and return the table's path.

    What is there already is kept, as :class:`~simulations.resuming.plans.RunPlan` says.

    Parameters
    ----------
    plan : ReversalPlan
    command : str
        What the user typed, for the sidecar.
    quiet : bool
        Show no progress.

    Raises
    ------
    ReportedError
        If a policy stops being a number, another process runs the same plan, or the directory of checkpoints belongs
        to another run.
    """
    former = plan.former()
    missing = [] if former is None else former.missing(plan.records)
    if former is None or (former.table is not None and not missing):
        return plan.out
    whole, plan = plan, replace(plan, configs=tuple(plan.configs[index] for index in missing))
    device = describe(resolve(plan.device))
    total = len(searches(plan.scale)) if plan.study == SCALING else len(plan.configs)
    with under_way(plan.checkpoints, _identity(plan, device)) as checkpoints:
        with progress_bar(plan.out.stem, total, quiet=quiet) as show:
            if plan.study == SCALING:
                frame, details = _search(plan, checkpoints, show)
            else:
                frame, details = _train(plan, checkpoints, show, whole, former)
        sidecar = provenance(device) | details
        sidecar |= {"preset": plan.preset, "command": command, "workers": plan.workers, "code": plan.code}
        sidecar |= {"clock": clock(resolve(plan.device))[1]}
        path = save(
            frame,
            plan.out,
            kind=study_kind(plan.study),
            config=whole.described,
            sidecar=whole_sidecar(former, sidecar),
            overwrite=plan.overwrite or former.table is not None,
        )
        checkpoints.remove()
    return path


def _train(
    plan: ReversalPlan, checkpoints: CheckpointDirectory, show: Shown, whole: ReversalPlan, former: Former
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train the runs of a plan, what is missing of the whole.

    Returns the table of the whole, and for the sidecar the seeds and the seconds of each run's phases.
    """
    curves: dict[int, pd.DataFrame] = {}
    seconds: dict[int, dict[str, float]] = {}
    for index, curve, timings in run_many(
        plan.configs,
        device=plan.device,
        workers=plan.workers,
        checkpoints=checkpoints,
        checkpoint_seconds=plan.checkpoint_seconds,
        captured=plan.captured,
    ):
        last = timings.iloc[-1].drop("update")
        curves[index], seconds[index] = curve, {str(name): round(float(value), 3) for name, value in last.items()}
        show(len(curves), plan.configs[index].label)
    order = range(len(plan.configs))
    every, spent = former.completed(whole.records, [curves[at] for at in order], [seconds[at] for at in order])
    frame = tidy(whole.configs, every)
    if whole.study == COMPARED:
        frame = compared(frame)
    return frame, {"seeds": sorted({each.seed for each in whole.configs}), "seconds": spent}


def _search(plan: ReversalPlan, checkpoints: CheckpointDirectory, show: Shown) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Find the sizes that each method solves; every run is kept beside the table until all are known."""
    every, rows = searches(plan.scale), {}
    for index, found in measure(
        plan.scale,
        device=plan.device,
        workers=plan.workers,
        checkpoints=checkpoints,
        checkpoint_seconds=plan.checkpoint_seconds,
    ):
        rows[index] = found
        show(len(rows), f"{every[index].method.label}, {every[index].axis}")
    frame = pd.DataFrame([row for index in range(len(every)) for row in rows[index]])
    return frame, {"seeds": list(range(plan.scale.seeds))}


def _identity(plan: ReversalPlan, device: str) -> dict[str, Any]:
    """Return what a checkpoint must share with the run that continues it: configuration, code and device."""
    identity = {"configuration": plan.sizes, "code": plan.code, "device": device}
    return identity | ({"captured": True} if plan.captured else {})
