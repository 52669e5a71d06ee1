"""What a simulation says of a prediction, and what a handful of seeds says of a median.

A simulated check passes when the prediction lies within 4 standard errors of the estimate *and* the standard error is
below 1 % of the predicted value (or, for values near zero, below a stated absolute resolution). A check too noisy to
fail is undecided, never passed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulations.sources import Source, joined_fields

__all__ = ["Interval", "Measured", "Simulated", "bootstrap", "finite_row", "mean_and_error"]

N_STANDARD_ERRORS = 4.0
RELATIVE_RESOLUTION = 0.01


Value = str | int | float | bool | None
_NAMED = re.compile(r"((?:[^\W\d][\w−]*=)+)([^\s,()]+)")


def named_values(quantity: str) -> dict[str, Value]:
    """Return the values in the name of a quantity by symbol: ``{"K": 10, "p": 0.3}`` of ``… at K=10, p=0.3``.

    A value that is no number is text; ``b=p=0.3`` gives both.
    """
    found: dict[str, Value] = {}
    for names, text in _NAMED.findall(quantity):
        for name in names.split("=")[:-1]:
            found[name] = _parsed(text)
    return found


def _parsed(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


@dataclass(frozen=True)
class Simulated:
    """One simulated quantity beside its prediction.

    Attributes
    ----------
    quantity : str
        What was simulated, with the point of the grid.
    predicted, estimate, standard_error : float
        The closed form, the simulation's estimate, and its Monte Carlo standard error, all in the same unit.
    resolution : float
        The largest standard error at which the check could still fail: 1 % of the prediction unless stated.
    parameters : mapping of str to value
        The point of the grid, by symbol, as far as ``quantity`` does not say it in full: what is written there as
        ``K=10`` need not be repeated, but where it is rounded.
    """

    quantity: str
    predicted: float
    estimate: float
    standard_error: float
    resolution: float = 0.0
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @property
    def distance(self) -> float:
        """Distance of the estimate from the prediction in standard errors; rounding apart."""
        gap = max(0.0, abs(self.predicted - self.estimate) - self._rounding)
        return gap / self.standard_error if self.standard_error > 0 else (0.0 if gap == 0 else math.inf)

    @property
    def _rounding(self) -> float:
        # An exact zero simulated as 1e-17 has no standard error to speak of.
        return 1e-12 * max(abs(self.predicted), abs(self.estimate)) + 1e-15

    @property
    def within(self) -> bool | None:
        """True if the prediction agrees, False if it does not, None if the check is too noisy to decide."""
        if not (math.isfinite(self.predicted - self.estimate) and math.isfinite(self.standard_error)):
            return False
        if self.distance > N_STANDARD_ERRORS:
            return False
        allowed = max(RELATIVE_RESOLUTION * abs(self.predicted), self.resolution)
        return True if self.standard_error <= allowed else None

    def to_json(self) -> dict[str, Any]:
        """Return the row as ``kondo verify --json`` writes it."""
        row = asdict(self) | {"within": self.within}
        del row["resolution"]
        return finite_row(row) | {"parameters": finite_row({**named_values(self.quantity), **self.parameters})}


@dataclass(frozen=True)
class Measured:
    """One measured quantity: its median over seeds with a 95 % interval, beside the published number if there is one.

    ``origin`` says in a few words where the number came from: measured now, or a table with its date and device;
    ``sources`` says it in full. ``sizes`` are those of the rows that it was taken from, as
    :mod:`simulations.table_sizes` names them; ``seeds`` is the only one where nothing else is said.
    """

    quantity: str
    value: float
    low: float
    high: float
    seeds: int
    published: float | None
    origin: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()

    @property
    def all_sizes(self) -> dict[str, int]:
        """The sizes; a row that has a value for fewer seeds than there are is as small as that."""
        if not self.sizes:
            return {"seeds": self.seeds}
        return {name: min(size, self.seeds) if name == "seeds" else size for name, size in self.sizes.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the row as ``kondo verify --json`` writes it; infinite values, which JSON lacks, become null."""
        row = {name: getattr(self, name) for name in ("quantity", "value", "low", "high", "seeds", "published")}
        updates = self.sizes.get("updates")
        sizes = {"origin": self.origin, "updates": updates, "sizes": self.all_sizes}
        return finite_row(row) | sizes | joined_fields(self.sources)


def finite_row(row: dict[str, Any]) -> dict[str, Any]:
    """Replace infinite values and NaN, which JSON lacks, by None."""
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()}


@dataclass(frozen=True)
class Interval:
    """A statistic over seeds with its bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., NDArray[np.float64]] = np.median,
    *,
    level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return the statistic over seeds with its percentile bootstrap interval.

    Parameters
    ----------
    values : (n_seeds,) array
        One value a seed; infinite values (a target never reached) are allowed.
    statistic : callable with an ``axis`` argument
    level : float
        Coverage of the interval.
    n_resamples, seed : int
        Size and seed of the bootstrap: the interval is the same in every run.

    Raises
    ------
    ValueError
        If there are no values or one is NaN.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) == 0 or np.isnan(sample).any():
        raise ValueError(f"values must be a non-empty vector without NaN, got {sample}")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    draws = sample[rng.integers(len(sample), size=(n_resamples, len(sample)))]
    with np.errstate(invalid="ignore"):  # the mean of an even number of infinities is settled below
        resampled = np.sort(statistic(draws, axis=1))
        value = float(statistic(sample[None, :], axis=1)[0])
    tail = (1 - level) / 2
    low, high = resampled[math.floor(tail * n_resamples)], resampled[math.ceil((1 - tail) * n_resamples) - 1]
    return Interval(value, float(low), float(high))


def mean_and_error(replicates: ArrayLike) -> tuple[float, float]:
    """Return the mean over replicates, (n_replicates,), and its standard error.

    Raises
    ------
    ValueError
        If there are fewer than two replicates.
    """
    sample = np.asarray(replicates, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise ValueError(f"at least two replicates are needed for a standard error, got shape {sample.shape}")
    return float(sample.mean()), float(sample.std(ddof=1) / math.sqrt(len(sample)))
