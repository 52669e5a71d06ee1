"""Closed forms of ``optimal-gate``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry.optimal import best_gate, cost_of_signal

__all__ = ["CLOSED_FORMS", "QUOTED"]

_POLICY, _ADVANTAGE, _RATE = [0.8, 0.15, 0.05], [0.5, 0.25, 1.0], 0.2


def _bandit(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw two arms, whose best gate is looked at: its rate, signal and second moment."""
    p, one, other, rate = rng.uniform(0.05, 0.95), rng.normal(), rng.normal(), rng.uniform(0.05, 0.95)
    keep = best_gate([p, 1 - p], [one, other], rate).keep
    phi = np.array([[1 - p, p - 1], [-p, p]])
    unit = np.array([1.0, -1.0]) * np.sign(one - other) / np.sqrt(2)
    mass, paid = np.array([p, 1 - p]) * keep, np.array([one, other])
    second = float(mass @ (paid**2 * (phi**2).sum(axis=1)))
    return {"p": p, "one": one, "other": other, "rho": rate, "S": float(mass @ (paid * (phi @ unit))), "Q": second}


def _found(p, one, other, rho, **_):
    return best_gate([p, 1 - p], [one, other], rho)


def _iterated() -> float:
    """Begin with every sample alike, and iterate the exchange rate."""
    policy, advantage = np.array(_POLICY), np.array(_ADVANTAGE)
    phi = np.eye(3) - policy
    direction = (policy * advantage) @ phi
    along = advantage * (phi @ direction) / np.linalg.norm(direction)
    square = advantage**2 * (phi**2).sum(axis=1)
    keep = np.full(3, _RATE)
    for _ in range(20):
        order = np.argsort(-(along - (policy @ (keep * along)) / (policy @ (keep * square)) / 2 * square))
        before = np.cumsum(policy[order]) - policy[order]
        keep = np.empty(3)
        keep[order] = np.clip((_RATE - before) / policy[order], 0, 1)
    return float(cost_of_signal(policy, advantage, keep))


CLOSED_FORMS = {
    "optimal-gate": {
        "value": ClosedForm(_bandit, lambda rho, **at: rho / _found(rho=rho, **at).cost_of_signal),
        "cost_of_signal": ClosedForm(_bandit, lambda **at: _found(**at).cost_of_signal),
        "exchange": ClosedForm(_bandit, lambda **at: _found(**at).exchange),
        "example_best": ClosedForm(_bandit, lambda **_: best_gate(_POLICY, _ADVANTAGE, _RATE).cost_of_signal),
        "example_iterated": ClosedForm(_bandit, lambda **_: _iterated()),
    },
}

QUOTED = {
    "optimal-gate": {
        "a − (x/2)‖g‖²": "the score, a step of the proof",
        "1/w": "a definition",
        "DG-K(3 %)": "a method that was measured",
        "at 3 %": "a setting of the measurement",
        "1.2 to 3.2 times": "measured, in the table reversal-row-gates",
        "20 %": "of a criterion that was missed",
        "a and ‖g‖²": "what the score is made of, defined",
        "784-100-100-10 ReLU": "the network that was measured",
        "min(1, s‖g‖)": "a step of the proof, compared in tests/geometry/test_optimal.py",
        "29": "an example, compared in tests/geometry/test_optimal.py",
        "1.3": "an example, compared in tests/geometry/test_optimal.py",
        "K = 10, p = 0.3, b = 0.65, ρ = 0.1": "an example's setting",
        "b = 0.65, ρ = 0.1": "an example's setting",
        "π = (0.8, 0.15, 0.05)": "an example's setting",
        "U = (1/2, 1/4, 1), ρ = 0.2": "an example's setting",
        "Q = E[w‖g‖²], a = g·u": "definitions",
    },
}
