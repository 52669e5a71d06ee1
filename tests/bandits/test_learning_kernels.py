"""Steps of learning: what they keep, how long they are, and that overflow is reported."""

import numpy as np
import pytest
from laws import law_p_value
from scipy import stats

from simulations.bandits.kernels import learning
from simulations.bandits.kernels import learning_batches as batches
from simulations.bandits.kernels.learning import Baseline, Updates
from simulations.bandits.kernels.learning_batches import GateCode
from simulations.randomness import streams
from simulations.randomness.compiling import kernel


def curves(logits, rewards, updates, baseline, gate, n_replicates, steps=(0, 1, 2)):
    states = streams.replicate_states(31, n_replicates)
    return learning.learning_curves(
        states, logits, rewards, updates, Baseline(learning.CONSTANT, baseline), gate, np.array(steps)
    )


def one_step(gate, *, normalised=False, baseline=0.5, n_replicates=20_000, n_arms=4, batch_size=6):
    rewards = np.zeros(n_arms)
    rewards[0] = 1.0
    logits = np.array([0.5, 0.0, 0.0, -0.4])[:n_arms]
    return curves(
        logits, rewards, Updates(batch_size, 0.3, normalised), baseline, GateCode(gate, 0.1, 0.3, 2), n_replicates
    )


def test_zero_price_never_keeps_a_sample_of_no_delight():
    _, backward = one_step(batches.ZERO_PRICE, baseline=0.0)
    p, reference = np.exp(0.5) / (np.exp(0.5) + 2 + np.exp(-0.4)), stats.binom
    assert law_p_value(backward[:, 1], reference(6, p)) > 1e-4  # the correct arm alone, though the others have χ = 0
    nothing = one_step(batches.ZERO_PRICE, baseline=1.0)  # no arm has χ > 0
    assert (nothing[1] == 0).all()
    assert np.ptp(nothing[0]) == 0.0


def test_rate_keeps_exactly_k_every_step():
    _, backward = one_step(batches.RATE)
    np.testing.assert_array_equal(backward, np.tile([0, 2, 4], (len(backward), 1)))


@kernel
def _step(logits, part):
    scratch = batches.new_scratch(logits.size)
    learning._softmax(logits, scratch)
    for arm in range(logits.size):
        scratch.floats[batches.PART, arm] = part[arm]
    learning._step(logits, scratch, Updates(10, 0.25, True))


def test_normalised_steps_have_the_learning_rate_as_length():
    rng = np.random.default_rng(0)
    for n_arms in (2, 7, 100):
        logits = rng.normal(size=n_arms)
        moved = logits.copy()
        _step(moved, rng.normal(size=n_arms))
        assert np.linalg.norm(moved - logits) == pytest.approx(0.25, rel=1e-12)
        assert (moved - logits).sum() == pytest.approx(0.0, abs=1e-12)
        still = logits.copy()
        _step(still, np.zeros(n_arms))
        np.testing.assert_array_equal(still, logits)


def test_overflowing_logits_are_reported():
    updates, gate = Updates(5, 1e308, False), GateCode(batches.PG, 0.0, 1.0, 1)
    with pytest.raises(FloatingPointError, match="learning rate"):
        curves(np.zeros(3), np.array([1.0, 0, 0]), updates, -50.0, gate, 1, (100,))
