"""One context: what a gate does to the gradient of a single softmax bandit."""

import numpy as np
from scipy.optimize import brentq

from closed_forms import ClosedForm
from kondo_theory.geometry.graded import graded_worst_case, zero_price_cosine
from kondo_theory.geometry.learning import learning_time
from kondo_theory.geometry.quality_cost import frontier
from kondo_theory.geometry.symmetric import (
    cosine_gap,
    dg_noise_ratio,
    dg_weights,
    forward_efficiency,
    optimal_pg_baseline,
    pg_moments,
    symmetric_arms,
    symmetric_moments,
    zero_price_moments,
)
from kondo_theory.moments import gradient_moments


def _context(rng, **more):
    return {"K": float(rng.integers(3, 40)), "p": rng.uniform(0.02, 0.98), "b": rng.uniform(0.05, 0.95), **more}


def _of(*names):
    """Draw the context's symbols of these names."""
    return lambda rng: {name: value for name, value in _context(rng).items() if name in names}


# --- zero-price-geometry: against the moments of any policy, with weights and second moments of any size


def _weighted(rng):
    right, wrong = rng.uniform(0, 1, 2)
    seconds = {"s_plus": right**2 + rng.uniform(0.01, 1), "s_minus": wrong**2 + rng.uniform(0.01, 1)}
    # A baseline above both rewards turns the sign of κ.
    return _context(rng, w_plus=right, w_minus=wrong, B=float(rng.integers(1, 99)), **seconds) | {
        "b": rng.uniform(0, 3)
    }


def _moments(**at):
    policy, advantage = symmetric_arms(int(at["K"]), at["p"], at["b"])
    correct = np.arange(len(policy)) == 0
    first = np.where(correct, at["w_plus"], at["w_minus"])
    second = np.where(correct, at["s_plus"], at["s_minus"])
    return gradient_moments(policy, advantage, first, second), float(policy @ first)


def _moment(name):
    return ClosedForm(_weighted, lambda **at: float(getattr(_moments(**at)[0], name)), relative=1e-9)


def _gradient(**at):
    """‖∇J‖: the signal of the plain policy gradient."""
    return float(pg_moments(at["p"], at["K"], 0.0).signal)


def _zero_price_rate(**at):
    policy, advantage = symmetric_arms(int(at["K"]), at["p"], at["b"])
    return float(frontier(policy, advantage, [0.0]).backward_rate[0])


_GEOMETRY = {
    "kappa": ClosedForm(_weighted, lambda **at: float(_moments(**at)[0].signal) / _gradient(**at), relative=1e-9),
    "zero_price_kappa": ClosedForm(
        _context, lambda **at: float(zero_price_moments(at["p"], at["K"], at["b"]).signal) / _gradient(**at)
    ),
    "zero_price_rate": ClosedForm(_context, _zero_price_rate),
    "gradient_norm_squared": ClosedForm(_context, lambda **at: _gradient(**at) ** 2),
    "var_perpendicular": _moment("var_perpendicular"),
    "var_parallel": _moment("var_parallel"),
    "backward_rate": ClosedForm(_weighted, lambda **at: _moments(**at)[1]),
    "cosine": _moment("cosine"),
    "efficiency": ClosedForm(_weighted, lambda **at: float(_moments(**at)[0].efficiency(at["B"])), relative=1e-9),
}

# --- dg-noise-ratio


def _warm(rng):
    return _context(rng, eta=rng.uniform(0.2, 3))


def _gap_ratio(p, K, b, eta, batch=1e12):
    return float(
        cosine_gap("dg", p, K, b, batch, temperature=eta) / cosine_gap("pg", p, K, b, batch, temperature=eta)
    )


def _kappa(**at):
    weights = dg_weights(at["p"], at["K"], at["b"], at["eta"])
    return float(symmetric_moments(at["p"], at["K"], at["b"], *weights).signal) / _gradient(**at)


def _nothing(rng):
    return {}


_DG = {
    "noise_ratio": ClosedForm(_warm, lambda **at: float(dg_noise_ratio(at["p"], at["K"], at["b"], at["eta"]))),
    "cosine_gap_ratio": ClosedForm(_warm, lambda **at: _gap_ratio(**at), relative=1e-7),
    "weight_correct": ClosedForm(_warm, lambda **at: float(dg_weights(at["p"], at["K"], at["b"], at["eta"])[0])),
    "weight_wrong": ClosedForm(_warm, lambda **at: float(dg_weights(at["p"], at["K"], at["b"], at["eta"])[1])),
    "kappa": ClosedForm(_warm, _kappa),
}
for _name, _p in (("half", 0.5), ("tenth", 0.9)):
    _DG[f"published_gap_{_name}"] = ClosedForm(_nothing, lambda p=_p: _gap_ratio(p, 100, 0.5, 1.0), relative=1e-7)
    _DG[f"published_noise_{_name}"] = ClosedForm(_nothing, lambda p=_p: float(dg_noise_ratio(p, 100, 0.5, 1.0)))

# --- baseline-dependence and forward-efficiency


def _noise_to_signal(p, K, b):
    moments = pg_moments(p, K, b)
    return float(moments.var_perpendicular / moments.signal**2)


_BASELINE = {
    "var_perpendicular_pg": ClosedForm(
        _context, lambda **at: float(pg_moments(at["p"], at["K"], at["b"]).var_perpendicular)
    ),
    "noise_to_signal": ClosedForm(_context, lambda **at: _noise_to_signal(at["p"], at["K"], at["b"])),
    "noise_to_signal_value_baseline": ClosedForm(
        _of("K", "p"), lambda **at: _noise_to_signal(at["p"], at["K"], "value")
    ),
    "saved_backward_rate": ClosedForm(_of("K", "p"), lambda **at: 1 - _zero_price_rate(b=0.0, **at)),
}


def _crossing(**at):
    """Where PG with the value baseline has zero price's ratio."""

    def gap(p):
        pg, zero = (forward_efficiency(method, p, at["K"], "value") for method in ("pg", "zero-price"))
        return float(p * (pg - zero))

    return brentq(gap, 1e-3, 1 - 1e-3, xtol=1e-14, rtol=1e-14)


def _best(**at):
    return float(optimal_pg_baseline(at["p"], at["K"]))


_EFFICIENCY = {
    "zero_price": ClosedForm(
        _context, lambda **at: float(forward_efficiency("zero-price", at["p"], at["K"], at["b"]))
    ),
    "pg": ClosedForm(_context, lambda **at: float(forward_efficiency("pg", at["p"], at["K"], at["b"])), 1e-9),
    "best_baseline": ClosedForm(_of("K", "p"), _best),
    "pg_best": ClosedForm(
        _of("K", "p"), lambda **at: float(forward_efficiency("pg", at["p"], at["K"], _best(**at))), 1e-9
    ),
    "value_baseline_crossing": ClosedForm(_of("K"), _crossing, 1e-8),
}

# --- graded-rewards


def _family(n):
    return float(zero_price_cosine(*graded_worst_case(int(n))))


def _three_arms(delta):
    return float(zero_price_cosine([1 - delta**2 - delta**3, delta**3, delta**2], [0.5, 1, 0]))


def _two_levels(rng):
    low, base, high = np.sort(rng.uniform(0, 2, 3))
    return {"R_low": low, "R_high": high, "b": base}


def _two_level_scale(**at):
    policy = np.array([0.1, 0.25, 0.3, 0.35])
    rewards = np.array([at["R_high"], at["R_low"], at["R_high"], at["R_low"]])
    keep = (rewards > at["b"]).astype(float)
    gated = gradient_moments(policy, rewards - at["b"], keep, keep)
    return float(gated.signal / gradient_moments(policy, rewards - at["b"], 1.0, 1.0).signal)


_GRADED = {
    "family_cosine": ClosedForm(lambda rng: {"n": float(rng.integers(1, 200))}, _family),
    "family_limit": ClosedForm(_nothing, lambda: _family(100_000), relative=1e-3),
    "family_first_negative_n": ClosedForm(_nothing, lambda: next(n for n in range(1, 100) if _family(n) < 0)),
    "three_arm_cosine": ClosedForm(_nothing, lambda: float(zero_price_cosine([0.99, 0.001, 0.009], [0.5, 1, 0]))),
    "three_arm_limit": ClosedForm(_nothing, lambda: _three_arms(1e-4), relative=1e-3),
    "two_level_scale": ClosedForm(_two_levels, _two_level_scale),
}

# --- learning-time


def _times(rng):
    start, end = np.sort(rng.uniform(0.02, 0.98, 2))
    return {"K": float(rng.integers(3, 40)), "b": rng.uniform(0, 0.9), "p_0": start, "p_1": end}


def _from_uniform(rng):
    K = float(rng.integers(3, 40))
    return {"K": K, "b": rng.uniform(0, 0.9), "p_1": rng.uniform(1 / K, 0.99)}


def _time(method, unit="forward", baseline=None):
    def function(**at):
        b = at["b"] if baseline is None else baseline
        return float(learning_time(method, at["K"], at["p_1"], b, unit, p_start=at.get("p_0")))

    return function


def _primitive(at_half, method, unit, baseline):
    """The primitive at p, from the time to it from p = 1/2, where the primitive is a whole number."""

    def function(p):
        ends = (p, 0.5) if p >= 0.5 else (0.5, p)
        time = learning_time(method, 2, ends[0], baseline, unit, p_start=ends[1]) * 2  # α² = 2 at two arms
        return float(at_half + (time if p >= 0.5 else -time))

    return ClosedForm(lambda rng: {"p": rng.uniform(0.02, 0.98)}, function, relative=1e-9)


def _speed(**at):
    """ṗ = ∇p·E[g], and ∇p = ∇J."""
    return float(symmetric_moments(at["p"], at["K"], at["b"], at["w_plus"], at["w_minus"]).signal) * _gradient(**at)


def _forward_ratio(**at):
    return _time("zero-price")(K=7.0, p_1=0.9, p_0=0.2, **at) / _time("pg")(K=7.0, p_1=0.9, p_0=0.2, **at)


_LEARNING = {
    "speed": ClosedForm(
        lambda rng: _context(rng, w_plus=rng.uniform(0, 1), w_minus=rng.uniform(0, 1)), _speed, relative=1e-9
    ),
    "forward_primitive": _primitive(0, "pg", "forward", 0.0),
    "backward_primitive": _primitive(2, "zero-price", "backward", 0.0),
    "value_backward_primitive": _primitive(4, "zero-price", "backward", "value"),
    "forward_ratio": ClosedForm(_of("b"), _forward_ratio),
    "pg": ClosedForm(_times, _time("pg")),
    "pg_from_uniform": ClosedForm(_from_uniform, _time("pg")),
    "zero_price_backward_from_uniform": ClosedForm(_from_uniform, _time("zero-price", "backward")),
    "zero_price_backward": ClosedForm(_times, _time("zero-price", "backward")),
    "zero_price_forward": ClosedForm(_times, _time("zero-price")),
    "zero_price_value_backward": ClosedForm(_times, _time("zero-price", "backward", "value")),
    "zero_price_value_forward": ClosedForm(_times, _time("zero-price", "forward", "value")),
}

CLOSED_FORMS = {
    "zero-price-geometry": _GEOMETRY,
    "dg-noise-ratio": _DG,
    "baseline-dependence": _BASELINE,
    "forward-efficiency": _EFFICIENCY,
    "graded-rewards": _GRADED,
    "learning-time": _LEARNING,
}

WHERE = {
    "dg-noise-ratio": {
        "χ₊": "−(1−b)·log p",
        "χ₋": "−b·log((K−1)/(1−p))",
        "w₊": "σ(χ₊/η)",
        "w₋": "σ(χ₋/η)",
        "κ": "w₊(1−b) + w₋b",
    },
    "learning-time": {
        "α²": "K/(K−1)",
        "F(x)": "2ln(x/(1−x)) + 1/(1−x) − 1/x",
        "Γ(x)": "ln(x/(1−x)) + 1/(1−x)",
    },
}

QUOTED = {
    "dg-noise-ratio": {"order in 1/B": "the order of the expansion"},
    "graded-rewards": {
        "2n+1 arms": "the size of the family: its definition",
        "b + E(R−b)₊": "the criterion's edge, argued in the derivation and compared there on a grid",
    },
    "learning-time": {
        "Θ(log K)": "an order of growth, a limit in the derivation",
        "Γ/F → 1": "a limit in the derivation",
        "2/(1−b)": "a bound in the derivation, not a value",
        "Γ/(1−b) becomes": "the name of what the next formula replaces",
    },
}
