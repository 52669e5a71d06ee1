"""Graded rewards: how far the gate may turn the direction, and where it keeps it."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kondo_theory import geometry as geo


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


@settings(max_examples=300)
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
