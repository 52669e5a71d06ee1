"""The exact moments against enumeration over arms in 250-digit arithmetic, at the ends of their domain too."""

from dataclasses import fields

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kondo_theory.moments import GradientMoments, gradient_moments

NAMES = [field.name for field in fields(GradientMoments)]
RELATIVE = 1e-12


@pytest.fixture(autouse=True)
def _many_digits():
    with mp.workdps(250):
        yield


def exact_policy(policy):
    """Return what the floats mean: an arm above one half is one minus the others, else divide by the sum."""
    values = [mp.mpf(float(x)) for x in policy]
    top = int(np.argmax(policy))
    if policy[top] > 0.5:
        values[top] = 1 - mp.fsum(values[:top] + values[top + 1 :])
        return values
    total = mp.fsum(values)
    return [x / total for x in values]


def enumerate_moments(policy, advantage, first, second, direction=None):
    """Return the five moments from explicit vectors φ_a, one entry at a time; O(K²)."""
    pi, K = policy, len(policy)
    score = [[(1 if a == k else 0) - pi[k] for k in range(K)] for a in range(K)]
    mean_of = lambda c: [mp.fsum(pi[a] * c[a] * score[a][k] for a in range(K)) for k in range(K)]  # noqa: E731
    dot = lambda x, y: mp.fsum(s * t for s, t in zip(x, y, strict=True))  # noqa: E731
    if direction is None:
        gradient = mean_of(advantage)
        direction = [x / mp.sqrt(dot(gradient, gradient)) for x in gradient]
    mean = mean_of([w * u for w, u in zip(first, advantage, strict=True)])
    squared = [s * u * u for s, u in zip(second, advantage, strict=True)]
    signal, power = dot(mean, direction), dot(mean, mean)
    along = mp.fsum(pi[a] * squared[a] * dot(score[a], direction) ** 2 for a in range(K)) - signal**2
    total = mp.fsum(pi[a] * squared[a] * dot(score[a], score[a]) for a in range(K)) - power
    return summary(signal, power, along, total)


def enumerate_fast(policy, advantage, first, second):
    """Return the same moments in O(K), by the expanded sums that cancel in floats and not in 250 digits."""
    pi, K = policy, len(policy)
    average = lambda values: mp.fsum(p * v for p, v in zip(pi, values, strict=True))  # noqa: E731
    mean_of = lambda c, m: [pi[k] * (c[k] - m) for k in range(K)]  # noqa: E731
    gradient = mean_of(advantage, average(advantage))
    size = mp.sqrt(mp.fsum(x * x for x in gradient))
    t = [x / size for x in gradient]
    c = [w * u for w, u in zip(first, advantage, strict=True)]
    mean = mean_of(c, average(c))
    squared = [s * u * u for s, u in zip(second, advantage, strict=True)]
    shift, square_sum = average(t), mp.fsum(p * p for p in pi)
    signal, power = mp.fsum(x * y for x, y in zip(mean, t, strict=True)), mp.fsum(x * x for x in mean)
    along = average([squared[a] * (t[a] - shift) ** 2 for a in range(K)]) - signal**2
    total = average([squared[a] * (1 - 2 * pi[a] + square_sum) for a in range(K)]) - power
    return summary(signal, power, along, total)


def summary(signal, power, along, total):
    bias = mp.sqrt(abs(power - signal**2))
    cosine = signal / mp.sqrt(power) if power else mp.nan
    return dict(zip(NAMES, (signal, bias, along, total - along, cosine), strict=True))


def exact_weights(weight, *, bernoulli):
    values = [mp.mpf(float(w)) for w in weight]
    return values, values if bernoulli else [w * w for w in values]


def assert_agrees(found, exact, tolerance=RELATIVE):
    for name in NAMES:
        value, truth = float(getattr(found, name)), exact[name]
        scale = max(abs(truth), mp.mpf(10) ** -100)  # 250 digits leave 1e-120 of an exact zero
        assert abs(value - truth) <= tolerance * scale, f"{name}: {value!r} against {mp.nstr(truth, 20)}"


def both_ways(policy, advantage, weight, *, bernoulli, oracle=enumerate_moments):
    policy, advantage, weight = (np.asarray(x, dtype=float) for x in (policy, advantage, weight))
    found = gradient_moments(policy, advantage, weight, weight if bernoulli else weight**2)
    first, second = exact_weights(weight, bernoulli=bernoulli)
    return found, oracle(exact_policy(policy), [mp.mpf(float(u)) for u in advantage], first, second)


def one_correct_arm(p, error, n_arms):
    return np.concatenate([[p], np.full(n_arms - 1, error / (n_arms - 1))])


@pytest.mark.parametrize("bernoulli", [False, True])
@pytest.mark.parametrize("n_arms", [2, 3, 4, 7])
@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0, 25.0])
def test_random_instances_match_enumeration(n_arms, spread, bernoulli):
    rng = np.random.default_rng([n_arms, int(spread), bernoulli])
    for _ in range(6):
        logits = spread * rng.standard_normal(n_arms)
        policy = np.exp(logits - logits.max())
        policy /= policy.sum()
        advantage, weight = rng.standard_normal(n_arms), rng.random(n_arms)
        assert_agrees(*both_ways(policy, advantage, weight, bernoulli=bernoulli))


@pytest.mark.parametrize("bernoulli", [False, True])
@pytest.mark.parametrize("error", [1e-12, 1e-6, 0.4, 1 - 1e-6, 1 - 1e-12])
@pytest.mark.parametrize("n_arms", [2, 3, 10, 300])
@pytest.mark.parametrize("baseline", ["zero", "constant", "value", "confidence"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (0.7, 1e-3), (1 - 1e-9, 0.5)])
def test_one_correct_arm_from_one_end_to_the_other(error, n_arms, baseline, weights, bernoulli):
    p = 1 - error if error <= 0.5 else float(mp.mpf(1) - mp.mpf(error))
    policy = one_correct_arm(p, error, n_arms)
    b = {"zero": 0.0, "constant": 0.5, "value": p, "confidence": float(policy @ policy)}[baseline]
    advantage = np.where(np.arange(n_arms) == 0, 1 - b, -b)
    weight = np.where(np.arange(n_arms) == 0, *weights)
    found, exact = both_ways(policy, advantage, weight, bernoulli=bernoulli, oracle=enumerate_fast)
    assert_agrees(found, exact)
    assert found.perpendicular_bias == 0.0  # exactly: a sign gate keeps the direction
    if weights[1] == 0.0 or n_arms == 2 or b == 0.0:
        assert found.var_perpendicular <= 1e-28 * found.var_parallel


def test_parallel_noise_of_pg_at_p_equal_to_b_equal_to_one_half_is_zero():
    """Both outcomes move the correct logit by the same amount, so only rounding is left."""
    moments = gradient_moments(one_correct_arm(0.5, 0.5, 10), np.where(np.arange(10) == 0, 0.5, -0.5), 1.0, 1.0)
    assert moments.var_parallel <= 1e-30 * moments.signal**2


@pytest.mark.parametrize("n_arms", [100, 10_000])
@pytest.mark.parametrize("small", [1e-12, 0.3, 1 - 1e-12])
def test_many_arms(n_arms, small):
    rng = np.random.default_rng(n_arms)
    raw = rng.random(n_arms)
    raw[0] = 0.0
    policy = raw / raw.sum() * (1 - small if small < 0.5 else float(mp.mpf(1) - mp.mpf(small)))
    policy[0] = small
    rewards = rng.random(n_arms)
    for weight, bernoulli in ((rng.random(n_arms), True), ((rewards > 0.5) * 1.0, True), (rng.random(n_arms), False)):
        found, exact = both_ways(policy, rewards - 0.5, weight, bernoulli=bernoulli, oracle=enumerate_fast)
        assert_agrees(found, exact)


@pytest.mark.parametrize(
    "policy",
    [
        [1 - 1e-12, 9e-13, 1e-13],
        [0.5, 0.5 - 1e-12, 1e-12],
        [1e-12, 1 - 2e-12, 1e-12],
        [0.6, 0.4 - 3e-12, 1e-12, 2e-12],
        [1e-12, 1e-6, 0.25, 0.5, 0.25 - 1e-6 - 1e-12],
    ],
)
@pytest.mark.parametrize("kept", ["first", "positive", "all"])
def test_graded_rewards_where_one_or_two_arms_have_nearly_all_the_mass(policy, kept):
    rewards = np.linspace(1.0, 0.0, len(policy)) ** 2
    advantage = rewards - float(np.dot(policy, rewards))
    weight = {"first": np.arange(len(policy)) == 0, "positive": advantage > 0, "all": np.ones(len(policy))}[kept]
    assert_agrees(*both_ways(policy, advantage, weight, bernoulli=True))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    logits=st.lists(st.floats(-25, 25), min_size=2, max_size=6),
    advantage=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
    weight=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    bernoulli=st.booleans(),
)
def test_any_instance_to_rounding_of_its_terms(logits, advantage, weight, bernoulli):
    """Where the answer itself is a small difference of the inputs, rounding of the terms bounds the error."""
    n_arms = len(logits)
    policy = np.exp(np.subtract(logits, max(logits)))
    policy /= policy.sum()
    u, w = np.round(advantage[:n_arms], 6), np.round(weight[:n_arms], 6)
    if np.ptp(u) == 0:
        return
    with mp.workdps(250):
        found, exact = both_ways(policy, u, w, bernoulli=bernoulli)
        mean = [float(p * w * u) for p, w, u in zip(policy, w, u, strict=True)]
        second = float(exact["var_parallel"] + exact["signal"] ** 2 + exact["var_perpendicular"])
        scales = {"signal": np.linalg.norm(mean), "perpendicular_bias": np.linalg.norm(mean)}
        for name in NAMES[:4]:
            error = abs(float(getattr(found, name) - exact[name]))
            assert error <= 1e-12 * abs(float(exact[name])) + 1e-14 * scales.get(name, second)


def test_negative_controls():
    policy, advantage = np.array([0.5, 0.3, 0.2]), np.array([0.7, -0.1, -0.4])
    weight = np.array([0.9, 0.2, 0.4])
    found, exact = both_ways(policy, advantage, weight, bernoulli=True)
    assert_agrees(found, exact)
    wrong = [
        gradient_moments(policy, advantage, weight, weight**2),  # soft weights for a drawn gate
        gradient_moments(policy, advantage, 1 - weight, 1 - weight),  # the opposite gate
        gradient_moments(policy, advantage + 0.1, weight, weight),  # another baseline
        gradient_moments(policy[::-1], advantage, weight, weight),
    ]
    for moments in wrong:
        with pytest.raises(AssertionError):
            assert_agrees(moments, exact)


def parameter_space_moments(policy, advantage, first, second, jacobian, unit):
    """Return the five moments from explicit parameter-space gradients, (K, D)."""
    n_arms = len(policy)
    scores = (np.eye(n_arms) - policy) @ jacobian
    c1, c2 = first * advantage, second * advantage**2
    mean = policy @ (c1[:, None] * scores)
    if unit is None:
        gradient = policy @ (advantage[:, None] * scores)
        unit = gradient / np.linalg.norm(gradient)
    signal, parallel = mean @ unit, scores @ unit
    along = policy @ (c2 * parallel**2) - signal**2
    total = policy @ (c2 * np.sum(scores**2, axis=1)) - mean @ mean
    bias = np.linalg.norm(mean - signal * unit)
    return signal, bias, along, total - along, signal / np.linalg.norm(mean)


@pytest.mark.parametrize("given_direction", [False, True])
def test_kernel_is_parameter_space(given_direction):
    rng = np.random.default_rng(5)
    for n_arms, n_parameters in ((2, 5), (3, 2), (6, 20)):
        policy, jacobian = rng.dirichlet(np.ones(n_arms)), rng.standard_normal((n_arms, n_parameters))
        advantage, weight = rng.standard_normal(n_arms), rng.random(n_arms)
        unit = rng.standard_normal(n_parameters)
        unit = unit / np.linalg.norm(unit) if given_direction else None
        direction = None if unit is None else jacobian @ unit
        kernel = jacobian @ jacobian.T
        found = gradient_moments(policy, advantage, weight, weight, direction=direction, kernel=kernel)
        expected = parameter_space_moments(policy, advantage, weight, weight, jacobian, unit)
        for name, value in zip(NAMES, expected, strict=True):
            np.testing.assert_allclose(getattr(found, name), value, rtol=1e-11, atol=1e-14, err_msg=name)


def test_identity_kernel_and_shifted_kernel_change_nothing():
    rng = np.random.default_rng(6)
    policy, advantage, weight = rng.dirichlet(np.ones(5)), rng.standard_normal(5), rng.random(5)
    plain = gradient_moments(policy, advantage, weight, weight)
    shift = rng.standard_normal(5)  # a common shift of the logits with the parameters does not move the policy
    for kernel in (np.eye(5), np.eye(5) + np.outer(shift, np.ones(5)) + np.outer(np.ones(5), shift) + 9):
        found = gradient_moments(policy, advantage, weight, weight, kernel=kernel)
        for name in NAMES:
            np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)


def test_near_deterministic_policy_with_kernel():
    policy = np.array([1 - 1e-12, 9e-13, 1e-13])
    advantage, weight = np.array([1e-3, -0.5, 1.0]), np.array([0.5, 0.2, 0.8])
    plain = gradient_moments(policy, advantage, weight, weight)
    found = gradient_moments(policy, advantage, weight, weight, kernel=np.eye(3))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)


def test_direction_that_reaches_into_other_contexts():
    """Two tabular contexts, one unit vector over both: the part outside counts as perpendicular."""
    rng = np.random.default_rng(7)
    policy, advantage, weight = rng.dirichlet(np.ones(4)), rng.standard_normal(4), rng.random(4)
    unit = rng.standard_normal(8)
    unit /= np.linalg.norm(unit)
    jacobian = np.hstack([np.eye(4), np.zeros((4, 4))])
    expected = parameter_space_moments(policy, advantage, weight, weight**2, jacobian, unit)
    found = gradient_moments(policy, advantage, weight, weight**2, direction=unit[:4])
    for name, value in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-12, err_msg=name)


def test_noisy_rewards_are_passed_as_moments():
    """Reward ± with noise: c₁ = wU, c₂ = w(U² + σ²), against a finer context whose arms carry the noise."""
    policy, advantage, sigma, weight = np.array([0.6, 0.3, 0.1]), np.array([0.5, -0.2, 0.1]), 0.3, 0.5
    direction = np.array([0.6, -0.64, 0.48])
    direction /= np.linalg.norm(direction)
    second = weight * (advantage**2 + sigma**2)
    found = gradient_moments(policy, 1.0, weight * advantage, second, direction=direction)
    scores = np.eye(3) - policy
    gradients = np.concatenate([(advantage[:, None] + s * sigma) * scores for s in (-1, 1)])
    gradients, mass = np.concatenate([gradients, 0 * gradients]), np.tile(policy, 4) / 4
    mean, parallel = mass @ gradients, gradients @ direction
    np.testing.assert_allclose(found.signal, mean @ direction, rtol=1e-13)
    np.testing.assert_allclose(found.var_parallel, mass @ (parallel - mean @ direction) ** 2, rtol=1e-12)
    across = gradients - parallel[:, None] * direction
    np.testing.assert_allclose(found.var_perpendicular, mass @ np.sum((across - mass @ across) ** 2, 1), rtol=1e-12)


def test_deterministic_weights_are_recognised_after_rounding():
    """w² rounded is still a soft weight: its conditional variance is zero, not an ulp of the second moment."""
    policy = one_correct_arm(1 - 1e-12, 1e-12, 3)
    advantage = np.array([0.5, -0.5, -0.5])
    weight = np.array([1 / 3, 0.1, 0.1])
    reference = gradient_moments(policy, advantage, weight, weight**2)
    nudged = gradient_moments(policy, advantage, weight, np.nextafter(weight**2, 1))
    np.testing.assert_allclose(nudged.var_parallel, reference.var_parallel, rtol=1e-13)


def test_leading_axes_broadcast():
    rng = np.random.default_rng(8)
    policy = rng.dirichlet(np.ones(4), size=(3, 1))
    advantage, weight = rng.standard_normal((5, 4)), rng.random((3, 5, 4))
    kernel = np.stack([np.eye(4), np.diag([1.0, 2.0, 3.0, 4.0])])[:, None, None]
    batch = gradient_moments(policy, advantage, weight, weight, kernel=kernel)
    assert batch.signal.shape == (2, 3, 5)
    for m, i, j in np.ndindex(2, 3, 5):
        one = gradient_moments(policy[i, 0], advantage[j], weight[i, j], weight[i, j], kernel=kernel[m, 0, 0])
        assert isinstance(one.signal, float)
        for name in NAMES:
            np.testing.assert_allclose(getattr(batch, name)[m, i, j], getattr(one, name), rtol=1e-12)


def test_efficiency():
    moments = gradient_moments([0.5, 0.3, 0.2], [0.7, -0.1, -0.4], 0.5, 0.5)
    power = moments.signal**2 + moments.perpendicular_bias**2
    noise = moments.var_parallel + moments.var_perpendicular
    np.testing.assert_allclose(moments.efficiency([1, 10]), moments.signal**2 / (power + noise / np.array([1, 10])))
    np.testing.assert_allclose(moments.efficiency(np.inf), moments.cosine**2)
    with pytest.raises(ValueError, match=r"batch_size must be in \(0, inf\], got 0"):
        moments.efficiency(0)


def test_efficiency_pays_for_the_bias_across():
    """Against E[ĝ·∇J]²/(‖∇J‖²·E‖ĝ‖²) of the mean of a batch, from explicit vectors."""
    policy, advantage, weight = np.array([0.5, 0.3, 0.2]), np.array([0.7, -0.1, -0.4]), np.array([0.1, 0.2, 1.0])
    scores = np.eye(3) - policy
    gradients = (weight * advantage)[:, None] * scores
    true, mean = policy @ (advantage[:, None] * scores), policy @ gradients
    moments = gradient_moments(policy, advantage, weight, weight**2)
    assert moments.perpendicular_bias > 0.1 * abs(moments.signal)
    for size in (1, 7.5, 1e6):
        square = mean @ mean + (policy @ np.sum(gradients**2, axis=1) - mean @ mean) / size
        np.testing.assert_allclose(moments.efficiency(size), (mean @ true) ** 2 / (true @ true) / square, rtol=1e-12)


def test_a_deterministic_policy_has_no_gradient_and_no_noise():
    """Its one arm is played for ever: zero along any direction and across it, without a warning."""
    for policy in ([1.0, 0.0, 0.0], [[0.0, 1.0, 0.0], [0.5, 0.3, 0.2]]):
        found = gradient_moments(policy, [1.0, -2.0, 3.0], 0.7, 0.7, direction=[0.6, 0.0, -0.8])
        for name in NAMES[:4]:
            assert np.ravel(getattr(found, name))[0] == 0, name
        assert np.isnan(np.ravel(found.cosine)[0])


def test_a_weight_is_deterministic_within_four_units_in_the_last_place():
    """At p = b = 1/2 both arms move the logits alike, so that all noise along is that of the weight."""
    eps = np.finfo(float).eps
    for units, noisy in ((-4, False), (4, False), (5, True)):
        found = gradient_moments([0.5, 0.5], [0.5, -0.5], 1.0, 1.0 + units * eps)
        assert (found.var_parallel > 1e-20) == noisy, units
    with pytest.raises(ValueError, match="second must be at least first²"):
        gradient_moments([0.5, 0.5], [0.5, -0.5], 1.0, 1.0 - 5 * eps)


def test_nothing_kept_has_no_direction_and_no_efficiency():
    moments = gradient_moments([0.5, 0.5], [1.0, -1.0], 0.0, 0.0)
    assert (moments.signal, moments.var_parallel, moments.var_perpendicular) == (0, 0, 0)
    assert np.isnan(moments.cosine)
    assert moments.efficiency(10) == 0


def test_scores_of_two_less_likely_arms_are_far_apart():
    """The bound |cos(φ_a, φ_c)| ≤ 1/2, a and c not the most probable arm, on which the accuracy rests."""
    rng = np.random.default_rng(9)
    for n_arms in (3, 4, 8):
        for concentration in (0.02, 0.3, 3.0):
            pi = -np.sort(-rng.dirichlet(np.full(n_arms, concentration), size=5000), axis=-1)
            square_sum = np.sum(pi**2, axis=-1)
            norms = np.sqrt(1 - 2 * pi + square_sum[:, None])
            for a in range(1, n_arms):
                for c in range(a + 1, n_arms):
                    inner = square_sum - pi[:, a] - pi[:, c]
                    assert np.all(np.abs(inner) <= (0.5 + 1e-12) * norms[:, a] * norms[:, c])


GOOD = {"policy": [0.5, 0.3, 0.2], "advantage": [1.0, 0.0, -1.0], "first": 1.0, "second": 1.0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"policy": [0.5, 0.3, 0.1]}, ValueError, r"sum of policy must be 1 to within 1e-06, got 0\.9"),
        ({"policy": [1.2, -0.2, 0.0]}, ValueError, r"policy must be in \[0, 1\], got 1\.2"),
        ({"policy": [np.nan, 0.5, 0.5]}, ValueError, "policy must be in .* got nan"),
        ({"policy": [1.0], "advantage": [1.0]}, ValueError, r"policy must have K ≥ 2 arms .* shape \(1,\)"),
        ({"advantage": [0.25, 0.25, 0.25]}, ValueError, r"advantage must vary over .* got 0\.25 on each"),
        ({"advantage": 1.0}, ValueError, r"a direction be given .* got 1\.0"),
        ({"policy": [1.0, 0.0, 0.0]}, ValueError, r"advantage must vary over the arms played"),
        ({"policy": [0.5, 0.5, 0.0], "advantage": [1.0, 1.0, 2.0]}, ValueError, r"must vary .* got 1\.0 on each"),
        ({"policy": [0.5, 0.5, 0.0], "advantage": [1.0, 1.0, 0.0]}, ValueError, r"must vary .* got 1\.0 on each"),
        ({"advantage": [[0.0, 1.0, 2.0], [0.5, 0.5, 0.5]]}, ValueError, r"must vary .* got 0\.5 on each"),
        ({"advantage": [1.0, np.inf, 0.0]}, ValueError, "advantage must be finite, got inf"),
        ({"advantage": [1.0, 2.0]}, ValueError, r"advantage must be a scalar or have 3 arms .* \(2,\)"),
        ({"advantage": "up"}, TypeError, "advantage must be real numbers, got 'up'"),
        ({"first": 1j}, TypeError, "first must be real numbers, got 1j"),
        ({"first": 0.5, "second": 0.2}, ValueError, r"second must be at least first², got 0\.2"),
        ({"direction": [3.0, 0.0, 0.0]}, ValueError, r"length of direction must be at most 1, got 3\.0"),
        ({"kernel": np.eye(2)}, ValueError, r"kernel must have shape \(\.\.\., 3, 3\), got \(2, 2\)"),
        ({"kernel": np.diag([1.0, -1.0, 1.0])}, ValueError, r"positive semidefinite, got an eigenvalue of -1\.0"),
        ({"kernel": [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]}, ValueError, r"kernel must be symmetric .* of 0\.5"),
        ({"kernel": np.ones((3, 3))}, ValueError, "squared norm of the mapped true gradient must be above rounding"),
        ({"kernel": np.eye(3), "direction": [9.0, 0, 0]}, ValueError, r"\|φ_a·direction\| must be at most ‖φ_a‖"),
    ],
)
def test_domains_are_refused_by_name_and_value(change, error, message):
    arguments = {**GOOD, **change}
    with pytest.raises(error, match=message):
        gradient_moments(**arguments)


def test_tolerances_admit_float32_rounding():
    policy = np.array([0.5, 0.3, 0.2], dtype=np.float32) * np.float32(1 + 3e-7)
    jacobian = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    gradient_moments(policy, [1.0, 0.0, -1.0], 1.0, 1.0, kernel=jacobian @ jacobian.T)
