"""Closed forms of the claims on estimates from a part of the samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.estimators import (
    best_baseline,
    best_blend,
    best_step,
    biased_below,
    blend_weight,
    dg_baseline,
    draws_variance,
    effective_share,
    least_gated_cost,
    least_unbiased_cost,
    soft_baseline,
    symmetric_weighted_moments,
    wrong_score_ratio,
    zero_price_blend,
)
from kondo_theory.gate import gate_probability
from kondo_theory.geometry.optimal import cost_of_signal
from kondo_theory.geometry.symmetric import (
    dg_weights,
    optimal_pg_baseline,
    pg_moments,
    symmetric_arms,
    symmetric_moments,
    zero_price_moments,
)

__all__ = ["CLOSED_FORMS", "QUOTED", "WHERE"]

RATIO = "√(1+(K−2)/(Kp²))"


def _symmetric(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a symmetric context and the probabilities that its two kinds of samples are kept."""
    keep = rng.uniform(0.01, 1, 2)
    return {
        "p": rng.uniform(0.02, 0.5),
        "K": int(rng.integers(2, 40)),
        "b": rng.uniform(0.02, 0.98),
        "w_plus": keep[0],
        "w_minus": keep[1],
    }


def _moments(p, K, b, w_plus, w_minus):
    return symmetric_weighted_moments(p, K, b, w_plus, w_minus)


def _others(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw scores and two others' gradients, c = 1 of k kept for certain; v is written out."""
    scores = np.sort(rng.uniform(0.1, 1, 3))[::-1]
    q, y = scores / scores.sum(), rng.normal(size=3)
    share = q[1:] / q[1:].sum()
    v = share @ (y[1:] / q[1:]) ** 2 - (share @ (y[1:] / q[1:])) ** 2
    return {
        "Q": q[1:].sum(), "v": v, "k": int(rng.integers(2, 9)), "c": 1,
        **{f"s{i}": scores[i] for i in range(3)}, **{f"y{i}": y[i] for i in range(3)},
    }  # fmt: skip


def _noise(k, c, s0, s1, s2, y0, y1, y2, **_):
    return draws_variance([[y0], [y1], [y2]], [s0, s1, s2], k, c)


def _estimates(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw bias, variances and a covariance that they allow."""
    beta, V, v = rng.uniform(0.1, 2, 3)
    return {"beta": beta, "V": V, "v": v, "c": rng.uniform(-1, 1) * np.sqrt(V * v)}


def _gate(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw two arms of which a gate drops a part; s, m and Q are written out."""
    p, w = rng.uniform(0.1, 0.9), rng.uniform(0, 1, 2)
    U = rng.normal(size=2)
    kept, dropped = ((np.array([p, 1 - p]) * U * each) @ [[1 - p, p - 1], [-p, p]] for each in (w, 1 - w))
    Q = np.sum([p, 1 - p] * U**2 * (1 - w) * [2 * (1 - p) ** 2, 2 * p**2])
    named = {"p": p, "U1": U[0], "U2": U[1], "w1": w[0], "w2": w[1], "s": dropped @ dropped, "m": kept @ dropped}
    return {**named, "Q": Q, "B": int(rng.integers(1, 100))}


def _batch(rng: np.random.Generator) -> Mapping[str, float]:
    return {**_symmetric(rng), "B": int(rng.integers(1, 300)), "u": rng.uniform(0.01, 1)}


def _zero_price_error(p, K, b, B, u, **_):
    policy, advantage = symmetric_arms(K, p, b)
    found = best_blend(policy, advantage, advantage > 0, B, dropped_rate=u)
    return found.error / (p**2 * (1 - p) ** 2 * K / (K - 1))


def _pg_below(p, K, **_):
    """Return the baseline at which the best weight is one, by bisection."""
    low, high = 1e-9, 1.0 - 1e-9
    for _step in range(80):
        b = (low + high) / 2
        low, high = (b, high) if zero_price_blend(p, K, b, 7) >= 1 else (low, b)
    return low


def _slope(**_):
    """Return the slope of log a* in log p where p is next to nothing."""
    return float(np.log(zero_price_blend(1.0001e-8, 9, 0.4, 5) / zero_price_blend(1e-8, 9, 0.4, 5)) / np.log(1.0001))


def _bandit(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw three arms with rewards and a gate; the n and s are written out."""
    pi, R, w = rng.dirichlet(np.ones(3)), rng.uniform(0, 1, 3), rng.uniform(0.05, 1, 3)
    phi = np.eye(3) - pi
    u = (pi * R) @ phi
    along, square = pi * w * (phi @ u) / np.linalg.norm(u), pi * w * (phi**2).sum(axis=1)
    if (square.sum() * (along @ R)) <= (square @ R) * along.sum():
        return _bandit(rng)
    sums = {f"n_{i}": square @ R ** (2 - i) for i in range(3)} | {f"s_{i}": along @ R ** (1 - i) for i in range(2)}
    return {**sums, **{f"{name}{i}": x[i] for name, x in (("q", pi), ("R", R), ("w", w)) for i in range(3)}}


def _best(q0, q1, q2, R0, R1, R2, w0, w1, w2, **_):
    return best_baseline([q0, q1, q2], [R0, R1, R2], [w0, w1, w2]).baseline


def _drawn(p, K, w_plus, w_minus, **_):
    policy, rewards = symmetric_arms(K, p, 0.0)
    return best_baseline(policy, rewards, np.where(rewards > 0, w_plus, w_minus)).baseline


def _dg_noise(p, K, **_):
    """Return DG's noise at its best baseline, from its moments."""
    b = dg_baseline(p, K, 0.7)
    found = symmetric_moments(p, K, b, *dg_weights(p, K, b, 0.7))
    return (found.signal**2 + found.var_parallel + found.var_perpendicular) / found.signal**2


def _zero_price_noise(p, K, b, **_):
    found = zero_price_moments(p, K, b)
    return 1 + found.var_parallel / found.signal**2


def _step(moments, p, K, B):
    return best_step(moments, p * (1 - p) * np.sqrt(K / (K - 1)), B, 1.0)


def _moving(b: float) -> float:
    """Return the cost of signal of σ(χ/0.3) at a baseline."""
    policy, advantage = symmetric_arms(10, 0.3, b)
    return float(cost_of_signal(policy, advantage, gate_probability(-advantage * np.log(policy), 0.0, 0.3)))


CLOSED_FORMS = {
    "optimal-baseline": {
        "best": ClosedForm(_bandit, _best, 1e-8),
        "drawn": ClosedForm(_symmetric, _drawn, 1e-8),
        "ratio": ClosedForm(_symmetric, lambda p, K, **_: wrong_score_ratio(p, K)),
        "soft": ClosedForm(_symmetric, lambda p, K, w_plus, w_minus, **_: soft_baseline(p, K, w_plus, w_minus)),
        "cost": ClosedForm(_symmetric, lambda p, K, w_plus, w_minus, **_: least_gated_cost(p, K, w_plus, w_minus)),
        "dg_noise": ClosedForm(_symmetric, _dg_noise, 1e-8),
        "zero_price_noise": ClosedForm(_symmetric, _zero_price_noise),
        "step_zero_price": ClosedForm(_batch, lambda p, K, b, B, **_: _step(zero_price_moments(p, K, b), p, K, B)),
        "step_pg": ClosedForm(
            _batch, lambda p, K, B, **_: _step(pg_moments(p, K, optimal_pg_baseline(p, K)), p, K, B)
        ),
        "moving_fixed": ClosedForm(lambda rng: {}, lambda **_: _moving(float(optimal_pg_baseline(0.3, 10)))),
        "moving_other": ClosedForm(lambda rng: {}, lambda **_: _moving(0.6)),
    },
    "least-error-blend": {
        "weight": ClosedForm(_estimates, lambda beta, V, v, c: blend_weight(beta**2, V, v, c), 1e-8),
        "gated_weight": ClosedForm(
            _gate,
            lambda p, U1, U2, w1, w2, B, **_: best_blend([p, 1 - p], [U1, U2], [w1, w2], B).weight,
            1e-8,
        ),
        "zero_price": ClosedForm(_batch, lambda p, K, b, B, u, **_: zero_price_blend(p, K, b, B, dropped_rate=u)),
        "least_error": ClosedForm(_batch, _zero_price_error, 1e-8),
        "pg_below": ClosedForm(_symmetric, _pg_below, 1e-7),
        "slope": ClosedForm(lambda rng: {}, _slope, 1e-6),
    },
    "unbiased-gates": {
        "least_cost": ClosedForm(_symmetric, lambda p, K, b, **_: least_unbiased_cost(p, K, b)),
        "ratio": ClosedForm(_symmetric, lambda p, K, **_: wrong_score_ratio(p, K)),
        "crossing": ClosedForm(_symmetric, lambda p, K, b, **_: biased_below(p, K, b)),
        "var_perpendicular": ClosedForm(_symmetric, lambda **at: _moments(**at).var_perpendicular),
        "var_parallel": ClosedForm(_symmetric, lambda **at: _moments(**at).var_parallel),
        "top_kept": ClosedForm(_others, _noise),
        "effective": ClosedForm(
            _symmetric, lambda p, w_plus, w_minus, **_: effective_share([p, 1 - p], [w_plus, w_minus])
        ),
    },
}

WHERE = {"optimal-baseline": {"D": RATIO}, "unbiased-gates": {"D": RATIO}, "least-error-blend": {"D": RATIO}}

QUOTED = {
    "optimal-baseline": {
        "E‖g‖²/(E g·u)²": "the noise, a definition",
        "n₀ to n₂": "named, defined beside",
        "w‖φ‖² times R², R and one": "definitions",
        "wφ·u times R and one": "definitions",
        "s₁ = 0": "a step of the proof",
        "∇J·E ĝ/(L·E‖ĝ‖²)": "a step of the proof, compared in tests/estimators/test_baseline.py",
        "σ(χ/0.3)": "an example's setting",
        "b = 0.6 gives": "an example's setting",
        "(K = 10, p = 0.3)": "an example's setting",
        "w₊(1−b)/(w₋b) = pD²/ε": "a step of the proof, compared in tests/estimators/test_baseline.py",
        "0.7·10⁻¹⁰ below at η = 0.1, K = 10, p = 0.3": "an example, compared in tests/estimators/test_baseline.py",
        "weight 1/w": "a definition",
        "softmax policy": "words: no function of anything",
        "½-smooth": "a step of the proof, compared in tests/estimators/test_baseline.py",
    },
    "least-error-blend": {
        "a·PG + (1−a)·gated": "the blend, a definition",
        "δ²E‖PG − gated‖²": "a step of the proof, compared in tests/estimators/test_blend.py",
        "1+(K−2)/(Kp²)": "an abbreviation, of the claim unbiased-gates",
        "D² =": "an abbreviation, of the claim unbiased-gates",
        "weight 1/u": "a definition",
        "ab/(1−b+ab)": "a step of the proof, compared in tests/estimators/test_blend.py",
        "1−b+ab": "a step of the proof, compared in tests/estimators/test_blend.py",
        "d̄·∇J": "a step of the proof, compared in tests/estimators/test_blend.py",
        "Bp² and p²/b": "orders of magnitude",
        "B‖d̄‖²": "a step of the proof, compared in tests/estimators/test_blend.py",
    },
    "unbiased-gates": {
        "weights what it keeps by 1/w": "a definition",
        "gates of weight 1/w": "a definition",
        "E[(1/w − 1)‖g‖²]": "a step of the proof, compared in tests/estimators/test_unbiased.py",
        "(E‖g‖)²/‖∇J‖²": "a step of the proof, compared in tests/estimators/test_unbiased.py",
        "k − c draws": "a setting of the draws",
        "c/k": "a step of the proof, searched in tests/falsification/estimators.py",
        "p ≤ 1/2": "where the batch size holds",
        "(1−b)∇J": "zero price's mean, of the claim zero-price-geometry",
        "divided by 1 − b": "a rescaling, in words",
        "delight at 10 %": "an example's setting",
        "29": "an example, compared in tests/estimators/test_unbiased.py",
        "4.0": "an example, compared in tests/estimators/test_unbiased.py",
        "1.3": "an example, compared in tests/estimators/test_unbiased.py",
        "p = 0.3, b = 0.65": "an example's setting",
        "K = 10": "an example's setting",
        "weight 1/p": "a definition",
    },
}
