"""Closed forms of ``stale-actors`` and ``disfavoured-actions``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.gate import gate_probability
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.off_policy.broken_actors import (
    contaminated_pg_cosine,
    failing_weight_bound,
    imitation_floor,
    mixed_behaviour,
)
from kondo_theory.off_policy.moments import off_policy_moments

__all__ = ["CLOSED_FORMS", "QUOTED"]

_TINY = 1e-10  # π_j where a limit is looked at


def _corrupted(rng: np.random.Generator) -> Mapping[str, float]:
    delta = rng.uniform(0.01, 0.9)
    return {"r": rng.uniform(0.01, 0.99 - delta), "delta": delta, "n": rng.uniform(0.01, 0.9)}


def _actors(rng: np.random.Generator) -> Mapping[str, float]:
    n_arms = int(rng.integers(2, 9))
    shares = {"p": rng.uniform(0.05, 0.95), "b": rng.uniform(0.05, 0.95), "delta": rng.uniform(0.05, 0.6)}
    return {"K": n_arms, **shares, "eta": rng.uniform(0.3, 3), "mu_y": rng.uniform(0.05, 0.95)}


def _noise(mu_y: float, K: float, p: float, b: float, **_: float) -> float:
    arms, behaviour = (symmetric_arms(int(K), each, b)[0] for each in (p, mu_y))
    found = off_policy_moments("zero-price", arms, behaviour, np.arange(K) == 0, b).moments
    return float((found.var_parallel + found.var_perpendicular) / found.signal**2)


def _coefficient(K: float, p: float, b: float, delta: float, **_: float) -> float:
    arms = symmetric_arms(int(K), p, b)[0]
    behaviour = mixed_behaviour(arms, delta, np.full(int(K), 1 / K))
    found = off_policy_moments("pg", arms, behaviour, np.arange(K) == 0, b).moments
    return float(found.signal) / ((1 - p) * np.sqrt(K / (K - 1)))


def _one_wrong_arm(K: float, **_: float) -> float:
    even = np.full(int(K) - 1, 1 / (K - 1))
    return float(contaminated_pg_cosine(_TINY, even, 0.3, np.arange(K - 1) == 0, 0.5))


def _across(b: float, delta: float) -> float:
    """Return cos DG/cos PG times π_j^{b/η}, b = η/2, the failing arm's push across the signal."""
    error = _TINY
    # v = e_0 − q and v′ = e_0 − e_1 as orthogonal unit vectors; actors play arm 1, as likely as arm 2 to the learner
    policy = np.array([1 - 2 * error, error, error])
    first, second = np.array([1.0, -0.5, -0.5]), np.array([1.0, -1.0, 0.0])  # e_0 − q, e_0 − ν
    dual = np.linalg.inv(np.stack([first, second, np.ones(3)]))[:, :2]
    behaviour = mixed_behaviour(policy, delta, [0.0, 1.0, 0.0])
    dg, pg = (
        float(
            off_policy_moments(
                method, policy, behaviour, [1, 0, 0], b, temperature=2 * b, kernel=dual @ dual.T
            ).moments.cosine
        )
        for method in ("dg", "pg")
    )
    return dg / pg * error**0.5


def _weight_ratio(x: float, u: float, eta: float) -> float:
    success, failure = (float(gate_probability(sign * u * -np.log(x), 0.0, eta)) for sign in (1, -1))
    return success / failure


CLOSED_FORMS = {
    "stale-actors": {
        "zero_price_noise": ClosedForm(_actors, _noise),
        "floor": ClosedForm(_corrupted, lambda r, delta, n: float(imitation_floor(r, delta, actor_correct=n))),
        "floor_never_right": ClosedForm(_corrupted, lambda r, delta, **_: float(imitation_floor(r, delta))),
        "pg_coefficient": ClosedForm(_actors, _coefficient),
        "least_weight": ClosedForm(
            _actors, lambda b, delta, eta, **_: float(gate_probability(b * np.log(delta), 0.0, eta))
        ),
    },
    "disfavoured-actions": {
        "bound": ClosedForm(
            lambda rng: {"x": rng.uniform(0.01, 1), "u": rng.uniform(0, 2), "eta": rng.uniform(0.2, 3)},
            lambda x, u, eta: float(failing_weight_bound(x, -u, eta)),
        ),
        "least_cosine": ClosedForm(lambda rng: {"K": int(rng.integers(3, 100))}, _one_wrong_arm, 1e-8),
        "growth": ClosedForm(lambda rng: {"b": rng.uniform(0.1, 0.9), "delta": rng.uniform(0.1, 0.5)}, _across, 1e-3),
        "sign_ratio": ClosedForm(
            lambda rng: {"x": rng.uniform(0.01, 1), "u": rng.uniform(0, 2), "eta": rng.uniform(0.2, 3)},
            _weight_ratio,
        ),
    },
}

QUOTED = {
    "stale-actors": {
        "(1−b)μ_y·d": "a step of the proof",
        "μ_y·d + b(π−μ)": "a step of the proof",
        "(1+χ²)·E_τ‖Uφ‖²": "a step of the proof",
        "τ ∝ π²/μ": "a definition, no result",
        "r(1−μ_y)/(μ_y+r(1−μ_y))": "a step of the proof",
        "r + δ = 1": "where floor_never_right is one",
    },
    "disfavoured-actions": {
        "δ(1 + b) < 1": "where PG's cosine is positive, an assumption of the step",
        "Σμ_aπ_a": "a step of the proof",
        "u ≥ η/2": "a step of the proof",
        "u = η/2": "a step of the proof",
        "π_j^{−b/η}": "a step of the proof, whose factor is growth",
        "(1+q·ν)/√((1+‖q‖²)(1+‖ν‖²)) ≥ 1/2": "a step of the proof",
        "ε^{1−b/η}": "what growth says of PG's ε",
        "ε^{η/b}": "where DG's failing weight is ε",
        "cos DG/cos PG": "a name, no formula",
        "π(y*)": "a name, no formula",
        "x = π(a)": "a definition",
        "π_j": "a name, of the failing arm's probability",
    },
}
