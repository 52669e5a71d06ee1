"""The blend of least error: closed forms against a minimum over enumerated batches."""

from itertools import product

import numpy as np
import pytest

from kondo_theory.estimators import best_blend, blend_weight, estimated_blend_error, zero_price_blend
from kondo_theory.geometry.symmetric import pg_moments, symmetric_arms

POLICY, ADVANTAGE = np.array([0.5, 0.3, 0.2]), np.array([0.6, -0.4, 0.1])
KEEP = np.array([0.9, 0.2, 0.5])


def enumerated(size, keep, share=1.0, soft=False):
    """Chances, gated gradients less the true one, and dropped gradients, of every batch of so many samples."""
    g = ADVANTAGE[:, None] * (np.eye(3) - POLICY)
    one = []
    for arm in range(3):
        if soft:
            one.append((POLICY[arm], keep[arm] * g[arm], (1 - keep[arm]) * g[arm]))
            continue
        one.append((POLICY[arm] * keep[arm], g[arm], 0 * g[arm]))
        one.append((POLICY[arm] * (1 - keep[arm]) * share, 0 * g[arm], g[arm] / share))
        one.append((POLICY[arm] * (1 - keep[arm]) * (1 - share), 0 * g[arm], 0 * g[arm]))
    batches = list(product(one, repeat=size))
    chance = np.array([np.prod([each[0] for each in batch]) for batch in batches])
    gated, dropped = (np.array([sum(each[i] for each in batch) / size for batch in batches]) for i in (1, 2))
    return chance, gated - POLICY @ g, dropped


def errors(batches, a):
    chance, gated, dropped = batches
    return float(chance @ np.sum((gated + a * dropped) ** 2, axis=1))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(("share", "soft"), [(1.0, False), (0.4, False), (1.0, True)])
def test_the_blend_against_every_batch(size, share, soft):
    batches = enumerated(size, KEEP, share, soft)
    blend = best_blend(POLICY, ADVANTAGE, KEEP, size, soft=soft, dropped_rate=share)
    for a, error in ((blend.weight, blend.error), (0, blend.gated_error), (1, blend.pg_error)):
        assert error == pytest.approx(errors(batches, float(a)), rel=1e-12)
    for delta in (-0.3, 0.05):
        more = errors(batches, float(blend.weight) + delta) - blend.error
        assert more == pytest.approx(delta**2 * blend.curvature, rel=1e-9)


def test_negative_control_a_weight_as_if_both_were_independent_errs_more():
    chance, gated, dropped = batches = enumerated(2, KEEP)
    blend = best_blend(POLICY, ADVANTAGE, KEEP, 2)
    pg = gated + dropped
    bias = chance @ gated
    variances = [float(chance @ np.sum((x - chance @ x) ** 2, axis=1)) for x in (pg, gated)]
    covariance = float(chance @ np.sum((pg - chance @ pg) * (gated - chance @ gated), axis=1))
    right = blend_weight(bias @ bias, *variances, covariance)
    assert right == pytest.approx(blend.weight, rel=1e-10)
    wrong = float(blend_weight(bias @ bias, *variances, 0.0))
    assert errors(batches, wrong) > 1.01 * errors(batches, float(right))


@pytest.mark.parametrize(("p", "n_arms", "b"), [(0.3, 10, 0.5), (0.1, 4, 0.2), (0.5, 5, 0.1), (0.9, 2, 0.3)])
@pytest.mark.parametrize("size", [1, 30])
def test_zero_price_in_closed_form(p, n_arms, b, size):
    policy, advantage = symmetric_arms(n_arms, p, b)
    for share in (1.0, 0.2):
        found = zero_price_blend(p, n_arms, b, size, dropped_rate=share)
        blend = best_blend(policy, advantage, advantage > 0, size, dropped_rate=share)
        assert found == pytest.approx(blend.weight, rel=1e-10)
    # The blend is PG with another baseline, scaled.
    a = float(zero_price_blend(p, n_arms, b, size))
    scale = 1 - b + a * b
    moments = pg_moments(p, n_arms, a * b / scale)
    true = pg_moments(p, n_arms, 0.0).signal
    noise = scale**2 * (moments.var_parallel + moments.var_perpendicular) / size
    expected = (true * (scale - 1)) ** 2 + noise
    assert best_blend(policy, advantage, advantage > 0, size).error == pytest.approx(expected, rel=1e-9)


def test_where_pg_alone_and_the_gate_alone_are_best():
    p, n_arms = 0.5, 5
    turn = (1 - p) / (1 + (n_arms - 2) / (n_arms * p**2))
    for size in (1, 10, 1000):
        assert zero_price_blend(p, n_arms, 0.999 * turn, size) > 1 > zero_price_blend(p, n_arms, 1.001 * turn, size)
    policy, advantage = symmetric_arms(n_arms, p, 0.4)
    kept, dropped = (policy * advantage * gate @ (np.eye(n_arms) - policy) for gate in (advantage > 0, advantage < 0))
    second = np.sum(policy * (advantage < 0) * advantage**2 * np.sum((np.eye(n_arms) - policy) ** 2, axis=1))
    assert (dropped @ (kept + dropped) >= second) == (zero_price_blend(p, n_arms, 0.4, 3) >= 1)
    # A gate that drops what has no mean is best alone.
    policy, advantage = np.full(4, 0.25), np.array([1.0, 1.0, -0.5, -0.5])
    blend = best_blend(policy, np.array([0.0, 0.0, 1.0, -1.0]), [1.0, 1, 0.5, 0.5], 50)
    assert 0 < blend.weight < 1


def test_an_estimated_weight_by_hand():
    p, n_arms, b, size = 0.3, 5, 0.4, 10
    best = float(zero_price_blend(p, n_arms, b, size))
    guesses = [0.0, float(zero_price_blend(0.5, n_arms, b, size)), 0.0]
    spread = np.dot([0.49, 0.42, 0.09], (np.array(guesses) - best) ** 2)
    policy, advantage = symmetric_arms(n_arms, p, b)
    square = np.sum((policy * (advantage - policy @ advantage)) ** 2)
    expected = spread * best_blend(policy, advantage, advantage > 0, size).curvature / square
    assert estimated_blend_error(p, n_arms, b, size, 2) == pytest.approx(expected, rel=1e-10)
    many, few = (float(estimated_blend_error(p, n_arms, b, size, n)) for n in (4000, 1000))
    assert few / many == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: blend_weight(0.1, 1.0, 1.0, 2.0), "covariance must be at most √"),
        (lambda: blend_weight(0.0, 1.0, 1.0, 1.0), "the mean squared difference must be positive"),
        (lambda: best_blend([0.5, 0.5], [1, 0], [1, 1], 5), "the mean square of what is dropped must be positive"),
        (lambda: best_blend([0.5, 0.5], [1, 0], [1, 0.5], 5, soft=True, dropped_rate=0.5), "dropped_rate must be 1"),
        (lambda: zero_price_blend(0.3, 4, 0.0, 5), "baseline must be positive"),
        (lambda: estimated_blend_error(0.3, 4, 0.4, 5, 0), r"n_seen must be an integer in \[1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
