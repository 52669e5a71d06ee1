"""The moments' shapes, limits and refusals, and the efficiency that follows from them."""

import numpy as np
import pytest
from enumerated_moments import NAMES, one_correct_arm

from kondo_theory.moments import gradient_moments


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
