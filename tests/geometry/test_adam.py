"""Adam's mean step against every batch of a small bandit, and against running averages."""

from itertools import product

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import expit

from kondo_theory.geometry.adam import (
    adam_step,
    logit_moments,
    one_gradient_step,
    remembered_step,
    symmetric_adam_progress,
)
from kondo_theory.geometry.counts import inverse_count
from kondo_theory.geometry.normalised import kept_gradient, normalised_moments, price_moments
from kondo_theory.geometry.symmetric import symmetric_arms

POLICY, ADVANTAGE = np.array([0.5, 0.3, 0.2]), np.array([0.7, -0.4, 0.2])


def enumerated(policy, advantage, weight, size, by_the_kept=False):
    """E ĝ/√(E ĝ²) of each logit, over every batch; the weights are 0 or 1 if divided by the kept."""
    first = second = 0.0
    for batch in map(list, product(range(len(policy)), repeat=size)):
        kept = sum(weight[a] for a in batch) if by_the_kept else size
        paid = np.bincount(batch, weight[batch] * advantage[batch], len(policy)) / max(kept, 1)
        gradient = paid - policy * paid.sum()
        chance = policy[batch].prod()
        first, second = first + chance * gradient, second + chance * gradient**2
    return first / np.sqrt(second)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("weight", [[1, 1, 1], [1, 0, 1], [0.6, 0.2, 0.9]])
def test_every_batch_of_a_small_bandit(size, weight):
    w = np.array(weight)
    mean, variance = logit_moments(POLICY, ADVANTAGE, w, w**2)
    expected = enumerated(POLICY, ADVANTAGE, w, size)
    np.testing.assert_allclose(adam_step(mean, variance / size), expected, rtol=1e-12)


def test_divided_by_the_kept_it_is_every_batch_too():
    keep = np.array([1.0, 0.0, 1.0])
    law = np.tile(POLICY, (3, 1)), keep, keep * ADVANTAGE, keep * ADVANTAGE**2
    found = normalised_moments(kept_gradient(*law, direction=np.eye(3)), 4)
    expected = enumerated(POLICY, ADVANTAGE, keep, 4, by_the_kept=True)
    np.testing.assert_allclose(adam_step(found.signal, found.var_parallel / 4), expected, rtol=1e-12)


def test_a_factor_is_gone_and_a_certain_step_is_one():
    assert adam_step(3e-5 * 0.2, (3e-5) ** 2 * 0.7) == pytest.approx(float(adam_step(0.2, 0.7)), rel=1e-14)
    np.testing.assert_array_equal(adam_step([-2.0, 0.0, 1e-300], 0.0), [-1, 0, 1])


@pytest.mark.parametrize(("p", "n_arms", "b"), [(0.1, 10, 0.5), (0.7, 3, 0.2), (0.4, 5, 0.0), (0.3, 2, 0.7)])
@pytest.mark.parametrize("gate", ["pg", "dg", "bernoulli"])
def test_the_closed_form_of_one_context(p, n_arms, b, gate):
    policy, advantage = symmetric_arms(n_arms, p, b)
    soft = expit(advantage * -np.log(policy))
    w = {"pg": np.ones(n_arms), "dg": soft, "bernoulli": soft}[gate]
    mean, variance = logit_moments(policy, advantage, w, w if gate == "bernoulli" else w**2)
    gradient = policy * advantage - policy * (policy @ advantage)
    expected = adam_step(mean, variance / 20) @ gradient
    found = symmetric_adam_progress(p, n_arms, b, w[0], w[1], 20, bernoulli=gate == "bernoulli")
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("b", [0.0, 0.3, 0.9])
def test_zero_price_moves_every_logit_alike_whatever_the_baseline(b):
    policy, advantage = symmetric_arms(6, 0.2, b)
    right = np.eye(6)[0]
    mean, variance = logit_moments(policy, advantage, right, right)
    np.testing.assert_allclose(np.abs(adam_step(mean, variance / 30)), one_gradient_step(0.2, 30), rtol=1e-12)
    law = np.tile(policy, (6, 1)), right, right * advantage, right * advantage**2
    divided = normalised_moments(kept_gradient(*law, direction=np.eye(6)), 30)
    steps = np.abs(adam_step(divided.signal, divided.var_parallel / 30))
    np.testing.assert_allclose(steps, one_gradient_step(0.2, 30, "kept"), rtol=1e-12)


@pytest.mark.parametrize(("rate", "size"), [(0.2, 200), (0.03, 100), (0.02, 50), (0.3, 2)])
@pytest.mark.parametrize("noise", [0.5, 0.99, 1.01, 3.0])
def test_dividing_by_the_kept_pays_below_a_ratio_of_noise(rate, size, noise):
    """v/g² below it lengthens the step, above it shortens it, also where often nothing is kept."""
    q = (1 - rate) ** size
    pays = (1 - q) * (1 - rate - q * (1 - rate + rate * size)) / (inverse_count(rate, size) - (1 - q) ** 2)
    ratio = noise * pays
    keep = [2 * rate, 0.0]  # of two arms of probability one half
    kept = kept_gradient([0.5, 0.5], keep, keep, [2 * rate * (1 + ratio), 0.0], direction=[1.0, 0.0])
    assert float(kept.var_parallel / kept.mean[0] ** 2) == pytest.approx(ratio)
    longer = [
        float(adam_step(each.signal, each.var_parallel / size))
        for each in (price_moments(kept), normalised_moments(kept, size))
    ]
    assert (longer[1] > longer[0]) == (noise < 1)


def test_a_short_memory_is_off_by_what_it_says():
    rng = np.random.default_rng(0)
    beta1, beta2, n = 0.5, 0.98, 40_000
    draws = (rng.random((20, n)) < 0.3) * 1.0 - 0.1 * rng.random((20, n))
    first = lfilter([1 - beta1], [1, -beta1], draws)[:, 1_000:]
    root = np.sqrt(lfilter([1 - beta2], [1, -beta2], draws**2)[:, 1_000:])
    found = (first / root).mean(axis=1)
    error = found.std(ddof=1) / np.sqrt(len(found))
    moments = [float(np.mean(draws**power)) for power in (1, 2, 3, 4)]
    predicted = float(remembered_step(*moments, beta1=beta1, beta2=beta2))
    limit = float(adam_step(moments[0], moments[1] - moments[0] ** 2))
    assert abs(found.mean() - predicted) < 4 * error + 0.1 * abs(predicted - limit)
    assert abs(found.mean() - limit) > 8 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adam_step(1.0, -0.1), r"variance must be in \[0, inf\), got -0.1"),
        (lambda: logit_moments(POLICY, ADVANTAGE, 1.0, 0.5), "second must be at least first²"),
        (lambda: one_gradient_step(0.0, 10), r"rate must be in \(0, 1\], got 0.0"),
        (lambda: one_gradient_step(0.1, 10, "k"), "divisor must be one of batch, kept, got 'k'"),
        (lambda: symmetric_adam_progress(0.5, 3, 0.1, 1, -1, 10), r"weight_wrong must be in \[0, inf\), got -1.0"),
        (lambda: remembered_step(0.1, 1, 0, 1, beta2=1.0), r"beta2 must be in \[0, 1\), got 1.0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
