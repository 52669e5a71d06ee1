"""Closed forms of ``prompt-skipping``."""

from __future__ import annotations

from closed_forms import ClosedForm
from kondo_theory import cost
from kondo_theory.screening.prompts import expected_wait, idle_probability, visit_probability, visit_share

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _prompt(rng):
    xi = rng.uniform(0.1, 0.95)
    return {
        "p": rng.uniform(0.01, 0.99), "G": float(rng.integers(2, 17)), "xi": xi, "q": xi * rng.uniform(0.05, 0.95),
        "m": float(rng.integers(1, 6)), "T": float(rng.integers(1, 200)),
    }  # fmt: skip


def _step(rng):
    return {name: rng.uniform(0.05, 1) for name in ("q", "rho", "s", "a", "f")} | {"c": rng.uniform(0.5, 4)}


def _gated(q, rho, s, a, c, **_):
    return float(cost.step_cost(rho * (1 - q), c, screening_cost=s, acting_cost=a))


def _full(q, a, c, **_):
    """Every answer of a group with spread gets a backward pass; none is screened."""
    return float(cost.step_cost(1 - q, c, screening_cost=0.0, acting_cost=a))


def _starved(**_):
    """The largest pass rate below 1/2, in percent, at which prompts of eight answers are visited ever more rarely."""
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if visit_share(idle_probability(middle, 8), 0.5) == 0 else (low, middle)
    return 100 * low


CLOSED_FORMS = {
    "prompt-skipping": {
        "idle": ClosedForm(_prompt, lambda p, G, **_: float(idle_probability(p, G))),
        "share": ClosedForm(_prompt, lambda q, xi, **_: float(visit_share(q, xi))),
        "epochs": ClosedForm(_prompt, lambda q, xi, m, **_: 1 / float(visit_share(q, xi, m))),
        "least": ClosedForm(_prompt, lambda xi, m, **_: float(visit_probability(m + 3, xi, m))),
        "wait": ClosedForm(_prompt, lambda T, xi, **_: float(expected_wait(T, xi))),
        "starved": ClosedForm(lambda _: {}, _starved, 1e-7),  # the formula leaves out groups that are all right
        "gated": ClosedForm(_step, _gated),
        "full": ClosedForm(_step, _full),
        "saved": ClosedForm(_step, lambda f, **at: (1 - f) * _full(**at)),
    },
}

QUOTED = {
    "prompt-skipping": {
        "ξ^z": "the rule, a definition",
        "1 + c": "the cost of forward and backward, a definition",
        "ξ = 1/2": "an example's setting",
        "G = 8, ξ = 1/2": "an example's setting",
    },
}
