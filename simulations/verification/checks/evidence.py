"""What simulated and measured numbers say: rows of a claim's evidence, and whether they agree with a prediction.

A simulated check passes when the prediction lies within 4 standard errors of the estimate *and* the standard error is
below 1 % of the predicted value (or, for values near zero, below a stated absolute resolution). A check too noisy to
fail is undecided, never passed. What is not a number decides nothing; an infinite prediction agrees with an infinite
estimate of its sign alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from kondo_theory.words import one_line
from simulations.results.sources import Source

__all__ = ["Measured", "Simulated", "Value"]

N_STANDARD_ERRORS = 4.0
RELATIVE_RESOLUTION = 0.01
ROUNDING = 1e-12
"""Of the larger of prediction and estimate: what arithmetic alone may put between them."""
ABSOLUTE_ROUNDING = 1e-6
"""Of the stated resolution: the same for a zero, whose size says nothing. Without one a zero must be met exactly."""


Value = str | int | float | bool | None


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
        The largest standard error at which the check could still fail, beside 1 % of the prediction: for values near
        zero, at the scale at which a difference would matter.
    parameters : mapping of str to value
        The point of the grid, by symbol, as far as ``quantity`` does not say it in full: what is written there as
        ``K=10`` need not be repeated, but where it is rounded.

    Raises
    ------
    ValueError
        If the standard error is negative, or the resolution is negative or not finite.
    """

    quantity: str
    predicted: float
    estimate: float
    standard_error: float
    resolution: float = 0.0
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __repr__(self) -> str:
        numbers = {"predicted": self.predicted, "estimate": self.estimate, "standard_error": self.standard_error}
        return one_line(self, self.quantity, **numbers, within=self.within)

    def __post_init__(self) -> None:
        if self.standard_error < 0:
            raise ValueError(f"standard_error must be at least 0, got {self.standard_error} for {self.quantity}")
        if not 0 <= self.resolution < math.inf:
            raise ValueError(f"resolution must be finite and at least 0, got {self.resolution} for {self.quantity}")

    @property
    def distance(self) -> float:
        """Distance of the estimate from the prediction in standard errors, rounding apart; NaN if one is NaN."""
        if self._is_nan:
            return math.nan
        if self.predicted == self.estimate:  # two infinities as well
            return 0.0
        gap = abs(self.predicted - self.estimate)
        if math.isfinite(gap):
            gap = max(0.0, gap - self._rounding)
        if gap == 0 or math.isinf(self.standard_error):
            return 0.0
        return gap / self.standard_error if self.standard_error > 0 else math.inf

    @property
    def _is_nan(self) -> bool:
        return any(map(math.isnan, (self.predicted, self.estimate, self.standard_error)))

    @property
    def _rounding(self) -> float:
        larger = max(abs(self.predicted), abs(self.estimate))
        return ROUNDING * larger + ABSOLUTE_ROUNDING * self.resolution

    @property
    def within(self) -> bool | None:
        """True if the prediction agrees, False if it does not, None if the check is too noisy or broken to decide."""
        if self._is_nan or math.isinf(self.standard_error):
            return None
        if self.distance > N_STANDARD_ERRORS:
            return False
        allowed = max(RELATIVE_RESOLUTION * abs(self.predicted), self.resolution)
        return True if self.standard_error <= allowed else None


@dataclass(frozen=True)
class Measured:
    """One measured quantity: its median over seeds with a 95 % interval, beside the published number if there is one.

    ``origin`` says in a few words where the number came from: measured now, or a table with its date and device;
    ``sources`` says it in full. ``sizes`` are those of the rows that it was taken from, as
    :mod:`simulations.results.table_sizes` names them; ``seeds`` is the only one where nothing else is said.
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

    def __repr__(self) -> str:
        numbers = {"value": self.value, "low": self.low, "high": self.high, "published": self.published}
        return one_line(self, self.quantity, **numbers, seeds=self.seeds)

    @property
    def all_sizes(self) -> dict[str, int]:
        """The sizes; a row that has a value for fewer seeds than there are is as small as that."""
        if not self.sizes:
            return {"seeds": self.seeds}
        return {name: min(size, self.seeds) if name == "seeds" else size for name, size in self.sizes.items()}
