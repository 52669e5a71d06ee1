"""One symmetric context: moments, DG's weights, cosine gap and baselines against enumeration and their limits."""

import mpmath as mp
import numpy as np
import pytest

from kondo_theory import geometry as geo
from kondo_theory.moments import gradient_moments

ENDS = [1e-12, 1e-6, 0.3, 0.5, 1 - 1e-6, 1 - 1e-12]
ARMS = [2, 3, 10, 10_000]
BASELINES = [0.0, 0.5, "value", "confidence"]
FIELDS = ("signal", "perpendicular_bias", "var_parallel", "var_perpendicular")


def pair(error):
    """Return (p, ε) as floats, each rounded from the exact complement of the smaller."""
    return (1 - error, error) if error <= 0.5 else (1 - error, float(1 - mp.mpf(1 - error)))


def exact_baseline(baseline, p, error, n_arms):
    named = {"value": lambda: p, "confidence": lambda: p**2 + error**2 / (n_arms - 1)}
    return named[baseline]() if isinstance(baseline, str) else mp.mpf(baseline)


def exact_moments(p, error, n_arms, b, first, second):
    """Enumerate the correct arm and one wrong arm (the others are its mirror images), from scores written out."""
    wrong = error / (n_arms - 1)
    gradient = [p * error, -p * wrong]  # ∇J on the correct logit and on each wrong one
    size = mp.sqrt(gradient[0] ** 2 + (n_arms - 1) * gradient[1] ** 2)
    t = [x / size for x in gradient]
    along = [error * t[0] - error * t[1], -p * t[0] + (1 - wrong) * t[1] - (n_arms - 2) * wrong * t[1]]
    norm = [error**2 + (n_arms - 1) * wrong**2, p**2 + (1 - wrong) ** 2 + (n_arms - 2) * wrong**2]
    mass, advantage = [p, error], [1 - b, -b]
    signal = mp.fsum(m * w * u * x for m, w, u, x in zip(mass, first, advantage, along, strict=True))
    squares = [m * s * u * u for m, s, u in zip(mass, second, advantage, strict=True)]
    parallel = mp.fsum(s * x * x for s, x in zip(squares, along, strict=True)) - signal**2
    across = mp.fsum(s * (n - x * x) for s, n, x in zip(squares, norm, along, strict=True))
    return signal, mp.mpf(0), parallel, across


def assert_close(found, exact, relative=1e-12):
    for name, truth in zip(FIELDS, exact, strict=True):
        value = float(getattr(found, name))
        assert abs(value - truth) <= relative * abs(truth) + mp.mpf(10) ** -100, (name, value, mp.nstr(truth, 18))


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("n_arms", ARMS)
@pytest.mark.parametrize("error", ENDS)
def test_symmetric_moments_match_enumeration(error, n_arms, baseline):
    with mp.workdps(250):
        p, error = pair(error)
        exact_p = mp.mpf(p) if p < 0.5 else 1 - mp.mpf(error)
        b = exact_baseline(baseline, exact_p, 1 - exact_p, n_arms)
        for right, wrong in ((1.0, 1.0), (1.0, 0.0), (0.9, 0.2), (0.01, 1 - 1e-9)):
            for bernoulli in (False, True):
                if baseline == p == 0.5 and right == wrong and not bernoulli:
                    continue  # Var_∥ is exactly zero
                first = [mp.mpf(right), mp.mpf(wrong)]
                second = first if bernoulli else [w * w for w in first]
                found = geo.symmetric_moments(p, n_arms, baseline, right, wrong, bernoulli=bernoulli, p_error=error)
                if found.var_parallel == 0:
                    assert (p, float(b), right, wrong) == (0.5, 0.5, 1.0, 1.0)  # the one exact zero
                    continue
                assert_close(found, exact_moments(exact_p, 1 - exact_p, n_arms, b, first, second))
                assert found.cosine == 1


def test_symmetric_moments_match_the_general_form():
    for n_arms in (2, 5, 1000):
        for p in (1e-9, 0.2, 0.9):
            policy = np.concatenate([[p], np.full(n_arms - 1, (1 - p) / (n_arms - 1))])
            correct = np.arange(n_arms) == 0
            for b, weights in ((0.4, (0.8, 0.3)), (0.0, (1.0, 1.0)), (0.7, (1.0, 0.0))):
                weight = np.where(correct, *weights)
                general = gradient_moments(policy, correct - b, weight, weight)
                closed = geo.symmetric_moments(p, n_arms, b, *weights, bernoulli=True)
                for name in FIELDS:
                    truth = getattr(closed, name)
                    np.testing.assert_allclose(getattr(general, name), truth, rtol=1e-12, atol=1e-30)


def test_zero_price_geometry():
    p, n_arms, b = np.array([0.01, 0.5, 0.99])[:, None], np.array([2, 10, 1000]), 0.6
    zero, pg = geo.zero_price_moments(p, n_arms, b), geo.pg_moments(p, n_arms, b)
    np.testing.assert_allclose(zero.signal, (1 - b) * pg.signal, rtol=1e-14)
    assert np.all(zero.var_perpendicular == 0)
    assert np.all(zero.perpendicular_bias == 0)
    assert np.all(pg.var_perpendicular[:, 0] == 0)  # two arms have no perpendicular space
    np.testing.assert_allclose(pg.var_perpendicular, (1 - p) * b**2 * (n_arms - 2) / (n_arms - 1), rtol=1e-14)
    # At b = 0 PG has nothing to remove: the gate only saves compute.
    assert np.all(geo.pg_moments(p, n_arms, 0.0).var_perpendicular == 0)
    with pytest.raises(ValueError, match=r"baseline must be in \[0, 1\), got 1\.0"):
        geo.zero_price_moments(0.5, 3, 1.0)


def test_any_policy_with_one_correct_arm_keeps_its_direction():
    rng = np.random.default_rng(0)
    for n_arms in (2, 3, 50):
        policy = rng.dirichlet(np.full(n_arms, 0.3))
        correct = np.arange(n_arms) == rng.integers(n_arms)
        kept = correct.astype(float)
        moments = gradient_moments(policy, correct - 0.3, kept, kept)
        assert moments.cosine == 1
        assert moments.var_perpendicular <= 1e-30 * moments.var_parallel
        leaky = gradient_moments(policy, correct - 0.3, 1.0, 1.0)  # negative control: the gate left open
        assert n_arms == 2 or leaky.var_perpendicular > 1e-6 * leaky.var_parallel


@pytest.mark.parametrize("baseline", [0.5, "value", "confidence"])
@pytest.mark.parametrize("error", ENDS)
def test_dg_weights_match_many_digits(error, baseline):
    p, error = pair(error)
    for n_arms in ARMS:
        for eta in (0.1, 1.0, 20.0):
            with mp.workdps(60):
                exact_p = mp.mpf(p) if p < 0.5 else 1 - mp.mpf(error)
                b = exact_baseline(baseline, exact_p, 1 - exact_p, n_arms)
                logits = (-(1 - b) * mp.log(exact_p) / eta, b * mp.log((1 - exact_p) / (n_arms - 1)) / eta)
                truth = [1 / (1 + mp.exp(-x)) for x in logits]
            found = geo.dg_weights(p, n_arms, baseline, eta, p_error=error)
            for value, exact in zip(found, truth, strict=True):
                assert abs(value - exact) <= 1e-12 * exact, (n_arms, eta, value, exact)


def test_dg_noise_ratio_is_the_ratio_of_variances():
    p, n_arms, b = np.array([0.05, 0.5, 0.9])[:, None], np.array([3, 100, 10_000]), 0.5
    right, wrong = geo.dg_weights(p, n_arms, b, 1.0)
    soft = geo.symmetric_moments(p, n_arms, b, right, wrong)
    ratio = soft.var_perpendicular / geo.pg_moments(p, n_arms, b).var_perpendicular
    np.testing.assert_allclose(geo.dg_noise_ratio(p, n_arms, b, 1.0), ratio, rtol=1e-13)
    drawn = geo.symmetric_moments(p, n_arms, b, right, wrong, bernoulli=True)  # negative control: a drawn gate
    assert np.all(drawn.var_perpendicular / geo.pg_moments(p, n_arms, b).var_perpendicular > 1.5 * ratio)


def test_dg_noise_ratio_limits():
    assert geo.dg_noise_ratio(0.3, 10, 0.5, np.inf) == 0.25
    assert geo.dg_noise_ratio(0.3, 10, 0.5, 1e-6) == 0
    assert geo.dg_noise_ratio(0.3, 10, 0.0, 1.0) == 0.25  # no delight either way: the sigmoid sits at one half
    closed_form = 1 / (1 + np.sqrt(99 / 0.5)) ** 2  # w₋ = (ε/(K−1))^b/(1 + (ε/(K−1))^b) at η = 1
    np.testing.assert_allclose(geo.dg_noise_ratio(0.5, 100, 0.5, 1.0), closed_form, rtol=1e-14)


def test_published_cosine_gap():
    """[DG Prop. 1] K = 100, B = 100: DG keeps about 4 % (ε = 0.5) and 1 % (ε = 0.1) of PG's cosine gap."""
    p = np.array([0.5, 0.9])
    kept = geo.cosine_gap("dg", p, 100, 0.5, 100) / geo.cosine_gap("pg", p, 100, 0.5, 100)
    np.testing.assert_allclose(kept, [0.042, 0.013], atol=5e-4)
    assert np.all(geo.cosine_gap("zero-price", p, 100, 0.5, 100) == 0)
    right, wrong = geo.dg_weights(p, 100, 0.5, 1.0)
    kappa = (right + wrong) / 2
    limit = geo.cosine_gap("dg", p, 100, 0.5, 1e12) / geo.cosine_gap("pg", p, 100, 0.5, 1e12)
    np.testing.assert_allclose(limit, wrong**2 / kappa**2, rtol=1e-9)


def test_cosine_gap_matches_sampled_batches():
    rng = np.random.default_rng(1)
    p, n_arms, b, batch = 0.5, 100, 0.5, 100
    policy = np.concatenate([[p], np.full(n_arms - 1, (1 - p) / (n_arms - 1))])
    counts = rng.multinomial(batch, policy, size=4000)
    weighted = counts * np.where(np.arange(n_arms) == 0, 1 - b, -b)
    gradient = weighted - weighted.sum(axis=1, keepdims=True) * policy
    truth = (np.arange(n_arms) == 0) - policy
    gap = 1 - gradient @ truth / np.linalg.norm(gradient, axis=1) / np.linalg.norm(truth)
    error = gap.std() / np.sqrt(gap.size)
    predicted = geo.cosine_gap("pg", p, n_arms, b, batch)
    assert error < 0.01 * predicted
    assert abs(gap.mean() - predicted) < 4 * error + 0.03 * predicted  # the form is first order in 1/B: 2 % here


def test_baselines():
    p = np.array([1e-12, 0.3, 1 - 1e-12])
    np.testing.assert_array_equal(geo.value_baseline(p), p)
    np.testing.assert_allclose(geo.confidence_baseline(p, 5), p**2 + (1 - p) ** 2 / 4, rtol=1e-15)
    # At the uniform policy, value and confidence agree: 1/K.
    np.testing.assert_allclose(geo.confidence_baseline(0.125, 8), 0.125, rtol=1e-15)


@pytest.mark.parametrize("n_arms", [2, 3, 100])
def test_forward_efficiency(n_arms):
    p = np.linspace(0.01, 0.99, 99)
    error = 1 - p
    zero = geo.forward_efficiency("zero-price", p, n_arms, 0.7)
    np.testing.assert_allclose(zero, error / p, rtol=1e-13)
    best = geo.optimal_pg_baseline(p, n_arms)
    at_best = geo.forward_efficiency("pg", p, n_arms, best)
    np.testing.assert_allclose(at_best, zero * (n_arms - 2) / (n_arms * p + n_arms - 2), rtol=1e-9, atol=1e-15)
    for nearby in (best * 0.99, best * 1.01):
        assert np.all(geo.forward_efficiency("pg", p, n_arms, nearby) > at_best)
    assert np.all(at_best < zero)
    smaller = geo.forward_efficiency("pg", p, n_arms, "value") < zero
    clear = np.abs(p - (1 + 2 / n_arms) / 3) > 1e-9
    np.testing.assert_array_equal(smaller[clear], (p < (1 + 2 / n_arms) / 3)[clear])


def test_optimal_baseline_is_the_one_of_the_literature():
    """E[R‖φ‖²]/E[‖φ‖²], from scores written out."""
    p, n_arms = 0.3, 5
    policy = np.concatenate([[p], np.full(n_arms - 1, (1 - p) / (n_arms - 1))])
    norms = np.sum((np.eye(n_arms) - policy) ** 2, axis=1)
    np.testing.assert_allclose(geo.optimal_pg_baseline(p, n_arms), p * norms[0] / (policy @ norms), rtol=1e-14)
