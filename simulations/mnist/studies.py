"""What is measured on the MNIST bandit beside learning curves, by name: each writes a table of its own.

Torch is imported only to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.results.tables import require_table_writable, table_path

__all__ = ["STUDIES", "StudyPlan", "plan_study", "run_study"]

Progress = Callable[[str], None]


def _approximate(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.approximate import write_table

    return write_table(plan.study, plan.preset, plan.out, **plan.common(command), progress=progress)


def _cascade(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.cascade.study import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _cost(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.cost import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _digits(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.digits import write_table

    progress("training")
    return write_table(plan.study, plan.preset, plan.out, **plan.common(command))


def _gamble(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.gambles.training import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _adam(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.progress import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _gains(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.gains import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _best_gates(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.best_gates import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _neighbours(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.neighbours import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _curves(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.curves import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _temperature(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.steps.temperatures import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _moments(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.decomposition import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


def _stale(plan: StudyPlan, command: str, progress: Progress) -> Path:
    from simulations.mnist.stale.training import write_table

    return write_table(plan.preset, plan.out, **plan.common(command), progress=progress)


@dataclass(frozen=True)
class Study:
    """What a study measures, and the function that does."""

    title: str
    run: Callable[[StudyPlan, str, Progress], Path]


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "noise": Study("training with noise on delight, beside the theory of noisy gates", _approximate),
        "screeners": Study(
            "training screened in bfloat16, in int8, by old parameters or a small network", _approximate
        ),
        "cascade": Study("cheap scores for all, exact delight within windows of the price, along training", _cascade),
        "moments": Study("signal and noise of every rule in the network's parameters, along training", _moments),
        "adam": Study("what an update of each method is predicted to gain under Adam, along training", _adam),
        "gains": Study("what an update of each method gains, from policies along training", _gains),
        "best-gates": Study("the cost of signal of gates beside the least there is, along training", _best_gates),
        "neighbours": Study(
            "every rule and estimate that one sample allows, in exact moments, along training", _neighbours
        ),
        "curves": Study("training by exactly k, at a price, divided by the kept, by the last layer", _curves),
        "temperature": Study(
            "training by DG and by gates drawn at the batch's quantile, over temperatures", _temperature
        ),
        "cost": Study("FLOPs, bytes and seconds of full and screened steps over sizes and formats", _cost),
        "gamble": Study("training where one action gambles, by delight, |advantage| and a second draw", _gamble),
        "stale": Study(
            "training on what older, random or mistaken actors draw, with and without corrections", _stale
        ),
        "digits": Study("the digits with the highest and the lowest delight, early and late in training", _digits),
        "batch": Study("a batch with its advantages, surprisals and delights, early and late in training", _digits),
    }
)


@dataclass(frozen=True)
class StudyPlan:
    """One study, at a preset's size, and where its table goes."""

    study: str
    preset: str
    device: str
    out: Path
    overwrite: bool

    def common(self, command: str) -> dict[str, Any]:
        """Return what every study takes."""
        return {"device": self.device, "overwrite": self.overwrite, "command": command}


def plan_study(study: str, *, preset: str, device: str, out: Path | None, overwrite: bool) -> StudyPlan:
    """Check what was asked for, before anything runs.

    Raises
    ------
    ValueError
        If the study or the device is not known or absent, or the table could not be written.
    """
    choice("study", study, STUDIES)
    out = table_path(out, f"mnist-{study}-{preset}")
    resolved = resolve(device)
    require_table_writable(out, overwrite=overwrite or out.exists())  # one that is there may be this very table
    return StudyPlan(study, preset, resolved.type, out, overwrite)


def run_study(plan: StudyPlan, command: str = "", progress: Progress = print) -> Path:
    """Run a study and return its table's path; what an earlier call left unfinished is continued.

    Parameters
    ----------
    plan : StudyPlan
    command : str
        What the user typed, for the sidecar.
    progress : callable
        Called with a short text before each part.

    Raises
    ------
    ReportedError
        If the data are missing, another process runs the same plan, or the directory of checkpoints belongs to
        another run.
    """
    return STUDIES[plan.study].run(plan, command, progress)
