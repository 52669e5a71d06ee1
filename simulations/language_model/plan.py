"""Which runs of a language model were asked for, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kondo_theory.words import choice, nearest
from simulations.devices import available_cores, describe, resolve
from simulations.errors import InputError
from simulations.language_model.config import PRESETS, LanguageModelConfig, preset_configs
from simulations.language_model.runs import run_one
from simulations.language_model.studies import MEASURED, STUDIES
from simulations.language_model.tasks import task_function
from simulations.language_model.weights import name_of
from simulations.randomness.seed_lists import parse_seeds
from simulations.results.tables import table_path
from simulations.resuming.extending import Former, former_runs
from simulations.resuming.fingerprint import code_version
from simulations.resuming.plans import RunPlan

__all__ = ["LanguageModelPlan", "plan_language_model"]


@dataclass(frozen=True)
class LanguageModelPlan(RunPlan[LanguageModelConfig]):
    """Runs of a language model; ``directory`` is that of a user's own one, ``study`` None for a user's own runs."""

    study: str | None = None
    directory: Path | None = None

    @property
    def kind(self) -> str:
        """Of the table."""
        return f"language-model-{self.study or 'own'}"

    @property
    def code(self) -> str:
        """The hash of what trains, with those of a user's own tasks."""
        own = sorted({config.task for config in self.configs if ":" in config.task})
        return "-".join([code_version(run_one), *(code_version(task_function(task)) for task in own)])

    @property
    def described(self) -> dict[str, Any]:
        """The configuration of the table."""
        return {"preset": self.preset, "study": self.study, "runs": self.records}

    def former(self) -> Former:
        """Return the runs that the table holds already.

        Raises
        ------
        ResultError
            If the table is another one and not to be replaced, or could not be written.
        """
        device = describe(resolve(self.device))
        return former_runs(self.out, self.kind, self.records, self.code, device, overwrite=self.overwrite)


def plan_language_model(
    *,
    preset: str,
    study: str | None,
    only: Sequence[str] = (),
    method: str | None = None,
    rate: float | None = None,
    price: float | None = None,
    rule: str | None = None,
    tasks: Sequence[str] = (),
    trainable: str | None = None,
    learning_rate: float | None = None,
    model: Path | None = None,
    seeds: str | None = None,
    updates: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> LanguageModelPlan:
    """Check what was asked for, before anything runs.

    Without a method the runs are those of a study, by default ``learning``, or only its methods and, of a study that
    is named, its tasks that are asked for.

    Raises
    ------
    ValueError
        If a name, a size, a rate, a price, the seeds, the model or the device is not allowed, or the table could not
        be written.
    """
    varied = {"updates": updates, "trainable": trainable, "learning_rate": learning_rate}
    own = any(value is not None for value in (method, rate, price, rule, trainable, learning_rate))
    study = _study(study, own=own or (study is None and bool(tasks)))
    changes = {"model": name_of(model)} | {name: value for name, value in varied.items() if value is not None}
    chosen = None if seeds is None else parse_seeds(seeds)
    asked = LanguageModelConfig(method or "pg", rate=rate, price=price, rule=rule or "delight")
    configs = _only(_runs(study, asked, tasks, preset, chosen, changes), study, only, tasks)
    for task in dict.fromkeys(config.task for config in configs):
        _require_task(task)
    preset, resolved = _true_preset(configs), resolve(device)
    workers = workers or (available_cores() if resolved.type == "cpu" else 1)
    out = _table(out, study, (*(tasks if study else ()), *only), preset)
    plan = LanguageModelPlan(
        preset,
        tuple(configs),
        resolved.type,
        workers,
        out,
        overwrite,
        checkpoint_seconds,
        study=study,
        directory=model,
    )
    plan.former()
    return plan


def _study(study: str | None, *, own: bool) -> str | None:
    """Return the study, by default the first; None for runs of the user's ``own``, which a study does not take."""
    if study is not None and study not in STUDIES:
        allowed = (*STUDIES, *MEASURED)
        raise ValueError(f"study must be one of {', '.join(allowed)}, got {study!r}{nearest(study, allowed)}")
    if study is not None and own:
        raise ValueError(f"a study names its own methods, got study {study} with others")
    return None if own else study or next(iter(STUDIES))


def _runs(
    study: str | None,
    asked: LanguageModelConfig,
    tasks: Sequence[str],
    preset: str,
    seeds: Sequence[int] | None,
    changes: Mapping[str, Any],
) -> list[LanguageModelConfig]:
    """Return the runs of a study, or of what was ``asked`` for on each of the tasks."""
    if study is not None:
        return STUDIES[study].configs(preset, seeds, **changes)
    named = dict.fromkeys(tasks or ("reversal-3",))
    return [run for task in named for run in preset_configs(preset, [asked], seeds, task=task, **changes)]


def _table(out: Path | None, study: str | None, parts: Sequence[str], preset: str) -> Path:
    """Return where the table goes: by default it is named by the study, the parts of it and the preset."""
    part = "".join("-" + re.sub(r"\W+", "-", label).strip("-") for label in dict.fromkeys(parts))
    return table_path(out, f"language-model-{study or 'own'}{part}-{preset}")


def _only(
    configs: Sequence[LanguageModelConfig], study: str | None, only: Sequence[str], tasks: Sequence[str]
) -> list[LanguageModelConfig]:
    """Return the runs of a study's methods and tasks that are named, all if none is."""
    if only and study is None:
        raise ValueError(f"a part can be taken of a study alone, got {', '.join(only)}")
    for what, named, there in (
        ("method", only, [config.label for config in configs]),
        ("task", tasks, [config.task for config in configs]),
    ):
        for each in named:
            choice(f"a {what} of the study", each, list(dict.fromkeys(there)))
    return [
        config for config in configs if (not only or config.label in only) and (not tasks or config.task in tasks)
    ]


def _require_task(task: str) -> None:
    """Refuse a task that is not there, or whose code could not be compared."""
    function = task_function(task)
    if ":" in task:
        try:
            code_version(function)
        except TypeError as error:
            raise InputError(f"task {task!r}: {error}") from error


def _true_preset(configs: Sequence[LanguageModelConfig]) -> str:
    """Return the largest preset whose sizes the runs have: what a table is labelled with."""
    updates = min(config.updates for config in configs)
    by_method: dict[tuple[str, str], set[int]] = {}
    for config in configs:
        by_method.setdefault((config.label, config.task), set()).add(config.seed)
    seeds = min(map(len, by_method.values()))
    evaluated = min(config.eval_prompts for config in configs)
    fitting = [
        name
        for name, size in PRESETS.items()
        if updates >= size.updates and seeds >= size.seeds and evaluated >= size.eval_prompts
    ]
    return fitting[-1] if fitting else next(iter(PRESETS))
