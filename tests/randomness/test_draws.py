"""Streams, draws and vector loops against NumPy's generators, exact laws and plain NumPy."""

import numpy as np
import pytest
from laws import law_p_value
from scipy import stats

from simulations.bandits import reference
from simulations.randomness import draws, streams, top_counts
from simulations.randomness.compiling import kernel
from simulations.randomness.vector_math import exp_into, largest, total


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
    tables = draws.multinomial_tables(weights)
    for i in range(size):
        draws.add_multinomial(state, n, tables, out[i])
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
    hat = draws._hat(n, p)
    u = np.linspace(-0.5, 0.5, 100_001)[1:-1]
    us = 0.5 - np.abs(u)
    mode = int((n + 1) * p)
    k = np.floor((2 * hat.steepness / us + hat.width) * u + n * p + 0.5)
    log_ratio = stats.binom.logpmf(k, n, p) - stats.binom.logpmf(mode, n, p)
    acceptance = np.exp(log_ratio) * (hat.steepness / us**2 + hat.width) / hat.height
    assert acceptance.max() <= 1
    assert acceptance[us >= draws._QUICK_FROM].min() >= hat.quick
    v = 0.999 * acceptance  # just accepted, whether by the squeeze or by the ratio itself; and just rejected
    inside = np.flatnonzero((k >= 0) & (k <= n) & (v > 1e-300))[:: max(1, u.size // 2000)]
    assert all(_accepts(v[i], us[i], int(k[i]), n, p, hat) for i in inside)
    assert not any(_accepts(v[i] * 1.002, us[i], int(k[i]), n, p, hat) for i in inside)


@kernel
def _accepts(v, us, k, n, p, hat):
    return draws._rejection_accepts(v, us, k, n, p, hat)


def test_binomial_edges():
    state = streams.replicate_states(1, 1)[0]
    for n, p, expected in [(0, 0.5, 0), (9, 0.0, 0), (9, 1.0, 9), (9, 1.0 + 1e-15, 9), (9, -1e-18, 0)]:
        assert (_binomials(state, 5, n, p) == expected).all()


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


@kernel
def _top_counts(state, size, batch_size, k, scores, policy):
    out = np.zeros((size, scores.size), dtype=np.int64)
    tables = top_counts.group_tables(scores.size)
    groups = top_counts.fill_groups(scores, policy, tables, np.empty(scores.size, dtype=np.int64))
    for i in range(size):
        top_counts.add_top_counts(state, batch_size, k, groups, tables, out[i])
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
    theirs = reference.keep_top_counts(rng, counts, np.broadcast_to(scores, counts.shape), k)
    for power in (1, 2):
        a, b = ours**power, theirs**power
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 4000)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4 * error + 1e-12).all()
