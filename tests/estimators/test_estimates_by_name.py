"""Estimates by name: what they refuse, and what they do at the edges of what they take."""

import numpy as np
import pytest

from kondo_theory.estimators import ESTIMATORS, Samples

RATED = [name for name, each in ESTIMATORS.items() if each.rated]
RATES = (1e-12, 0.03, 0.5, 1.0)


def samples_of(policy, advantage):
    """Contexts with logits of their own."""
    pi, U = np.asarray(policy, dtype=float), np.asarray(advantage, dtype=float)
    with np.errstate(divide="ignore"):
        surprisal = -np.log(pi)
    square = U**2 * ((1 - pi) ** 2 + np.sum(pi**2, axis=-1, keepdims=True) - pi**2)

    def mean(weight):
        value = pi * weight * U
        return (value - pi * value.sum(axis=-1, keepdims=True)) / len(pi)

    def inner(one, other):
        return float(np.sum(mean(one) * mean(other)))

    return Samples(pi, U, surprisal, inner, lambda weight: float(np.sum(pi * weight * square) / len(pi)))


PLAIN = samples_of([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[0.5, -0.5, -0.5], [0.9, -0.1, -0.1]])
NEVER = samples_of([[0.5, 0.3, 0.2, 0.0], [0.1, 0.1, 0.8, 0.0]], [[0.5, -0.5, -0.5, 2], [0.9, -0.1, -0.1, 0]])
HALF_STILL = samples_of([[0.5, 0.5], [0.25, 0.75]], [[0.5, -0.5], [0.0, 0.0]])
EDGES = {
    "plain": PLAIN,
    "an arm that is never played": NEVER,
    "two arms alike": samples_of([[0.5, 0.5]], [[0.5, -0.5]]),
    "half without a gradient": HALF_STILL,
    "an arm that is hardly played": samples_of([[1e-300, 1.0]], [[1.0, -1e-300]]),
}


@pytest.mark.parametrize("name", RATED)
@pytest.mark.parametrize("rate", [0, -1, 2, np.nan, -0.0, np.inf])
def test_a_rate_that_is_none_is_refused(name, rate):
    with pytest.raises(ValueError, match=r"^rate must be in \(0, 1\], got "):
        ESTIMATORS[name].use(PLAIN, rate)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_no_estimate_at_all_is_refused_in_one_line(name):
    estimator = ESTIMATORS[name]
    rate = 0.1 if estimator.rated else np.nan
    for wrong in ("a", None):
        with pytest.raises(TypeError, match=r"^rate must be real numbers, got"):
            estimator.use(PLAIN, wrong)
    with pytest.raises(TypeError, match=r"^rate must be a scalar"):
        estimator.use(PLAIN, [0.1, 0.2])
    if not estimator.rated:
        with pytest.raises(ValueError, match=r"^rate must be nan, for this estimate has none .*, got 0.1$"):
            estimator.use(PLAIN, 0.1)
    for still in (samples_of([[0.5, 0.5]], [[0, 0]]), samples_of([[1, 0]], [[0, -1]]), samples_of([[1]], [[0]])):
        with pytest.raises(ValueError, match=r"^a sample that is played must have a gradient"):
            estimator.use(still, rate)
    with pytest.raises(ValueError, match=r"^advantage must be finite, got nan"):
        estimator.use(samples_of([[0.5, 0.5]], [[0.5, np.nan]]), rate)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_at_the_edges_all_numbers_are_finite_and_the_rate_is_kept_as_far_as_there_is_a_gradient(name, edge):
    samples = EDGES[edge]
    moving = float(np.sum(samples.mass * (samples.size > 0)))
    for rate in RATES if ESTIMATORS[name].rated else (np.nan,):
        use = ESTIMATORS[name].use(samples, rate)
        for part in (use.passes, use.first, use.second):
            assert np.isfinite(part).all(), rate
            assert np.min(part) >= 0
        if not ESTIMATORS[name].rated or name == "blend-all" or "selective" in name:
            continue
        expected = min(rate, moving) if name in ("length-weighted", "winner-take-all") else rate
        if edge != "an arm that is hardly played":
            assert float(np.sum(samples.mass * use.passes)) == pytest.approx(expected, rel=1e-9), rate


def test_what_is_never_played_changes_nothing():
    for name, estimator in ESTIMATORS.items():
        for rate in RATES if estimator.rated else (np.nan,):
            found, alone = estimator.use(NEVER, rate), estimator.use(PLAIN, rate)
            for part, other in (
                (found.passes, alone.passes),
                (found.first, alone.first),
                (found.second, alone.second),
            ):
                assert part[:, :3] == pytest.approx(other, rel=1e-12), (name, rate)


def test_where_nothing_is_dropped_a_blend_is_all_of_it():
    for rate in (0.999, 1.0):
        assert ESTIMATORS["blend-all"].use(samples_of([[0.5, 0.5]], [[0.5, -0.5]]), rate).first == pytest.approx(1)


def test_selective_backprop_keeps_all_of_the_highest_loss():
    keep = ESTIMATORS["selective-backprop"].use(PLAIN, 0.03).passes
    assert keep == pytest.approx(np.array([[0, 0, 0], [1, 0, 0]]), abs=1e-6)
    assert np.sum(PLAIN.mass * keep) == pytest.approx(0.05)
