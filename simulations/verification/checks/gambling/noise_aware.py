"""Simulation and measurement of ``noise-aware-gate``: drifts and ends of learning of the gamble, and MNIST."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.special import expit, logit

from kondo_theory.gambling.noise_aware import margin_critical_noise_ratio, margin_fixed_point
from simulations.gambling.gamble import Gamble, simulate_learning
from simulations.gambling.simulation import expected_drift
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated
from simulations.verification.checks.gambling.runs import Drift, corner_rows, drift_rows, gamble_point, rest_rows

__all__ = ["noise_aware_gate"]

EVERYWHERE = (0.02, 0.3, 0.7, 0.97)


def noise_aware_gate(
    context: Context, instead: Mapping[str, str] | None = None, drift: Drift = expected_drift
) -> list[Simulated]:
    """Simulate each gate's drift, how it leaves the gamble, and where a margin comes to rest.

    ``instead`` says which gate is simulated in the place of another: negative controls.
    """
    other = instead or {}

    def pair(r: float, gate: str, rate: float = 1.0, margin: float = 0.0) -> tuple[Gamble, Gamble]:
        predicted = Gamble(r, gate, rate=rate, margin=margin)
        return predicted, Gamble(r, other.get(gate, gate), rate=rate, margin=margin)

    extremes = [pair(1.0, "extremes", 0.03), pair(2.5, "extremes", 0.1), pair(2.0, "extremes", 0.3)]
    margins = [pair(1.0, "margin", margin=0.5), pair(3.0, "margin", margin=1.0), pair(6.0, "margin", margin=1.0)]
    draws = [pair(0.5, "second-draw"), pair(4.0, "second-draw")]
    rows = drift_rows(context, extremes, (0.45, 0.7, 0.97), 60_000, drift)
    rows += drift_rows(context, margins + draws, EVERYWHERE, 61_000, drift)
    # Where zero price and the top ρ by delight are taken in from everywhere, the gambling arm only decays.
    leaving = [(*pair(6.0, "extremes", 0.3), 0.8), (*pair(6.0, "second-draw"), 0.8)]
    rows += corner_rows(context, leaving, 62_000, drift, safe=False)
    return rows + _margins(context, other.get("margin", "margin"))


def _margins(context: Context, gate: str) -> list[Simulated]:
    """Return where learning ends under a margin, and on which side of its critical noise the gambling arm wins."""
    rows, resting = [], []
    for number, (r, margin) in enumerate(((1.5, 0.4), (3.0, 1.0), (5.0, 1.0))):
        predicted, simulated = (Gamble(r, kind, margin=margin) for kind in ("margin", gate))
        found, _ = simulate_learning(simulated, 0.6, 500, 4.0, 600, 1, 20, 63_000 + number, context.workers)
        wins = float(r >= margin_critical_noise_ratio(margin))
        name = f"share of runs at x > 0.95 after 600 steps, κ={margin:g}, r={r:g}"
        point = gamble_point(predicted, steps=600, threshold=0.95, **{"x start": 0.6})
        rows.append(Simulated(name, wins, *mean_and_error(found > 0.95), parameters=point))
        target = margin_fixed_point(r, margin)
        if target is not None:
            starts = tuple(float(expit(logit(target) + side)) for side in (-1.0, 1.0))
            resting.append((predicted, simulated, starts, target))
    return rows + rest_rows(context, resting, 64_000)
