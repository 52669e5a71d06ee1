"""Where a gated gamble can come to rest, in closed form."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory.gambling import fixed_point
from kondo_theory.gambling.equal_noise import equal_noise_fixed_point, equal_noise_top_rate_points
from kondo_theory.gambling.top_rate import top_rate_points
from simulations.sweeps.cells.types import Positive, Rate

__all__ = ["rest_points"]


def rest_points(
    *,
    gate: Literal["dg", "zero-price", "rate"],
    noise_ratio: Positive,
    temperature: Positive = 1.0,
    rate: Rate = 1.0,
    equal_noise: bool = False,
) -> list[dict[str, float | bool]]:
    """Return every interior zero of the drift, ascending, and whether it is stable; x is nan where there is none.

    Parameters
    ----------
    gate : str
        DG, zero price, or the top ρ by delight.
    noise_ratio : float
        r = σ/Δ.
    temperature, rate : float
        η of ``dg`` in units of Δ; ρ of ``rate``.
    equal_noise : bool
        Whether the better arm carries the same noise.
    """
    if gate == "rate":
        points = (equal_noise_top_rate_points if equal_noise else top_rate_points)(noise_ratio, rate)
        found = [(point.x, point.stable) for point in points]
    else:
        one = (equal_noise_fixed_point if equal_noise else fixed_point)(noise_ratio, gate, temperature)
        found = [] if one is None else [(one, True)]
    return [{"x": x, "stable": stable} for x, stable in found or [(np.nan, False)]]
