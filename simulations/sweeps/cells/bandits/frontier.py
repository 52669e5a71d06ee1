"""Cost and quality of a Bernoulli gate in one symmetric context, in closed form."""

from __future__ import annotations

from kondo_theory.geometry.quality_cost import frontier as closed_frontier
from kondo_theory.geometry.symmetric import symmetric_arms
from simulations.sweeps.cells.types import Arms, Fraction, NonNegative, Probability

__all__ = ["frontier"]


def frontier(
    *, p_correct: Probability, n_arms: Arms = 10, baseline: Fraction = 0.5, price: float, temperature: NonNegative
) -> dict[str, float]:
    """Return the gate's backward rate, signal and noise per forward sample at a price and a temperature.

    Parameters
    ----------
    p_correct : float
        p in (0, 1).
    n_arms : int
        K ≥ 2.
    baseline : float
        b in [0, 1), constant; reward 1 for the correct arm and 0 for the others.
    price, temperature : float
        λ and η ≥ 0, in units of delight.
    """
    found = closed_frontier(*symmetric_arms(n_arms, p_correct, baseline), price, temperature)
    moments = found.moments
    return {
        "backward_rate": float(found.backward_rate),
        "signal": float(moments.signal),
        "var_parallel": float(moments.var_parallel),
        "var_perpendicular": float(moments.var_perpendicular),
        "cosine": float(found.cosine),
    }
