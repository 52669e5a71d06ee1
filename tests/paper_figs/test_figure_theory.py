"""Closed forms that the figures and the sweeps draw on: mean cosine, price weights, expected paths, populations."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from kondo_theory.contexts import spread_probabilities
from kondo_theory.gambling import drift, expected_path, fixed_point
from kondo_theory.geometry.alignment import alignment_probability, mean_cosine
from kondo_theory.geometry.exact_rate import price_weights
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.quality_cost import arm_delight
from kondo_theory.geometry.symmetric import cosine_gap, symmetric_arms
from kondo_theory.screening import screen_context


def sampled_cosine(p, n_arms, baseline, n_samples, n_batches=20_000):
    """PG's mean cosine from real batches, with its standard error."""
    rng = np.random.default_rng(np.random.SeedSequence(3))
    policy, advantage = symmetric_arms(n_arms, p, baseline)
    counts = rng.multinomial(n_samples, policy, size=n_batches)
    gradient = (counts * advantage) @ (np.eye(n_arms) - policy)
    direction = np.eye(n_arms)[0] - policy
    cosine = gradient @ direction / np.linalg.norm(gradient, axis=1) / np.linalg.norm(direction)
    return cosine.mean(), cosine.std() / np.sqrt(n_batches)


def test_mean_cosine_of_zero_price_is_the_chance_of_one_success():
    p, n = np.array([0.01, 0.1, 0.6]), np.array([1, 30, 1_000])[:, None]
    assert mean_cosine("zero-price", p, 10, 0.5, n) == pytest.approx(1 - (1 - p) ** n, abs=1e-12)


@pytest.mark.parametrize(("p", "n_samples"), [(0.05, 300), (0.3, 100)])
def test_mean_cosine_against_batches_and_the_small_gap(p, n_samples):
    value, error = sampled_cosine(p, 5, 0.5, n_samples)
    found = mean_cosine("pg", p, 5, 0.5, n_samples)
    assert abs(found - value) < 4 * error + 1e-3  # the stated accuracy
    assert abs(mean_cosine("dg", p, 5, 0.5, n_samples) - value) > 8 * error + 1e-3  # a wrong method is seen
    gap = cosine_gap("pg", p, 5, 0.5, n_samples)
    assert 1 - found == pytest.approx(gap, rel=0.15)


def test_mean_cosine_broadcasts_and_takes_named_baselines():
    p = np.array([0.1, 0.2])
    assert mean_cosine("pg", p, 10, "value", np.array([[10.0], [50.0]])).shape == (2, 2)
    assert mean_cosine("pg", p, 10, "value", 50) == pytest.approx(mean_cosine("pg", p, 10, p, 50), abs=1e-12)
    c = np.linspace(0.0005, 0.9995, 1_000)  # the midpoint rule
    crude = alignment_probability("dg", 0.1, 10, 0.5, 50, c, temperature=2.0).mean()
    assert mean_cosine("dg", 0.1, 10, 0.5, 50, temperature=2.0) == pytest.approx(crude, abs=1e-3)


def test_price_weights_are_those_of_the_rate_and_of_screening_by_delight():
    p, rates = 0.3, np.array([0.01, 0.2, 0.3, 0.5, 1.0])
    right, wrong = price_weights(p, rates)
    assert p * right + (1 - p) * wrong == pytest.approx(rates)
    kept = screen_context(*symmetric_arms(10, p, 0.25), "delight", rates).keep
    assert kept[:, 0] == pytest.approx(right)
    assert kept[:, 1] == pytest.approx(wrong)
    with pytest.raises(ValueError, match="rate"):
        price_weights(p, 1.5)


def test_expected_path_is_the_update_and_ends_at_the_fixed_point():
    def speed(x):
        return float(drift(x, 1.5))

    path = expected_path(speed, 0.5, 4.0, 2_000)
    # One step of softmax policy gradient on two logits: each moves by π·(its share of U) times the rate.
    z = np.zeros(2)
    means = np.array([0.5, 0.5 - drift(0.5, 1.5)])  # E[wU] of the arms up to a common constant
    policy = np.array([0.5, 0.5])
    z += 4.0 * policy * (means - policy @ means)
    assert path[0] == pytest.approx(z[1] - z[0])
    assert expit(path[-1]) == pytest.approx(fixed_point(1.5), abs=1e-9)
    assert path.shape == (2_000,)
    assert expit(path[-1]) != pytest.approx(fixed_point(1.4), abs=1e-3)


def test_spread_probabilities_are_quantiles_of_a_normal_law():
    p = spread_probabilities(-0.5, 2.0, 12)
    assert np.mean(logit(p)) == pytest.approx(-0.5)
    assert norm.cdf(logit(p), -0.5, 2.0) == pytest.approx((np.arange(12) + 0.5) / 12)
    assert spread_probabilities(1.0, 0.0, 3) == pytest.approx(expit(1.0))


def test_evenly_graded_arms_have_distinct_delights():
    policy, advantage = evenly_graded(5, 0.15, 0.5)
    assert policy.sum() == pytest.approx(1.0)
    assert policy[0] == 0.15
    assert advantage == pytest.approx([0.5, 0.25, 0.0, -0.25, -0.5])
    assert len(set(arm_delight(policy, advantage))) == 5


def test_symmetric_arms():
    policy, advantage = symmetric_arms(4, 0.4, 0.25)
    assert policy == pytest.approx([0.4, 0.2, 0.2, 0.2])
    assert advantage == pytest.approx([0.75, -0.25, -0.25, -0.25])
