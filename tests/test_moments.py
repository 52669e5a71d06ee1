"""The exact moments against enumeration over arms in 250-digit arithmetic, at the ends of their domain too."""

import mpmath as mp
import numpy as np
import pytest
from enumerated_moments import NAMES, assert_agrees, both_ways, enumerate_fast, one_correct_arm
from hypothesis import given, settings
from hypothesis import strategies as st

from kondo_theory.moments import gradient_moments


@pytest.fixture(autouse=True)
def _many_digits():
    with mp.workdps(250):
        yield


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


@settings(max_examples=60)
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
