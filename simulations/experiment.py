"""``kondo experiment``: from what the user asked for to a table on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from simulations.devices import available_cores, describe, resolve
from simulations.mnist import KIND, METHODS, QUALITY_METHODS, MnistConfig, preset_configs, run_many, tidy
from simulations.results import provenance, require_table_writable, save

__all__ = ["MnistPlan", "parse_seeds", "plan_mnist", "run_mnist"]


_MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class MnistPlan:
    """All runs of one call, and where their table goes."""

    preset: str
    configs: tuple[MnistConfig, ...]
    device: str
    workers: int
    out: Path
    overwrite: bool


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of ``5`` (0 to 4), ``3,5`` or ``10-19``.

    Raises
    ------
    ValueError
        If the text is none of these, names no seed or names one twice.
    """
    try:
        if "," not in text and "-" not in text:
            seeds = list(range(min(int(text), _MOST_SEEDS + 1)))
        else:
            seeds = []
            for part in filter(None, text.split(",")):
                first, _, last = part.partition("-")
                low, high = int(first), int(last or first)
                seeds.extend(range(low, min(high, low + _MOST_SEEDS) + 1))
    except ValueError as error:
        raise ValueError(f"seeds must be a number such as 5, or a list such as 3,5 or 10-19, got {text!r}") from error
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds must name at least one seed and none twice, got {text!r}")
    if len(seeds) > _MOST_SEEDS or max(seeds) >= 2**63:
        raise ValueError(f"seeds must be at most {_MOST_SEEDS:,} integers below 2^63, got {text!r}")
    return seeds


def plan_mnist(
    *,
    preset: str,
    methods: Sequence[str],
    rates: Sequence[float],
    price: float | None,
    temperature: float | None,
    seeds: str | None,
    updates: int | None,
    learning_rate: float,
    device: str,
    workers: int | None,
    out: Path | None,
    overwrite: bool,
) -> MnistPlan:
    """Check what was asked for, before anything runs.

    Raises
    ------
    ValueError
        If a name, a rate, a price, the seeds or the device is not allowed, or the table could not be written.
    """
    chosen = _methods(methods, rates, price, temperature) if methods or rates else list(QUALITY_METHODS)
    changes: dict[str, Any] = {"learning_rate": learning_rate}
    if updates is not None:
        changes["updates"] = updates
    configs = preset_configs(preset, chosen, parse_seeds(seeds) if seeds is not None else None, **changes)
    resolved = resolve(device)
    out = out or Path("results") / f"mnist-{preset}.parquet"
    if out.suffix != ".parquet":
        raise ValueError(f"the table must be named *.parquet, got {out}")
    labels = [config.label for config in configs if config.seed == configs[0].seed]
    if len(set(labels)) != len(labels):
        raise ValueError(f"methods must have different names, got {', '.join(labels)}")
    require_table_writable(out, overwrite=overwrite)
    default_workers = available_cores() if resolved.type == "cpu" else 1
    return MnistPlan(preset, tuple(configs), resolved.type, workers or default_workers, out, overwrite)


def _methods(
    methods: Sequence[str], rates: Sequence[float], price: float | None, temperature: float | None
) -> list[MnistConfig]:
    names = list(dict.fromkeys(methods or ["dg-k"]))
    for name in names:
        if name not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {name!r}")
    if rates and "dg-k" not in names:
        raise ValueError(f"a rate belongs to method dg-k, got rate {rates[0]} with {', '.join(names)}")
    if price is not None and "gate" not in names:
        raise ValueError(f"a price belongs to method gate, got price {price} with {', '.join(names)}")
    if temperature is not None and not {"gate", "dg"} & set(names):
        raise ValueError(f"a temperature belongs to methods gate and dg, got {temperature} with {', '.join(names)}")
    if "gate" in names and price is None:
        raise ValueError("method gate needs a --price")
    configs: list[MnistConfig] = []
    for name in names:
        if name == "dg-k":
            configs.extend(MnistConfig(name, rate=rate) for rate in dict.fromkeys(rates or [0.03]))
        elif name == "gate":
            configs.append(MnistConfig(name, price=price, temperature=temperature))
        else:
            configs.append(MnistConfig(name, temperature=temperature if name == "dg" else None))
    return configs


def run_mnist(plan: MnistPlan) -> Path:
    """Run the plan with a progress bar on standard error, and return the table's path."""
    curves: list[pd.DataFrame | None] = [None] * len(plan.configs)
    seconds = [0.0] * len(plan.configs)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(f"mnist {plan.preset}", total=len(plan.configs))
        for index, curve, elapsed in run_many(plan.configs, device=plan.device, workers=plan.workers):
            curves[index], seconds[index] = curve, elapsed
            progress.update(task, advance=1, description=f"mnist {plan.preset}: {plan.configs[index].label}")
    frame = tidy(plan.configs, [curve for curve in curves if curve is not None])
    config = {"preset": plan.preset, "runs": [json.loads(json.dumps(asdict(config))) for config in plan.configs]}
    sidecar = provenance(describe(resolve(plan.device))) | {
        "preset": plan.preset,
        "seeds": sorted({config.seed for config in plan.configs}),
        "seconds": [round(value, 3) for value in seconds],
        "workers": plan.workers,
    }
    return save(frame, plan.out, kind=KIND, config=config, sidecar=sidecar, overwrite=plan.overwrite)
