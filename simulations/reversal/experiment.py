"""``kondo experiment reversal``: from what the user asked for to a table on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kondo_theory.words import choice, nearest
from simulations.devices import available_cores, clock, describe, resolve
from simulations.randomness.seed_lists import parse_seeds
from simulations.results.provenance import provenance
from simulations.results.tables import save, table_path
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.extending import Former, former_runs, is_finished, key_of, whole_sidecar
from simulations.resuming.fingerprint import code_version
from simulations.reversal.config import GATED, METHODS, PRESETS, ReversalConfig, preset_configs
from simulations.reversal.scaling import SCALES, measure, searches, train_to_target
from simulations.reversal.studies import STUDIES
from simulations.reversal.training import KIND, run_many, run_one, tidy

__all__ = ["SCALING", "ReversalPlan", "plan_reversal", "run_reversal", "study_kind"]

SCALING = "scaling"
"""The study that is a search and no list of runs."""


def study_kind(study: str | None) -> str:
    """Return the kind of the tables of a study, or of a user's own runs."""
    return KIND if study is None else f"reversal-{study}"


@dataclass(frozen=True)
class ReversalPlan:
    """All runs of one call, and where their table goes; ``preset`` is the largest whose sizes they have."""

    preset: str
    study: str | None
    configs: tuple[ReversalConfig, ...]
    device: str
    workers: int
    out: Path
    overwrite: bool
    checkpoint_seconds: float = 30.0

    @property
    def code(self) -> str:
        """The hash of what trains."""
        return code_version(train_to_target if self.study == SCALING else run_one)

    def former(self) -> Former | None:
        """Return the runs that the table holds already, None for a search that is finished.

        Raises
        ------
        ResultError
            If the table is another one and not to be replaced, or could not be written.
        """
        kind, device = study_kind(self.study), describe(resolve(self.device))
        if self.study != SCALING:
            return former_runs(self.out, kind, _records(self.configs), self.code, device, overwrite=self.overwrite)
        finished = is_finished(self.out, kind, _described(self), self.code, device, overwrite=self.overwrite)
        return None if finished else Former(None, {}, {})

    @property
    def checkpoints(self) -> Path:
        """The directory beside the table that holds the state of an unfinished run."""
        return self.out.with_suffix(".partial")


def plan_reversal(
    *,
    preset: str,
    study: str | None,
    only: Sequence[str] = (),
    methods: Sequence[str],
    rates: Sequence[float],
    price: float | None,
    temperature: float | None,
    rules: Sequence[str],
    lengths: Sequence[int],
    vocab_sizes: Sequence[int],
    rewards: Sequence[str],
    learning_rates: Sequence[float],
    seeds: str | None,
    updates: int | None,
    device: str,
    workers: int | None,
    out: Path | None,
    overwrite: bool,
    checkpoint_seconds: float,
) -> ReversalPlan:
    """Check what was asked for, before anything runs.

    Without methods the runs are those of a study, by default ``quality``, or only the methods of it that are named;
    lengths, vocabularies, rewards and learning rates, where given, replace the study's.

    Raises
    ------
    ValueError
        If a name, a size, a rate, a price, the seeds or the device is not allowed, or the table could not be written.
    """
    gates = any((methods, rates, rules, price is not None, temperature is not None))
    tasks = {"length": lengths, "vocab_size": vocab_sizes, "reward": rewards, "learning_rate": learning_rates}
    own = gates or any(tasks.values())
    changes: dict[str, Any] = {} if updates is None else {"updates": updates}
    chosen_seeds = parse_seeds(seeds) if seeds is not None else None
    if study is None and not own:
        study = "quality"
    if study is None:
        chosen = _methods(methods, rates, price, temperature, rules) if gates else STUDIES["quality"].methods
        given = {name: values for name, values in tasks.items() if values}
        combinations = [changes | dict(zip(given, task, strict=True)) for task in product(*given.values())]
        configs = [
            config
            for all_changes in combinations
            for config in preset_configs(preset, chosen, chosen_seeds, **all_changes)
        ]
    else:
        _require_study(study, own=own, resized=bool(changes) or chosen_seeds is not None)
        configs = [] if study == SCALING else STUDIES[study].configs(preset, chosen_seeds, **changes)
    if only:
        configs = _only(configs, study, only)
    preset = preset if study == SCALING else _true_preset(configs, study)
    resolved = resolve(device)
    part = "".join("-" + re.sub(r"\W+", "-", label).strip("-") for label in dict.fromkeys(only))
    out = table_path(out, f"reversal-{study or 'own'}{part}-{preset}")
    if len(set(configs)) != len(configs):
        raise ValueError("every run must be asked for once, got one twice")
    default_workers = available_cores() if resolved.type == "cpu" else 1
    plan = ReversalPlan(
        preset, study, tuple(configs), resolved.type, workers or default_workers, out, overwrite, checkpoint_seconds
    )
    plan.former()
    return plan


def _only(configs: Sequence[ReversalConfig], study: str | None, only: Sequence[str]) -> list[ReversalConfig]:
    """Return the runs of the methods that are named by their labels."""
    labels = list(dict.fromkeys(config.label for config in configs))
    if study is None or study == SCALING:
        raise ValueError(f"a part can be taken of the studies {', '.join(STUDIES)} alone, got {', '.join(only)}")
    for label in only:
        if label not in labels:
            raise ValueError(
                f"study {study} has the methods {'; '.join(labels)}, got {label!r}{nearest(label, labels)}"
            )
    return [config for config in configs if config.label in only]


def _true_preset(configs: Sequence[ReversalConfig], study: str | None) -> str:
    """Return the largest preset whose sizes the runs have: what a table is labelled with."""
    updates, seeds = min(config.updates for config in configs), _seeds(configs)
    fitting = []
    for name, size in PRESETS.items():
        wanted = dict.fromkeys(seeds, size.seeds) if study is None else _seeds(STUDIES[study].configs(name))
        if updates >= size.updates and all(found >= wanted[label] for label, found in seeds.items()):
            fitting.append(name)
    return fitting[-1] if fitting else next(iter(PRESETS))


def _seeds(configs: Sequence[ReversalConfig]) -> dict[str, int]:
    """Return the number of seeds of each method."""
    seeds: dict[str, set[int]] = {}
    for config in configs:
        seeds.setdefault(config.label, set()).add(config.seed)
    return {label: len(found) for label, found in seeds.items()}


def _require_study(study: str, *, own: bool, resized: bool) -> None:
    allowed = (*STUDIES, SCALING)
    if study not in allowed:
        likely = nearest(study, (*allowed, "step-times"))
        raise ValueError(f"study must be one of {', '.join(allowed)}, step-times, got {study!r}{likely}")
    if own:
        raise ValueError(f"a study names its own methods and tasks, got study {study} with others")
    if study == SCALING and resized:
        raise ValueError(f"study {SCALING} trains to a target with its preset's seeds, got updates or seeds")


def _methods(
    methods: Sequence[str],
    rates: Sequence[float],
    price: float | None,
    temperature: float | None,
    rules: Sequence[str],
) -> list[ReversalConfig]:
    """Return one configuration a method, rate and rule, each setting going to the methods that take it."""
    names = list(dict.fromkeys(methods or ["token-gate", "row-gate"]))
    for name in names:
        choice("method", name, METHODS)
    gated = [name for name in names if name in GATED]
    for setting, value, takers in (
        ("rate", rates[0] if rates else None, GATED),
        ("rule", rules[0] if rules else None, GATED),
        ("price", price, GATED),
        ("temperature", temperature, (*GATED, "dg")),
    ):
        if value is not None and not set(takers) & set(names):
            belongs = f"a {setting} belongs to method {' or '.join(takers)}"
            raise ValueError(f"{belongs}, got {setting} {value} with {', '.join(names)}")
    if gated and not rates and price is None:
        raise ValueError(f"method {gated[0]} needs a --rate or a --price")
    if rules and not rates:
        raise ValueError(f"a rule belongs to a gate at a rate, got {rules[0]} without a rate")
    if temperature is not None and price is None and "dg" not in names:
        raise ValueError(f"a temperature belongs to dg and to a price, got {temperature} without a price")
    configs: list[ReversalConfig] = []
    for name in names:
        soft = temperature if name == "dg" or (name in GATED and price is not None) else None
        if name not in GATED:
            configs.append(ReversalConfig(name, temperature=soft))
            continue
        if price is not None:
            configs.append(ReversalConfig(name, price=price, temperature=soft))
        configs.extend(
            ReversalConfig(name, rate=rate, rule=rule)
            for rule in dict.fromkeys(rules or ["delight"])
            for rate in dict.fromkeys(rates)
        )
    return configs


def run_reversal(plan: ReversalPlan, command: str = "") -> Path:
    """Run the plan with a progress bar on standard error, and return the table's path.

    What an earlier call of the same plan left unfinished is continued. Of a table that holds some of the seeds only
    the others are trained; one that holds all is left alone.

    Parameters
    ----------
    plan : ReversalPlan
    command : str
        What the user typed, for the sidecar.

    Raises
    ------
    ReportedError
        If a policy stops being a number, another process runs the same plan, or the directory of checkpoints belongs
        to another run.
    """
    former = plan.former()
    missing = [] if former is None else former.missing(_records(plan.configs))
    if former is None or (former.table is not None and not missing):
        return plan.out
    whole, plan = plan, replace(plan, configs=tuple(plan.configs[index] for index in missing))
    device = describe(resolve(plan.device))
    console = Console(stderr=True)
    with CheckpointDirectory(plan.checkpoints, _identity(plan, device)) as checkpoints:
        for path in checkpoints.damaged:
            console.print(f"{path} was damaged: that run starts afresh", soft_wrap=True)
        with _progress_bar(console, plan) as advance:
            if plan.study == SCALING:
                frame, details = _search(plan, checkpoints, advance)
            else:
                frame, details = _train(plan, checkpoints, advance, whole, former)
        sidecar = provenance(device) | details
        sidecar |= {"preset": plan.preset, "command": command, "workers": plan.workers, "code": plan.code}
        sidecar |= {"clock": clock(resolve(plan.device))[1]}
        path = save(
            frame,
            plan.out,
            kind=study_kind(plan.study),
            config=_described(whole),
            sidecar=whole_sidecar(former, sidecar),
            overwrite=plan.overwrite or former.table is not None,
        )
        checkpoints.remove()
    return path


def _described(plan: ReversalPlan) -> dict[str, Any]:
    """Return the configuration of the table."""
    return {"preset": plan.preset, "study": plan.study} | _sizes(plan)


def _train(
    plan: ReversalPlan,
    checkpoints: CheckpointDirectory,
    advance: Callable[[str], None],
    whole: ReversalPlan,
    former: Former,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train the runs of a plan, what is missing of the whole.

    Returns the table of the whole, and for the sidecar the seeds and the seconds of each run's phases.
    """
    curves: dict[int, pd.DataFrame] = {}
    timings: dict[int, pd.DataFrame] = {}
    for index, curve, timing in run_many(
        plan.configs,
        device=plan.device,
        workers=plan.workers,
        checkpoints=checkpoints,
        checkpoint_seconds=plan.checkpoint_seconds,
    ):
        curves[index], timings[index] = curve, timing
        advance(plan.configs[index].label)
    every, seconds = dict(former.curves), dict(former.seconds)
    for index, key in enumerate(map(key_of, _records(plan.configs))):
        last = timings[index].iloc[-1].drop("update")
        every[key], seconds[key] = curves[index], {name: round(float(value), 3) for name, value in last.items()}
    keys = [key_of(record) for record in _records(whole.configs)]
    details = {"seeds": sorted({each.seed for each in whole.configs}), "seconds": [seconds[key] for key in keys]}
    return tidy(whole.configs, [every[key] for key in keys]), details


def _search(
    plan: ReversalPlan, checkpoints: CheckpointDirectory, advance: Callable[[str], None]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Find the sizes that each method solves; every run is kept beside the table until all are known."""
    scale = SCALES[plan.preset]
    every, rows = searches(scale), {}
    for index, found in measure(
        scale,
        device=plan.device,
        workers=plan.workers,
        checkpoints=checkpoints,
        checkpoint_seconds=plan.checkpoint_seconds,
    ):
        rows[index] = found
        advance(f"{every[index].method.label}, {every[index].axis}")
    return pd.DataFrame([row for index in range(len(every)) for row in rows[index]]), {
        "seeds": list(range(scale.seeds))
    }


@contextmanager
def _progress_bar(console: Console, plan: ReversalPlan) -> Iterator[Callable[[str], None]]:
    """Show progress, and yield what is called, with a few words, as each part is done."""
    name = f"reversal {plan.study or ''}".rstrip() + f" {plan.preset}"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        total = len(searches(SCALES[plan.preset])) if plan.study == SCALING else len(plan.configs)
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, advance=1, description=f"{name}: {done}")


def _identity(plan: ReversalPlan, device: str) -> dict[str, Any]:
    """Return what a checkpoint must share with the run that continues it: configuration, code and device."""
    return {
        "configuration": _sizes(plan),
        "code": plan.code,
        "device": device,
    }


def _sizes(plan: ReversalPlan) -> dict[str, Any]:
    """Return what was run: every configuration, or the scale of a search."""
    if plan.study == SCALING:
        return {"scale": json.loads(json.dumps(asdict(SCALES[plan.preset])))}
    return {"runs": _records(plan.configs)}


def _records(configs: Sequence[ReversalConfig]) -> list[dict[str, Any]]:
    """Return the configurations as JSON values."""
    records: list[dict[str, Any]] = json.loads(json.dumps([asdict(config) for config in configs]))
    return records
