"""Measured rows on token reversal: medians over seeds and shares of runs, with the runs that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.results.table_sizes import sizes_of_runs
from simulations.reversal.studies import Setting
from simulations.reversal.tables import Curves
from simulations.statistics import bootstrap
from simulations.verification.checks.evidence import Measured, Value

__all__ = ["at_setting", "counted", "over_seeds", "require_paired", "setting_point", "shares", "taken_from"]


def over_seeds(
    quantity: str,
    values: NDArray[np.float64],
    found: Curves,
    runs: pd.DataFrame,
    parameters: Mapping[str, Value],
    published: float | None = None,
) -> Measured:
    """Return the median over seeds with its bootstrap interval."""
    interval = bootstrap(values)
    ends = (interval.value, interval.low, interval.high)
    return taken_from(found, runs, quantity, ends, len(values), parameters, published)


def taken_from(
    found: Curves,
    runs: pd.DataFrame,
    quantity: str,
    ends: tuple[float, float, float],
    n_values: int,
    parameters: Mapping[str, Value],
    published: float | None = None,
) -> Measured:
    """Return a row, (value, low, high), that says what runs it is of, and how many and how long they were."""
    sizes = sizes_of_runs(runs)
    sources = found.sources(runs)
    return Measured(quantity, *ends, n_values, published, found.origin(runs), sizes, sources, parameters)


def require_paired(found: Curves, setting: Setting, ends: Mapping[str, pd.DataFrame]) -> None:
    """Refuse runs, one row a seed, that cannot be compared seed by seed.

    Raises
    ------
    ResultError
        If they have not the same seeds and the same number of updates.
    """
    sizes = {name: (", ".join(map(str, runs.index)), int(runs["updates"].max())) for name, runs in ends.items()}
    if len(set(sizes.values())) > 1:
        each = "; ".join(f"{name} {updates:,} of seeds {seeds}" for name, (seeds, updates) in sizes.items())
        raise ResultError(
            f"{found.origin()}: the claims compare gates at equal seeds and updates, at {setting} got {each}"
        )


def at_setting(frame: pd.DataFrame, method: str, rule: str, setting: Setting) -> pd.Series:
    """Return which rows are of a gate at a setting."""
    task = (frame["vocab_size"] == setting.vocab_size) & (frame["length"] == setting.length)
    return task & (frame["method"] == method) & (frame["rule"] == rule) & np.isclose(frame["rate"], setting.rate)


def setting_point(setting: Setting) -> dict[str, Value]:
    """Return a setting by symbol."""
    return {"M": setting.vocab_size, "H": setting.length, "ρ": setting.rate}


def shares(
    quantity: str,
    outcomes: Mapping[Setting, Sequence[bool]],
    found: Curves,
    runs: pd.DataFrame,
    parameters: Mapping[str, Value],
) -> list[Measured]:
    """Return the share of all runs, and that of the worst setting; ``runs`` are their curves."""
    worst = min(outcomes.values(), key=np.mean)
    every = [value for values in outcomes.values() for value in values]
    return [
        counted(quantity, every, found, runs, {**parameters, "setting": "all"}),
        counted(f"{quantity}, worst setting", worst, found, runs, {**parameters, "setting": "worst"}),
    ]


def counted(
    quantity: str,
    values: Sequence[bool] | NDArray[np.bool_],
    found: Curves,
    runs: pd.DataFrame,
    parameters: Mapping[str, Value],
) -> Measured:
    """Return the share of runs of which something is true."""
    share = float(np.mean(np.asarray(values)))
    return taken_from(found, runs, quantity, (share, share, share), len(values), parameters)
