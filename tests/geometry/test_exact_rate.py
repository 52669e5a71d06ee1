"""Exact-k selection in closed form, against enumeration of whole batches and against its limits."""

import itertools
import math

import numpy as np
import pytest

from kondo_theory.gate import select_exactly
from kondo_theory.geometry.exact_rate import ORDERS, exact_rate_moments, finite_rate_value, kept_successes
from kondo_theory.geometry.quality_cost import rate_value
from kondo_theory.geometry.symmetric import pg_moments, symmetric_moments

SCORES = {"correct-first": (1.0, 0.0), "wrong-first": (0.0, 1.0), "tie": (0.0, 0.0), "correct-only": (0.0, -np.inf)}


def enumerate_moments(p, n_arms, b, batch, n_kept, order):
    """Signal, B·Var_∥ and B·Var_⊥ over every batch of arms and every order of tie-breakers."""
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    phi = np.eye(n_arms) - policy
    direction = phi[0] / np.linalg.norm(phi[0])
    advantage = np.where(np.arange(n_arms) == 0, 1 - b, -b)
    scores = np.where(np.arange(n_arms) == 0, *SCORES[order])
    orders = np.array(list(itertools.permutations(range(batch))), dtype=float)
    mean = second = total = 0.0
    for draw in itertools.product(range(n_arms), repeat=batch):
        arms = np.array(draw)
        kept = select_exactly(np.broadcast_to(scores[arms], orders.shape).copy(), n_kept, orders)
        gradient = (kept.astype(float) @ (advantage[arms][:, None] * phi[arms])) / batch
        weight = policy[arms].prod() / len(orders)
        mean += weight * (gradient @ direction).sum()
        second += weight * ((gradient @ direction) ** 2).sum()
        total += weight * (gradient**2).sum()
    return mean, batch * (second - mean**2), batch * (total - second)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("n_arms", "batch"), [(2, 4), (3, 4), (4, 3)])
def test_every_batch_enumerated(order, n_arms, batch):
    for n_kept in range(1, batch + 1):
        for p, b in ((0.2, 0.5), (0.7, 0.25)):
            exact = exact_rate_moments(p, n_arms, b, batch, n_kept, order)
            found = exact.signal, exact.var_parallel, exact.var_perpendicular
            expected = enumerate_moments(p, n_arms, b, batch, n_kept, order)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_kept_successes_against_the_distribution(order):
    for p, batch, n_kept in itertools.product((0.03, 0.5, 0.99), (1, 7, 40), (1, 7, 23, 40)):
        if n_kept > batch:
            continue
        size = n_kept if order == "tie" else batch
        masses = [math.comb(size, n) * p**n * (1 - p) ** (size - n) for n in range(size + 1)]
        kept = {
            "tie": lambda n, k, B: n,
            "wrong-first": lambda n, k, B: k - min(B - n, k),
        }.get(order, lambda n, k, B: min(n, k))
        mean = sum(m * kept(n, n_kept, batch) for n, m in enumerate(masses))
        variance = sum(m * (kept(n, n_kept, batch) - mean) ** 2 for n, m in enumerate(masses))
        found = kept_successes(p, batch, n_kept, order)
        np.testing.assert_allclose((found.mean, found.variance), (mean, variance), rtol=1e-10, atol=1e-13)
        failures = 0.0 if order == "correct-only" else n_kept - mean
        np.testing.assert_allclose(found.mean_failures, failures, rtol=1e-10, atol=1e-13)


def test_keeping_everything_is_pg():
    p = np.array([1e-9, 0.3, 1 - 1e-9])
    everything = exact_rate_moments(p, 10, "value", 30, 30)
    plain = pg_moments(p, 10, "value")
    for field in ("signal", "var_parallel", "var_perpendicular"):
        np.testing.assert_allclose(getattr(everything, field), getattr(plain, field), rtol=1e-9)


@pytest.mark.parametrize(("p", "rate"), [(0.5, 0.25), (0.2, 0.5)])
def test_large_batches_agree_with_the_price_in_signal_and_across_but_not_along(p, rate):
    b, batch = 0.25, 20_000
    exact = exact_rate_moments(p, 10, b, batch, round(rate * batch))
    weights = min(1.0, rate / p), max(0.0, (rate - p) / (1 - p))
    price = symmetric_moments(p, 10, b, *weights, bernoulli=True)
    np.testing.assert_allclose(exact.signal, price.signal, rtol=1e-6)
    np.testing.assert_allclose(exact.var_perpendicular, price.var_perpendicular, rtol=1e-6, atol=1e-15)
    if rate < p:
        gap = 10 / 9 * (1 - b) ** 2 * (1 - p) ** 2 * rate * (1 - rate)
        assert exact.var_parallel < 1e-100
    else:
        gap = 10 / 9 * (1 - rate) * b * p * ((rate - 2 * p) * b * p + 2 * p * (1 - b) * (1 - p))
    np.testing.assert_allclose(price.var_parallel - exact.var_parallel, gap, rtol=1e-6)


def test_the_value_of_a_rate_approaches_its_limit_from_below():
    chi, mass = np.array([0.0, 2.0, -1.5, 0.7]), np.array([0.2, 0.1, 0.4, 0.3])
    rates = np.array([0.05, 0.1, 0.25, 0.5, 0.9, 1.0])
    limit = rate_value(chi, mass, rates).value
    previous = np.full(rates.shape, -np.inf)
    for batch in (20, 200, 20_000):
        value = finite_rate_value(chi, mass, batch, np.round(rates * batch))
        assert np.all(value <= limit + 1e-12)
        assert np.all(value >= previous - 1e-12)
        previous = value
    np.testing.assert_allclose(previous, limit, atol=0.01)


def test_the_value_of_a_rate_by_enumeration():
    chi, mass, batch = np.array([0.0, 2.0, -1.5]), np.array([0.2, 0.1, 0.7]), 4
    for n_kept in range(1, batch + 1):
        expected = sum(
            mass[list(draw)].prod() * np.sort(chi[list(draw)])[::-1][:n_kept].sum() / batch
            for draw in itertools.product(range(3), repeat=batch)
        )
        np.testing.assert_allclose(finite_rate_value(chi, mass, batch, n_kept), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, 10, 11), "n_kept must be an integer from 1 to batch_size, got 11.0"),
        ((0.5, 10, 2.5), "n_kept must be an integer from 1 to batch_size, got 2.5"),
        ((0.5, 0, 1), "batch_size must be an integer ≥ 1, got 0.0"),
        ((1.0, 10, 1), r"p_correct must be in \(0, 1\), got 1.0"),
        ((0.5, 10, 1, "best"), "order must be one of"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        kept_successes(*arguments)


def test_refusal_of_shapes():
    with pytest.raises(ValueError, match="vectors of one length"):
        finite_rate_value([1.0, 0.0], [1.0], 10, 1)
