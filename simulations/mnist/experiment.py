"""``kondo experiment``: from what the user asked for to a table on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kondo_theory.words import choice
from simulations.devices import available_cores, describe, resolve
from simulations.mnist.config import KIND, METHODS, PAPER_METHODS, QUALITY_METHODS, MnistConfig, preset_configs, tidy
from simulations.mnist.images import load_mnist
from simulations.mnist.runs import identity, run_many
from simulations.mnist.training import train
from simulations.randomness.seed_lists import parse_seeds
from simulations.results.provenance import provenance
from simulations.results.tables import save, table_path
from simulations.resuming.extending import Former, former_runs, whole_sidecar
from simulations.resuming.fingerprint import code_version
from simulations.resuming.plans import RunPlan, require_takers
from simulations.resuming.runs import progress_bar, under_way

__all__ = ["MnistPlan", "plan_mnist", "run_mnist"]


@dataclass(frozen=True)
class MnistPlan(RunPlan[MnistConfig]):
    """Runs of the MNIST contextual bandit."""

    def former(self) -> Former:
        """Return the runs that the table holds already; see :func:`simulations.resuming.extending.former_runs`."""
        device = describe(resolve(self.device))
        return former_runs(self.out, KIND, self.records, code_version(train), device, overwrite=self.overwrite)


def plan_mnist(
    *,
    preset: str,
    methods: Sequence[str],
    rates: Sequence[float],
    price: float | None,
    temperature: float | None,
    rules: Sequence[str],
    alpha: float | None,
    seeds: str | None,
    updates: int | None,
    learning_rate: float,
    device: str,
    workers: int | None,
    out: Path | None,
    overwrite: bool,
    checkpoint_seconds: float,
    captured: bool,
) -> MnistPlan:
    """Check what was asked for, before anything runs.

    Raises
    ------
    ValueError
        If a name, a rate, a price, the seeds or the device is not allowed, or the table could not be written.
    """
    if methods or rates or rules:
        chosen = _methods(methods, rates, price, temperature, rules, alpha)
    else:
        chosen = list(PAPER_METHODS if preset == "paper" else QUALITY_METHODS)
    changes: dict[str, Any] = {"learning_rate": learning_rate}
    if updates is not None:
        changes["updates"] = updates
    configs = preset_configs(preset, chosen, parse_seeds(seeds) if seeds is not None else None, **changes)
    resolved = resolve(device)
    out = table_path(out, f"mnist-{preset}")
    labels = [config.label for config in configs if config.seed == configs[0].seed]
    if len(set(labels)) != len(labels):
        raise ValueError(f"methods must have different names, got {', '.join(labels)}")
    default_workers = available_cores() if resolved.type == "cpu" else 1
    workers = workers or default_workers
    plan = MnistPlan(preset, tuple(configs), resolved.type, workers, out, overwrite, checkpoint_seconds, captured)
    plan.former()
    return plan


def _methods(
    methods: Sequence[str],
    rates: Sequence[float],
    price: float | None,
    temperature: float | None,
    rules: Sequence[str],
    alpha: float | None,
) -> list[MnistConfig]:
    """Return one configuration a method and rate, each setting going to the methods that take it."""
    names = list(dict.fromkeys(methods or (["screen"] if rules else ["dg-k"])))
    for name in names:
        choice("method", name, METHODS)
    settings = (
        ("rate", rates[0] if rates else None, ("dg-k", "screen")),
        ("price", price, ("gate",)),
        ("temperature", temperature, ("dg", "gate", "dg-k")),
        ("rule", rules[0] if rules else None, ("screen",)),
        ("alpha", alpha, ("screen",)),
    )
    require_takers(names, settings)
    if "gate" in names and price is None:
        raise ValueError("method gate needs a --price")
    if "screen" in names and not rules:
        raise ValueError("method screen needs a --rule")
    if alpha is not None and "additive" not in rules:
        raise ValueError(f"alpha belongs to the rule additive, got {alpha} with {', '.join(rules)}")
    chosen_rates = list(dict.fromkeys(rates or [0.03]))
    configs: list[MnistConfig] = []
    soft = None if {"dg", "gate"} & set(names) else temperature  # beside these the gate at a rate stays hard
    for name in names:
        if name == "dg-k":
            configs.extend(MnistConfig(name, rate=rate, temperature=soft) for rate in chosen_rates)
        elif name == "screen":
            configs.extend(
                MnistConfig(name, rate=rate, rule=rule, alpha=alpha if rule == "additive" else None)
                for rule in dict.fromkeys(rules)
                for rate in chosen_rates
            )
        elif name == "gate":
            configs.append(MnistConfig(name, price=price, temperature=temperature))
        else:
            configs.append(MnistConfig(name, temperature=temperature if name == "dg" else None))
    return configs


def run_mnist(plan: MnistPlan, command: str = "", *, quiet: bool = False) -> Path:
    """Run the plan with a progress bar on standard error, and return the table's path.

    What is there already is kept, as :class:`~simulations.resuming.plans.RunPlan` says.

    Parameters
    ----------
    plan : MnistPlan
    command : str
        What the user typed, for the sidecar.
    quiet : bool
        Show no progress.

    Raises
    ------
    ReportedError
        If the data are missing, a policy stops being a number, another process runs the same plan, or the directory
        of checkpoints belongs to another run.
    """
    former = plan.former()
    missing = [plan.configs[index] for index in former.missing(plan.records)]
    if former.table is not None and not missing:
        return plan.out
    data = load_mnist()  # before anything is written
    device = describe(resolve(plan.device))
    with under_way(plan.checkpoints, identity(missing, device, captured=plan.captured)) as checkpoints:
        with progress_bar(plan.out.stem, len(missing), quiet=quiet) as show:
            runs = run_many(
                missing,
                device=plan.device,
                workers=plan.workers,
                data=data,
                progress=lambda done, total, config: show(done, config.label),
                checkpoints=checkpoints,
                checkpoint_seconds=plan.checkpoint_seconds,
                captured=plan.captured,
            )
        spent = [round(value, 3) for value in runs.seconds]
        curves, seconds = former.completed(plan.records, runs.curves, spent)
        sidecar = provenance(device) | {
            "code": code_version(train),
            "preset": plan.preset,
            "command": command,
            "seeds": sorted({config.seed for config in plan.configs}),
            "seconds": seconds,
            "workers": plan.workers,
        }
        path = save(
            tidy(plan.configs, curves),
            plan.out,
            kind=KIND,
            config={"preset": plan.preset, "runs": plan.records},
            sidecar=whole_sidecar(former, sidecar),
            overwrite=plan.overwrite or former.table is not None,
        )
        checkpoints.remove()
    return path
