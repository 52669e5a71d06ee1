"""Moments of batches against enumeration of every batch and plain NumPy simulation."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from laws import law_p_value
from scipy import stats

from kondo_theory.gate import kept_count
from simulations.bandits import reference as reference_bandits
from simulations.bandits.contexts import Context, Gate
from simulations.bandits.kernels import batches, symmetric
from simulations.bandits.moments import MomentsConfig, simulate_moments
from simulations.randomness import draws, streams
from simulations.randomness.compiling import kernel

GATES = {
    "pg": Gate("pg"),
    "dg": Gate("dg", temperature=0.7),
    "zero-price": Gate("zero-price"),
    "price": Gate("price", price=0.1, temperature=0.3),
    "rate": Gate("rate", rate=0.5),
}


def z_score(estimate, expected, standard_error):
    """Deviation in standard errors; rounding, 1e-12 in absolute terms, is forgiven."""
    deviation = abs(estimate - expected)
    if deviation < 1e-12:
        return 0.0
    return deviation / standard_error if standard_error > 0 else np.inf


@kernel
def _poisson(state, size, mean):
    out = np.empty(size, dtype=np.int64)
    table = symmetric.poisson_table(mean)
    for i in range(size):
        out[i] = table.first + draws.categorical(state, table.threshold, table.choice)
    return out


@pytest.mark.parametrize("mean", [0.8, 30.0, 5000.0])
def test_poisson_table_has_its_law(mean):
    sample = _poisson(streams.replicate_states(12, 1)[0], 200_000, mean)
    assert law_p_value(sample, stats.poisson(mean)) > 1e-4
    assert law_p_value(sample, stats.poisson(mean * 1.02)) < 1e-4


@pytest.mark.parametrize("mean", [1e-3, 0.8, 5.0, 30.0, 5000.0, 2.7e7])
def test_poisson_table_leaves_nothing_out_that_matters(mean):
    table = symmetric.poisson_table(mean)
    last = table.first + table.threshold.size - 1
    assert stats.poisson.sf(last, mean) + stats.poisson.cdf(table.first - 1, mean) < 3e-21


def graded_context(gate, policy=(0.5, 0.3, 0.2), advantage=(0.45, -0.3, 0.2)):
    return Context.gated(policy, advantage, gate)


def batch_outcomes(context, batch_size):
    """Yield (probability, gradient, kept) of every batch and every gate outcome, by enumeration."""
    keep, weight = context.keep_and_weight
    scores = np.eye(context.policy.size) - context.policy
    parts = (weight * context.advantage)[:, None] * scores / batch_size
    for arms in itertools.product(range(context.policy.size), repeat=batch_size):
        arms = np.array(arms)
        probability = context.policy[arms].prod()
        for mask, share in gate_outcomes(context, arms, keep, batch_size):
            yield probability * share, (mask[:, None] * parts[arms]).sum(axis=0), mask.sum()


def gate_outcomes(context, arms, keep, batch_size):
    if context.rate is None:
        for bits in itertools.product((0, 1), repeat=batch_size):
            mask = np.array(bits)
            yield mask, np.where(mask == 1, keep[arms], 1 - keep[arms]).prod()
        return
    k = kept_count(context.rate, batch_size)
    best = []
    for chosen in itertools.combinations(range(batch_size), k):
        mask = np.isin(np.arange(batch_size), chosen)
        best.append((context.scores[arms][mask].sum(), mask))
    top = max(value for value, _ in best)
    winners = [mask for value, mask in best if value >= top - 1e-12]
    for mask in winners:
        yield mask.astype(int), 1.0 / len(winners)


def exact_moments(context, batch_size):
    probability, gradient, kept = (np.array(x) for x in zip(*batch_outcomes(context, batch_size), strict=True))
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)
    u = context.unit_direction
    signal = gradient @ u
    perpendicular = gradient - signal[:, None] * u
    mean = probability @ perpendicular
    square = (perpendicular**2).sum(axis=1)
    norm = np.linalg.norm(gradient, axis=1)
    cosine = np.divide(signal, norm, out=np.zeros_like(norm), where=norm > 1e-15)
    return {
        "signal": probability @ signal,
        "perpendicular": mean,
        "var_parallel": batch_size * (probability @ signal**2 - (probability @ signal) ** 2),
        "var_perpendicular": batch_size * (probability @ square - mean @ mean),
        "cosine": probability @ cosine,
        "backward_rate": probability @ kept / batch_size,
    }


def worst_z(context, batch_size, expected, n_replicates=200, n_batches=400):
    found = simulate_moments(MomentsConfig(context, batch_size, n_batches, n_replicates, seed=5))
    scores = [
        z_score(getattr(found, name).value, value, getattr(found, name).standard_error)
        for name, value in expected.items()
        if name != "perpendicular"
    ]
    mean, error = found.perpendicular.mean(axis=0), found.perpendicular.std(axis=0, ddof=1) / np.sqrt(n_replicates)
    if "perpendicular" in expected:
        scores += [z_score(*triple) for triple in zip(mean, expected["perpendicular"], error, strict=True)]
    return max(scores)


@pytest.mark.parametrize("batch_size", [2, 3])
@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_moments_of_any_context_against_enumeration(gate, batch_size):
    context = graded_context(gate)
    assert not context.is_symmetric
    assert worst_z(context, batch_size, exact_moments(context, batch_size)) < 4


@pytest.mark.parametrize("baseline", [0.0, 0.4])  # at zero all wrong arms are tied at delight zero
@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_moments_of_a_symmetric_context_against_enumeration(gate, baseline):
    context = Context.symmetric(0.3, 3, baseline, gate)
    assert context.is_symmetric
    assert worst_z(context, 3, exact_moments(context, 3)) < 4


@pytest.mark.parametrize("wrong", ["dg", "zero-price", "price", "rate"])
def test_a_wrong_gate_fails_the_same_check(wrong):
    """Negative control: policy gradient's exact moments are not another gate's."""
    expected = exact_moments(graded_context(GATES["pg"]), 3)
    assert worst_z(graded_context(GATES[wrong]), 3, expected) > 10


def test_a_bernoulli_gate_is_not_a_soft_weight():
    """Negative control: same mean gradient, but drawing the gate adds (w − w²)U²‖φ‖² to the variance."""
    soft = graded_context(GATES["price"])
    keep, one = soft.keep_and_weight
    soft = Context(soft.policy, soft.advantage, keep=one, weight=keep)
    expected = exact_moments(graded_context(GATES["price"]), 3)
    signal = {"signal": expected["signal"]}
    assert worst_z(soft, 3, signal) < 4
    assert worst_z(soft, 3, {"var_perpendicular": expected["var_perpendicular"]}) > 10


TIED = Context([0.4, 0.15, 0.1, 0.1, 0.25], [1.0, 0.2, 0.2, 0.2, -1.0], scores=[2.0, 1.0, 1.0, 1.0, 0.0], rate=0.3)


@pytest.mark.parametrize("sizes", [(40, 1), (3000, 2)], ids=["small", "large"])
@pytest.mark.parametrize("case", [*GATES, "tied"])
@pytest.mark.parametrize("oracle", [reference_bandits.sampled_gradients, reference_bandits.counted_gradients])
def test_moments_against_plain_numpy(case, sizes, oracle: Callable):
    batch_size, seed = sizes
    context = TIED if case == "tied" else graded_context(GATES[case], TIED.policy, TIED.advantage)
    n_batches, n_replicates = (50, 40) if batch_size < 100 else (10, 20)
    found = simulate_moments(MomentsConfig(context, batch_size, 200, 100, seed)).statistics
    rng = np.random.default_rng(seed)
    plain = np.array(
        [
            reference_bandits.batch_statistics(
                *oracle(rng, context, batch_size, n_batches), context.unit_direction, 0.9
            )[0]
            for _ in range(n_replicates)
        ]
    )
    difference = found.mean(axis=0) - plain.mean(axis=0)
    error = np.hypot(found.std(axis=0) / 10, plain.std(axis=0, ddof=1) / np.sqrt(n_replicates))
    assert (np.abs(difference) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize(("batch_size", "n_arms"), [(20, 9), (400, 9), (200_000, 9), (200_000, 3)])
@pytest.mark.parametrize("gate", ["pg", "price"])
def test_symmetric_kernel_against_the_general_one(gate, batch_size, n_arms):
    """Covers each way of spreading the wrong samples: one by one, binomials, Poisson proposals."""
    alike = Context.symmetric(0.2, n_arms, 0.5, GATES[gate])
    general = Context(alike.policy, alike.advantage, *alike.keep_and_weight, direction=alike.unit_direction)
    assert alike.is_symmetric
    assert not general.is_symmetric
    runs = [simulate_moments(MomentsConfig(c, batch_size, 100, 100, 3, cosine=0.99)) for c in (alike, general)]
    for name in ("signal", "var_parallel", "var_perpendicular", "cosine", "backward_rate", "aligned"):
        one, other = (getattr(run, name) for run in runs)
        error = np.hypot(one.standard_error, other.standard_error)
        assert abs(one.value - other.value) <= 4 * error + 1e-12, name


def test_kernels_hold_no_gil_and_every_replicate_is_its_own():
    assert batches.batch_moments.targetoptions["nogil"]
    states = streams.replicate_states(3, 6)
    whole = batches.alignment_times(states.copy(), *alignment_arguments())
    alone = [batches.alignment_times(states[i : i + 1].copy(), *alignment_arguments()) for i in range(6)]
    np.testing.assert_array_equal(whole, np.concatenate(alone, axis=1))


def alignment_arguments():
    context = graded_context(GATES["price"])
    keep, weight = context.keep_and_weight
    arms = (context.policy, keep, weight * context.advantage, context.advantage, context.unit_direction)
    return batches.GatedArms(*arms), 0.95, 1000
