"""``kondo experiment language-model``: from what the user asked for to a table on disk."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from pathlib import Path

import pandas as pd

from simulations.devices import clock, describe, resolve
from simulations.language_model.plan import LanguageModelPlan, plan_language_model
from simulations.language_model.runs import run_many, tidy
from simulations.language_model.weights import fetch_weights, require_extra
from simulations.results.provenance import provenance
from simulations.results.tables import save
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.extending import whole_sidecar
from simulations.resuming.runs import Shown, progress_bar, under_way

__all__ = ["extra_versions", "plan_language_model", "require_model", "run_language_model"]

_PACKAGES = ("transformers", "tokenizers", "peft", "gguf")


def run_language_model(plan: LanguageModelPlan, command: str = "", *, quiet: bool = False) -> Path:
    """Run the plan with a progress bar on standard error, and return the table's path.

    What is there already is kept, as :class:`~simulations.resuming.plans.RunPlan` says. Weights that are missing are
    fetched.

    Parameters
    ----------
    plan : LanguageModelPlan
    command : str
        What the user typed, for the sidecar.
    quiet : bool
        Show no progress.

    Raises
    ------
    ReportedError
        If the extra or the weights cannot be had, a run fails, another process runs the same plan, or the directory
        of checkpoints belongs to another run.
    """
    former = plan.former()
    missing = former.missing(plan.records)
    if former.table is not None and not missing:
        return plan.out
    require_model(plan.directory)
    todo = replace(plan, configs=tuple(plan.configs[index] for index in missing))
    device = describe(resolve(plan.device))
    identity = {"configuration": {"runs": todo.records}, "code": plan.code, "device": device}
    identity |= {"transformers": importlib.metadata.version("transformers")}
    with under_way(plan.checkpoints, identity) as checkpoints:
        with progress_bar(plan.out.stem, len(missing), quiet=quiet) as show:
            curves, seconds = _train(todo, checkpoints, show)
        every, spent = former.completed(plan.records, curves, seconds)
        sidecar = provenance(device) | {"seeds": sorted({each.seed for each in plan.configs}), "seconds": spent}
        sidecar |= {"versions_of_the_extra": extra_versions(), "workers": plan.workers, "code": plan.code}
        sidecar |= {"preset": plan.preset, "command": command, "clock": clock(resolve(plan.device))[1]}
        path = save(
            tidy(plan.configs, every),
            plan.out,
            kind=plan.kind,
            config=plan.described,
            sidecar=whole_sidecar(former, sidecar),
            overwrite=plan.overwrite or former.table is not None,
        )
        checkpoints.remove()
    return path


def _train(
    plan: LanguageModelPlan, checkpoints: CheckpointDirectory, show: Shown
) -> tuple[list[pd.DataFrame], list[dict[str, float]]]:
    """Train the runs of a plan; return the curve of each, and the seconds of its phases."""
    curves: dict[int, pd.DataFrame] = {}
    seconds: dict[int, dict[str, float]] = {}
    for index, curve, timings in run_many(
        plan.configs,
        directory=plan.directory,
        device=plan.device,
        workers=plan.workers,
        checkpoints=checkpoints,
        checkpoint_seconds=plan.checkpoint_seconds,
    ):
        last = timings.iloc[-1].drop("update")
        curves[index], seconds[index] = curve, {str(name): round(float(value), 3) for name, value in last.items()}
        show(len(curves), plan.configs[index].label)
    order = range(len(plan.configs))
    return [curves[at] for at in order], [seconds[at] for at in order]


def require_model(directory: Path | None) -> None:
    """Require the extra, and fetch the weights where no directory of the user's own stands in their place.

    Raises
    ------
    ReportedError
        If either cannot be had.
    """
    require_extra()
    if directory is None:
        fetch_weights()


def extra_versions() -> dict[str, str]:
    """Return the versions of the packages that the extra brings."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
