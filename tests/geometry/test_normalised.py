"""Divided by B, exactly k, divided by the kept: closed forms against enumerated batches, quadrature and sampling."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from kondo_theory.gate import Gate
from kondo_theory.geometry.counts import count_spread, inverse_count
from kondo_theory.geometry.exact_rate import exact_rate_moments, price_weights, variance_gap
from kondo_theory.geometry.normal_rewards import normal_exact_moments, normal_kept, normal_price
from kondo_theory.geometry.normalised import (
    exact_batch_moments,
    exact_moments,
    kept_gradient,
    normalised_moments,
    price_moments,
)
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.moments import gradient_moments

POLICY = np.array([0.5, 0.3, 0.2])
PHI = np.eye(3) - POLICY
# Three arms, the first of which pays one of two rewards: four kinds of samples, by descending score; two of them tie.
ARM, PAID = np.array([0, 1, 2, 0]), np.array([0.8, -0.4, 0.6, -0.3])
MASS, SCORE = np.array([0.2, 0.3, 0.2, 0.3]), np.array([2.0, 1.0, 1.0, 0.0])
NOISY = (np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.5, -0.2, 0.1, -0.4]), np.array([0.4, 0.3, 0.6, 0.5]))
FIELDS = ("signal", "perpendicular_bias", "var_parallel", "var_perpendicular")


def by_arm(values):
    """Means over the kinds of samples of each arm, (..., 3)."""
    own = np.arange(3)[:, None] == ARM
    return values @ (own * MASS / POLICY[:, None]).T


def kept_of(keep, **more):
    """The closed form's input for gate probabilities (..., 4) of the kinds."""
    return kept_gradient(POLICY, by_arm(keep), by_arm(keep * PAID), by_arm(keep * PAID**2), **more)


def keep_at_rate(rates):
    """Gate probabilities (n, 4) of the best share; the two kinds that tie are one atom."""
    starts, masses = np.array([0.0, 0.2, 0.2, 0.7]), np.array([0.2, 0.5, 0.5, 0.3])
    return np.clip((np.asarray(rates)[..., None] - starts) / masses, 0, 1)


def moments_of(gradients, chances, batch, direction):
    """Signal, bias and per-sample variances along and across u of gradients (n, 3) with their probabilities."""
    assert abs(chances.sum() - 1) < 1e-14
    along = gradients @ direction
    across = gradients - along[:, None] * direction
    mean, middle = chances @ along, chances @ across
    scatter = batch * (chances @ (along - mean) ** 2), batch * (chances @ ((across - middle) ** 2).sum(axis=1))
    return mean, np.linalg.norm(middle), *scatter


def drawn_batches(batch, keep):
    """All batches of kinds with all outcomes of their gates: kinds (n, B), kept (n, B) and probabilities (n,)."""
    kinds = np.array(list(itertools.product(range(4), repeat=batch)))
    gates = np.array(list(itertools.product((False, True), repeat=batch)))
    each = np.where(gates[None], keep[kinds][:, None], 1 - keep[kinds][:, None]).prod(axis=-1)
    chances = (MASS[kinds].prod(axis=-1)[:, None] * each).ravel()
    shape = (len(kinds), len(gates), batch)
    return np.broadcast_to(kinds[:, None], shape).reshape(-1, batch), np.tile(gates, (len(kinds), 1)), chances


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("keep", [[1.0, 0.4, 0.4, 0.0], [0.9, 0.2, 0.7, 0.05]], ids=["price in an atom", "soft"])
def test_a_gate_sample_by_sample_against_every_batch(batch, keep):
    keep = np.array(keep)
    kept = kept_of(keep)
    kinds, gates, chances = drawn_batches(batch, keep)
    sums = np.einsum("nb,nbk->nk", gates * PAID[kinds], PHI[ARM[kinds]])
    count = gates.sum(axis=1)
    for found, divided in (
        (price_moments(kept), sums / batch),
        (normalised_moments(kept, batch), float(kept.rate) * sums / np.maximum(count, 1)[:, None]),
    ):
        expected = moments_of(divided, chances, batch, kept.direction)
        np.testing.assert_allclose([getattr(found, field) for field in FIELDS], expected, rtol=1e-12, atol=1e-14)
    h = chances @ np.where(count > 0, kept.rate * batch / np.maximum(count, 1), 0.0)
    np.testing.assert_allclose(inverse_count(kept.rate, batch), h, rtol=1e-12)


@pytest.mark.parametrize(("batch", "n_kept"), [(2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3)])
def test_exactly_k_against_every_batch_with_ties(batch, n_kept):
    kinds = np.array(list(itertools.product(range(4), repeat=batch)))
    chances, gradients = [], []
    for draw in kinds:
        places = [p for p in itertools.permutations(range(batch)) if np.all(np.diff(SCORE[draw[list(p)]]) <= 0)]
        for place in places:  # every order of the tied is as likely
            best = draw[list(place[:n_kept])]
            gradients.append(PAID[best] @ PHI[ARM[best]] / batch)
            chances.append(MASS[draw].prod() / len(places))
    direction = kept_of(keep_at_rate(n_kept / batch)).direction
    expected = moments_of(np.array(gradients), np.array(chances), batch, direction)
    found = exact_batch_moments(
        lambda rates, along: kept_of(keep_at_rate(rates), direction=along),
        batch,
        n_kept,
        direction=direction,
        breaks=[0.2, 0.7],
    )
    np.testing.assert_allclose([getattr(found, field) for field in FIELDS], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rate", [0.03, 0.2, 0.6])
def test_a_price_gate_as_the_moments_of_any_gate(rate):
    policy, advantage, noise = NOISY
    kept = normal_kept(policy, advantage, noise, rate)
    cut = normal_price(policy, advantage, noise, rate) / -np.log(policy)
    ends = (cut - advantage) / noise
    parts = [
        [
            quad(lambda x, p=p, a=a: (advantage[a] + noise[a] * x) ** p * norm.pdf(x), ends[a], np.inf)[0]
            for a in range(4)
        ]
        for p in range(3)
    ]
    np.testing.assert_allclose(policy @ parts[0], rate, rtol=1e-10)
    exact = gradient_moments(policy, 1.0, parts[1], parts[2], direction=kept.direction)
    found = price_moments(kept)
    for field in ("signal", "var_parallel", "var_perpendicular"):
        np.testing.assert_allclose(getattr(found, field), getattr(exact, field), rtol=1e-8)
    assert found.perpendicular_bias < 1e-14


@pytest.mark.parametrize(("below", "sigma"), [(3.27, 0.12), (3.8, 0.1), (4.09, 0.15), (4.56, 0.12), (6.0, 0.1)])
def test_an_arm_that_is_hardly_ever_kept_adds_nothing(below, sigma):
    """Far up its tail the moments of what is kept are small differences of large numbers, and squares underflow."""
    law = {"noise": np.full(2, sigma), "rate": 0.3, "direction": np.array([1.0, 0.5])}
    found, never = (price_moments(normal_kept(np.full(2, 0.5), np.array([0.0, -m]), **law)) for m in (below, 50.0))
    assert found.signal == pytest.approx(never.signal, rel=1e-9)
    assert found.var_parallel == pytest.approx(never.var_parallel, rel=1e-9)


def test_the_mean_at_the_price_is_the_slope_of_what_is_kept():
    rate, step = 0.1, 1e-5
    kept = [normal_kept(*NOISY, rate + side * step) for side in (-1, 0, 1)]
    slope = (kept[2].rate[..., None] * kept[2].mean - kept[0].rate[..., None] * kept[0].mean) / (2 * step)
    np.testing.assert_allclose(kept[1].at_price, slope, rtol=1e-7, atol=1e-9)


def test_exact_k_tends_to_its_limit_as_one_over_the_batch():
    rate = 0.1
    limit = exact_moments(normal_kept(*NOISY, rate))
    for field in ("var_parallel", "var_perpendicular"):
        left = [
            batch * (getattr(normal_exact_moments(*NOISY, batch, round(rate * batch)), field) - getattr(limit, field))
            for batch in (1_000, 2_000, 4_000)
        ]
        assert abs(left[0]) > 1e-3, "there is something to fall"
        np.testing.assert_allclose(left[0], left[1:], rtol=0.02)


@pytest.mark.parametrize(("p", "rate"), [(0.5, 0.25), (0.2, 0.5), (0.6, 0.8)])
def test_inside_an_atom_the_gap_is_that_of_the_symmetric_context(p, rate):
    b, n_arms = 0.25, 6
    policy, advantage = symmetric_arms(n_arms, p, b)
    plus, minus = price_weights(p, rate)
    keep = np.where(np.arange(n_arms) == 0, plus, minus)
    tied = policy * ((np.arange(n_arms) == 0) == (rate < p))
    kept = kept_gradient(policy, keep, keep * advantage, keep * advantage**2, at_price=tied / tied.sum() * advantage)
    price, exact = price_moments(kept), exact_moments(kept)
    gap = price.var_parallel - exact.var_parallel
    np.testing.assert_allclose(gap, variance_gap(p, n_arms, b, rate), rtol=1e-10)
    np.testing.assert_allclose(price.var_perpendicular, exact.var_perpendicular, rtol=1e-10, atol=1e-14)
    finite = exact_rate_moments(p, n_arms, b, 20_000, round(rate * 20_000))
    np.testing.assert_allclose(exact.var_parallel, finite.var_parallel, rtol=1e-4, atol=1e-12)


def test_sampled_batches():
    """The three estimators on one set of batches; the wrong coefficient, m in place of ḡ, is far off."""
    policy, advantage, noise = NOISY
    batch, rate, n = 20, 0.2, 40_000
    rng = np.random.default_rng(1)
    arms = rng.choice(4, size=(n, batch), p=policy)
    paid = advantage[arms] + noise[arms] * rng.normal(size=(n, batch))
    scores = paid * -np.log(policy)[arms]
    kept = normal_kept(policy, advantage, noise, rate)
    gates = [Gate(price=float(normal_price(policy, advantage, noise, rate))), Gate(rate=rate)]
    masks = [gate(scores, rng) for gate in gates]
    sums = [np.stack([((arms == a) * mask * paid).sum(axis=1) for a in range(4)], axis=1) for mask in masks]
    sums = [each - each.sum(axis=1, keepdims=True) * policy for each in sums]
    count = masks[0].sum(axis=1)
    estimates = (sums[0] / batch, rate * sums[0] / np.maximum(count, 1)[:, None], sums[1] / batch)
    closed = (price_moments(kept), normalised_moments(kept, batch), normal_exact_moments(*NOISY, batch, 4))
    for gradients, exact in zip(estimates, closed, strict=True):
        along = gradients @ kept.direction
        assert abs(along.mean() - exact.signal) < 4 * along.std() / math.sqrt(n)
        squares = batch * (along - along.mean()) ** 2
        assert abs(squares.mean() - exact.var_parallel) < 4 * squares.std() / math.sqrt(n)
        wrong = exact_moments(kept).var_parallel
        if exact is closed[1]:
            assert abs(squares.mean() - wrong) > 10 * squares.std() / math.sqrt(n)


def test_the_kept_count():
    for rate, batch in ((0.03, 100), (0.5, 7), (1.0, 9)):
        inside = quad(lambda t, r=rate, n=batch: ((1 - r + r * t) ** n - (1 - r) ** n) / t, 0, 1)[0]
        np.testing.assert_allclose(inverse_count(rate, batch), rate * batch * inside, rtol=1e-10)
    assert inverse_count(0.1, np.inf) == 1
    many = inverse_count(0.01, [9_900_000, 101_000_000]) - 1  # to either side of where the expansion begins
    np.testing.assert_allclose(many, [1.00002010162e-5, 9.8019995109e-7], rtol=1e-9)
    np.testing.assert_allclose(inverse_count(3e-12, 10**12), inverse_count(3e-6, 10**6), rtol=1e-5)
    assert inverse_count(0.3, 10**15) == pytest.approx(1 + 0.7 / 0.3e15, abs=1e-15)
    np.testing.assert_allclose(inverse_count(0.25, 4000) - 1, count_spread(0.25, 4000) ** 2, rtol=3e-3)
    np.testing.assert_allclose(count_spread(0.03, 100), 0.5686, atol=5e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kept_gradient([0.5, 0.5], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]), "the rate must be positive, got 0.0"),
        (
            lambda: kept_gradient([0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [1.0, 1.0]),
            "second must be at least first²/keep",
        ),
        (
            lambda: kept_gradient([0.5, 0.5], 1.0, [1.0, 1.0], [1.0, 1.0]),
            "the length of the direction must be positive",
        ),
        (lambda: normal_kept([0.5, 0.5], [1.0, 0.0], 0.0, 0.1), r"noise must be in \(0, inf\), got 0.0"),
        (lambda: normal_kept([1.0, 0.0], [1.0, 0.0], 1.0, 0.1), "policy must be positive, got 0.0"),
        (lambda: normal_price([0.5, 0.5], [1.0, 0.0], 1.0, 1.0), r"rate must be in \(0, 1\), got 1.0"),
        (
            lambda: normal_exact_moments(*NOISY, 10, 10),
            r"n_kept must be an integer in \[1, 9\], got 10.0",
        ),
        (lambda: inverse_count(0.1, 2.5), "batch_size must be an integer ≥ 1 or ∞, got 2.5"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
