"""Learning times against quadrature, many digits and integrated logits."""

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from kondo_theory import geometry as geo


def baseline_at(baseline, p, n_arms):
    named = {"value": p, "confidence": p**2 + (1 - p) ** 2 / (n_arms - 1)}
    return named.get(baseline, baseline) if isinstance(baseline, str) else baseline


def flow_time(method, n_arms, p_end, baseline, unit, p_start, temperature=1.0):
    """Integrate 1/ṗ directly over p."""

    def slowness(p):
        b = baseline_at(baseline, p, n_arms)
        up, down = 1.0, 1.0
        if method == "zero-price":
            down = 0.0
        if method == "dg":
            up = 1 / (1 + np.exp((1 - b) * np.log(p) / temperature))
            down = 1 / (1 + ((n_arms - 1) / (1 - p)) ** (b / temperature))
        speed = (up * (1 - b) + down * b) * p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
        return (p if unit == "backward" and method == "zero-price" else 1.0) / speed

    return quad(slowness, p_start, p_end, epsabs=0, epsrel=1e-12, limit=500)[0]


@pytest.mark.parametrize("unit", ["forward", "backward"])
@pytest.mark.parametrize("baseline", [0.0, 0.5, "value", "confidence"])
@pytest.mark.parametrize("method", geo.METHODS)
def test_learning_time_matches_quadrature(method, baseline, unit):
    for n_arms, p_end in ((2, 0.9), (10, 0.99), (1000, 0.5)):
        found = geo.learning_time(method, n_arms, p_end, baseline, unit)
        np.testing.assert_allclose(found, flow_time(method, n_arms, p_end, baseline, unit, 1 / n_arms), rtol=1e-10)


@pytest.mark.parametrize("method", ["pg", "zero-price"])
def test_learning_time_is_accurate_to_the_ends(method):
    """Closed forms from mpmath at the exact ends; the two ends may be extreme or nearly equal."""
    antiderivatives = {
        ("pg", 0.5, "forward"): lambda p, q: 2 * mp.log(p / q) + 1 / q - 1 / p,
        ("zero-price", 0.5, "forward"): lambda p, q: 2 * (2 * mp.log(p / q) + 1 / q - 1 / p),
        ("zero-price", 0.5, "backward"): lambda p, q: 2 * (mp.log(p / q) + 1 / q),
        ("zero-price", "value", "forward"): lambda p, q: 3 * mp.log(p / q) - 1 / p + 2 / q + 1 / (2 * q**2),
        ("zero-price", "value", "backward"): lambda p, q: mp.log(p / q) + 1 / q + 1 / (2 * q**2),
    }
    with mp.workdps(60):
        for (name, baseline, unit), F in antiderivatives.items():
            for start, end in ((1e-12, 0.3), (1e-12, 1 - 1e-12), (0.3, 0.3 + 1e-9), (0.999, 1 - 1e-9)):
                if name != method:
                    continue
                n_arms = 7
                found = geo.learning_time(name, n_arms, end, baseline, unit, p_start=start)
                p0, p1 = mp.mpf(start), mp.mpf(end)
                truth = (F(p1, 1 - p1) - F(p0, 1 - p0)) * mp.mpf(n_arms - 1) / n_arms
                assert abs(found - truth) <= 1e-12 * truth, (name, baseline, unit, start, end)


def test_learning_time_matches_integrated_logits():
    """The flow itself, on K logits with no symmetry assumed."""
    n_arms, b, p_end = 6, 0.3, 0.9

    def drift(_, z, weights):
        policy = np.exp(z - z.max())
        policy /= policy.sum()
        coefficient = policy * np.where(np.arange(n_arms) == 0, weights[0] * (1 - b), -weights[1] * b)
        return coefficient - coefficient.sum() * policy

    def solved(_, z, __):
        return z[0] - z[1] - np.log(p_end * (n_arms - 1) / (1 - p_end))

    solved.terminal = True
    for method, weights in (("pg", (1, 1)), ("zero-price", (1, 0))):
        run = solve_ivp(drift, (0, 1e4), np.zeros(n_arms), args=(weights,), events=solved, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run.t_events[0][0], geo.learning_time(method, n_arms, p_end, b), rtol=1e-7)


def test_learning_time_scaling_and_limits():
    K = np.array([1e2, 1e3, 1e4])
    pg = geo.learning_time("pg", K, 0.9, 0.5)
    np.testing.assert_allclose(pg[1:] / pg[:-1], 10, rtol=0.2)  # Θ(K)
    zero = geo.learning_time("zero-price", K, 0.9, 0.5, "backward")
    np.testing.assert_allclose(np.diff(zero), 2 * np.log(10), rtol=0.07)  # Θ(log K), slope 1/(1−b)
    hot = geo.learning_time("dg", K, 0.9, 0.5, temperature=np.inf)
    np.testing.assert_allclose(hot, 2 * pg, rtol=1e-11)  # weights of one half
    cold = geo.learning_time("dg", K, 0.9, 0.5, temperature=1e-4)
    np.testing.assert_allclose(cold, geo.learning_time("zero-price", K, 0.9, 0.5), rtol=1e-3)
    parts = geo.learning_time("pg", 10, 0.5, 0.0) + geo.learning_time("pg", 10, 0.9, 0.0, p_start=0.5)
    np.testing.assert_allclose(parts, geo.learning_time("pg", 10, 0.9, 0.0), rtol=1e-14)
    assert geo.learning_time("pg", 10, 0.1, 0.0) == 0
    assert np.all(geo.learning_time("pg", K, 0.9, 0.2) == geo.learning_time("pg", K, 0.9, "value"))


def test_learning_time_with_p_error():
    found = geo.learning_time("zero-price", 10, 1.0, 0.5, "backward", p_error=1e-20)
    np.testing.assert_allclose(found, 2 * 0.9 * 1e20, rtol=1e-12)
