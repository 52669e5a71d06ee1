"""Kernels against NumPy's generators, exact laws, enumeration of every batch, and plain NumPy simulation."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from kondo_theory.gate import kept_count
from simulations.bandits import dynamics, kernels, symmetric_kernels
from simulations.bandits import reference as reference_bandits
from simulations.bandits.contexts import Context, Gate
from simulations.bandits.simulation import MomentsConfig, simulate_moments
from simulations.randomness import draws, streams
from simulations.randomness.streams import kernel
from simulations.randomness.vector_math import exp_into, largest, total

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


# Streams and draws


@kernel
def _uniforms(state, n):
    out = np.empty(n)
    for i in range(n):
        out[i] = streams.next_uniform(state)
    return out


@kernel
def _binomials(state, size, n, p):
    out = np.empty(size, dtype=np.int64)
    for i in range(size):
        out[i] = draws.binomial(state, n, p)
    return out


@kernel
def _multinomials(state, size, n, weights):
    out = np.zeros((size, weights.size), dtype=np.int64)
    threshold, choice, conditional = draws.multinomial_tables(weights)
    for i in range(size):
        draws.add_multinomial(state, n, threshold, choice, conditional, out[i])
    return out


@kernel
def _poisson(state, size, mean):
    out = np.empty(size, dtype=np.int64)
    threshold, choice, first = symmetric_kernels.poisson_table(mean)
    for i in range(size):
        out[i] = first + draws.categorical(state, threshold, choice)
    return out


@kernel
def _exp(x):
    out = np.empty(x.size)
    exp_into(x, out, np.empty(x.size))
    return out


@kernel
def _reductions(x):
    return total(x), largest(x)


@pytest.mark.parametrize("seed", [0, 2026, 2**32, 2**128 - 1, 2**200 + 5])
def test_streams_are_numpys(seed):
    states = streams.replicate_states(seed, 3)
    np.testing.assert_array_equal(states[2], streams.replicate_states(seed, 1, first=2)[0])
    for sequence, state in zip(np.random.SeedSequence(seed).spawn(3), states, strict=True):
        numpys = np.random.Generator(np.random.SFC64(sequence)).random(1000)
        np.testing.assert_array_equal(_uniforms(state, 1000), numpys)
    far = np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(2**32 - 1,))).state["state"]["state"]
    np.testing.assert_array_equal(streams.replicate_states(seed, 1, first=2**32 - 1)[0], far)
    with pytest.raises(ValueError, match="2\\^32"):
        streams.replicate_states(seed, 2, first=2**32 - 1)


def law_p_value(sample, law):
    """P value of a chi-square test on at most 200 cells of nearly equal probability."""
    edges = np.unique(law.ppf(np.linspace(0, 1, 201)[1:-1]))
    cumulative = np.searchsorted(np.sort(sample), edges, side="right")
    observed = np.diff(np.concatenate([[0], cumulative, [sample.size]]))
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * sample.size
    observed, expected = observed[expected > 1e-6], expected[expected > 1e-6]
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), expected.size - 1)


BINOMIALS = [(3, 0.4), (100, 0.01), (100, 0.3), (40, 0.5), (1000, 0.93), (10**6, 2e-5), (10**6, 0.3), (10**4, 0.002)]


@pytest.mark.parametrize(("n", "p"), BINOMIALS)
def test_binomial_has_its_law(n, p):
    sample = _binomials(streams.replicate_states(11, 1)[0], 300_000, n, p)
    assert law_p_value(sample, stats.binom(n, p)) > 1e-4
    if n > 3:
        assert law_p_value(sample, stats.binom(n, p * 1.02)) < 1e-4  # the test can tell a law 2 % off


@pytest.mark.parametrize(
    ("n", "p"), [(200, 0.07), (21, 0.48), (40, 0.5), (1000, 0.3), (10**6, 0.01), (10**6, 1.1e-5)]
)
def test_rejection_constants_make_the_binomial_exact(n, p):
    """Acceptance probabilities are at most one, and at least the shortcut's where it is taken; the squeeze holds."""
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    u = np.linspace(-0.5, 0.5, 100_001)[1:-1]
    us = 0.5 - np.abs(u)
    mode = int((n + 1) * p)
    k = np.floor((2 * a / us + b) * u + n * p + 0.5)
    log_ratio = stats.binom.logpmf(k, n, p) - stats.binom.logpmf(mode, n, p)
    acceptance = np.exp(log_ratio) * (a / us**2 + b) / ((2.83 + 5.1 / b) * deviation)
    assert acceptance.max() <= 1
    assert acceptance[us >= 0.07].min() >= 0.92 - 4.2 / b
    v = 0.999 * acceptance  # just accepted, whether by the squeeze or by the ratio itself; and just rejected
    inside = np.flatnonzero((k >= 0) & (k <= n) & (v > 1e-300))[:: max(1, u.size // 2000)]
    assert all(_accepts(v[i], us[i], int(k[i]), n, p, a, b) for i in inside)
    assert not any(_accepts(v[i] * 1.002, us[i], int(k[i]), n, p, a, b) for i in inside)


@kernel
def _accepts(v, us, k, n, p, a, b):
    return draws._rejection_accepts(v, us, k, n, p, a, b)


def test_binomial_edges():
    state = streams.replicate_states(1, 1)[0]
    for n, p, expected in [(0, 0.5, 0), (9, 0.0, 0), (9, 1.0, 9), (9, 1.0 + 1e-15, 9), (9, -1e-18, 0)]:
        assert (_binomials(state, 5, n, p) == expected).all()


@pytest.mark.parametrize("mean", [0.8, 30.0, 5000.0])
def test_poisson_table_has_its_law(mean):
    sample = _poisson(streams.replicate_states(12, 1)[0], 200_000, mean)
    assert law_p_value(sample, stats.poisson(mean)) > 1e-4
    assert law_p_value(sample, stats.poisson(mean * 1.02)) < 1e-4


@pytest.mark.parametrize("n", [1, 60, 3000])  # categorical draws, and conditional binomials
def test_multinomial_moments(n):
    weights = np.array([0.0, 3.0, 1e-9, 0.5, 1.0])
    p = weights / weights.sum()
    sample = _multinomials(streams.replicate_states(13, 1)[0], 40_000, n, weights)
    assert (sample.sum(axis=1) == n).all()
    assert (sample[:, 0] == 0).all()
    np.testing.assert_array_less(np.abs(sample.mean(axis=0) - n * p), 4.5 * np.sqrt(n * p * (1 - p) / 40_000) + 1e-12)
    common = p > 1e-6
    expected = n * (np.diag(p) - np.outer(p, p))[np.ix_(common, common)]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    error = np.sqrt(2 / 40_000) + 3 / np.sqrt(
        40_000 * n
    )  # of a covariance in these units; the second for small counts
    np.testing.assert_array_less(np.abs(np.cov(sample[:, common].T) - expected) / scale, 4.5 * error)


def test_vector_math():
    x = np.linspace(-707, 708, 10_007)
    np.testing.assert_allclose(_exp(x), np.exp(x), rtol=5e-16)
    assert np.ptp(_exp(np.full(103, -3.21))) == 0.0  # equal wherever they stand, or ties would break
    assert _exp(np.array([-1e300]))[0] < 1e-300
    for n in (1, 3, 4, 103):
        values = np.random.default_rng(n).normal(size=n)
        summed, maximum = _reductions(values)
        assert summed == pytest.approx(values.sum(), abs=1e-12)
        assert maximum == values.max()


# Moments of a batch


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
    symmetric = Context.symmetric(0.2, n_arms, 0.5, GATES[gate])
    general = Context(
        symmetric.policy, symmetric.advantage, *symmetric.keep_and_weight, direction=symmetric.unit_direction
    )
    assert symmetric.is_symmetric
    assert not general.is_symmetric
    runs = [simulate_moments(MomentsConfig(c, batch_size, 100, 100, 3, cosine=0.99)) for c in (symmetric, general)]
    for name in ("signal", "var_parallel", "var_perpendicular", "cosine", "backward_rate", "aligned"):
        one, other = (getattr(run, name) for run in runs)
        error = np.hypot(one.standard_error, other.standard_error)
        assert abs(one.value - other.value) <= 4 * error + 1e-12, name


# Exactly-k selection


@kernel
def _top_counts(state, size, batch_size, k, scores, policy):
    n = scores.size
    out = np.zeros((size, n), dtype=np.int64)
    bounds, stack = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.int64)
    tables = (np.empty(n), np.empty(2 * n, dtype=np.int64), np.empty(n), np.empty(n))
    groups = draws.fill_groups(scores, policy, bounds, *tables, stack)
    for i in range(size):
        draws.add_top_counts(state, batch_size, k, groups, bounds, *tables, out[i])
    return out


def test_exactly_k_are_kept_and_ties_are_uniform():
    policy = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    scores = np.array([3.0, 1.0, 1.0, 1.0, -2.0])
    kept = _top_counts(streams.replicate_states(21, 1)[0], 100_000, 20, 8, scores, policy)
    assert (kept.sum(axis=1) == 8).all()
    # Tied arms share the room they get in proportion to their policy: 3 cells, 2 degrees of freedom.
    tied = kept[:, 1:4].sum(axis=0)
    expected = tied.sum() * policy[1:4] / policy[1:4].sum()
    assert ((tied - expected) ** 2 / expected).sum() < stats.chi2.isf(6e-5, 2)  # 4 standard errors
    wrong = tied.sum() / 3  # negative control: arms drawn instead of samples
    assert ((tied - wrong) ** 2 / wrong).sum() > 100
    top = stats.binom(20, 0.1)
    assert law_p_value(kept[:, 0], top) > 1e-4


@pytest.mark.parametrize("k", [1, 5, 300, 2000])
def test_top_counts_against_hypergeometric_thinning(k):
    policy = np.array([0.02, 0.2, 0.3, 0.28, 0.2])
    scores = np.array([3.0, 1.0, 1.0, 1.0, -2.0])
    ours = _top_counts(streams.replicate_states(22, 1)[0], 4000, 2000, k, scores, policy)
    rng = np.random.default_rng(22)
    counts = rng.multinomial(2000, policy, size=4000)
    theirs = reference_bandits.keep_top_counts(rng, counts, np.broadcast_to(scores, counts.shape), k)
    for power in (1, 2):
        a, b = ours**power, theirs**power
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 4000)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4 * error + 1e-12).all()


# Learning


def one_step(gate, *, normalised=False, baseline=0.5, n_replicates=20_000, n_arms=4, batch_size=6):
    rewards = np.zeros(n_arms)
    rewards[0] = 1.0
    logits = np.array([0.5, 0.0, 0.0, -0.4])[:n_arms]
    arguments = (logits, rewards, batch_size, 0.3, normalised, dynamics.CONSTANT, baseline, gate, 0.1, 0.3, 2)
    return dynamics.learning_curves(streams.replicate_states(31, n_replicates), *arguments, np.array([0, 1, 2]))


def test_zero_price_never_keeps_a_sample_of_no_delight():
    _, backward = one_step(dynamics.ZERO_PRICE, baseline=0.0)
    p, reference = np.exp(0.5) / (np.exp(0.5) + 2 + np.exp(-0.4)), stats.binom
    assert law_p_value(backward[:, 1], reference(6, p)) > 1e-4  # the correct arm alone, though the others have χ = 0
    nothing = one_step(dynamics.ZERO_PRICE, baseline=1.0)  # no arm has χ > 0
    assert (nothing[1] == 0).all()
    assert np.ptp(nothing[0]) == 0.0


def test_rate_keeps_exactly_k_every_step():
    _, backward = one_step(dynamics.RATE)
    np.testing.assert_array_equal(backward, np.tile([0, 2, 4], (len(backward), 1)))


@kernel
def _step(logits, part):
    scratch = dynamics._scratch(logits.size)
    dynamics._softmax(logits, scratch)
    for arm in range(logits.size):
        scratch.floats[dynamics._PART, arm] = part[arm]
    dynamics._step(logits, scratch, 10, 0.25, True)


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
    arguments = (
        np.zeros(3),
        np.array([1.0, 0, 0]),
        5,
        1e308,
        False,
        dynamics.CONSTANT,
        -50.0,
        dynamics.PG,
        0.0,
        1.0,
        1,
    )
    with pytest.raises(FloatingPointError, match="learning rate"):
        dynamics.learning_curves(streams.replicate_states(1, 1), *arguments, np.array([100]))


def test_kernels_hold_no_gil_and_every_replicate_is_its_own():
    assert kernels.batch_moments.targetoptions["nogil"]
    states = streams.replicate_states(3, 6)
    whole = kernels.alignment_times(states.copy(), *alignment_arguments())[0]
    alone = [kernels.alignment_times(states[i : i + 1].copy(), *alignment_arguments())[0] for i in range(6)]
    np.testing.assert_array_equal(whole, np.concatenate(alone))


def alignment_arguments():
    context = graded_context(GATES["price"])
    keep, weight = context.keep_and_weight
    return context.policy, keep, weight * context.advantage, context.unit_direction, 0.95, 1000
