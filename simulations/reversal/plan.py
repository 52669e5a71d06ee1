"""Which runs of token reversal were asked for, checked before anything is trained."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from kondo_theory.words import choice, nearest
from simulations.devices import available_cores, describe, resolve
from simulations.randomness.seed_lists import parse_seeds
from simulations.results.tables import table_path
from simulations.resuming.extending import Former, former_runs, is_finished
from simulations.resuming.fingerprint import code_version
from simulations.resuming.plans import RunPlan, require_takers
from simulations.reversal.config import GATED, METHODS, PRESETS, ReversalConfig, preset_configs
from simulations.reversal.gambles.payment import Payment
from simulations.reversal.protocols import STUDY, cell_protocol, selected
from simulations.reversal.scaling import SCALES, Scale, train_to_target
from simulations.reversal.side_by_side.seeds import train
from simulations.reversal.studies import STUDIES
from simulations.reversal.training import KIND

__all__ = ["MEASURED", "SCALING", "ReversalPlan", "plan_reversal", "study_kind"]

SCALING = "scaling"
"""The study that is a search and no list of runs."""
MEASURED = ("step-times", "stale", "stall-noise", "row-gates", "screening-ties")
"""Studies that write tables of their own kind."""


def study_kind(study: str | None) -> str:
    """Return the kind of the tables of a study, or of a user's own runs."""
    return KIND if study is None else f"reversal-{study}"


@dataclass(frozen=True)
class ReversalPlan(RunPlan[ReversalConfig]):
    """Runs of token reversal, or its search, of the methods ``only``; ``preset`` is the largest that they fill."""

    study: str | None = None
    only: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The hash of what trains."""
        return code_version(train_to_target if self.study == SCALING else train)

    @property
    def scale(self) -> Scale:
        """The sizes of the search."""
        whole = SCALES[self.preset]
        return whole.only(self.only) if self.only else whole

    @property
    def sizes(self) -> dict[str, Any]:
        """What runs, as JSON values: every configuration, or the scale of the search."""
        if self.study == SCALING:
            return {"scale": json.loads(json.dumps(asdict(self.scale)))}
        return {"runs": self.records}

    @property
    def described(self) -> dict[str, Any]:
        """The configuration of the table."""
        return {"preset": self.preset, "study": self.study} | self.sizes

    def former(self) -> Former | None:
        """Return the runs that the table holds already, None for a search that is finished.

        Raises
        ------
        ResultError
            If the table is another one and not to be replaced, or could not be written.
        """
        kind, device = study_kind(self.study), describe(resolve(self.device))
        if self.study != SCALING:
            return former_runs(self.out, kind, self.records, self.code, device, overwrite=self.overwrite)
        finished = is_finished(self.out, kind, self.described, self.code, device, overwrite=self.overwrite)
        return None if finished else Former(None, {}, {})


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
    tasks: Sequence[str] = (),
    learning_rates: Sequence[float],
    seeds: str | None,
    updates: int | None,
    device: str,
    workers: int | None,
    out: Path | None,
    overwrite: bool,
    checkpoint_seconds: float,
    captured: bool = False,
) -> ReversalPlan:
    """Check what was asked for, before anything runs.

    Without methods the runs are those of a study, by default ``quality``, or only the methods of it that are named;
    lengths, vocabularies, rewards, tasks and learning rates, where given, replace the study's.

    Raises
    ------
    ValueError
        If a name, a size, a rate, a price, the seeds or the device is not allowed, or the table could not be written.
    """
    gates = any((methods, rates, rules, price is not None, temperature is not None))
    varied = {"length": lengths, "vocab_size": vocab_sizes, "reward": rewards, "task": tasks}
    varied["learning_rate"] = learning_rates
    own = gates or any(varied.values())
    changes: dict[str, Any] = {} if updates is None else {"updates": updates}
    chosen_seeds = parse_seeds(seeds) if seeds is not None else None
    if study is None and not own:
        study = "quality"
    if study is None:
        chosen = _methods(methods, rates, price, temperature, rules) if gates else STUDIES["quality"].methods
        given = {name: values for name, values in varied.items() if values}
        combinations = [changes | dict(zip(given, values, strict=True)) for values in product(*given.values())]
        configs = [
            config
            for all_changes in combinations
            for config in preset_configs(preset, chosen, chosen_seeds, **all_changes)
        ]
    else:
        _require_study(study, own=own, resized=bool(changes) or chosen_seeds is not None)
        configs = [] if study == SCALING else STUDIES[study].configs(preset, chosen_seeds, **changes)
    if study == STUDY:
        configs = selected(configs, preset)
    if only and study == SCALING:
        SCALES[choice("preset", preset, SCALES)].only(only)
    elif only:
        configs = _only(configs, study, only)
    preset = preset if study == SCALING else _true_preset(configs, study)
    resolved = resolve(device)
    part = "".join("-" + re.sub(r"\W+", "-", label).strip("-") for label in dict.fromkeys(only))
    out = table_path(out, f"reversal-{study or 'own'}{part}-{preset}")
    if len(set(configs)) != len(configs):
        raise ValueError("every run must be asked for once, got one twice")
    default_workers = available_cores() if resolved.type == "cpu" else 1
    workers = workers or default_workers
    if captured and study == SCALING:
        raise ValueError(f"study {SCALING} trains one run after another, got --captured")
    if captured and any(config.payment != Payment() for config in configs):
        raise ValueError(f"study {study} has zero prompts and noise, which are not recorded, got --captured")
    plan = ReversalPlan(
        preset,
        tuple(configs),
        resolved.type,
        workers,
        out,
        overwrite,
        checkpoint_seconds,
        captured,
        study,
        tuple(only),
    )
    plan.former()
    return plan


def _only(configs: Sequence[ReversalConfig], study: str | None, only: Sequence[str]) -> list[ReversalConfig]:
    """Return the runs of the methods that are named by their labels, and of the protocols that are named."""
    labels = list(dict.fromkeys(config.label for config in configs))
    protocols = [str(cell_protocol(config)) for config in configs] if study == STUDY else [""] * len(configs)
    names = [*labels, *dict.fromkeys(filter(None, protocols))]
    if study is None:
        studies = ", ".join((*STUDIES, SCALING))
        raise ValueError(f"a part can be taken of the studies {studies} alone, got {', '.join(only)}")
    for label in only:
        if label not in names:
            what = "methods and protocols" if study == STUDY else "methods"
            raise ValueError(f"study {study} has the {what} {'; '.join(names)}, got {label!r}{nearest(label, names)}")
    return [config for config, name in zip(configs, protocols, strict=True) if {config.label, name} & {*only}]


def _true_preset(configs: Sequence[ReversalConfig], study: str | None) -> str:
    """Return the largest preset whose sizes the runs have: what a table is labelled with."""
    updates, seeds = min(config.updates for config in configs), _seeds(configs)
    fitting = []
    for name, size in PRESETS.items():
        wanted = dict.fromkeys(seeds, size.seeds) if study is None else _seeds(STUDIES[study].configs(name))
        least = size.updates if study is None else STUDIES[study].updates_at(name)
        if updates >= least and all(found >= wanted[label] for label, found in seeds.items()):
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
        known = (*allowed, *MEASURED)
        raise ValueError(f"study must be one of {', '.join(known)}, got {study!r}{nearest(study, known)}")
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
    settings = (
        ("rate", rates[0] if rates else None, GATED),
        ("rule", rules[0] if rules else None, GATED),
        ("price", price, GATED),
        ("temperature", temperature, (*GATED, "dg")),
    )
    require_takers(names, settings)
    if gated and not rates and price is None:
        raise ValueError(f"method {gated[0]} needs a --rate or a --price")
    if rules and not rates:
        raise ValueError(f"a rule belongs to a gate at a rate, got {rules[0]} without a rate")
    configs: list[ReversalConfig] = []
    at_rate = temperature if price is None and "dg" not in names else None  # beside these a gate at a rate stays hard
    for name in names:
        soft = temperature if name == "dg" or (name in GATED and price is not None) else None
        if name not in GATED:
            configs.append(ReversalConfig(name, temperature=soft))
            continue
        if price is not None:
            configs.append(ReversalConfig(name, price=price, temperature=soft))
        configs.extend(
            ReversalConfig(name, rate=rate, rule=rule, temperature=at_rate)
            for rule in dict.fromkeys(rules or ["delight"])
            for rate in dict.fromkeys(rates)
        )
    return configs
