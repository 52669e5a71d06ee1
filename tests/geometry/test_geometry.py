"""Closed forms of one context against enumeration, limits, quadrature and each other."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import linprog

from kondo_theory import geometry as geo
from kondo_theory.gate import gate_probability
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


# Alignment ------------------------------------------------------------------------------------------------------


def test_zero_price_needs_one_success():
    p = np.array([1e-12, 1e-3, 0.5, 0.9])
    forward = geo.forward_samples_to_align("zero-price", p, 10, 0.5, 0.99, 0.95)
    np.testing.assert_allclose((1 - p[1:3]) ** forward[1:3], 0.05, rtol=1e-12)
    np.testing.assert_allclose(forward[3], np.log10(20), rtol=1e-15)
    backward = geo.backward_passes_to_align("zero-price", p, 10, 0.5, 0.99, 0.95)
    np.testing.assert_allclose(backward, p * forward, rtol=1e-15)
    np.testing.assert_allclose(backward[0], np.log(20), rtol=1e-11)
    assert np.all(backward <= np.log(20))
    for n in (1, 7, 300):
        probability = geo.alignment_probability("zero-price", p, 10, 0.5, n, 0.99)
        np.testing.assert_allclose(probability, -np.expm1(n * np.log1p(-p)), rtol=1e-9)


def test_pg_formula_and_its_regime():
    """PG's closed form gives the promised confidence as p/b² → 0, and with the wrong power of p it does not."""
    p, n_arms, b = np.array([1e-2, 1e-3, 1e-4]), np.array([[3], [10], [100]]), 0.5
    forward = geo.forward_samples_to_align("pg", p, n_arms, b, 0.9, 0.95)
    np.testing.assert_array_equal(geo.backward_passes_to_align("pg", p, n_arms, b, 0.9, 0.95), forward)
    reached = geo.alignment_probability("pg", p, n_arms, b, np.ceil(forward), 0.9)
    gap = np.abs(reached - 0.95)
    assert np.all(gap[:, 2] < 1.5e-3)
    assert np.all(gap[:, 2] < gap[:, 0])
    wrong = geo.alignment_probability("pg", p[2], n_arms[:, 0], b, np.ceil(forward[:, 2] * p[2] / p[1]), 0.9)
    assert np.all(np.abs(wrong - 0.95) > 0.1)
    # Written out for K = 3, where χ² with one degree of freedom has the 95 % quantile 3.8415.
    np.testing.assert_allclose(
        forward[0, 2], 0.81 / 0.19 * 0.25 * 3.841458820694124 / (3 * (1 - 1e-4) * 1e-8), rtol=1e-9
    )


def test_value_baseline_makes_pg_as_quick_as_one_success():
    p = np.array([1e-2, 1e-3, 1e-4])
    forward = geo.forward_samples_to_align("pg", p, 10, "value", 0.9, 0.95)
    np.testing.assert_allclose(forward * p, np.log(20), rtol=6e-3)
    reached = geo.alignment_probability("pg", p, 10, "value", np.ceil(forward), 0.9)
    np.testing.assert_allclose(reached, 0.95, atol=2e-3)
    constant = geo.forward_samples_to_align("pg", p, 10, 0.5, 0.9, 0.95)
    np.testing.assert_allclose(constant[1:] / constant[:-1], 100, rtol=0.01)  # Θ(1/p²) instead


def test_dg_formula_in_its_regime():
    p, n_arms = np.array([1e-3, 1e-5]), 5
    forward = geo.forward_samples_to_align("dg", p, n_arms, 0.5, 0.9, 0.95)
    reached = geo.alignment_probability("dg", p, n_arms, 0.5, np.ceil(forward), 0.9)
    assert abs(reached[1] - 0.95) < 2e-4
    assert np.all(forward < geo.forward_samples_to_align("pg", p, n_arms, 0.5, 0.9, 0.95))
    hot = geo.forward_samples_to_align("dg", p, n_arms, 0.5, 0.9, 0.95, temperature=np.inf)
    np.testing.assert_allclose(hot, geo.forward_samples_to_align("pg", p, n_arms, 0.5, 0.9, 0.95), rtol=1e-14)


def test_two_arms_need_one_sample():
    assert geo.backward_passes_to_align("pg", 0.01, 2, 0.5, 0.9, 0.95) == 1
    assert geo.backward_passes_to_align("dg", 0.01, 2, 0.5, 0.9, 0.95) == 1
    assert geo.alignment_probability("pg", 0.01, 2, 0.5, 1, 0.9) == pytest.approx(1, abs=1e-12)
    # Without a baseline a failure moves nothing, and PG waits for a success as zero price does.
    none = geo.forward_samples_to_align("pg", 0.01, 2, 0.0, 0.9, 0.95)
    assert none == geo.forward_samples_to_align("zero-price", 0.01, 2, 0.0, 0.9, 0.95)


@pytest.mark.parametrize(("method", "b", "c"), [("pg", 0.5, 0.8), ("pg", 0.05, 0.998), ("dg", 0.5, 0.97)])
def test_alignment_probability_matches_sampled_batches(method, b, c):
    rng = np.random.default_rng(2)
    p, n_arms, n, runs = 0.05, 6, 300, 40_000
    policy = np.concatenate([[p], np.full(n_arms - 1, (1 - p) / (n_arms - 1))])
    right, wrong = geo.dg_weights(p, n_arms, b, 1.0) if method == "dg" else (1.0, 1.0)
    weighted = rng.multinomial(n, policy, size=runs) * np.where(np.arange(n_arms) == 0, right * (1 - b), -wrong * b)
    gradient = weighted - weighted.sum(axis=1, keepdims=True) * policy
    truth = (np.arange(n_arms) == 0) - policy
    cosine = gradient @ truth / np.linalg.norm(gradient, axis=1) / np.linalg.norm(truth)
    reached = np.mean(cosine >= c)
    predicted = geo.alignment_probability(method, p, n_arms, b, n, c)
    error = np.sqrt(reached * (1 - reached) / runs)
    assert abs(reached - predicted) < 4 * error + 2e-3  # normal counts: 57 failures an arm
    other = geo.alignment_probability(method, p, n_arms, b + 0.1, n, c)  # negative control: another baseline
    assert abs(reached - other) > 4 * error + 2e-3


def test_alignment_is_not_monotone_near_p_one():
    n = np.arange(1, 40)
    reached = geo.alignment_probability("pg", 0.9, 100, 0.5, n, 0.9)
    assert reached[0] == pytest.approx(0.9)
    assert np.any(np.diff(reached) < -0.01)
    assert np.any(np.diff(reached) > 0.01)


# Learning time --------------------------------------------------------------------------------------------------


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


# Graded rewards -------------------------------------------------------------------------------------------------


def test_graded_worst_case_tends_to_minus_one():
    cosines = [float(geo.zero_price_cosine(*geo.graded_worst_case(n))) for n in (1, 29, 30, 1000, 100_000)]
    assert np.all(np.diff(cosines) < 0)
    assert cosines[1] > 0 > cosines[2]
    assert cosines[-1] < -0.999
    policy, rewards = geo.graded_worst_case(3)
    assert policy.shape == rewards.shape == (7,)
    with mp.workdps(40):  # written out: components of the common arm, of n good ones and of n bad ones
        n, m = 1000, mp.mpf("0.11")
        truth = [
            mp.mpf("0.4") * mp.mpf("0.08"),
            mp.mpf("0.1") * mp.mpf("0.78") / n,
            -mp.mpf("0.5") * mp.mpf("0.22") / n,
        ]
        zero = [
            mp.mpf("0.4") * (mp.mpf("0.08") - m),
            mp.mpf("0.1") * (mp.mpf("0.78") - m) / n,
            -mp.mpf("0.5") * m / n,
        ]
        dot = lambda x, y: x[0] * y[0] + n * (x[1] * y[1] + x[2] * y[2])  # noqa: E731
        exact = dot(truth, zero) / mp.sqrt(dot(truth, truth) * dot(zero, zero))
    assert cosines[3] == pytest.approx(float(exact), rel=1e-12)


def test_three_arms_are_enough_to_turn_the_direction():
    cosine = geo.zero_price_cosine([0.01, 0.98, 0.01], [1.0, 0.9, 0.0])
    assert cosine == pytest.approx(-0.325, abs=1e-3)
    limit = geo.zero_price_cosine([1e-9, 1 - 1e-9 - 1e-6, 1e-6], [1.0, 0.0, -1.0])
    assert -0.5 < limit < -0.45


@pytest.mark.parametrize(("above", "below"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_limit_of_few_arms(above, below):
    policy = np.concatenate([[0.0], np.full(above, 1e-9 / above), np.full(below, 1e-6 / below)])
    policy[0] = 1 - policy.sum()
    rewards = np.concatenate([[0.0], np.ones(above), np.full(below, -1.0)])
    limit = -np.sqrt(above * below / ((above + 1) * (below + 1)))
    assert geo.zero_price_cosine(policy, rewards) == pytest.approx(limit, abs=2e-3)


INSTANCES = {
    "logits": st.lists(st.floats(-6, 6), min_size=2, max_size=6),
    "levels": st.lists(st.integers(0, 4), min_size=6, max_size=6),
    "baseline": st.one_of(st.none(), st.floats(-1, 4)),
}


@settings(derandomize=True, max_examples=300, deadline=None)
@given(**INSTANCES)
def test_conditions_on_the_direction(logits, levels, baseline):
    policy = np.exp(np.subtract(logits, max(logits)))
    policy /= policy.sum()
    rewards = np.array(levels[: len(logits)], dtype=float)
    if np.ptp(rewards) == 0:
        return
    cosine = float(geo.zero_price_cosine(policy, rewards, baseline))
    kept = bool(geo.direction_kept(policy, rewards, baseline))
    mean = float(policy @ rewards) if baseline is None else baseline
    if np.any(np.abs(rewards - mean) < 1e-3):
        return  # an arm near the baseline turns the direction by no more than rounding
    assert kept == (cosine > 1 - 1e-13)
    if geo.ascent_guaranteed(policy, rewards, baseline):
        assert cosine > 0
    if len(logits) == 2 and rewards.max() > mean:
        assert cosine == pytest.approx(1, abs=1e-14)


def test_sufficient_condition_covers_ordered_and_uniform_policies():
    rng = np.random.default_rng(3)
    for _ in range(200):
        n_arms = int(rng.integers(2, 9))
        policy, rewards = np.sort(rng.dirichlet(np.ones(n_arms))), np.sort(rng.random(n_arms))
        for ordered in (policy, policy[::-1], np.full(n_arms, 1 / n_arms)):
            assert geo.ascent_guaranteed(ordered, rewards)
            assert geo.zero_price_cosine(ordered, rewards) > 0
    assert not geo.ascent_guaranteed(*geo.graded_worst_case(30))  # negative control
    assert not geo.direction_kept(*geo.graded_worst_case(1))


# Frontier and duality -------------------------------------------------------------------------------------------


def test_frontier_traces_the_gate():
    policy, advantage = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.array([1.0, -0.5, 0.2])
    prices, etas = np.linspace(-1, 1, 5), np.array([0.0, 0.2, 1.0])
    grid = geo.frontier(policy, advantage, prices, etas[:, None])
    assert grid.backward_rate.shape == grid.cosine.shape == (2, 3, 5)
    assert grid.price.shape == (3, 5)
    delight = geo.arm_delight(policy, advantage)
    np.testing.assert_allclose(delight, advantage * -np.log(policy), rtol=1e-14)
    for i, j, k in np.ndindex(2, 3, 5):
        weight = gate_probability(delight[i], float(prices[k]), float(etas[j]))
        one = gradient_moments(policy[i], advantage, weight, weight)
        np.testing.assert_allclose(grid.backward_rate[i, j, k], policy[i] @ weight, rtol=1e-13)
        np.testing.assert_allclose(grid.cosine[i, j, k], one.cosine, rtol=1e-13)
        np.testing.assert_allclose(grid.efficiency(50)[i, j, k], one.efficiency(50), rtol=1e-12)
        np.testing.assert_allclose(geo.expected_rate(delight[i], policy[i], prices[k], etas[j]), policy[i] @ weight)
    single = geo.frontier(policy[0], advantage, 0.0)
    assert np.shape(single.cosine) == ()


def test_frontier_limits():
    policy, advantage = [0.5, 0.3, 0.2], [1.0, -0.5, 0.2]
    free = geo.frontier(policy, advantage, -1e6)
    assert free.backward_rate == pytest.approx(1)
    assert free.cosine == pytest.approx(1, abs=1e-14)
    closed = geo.frontier(policy, advantage, 1e6)
    assert closed.backward_rate == 0
    assert np.isnan(closed.cosine)
    assert closed.efficiency_per_backward(10) == 0
    np.testing.assert_allclose(free.efficiency_per_backward(10), free.efficiency(10))
    hot = geo.frontier(policy, advantage, 0.0, 1e9)
    assert hot.backward_rate == pytest.approx(0.5)


def quantile_integral(values, mass, rate):
    """∫_{1−ρ}^{1} Q(u) du as a linear program: the gate w in [0, 1] with E w = ρ that collects most."""
    result = linprog(-(values * mass), A_eq=[mass], b_eq=[rate], bounds=[(0, 1)] * len(values))
    return -result.fun


def test_rate_value_is_the_best_gate():
    rng = np.random.default_rng(4)
    for _ in range(10):
        values = rng.integers(-3, 4, size=6).astype(float)
        mass = rng.dirichlet(np.ones(6))
        for rate in (0.01, 0.3, 0.77, 1.0):
            found = geo.rate_value(values, mass, rate)
            assert float(found.value) == pytest.approx(quantile_integral(values, mass, rate), abs=1e-9)
            step = 1e-7
            if rate < 1:
                ahead = (geo.rate_value(values, mass, rate + step).value - found.value) / step
                assert found.price_low - 1e-6 <= ahead <= found.price_high + 1e-6
        curve = geo.rate_value(values, mass, np.linspace(0, 1, 101)).value
        assert np.all(np.diff(curve, 2) <= 1e-12)  # concave
        budget = np.sum(mass[values > 0])
        best = geo.rate_value(values, mass, budget)
        assert best.value == pytest.approx(curve.max(), abs=0.05)
        assert best.value >= curve.max() - 1e-12


def test_price_interval_at_atoms():
    found = geo.rate_value([2.0, 1.0, -3.0], [0.3, 0.2, 0.5], [0.0, 0.1, 0.3, 0.4, 0.5, 1.0])
    np.testing.assert_allclose(found.value, [0, 0.2, 0.6, 0.7, 0.8, -0.7], atol=1e-15)
    np.testing.assert_array_equal(found.price_low, [2, 2, 1, 1, -3, -np.inf])
    np.testing.assert_array_equal(found.price_high, [np.inf, 2, 2, 1, 1, -3])


# Domains --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geo.pg_moments(0.0, 3, 0.5), r"p_correct must be in \(0, 1\), got 0\.0"),
        (lambda: geo.pg_moments([0.5, 1.0], 3, 0.5), r"p_correct must be in \(0, 1\), got 1\.0"),
        (lambda: geo.pg_moments(np.nan, 3, 0.5), r"p_correct must be in \(0, 1\), got nan"),
        (lambda: geo.pg_moments(0.5, 1, 0.5), "n_arms must be an integer ≥ 2, got 1"),
        (lambda: geo.pg_moments(0.5, 2.5, 0.5), r"n_arms must be an integer ≥ 2, got 2\.5"),
        (lambda: geo.pg_moments(0.5, 3, np.inf), "baseline must be finite, got inf"),
        (lambda: geo.pg_moments(0.5, 3, "best"), "baseline must be one of value, confidence, got 'best'"),
        (lambda: geo.pg_moments(0.5, 3, 0.5, p_error=0.4), r"p_correct \+ p_error must be 1 .* got 0\.9"),
        (lambda: geo.symmetric_moments(0.5, 3, 0.5, 1.5, 0, bernoulli=True), r"weight_correct must be .* got 1\.5"),
        (lambda: geo.dg_noise_ratio(0.5, 3, 0.5, 0.0), r"temperature must be in \(0, inf\], got 0\.0"),
        (lambda: geo.learning_time("sgd", 3, 0.9, 0.5), "method must be one of pg, dg, zero-price, got 'sgd'"),
        (lambda: geo.learning_time("pg", 3, 0.9, 0.5, "seconds"), "unit must be one of forward, backward"),
        (lambda: geo.learning_time("pg", 3, 0.2, 0.5), r"p_end − p_start must be at least 0, got -0\.13"),
        (lambda: geo.learning_time("pg", 3, 0.9, 1.0), r"baseline must be in \[0, 1\), got 1\.0"),
        (lambda: geo.backward_passes_to_align("pg", 0.1, 3, 0.5, 1.0, 0.9), r"cosine must be in \(0, 1\), got 1\.0"),
        (lambda: geo.backward_passes_to_align("pg", 0.1, 3, 0.5, 0.9, 0.0), r"confidence must be in \(0, 1\), got 0"),
        (lambda: geo.alignment_probability("pg", 0.1, 3, 0.5, 1.5, 0.9), "n_samples must be a whole number ≥ 1"),
        (lambda: geo.cosine_gap("pg", 0.1, 3, 0.5, 0), r"batch_size must be in \(0, inf\], got 0"),
        (lambda: geo.zero_price_cosine([0.5, 0.6], [0, 1]), r"sum of policy must be 1 .* got 1\.1"),
        (lambda: geo.zero_price_cosine([0.5, 0.5], [1, 1]), "advantage must vary over the arms played"),
        (lambda: geo.zero_price_cosine([0.5, 0.5], [1, 1, 0]), r"rewards must have 2 arms .* \(3,\)"),
        (lambda: geo.graded_worst_case(0), "n must be a whole number ≥ 1, got 0"),
        (lambda: geo.frontier([0.5, 0.5], [1, 0], 0.0, -1.0), r"temperature must be in \[0, inf\), got -1\.0"),
        (lambda: geo.rate_value([1, 2], [0.5, 0.5], 1.5), r"rate must be in \[0, 1\], got 1\.5"),
        (lambda: geo.expected_rate([1, 2], [0.5, 0.6], 0.0), r"sum of probability must be 1 .* got 1\.1"),
    ],
)
def test_domains_are_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_functions_broadcast():
    p, n_arms = np.full((4, 1), 0.3), np.array([2, 5, 9])
    assert geo.pg_moments(p, n_arms, "confidence").signal.shape == (4, 3)
    assert geo.dg_noise_ratio(p, n_arms, 0.5, np.ones((2, 1, 1))).shape == (2, 4, 3)
    assert geo.learning_time("dg", n_arms, np.full((4, 1), 0.8), 0.5).shape == (4, 3)
    assert geo.backward_passes_to_align("pg", p, n_arms, 0.5, 0.9, 0.9).shape == (4, 3)
    assert geo.zero_price_cosine(np.full((2, 1, 4), 0.25), np.arange(12.0).reshape(3, 4)).shape == (2, 3)
    assert geo.forward_efficiency("dg", 0.3, 4, 0.5).shape == ()
