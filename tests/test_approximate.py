"""Noisy delight against quadrature, bounded errors against adversaries."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from kondo_theory import approximate
from kondo_theory.approximate import (
    delight_scale,
    gaussian_recall,
    guaranteed_recall,
    noisy_keep,
    noisy_moments,
    noisy_rate,
    noisy_weights,
    rms_cosine,
    surprisal_error_bound,
    top_rate_recall,
    undecided_band,
)
from kondo_theory.moments import gradient_moments


def explicit(p, n_arms, baseline):
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    advantage = np.where(np.arange(n_arms) == 0, 1.0, 0.0) - baseline
    return policy, advantage, -advantage * np.log(policy)


@pytest.mark.parametrize(
    ("kind", "noise", "price"), [("additive", 0.7, 0.0), ("relative", 0.5, 0.0), ("additive", 2, 0.4)]
)
@pytest.mark.parametrize(("p", "n_arms", "baseline"), [(0.1, 10, 0.5), (0.8, 3, 0.2), (0.5, 2, 0.9)])
def test_moments_against_quadrature_over_the_noise(p, n_arms, baseline, kind, noise, price):
    policy, advantage, delight = explicit(p, n_arms, baseline)
    scores = np.eye(n_arms) - policy
    direction = scores[0] / np.linalg.norm(scores[0])
    scale = noise * np.abs(delight) if kind == "relative" else np.full(n_arms, noise)
    keep = np.array(
        [
            integrate.quad(stats.norm.pdf, (price - chi) / s, np.inf, epsabs=1e-13)[0]
            for chi, s in zip(delight, scale, strict=True)
        ]
    )
    mean = (policy * keep * advantage) @ scores
    along = scores @ direction
    second = policy @ (keep * advantage**2 * along**2)
    total = policy @ (keep * advantage**2 * (scores**2).sum(axis=1))
    found = noisy_moments(p, n_arms, baseline, noise, kind, price=price)
    assert found.signal == pytest.approx(mean @ direction, rel=1e-9)
    assert found.var_parallel == pytest.approx(second - (mean @ direction) ** 2, rel=1e-9)
    assert found.var_perpendicular == pytest.approx(total - second, rel=1e-9, abs=1e-14)
    assert noisy_rate(p, n_arms, baseline, noise, kind, price=price) == pytest.approx(policy @ keep, rel=1e-9)
    general = gradient_moments(policy, advantage, keep, keep)
    assert found.var_parallel == pytest.approx(general.var_parallel, rel=1e-9)
    spread = np.sqrt(policy @ delight**2 - (policy @ delight) ** 2)
    assert delight_scale(p, n_arms, baseline) == pytest.approx(spread, rel=1e-12)


def test_limits_of_the_noise():
    assert noisy_weights(0.3, 5, 0.4, 0.0) == (1.0, 0.0)
    right, wrong = noisy_weights(0.3, 5, 0.4, 1e9)
    assert right == pytest.approx(0.5, abs=1e-8)
    assert wrong == pytest.approx(0.5, abs=1e-8)
    for p, b in ((0.01, 0.1), (0.9, 0.7)):
        assert noisy_weights(p, 5, b, 0.5, "relative") == pytest.approx((stats.norm.cdf(2), stats.norm.cdf(-2)))
    assert noisy_weights(0.3, 5, 0.0, 0.5)[1] == 0.5  # χ = 0: half pass, and carry no gradient
    assert noisy_weights(0.3, 5, 0.0, 0.5, "relative")[1] == 0.0
    assert noisy_keep([1.0, 0.0, -1.0], 0.0).tolist() == [1.0, 0.0, 0.0]
    plain = noisy_moments(0.3, 5, 0.4, 0.0)
    assert plain.var_perpendicular == 0.0
    assert rms_cosine(plain, 10) == 1.0


@pytest.mark.parametrize("rate", [1e-4, 0.03, 0.5, 0.97])
@pytest.mark.parametrize("noise", [0.01, 0.5, 4.0])
def test_gaussian_recall_against_quadrature(rate, noise):
    with mpmath.workdps(30):
        sharp, tau = mpmath.mpf(rate), mpmath.mpf(noise)
        z = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * sharp)
        cut = z * mpmath.sqrt(1 + tau**2)
        bends = [z, *sorted(x for x in (cut - 8 * tau, cut, cut + 8 * tau) if x > z), max(z, cut) + 40]
        both = mpmath.quad(lambda x: mpmath.npdf(x) * mpmath.ncdf((x - cut) / tau), bends)
    assert gaussian_recall(rate, noise) == pytest.approx(float(both / sharp), abs=1e-10)


def test_gaussian_recall_at_its_ends():
    assert gaussian_recall([0.03, 0.5], 0.0) == pytest.approx([1.0, 1.0])
    assert gaussian_recall([0.03, 0.5], np.inf) == pytest.approx([0.03, 0.5])
    assert np.all(np.diff(gaussian_recall(0.1, np.linspace(0, 9, 30))) < 0)


@pytest.mark.parametrize("kind", approximate.NOISES)
def test_recall_of_atoms_against_sampling_free_bisection(kind):
    atoms, masses = np.array([2.0, 0.5, 0.5, -1.0]), np.array([0.05, 0.1, 0.25, 0.6])
    rate, noise = 0.2, 0.4
    recall, price = top_rate_recall(atoms, masses, rate, noise, kind)
    scale = noise * np.abs(atoms) if kind == "relative" else noise
    keep = stats.norm.sf((price - atoms) / scale)
    assert masses @ keep == pytest.approx(rate, abs=1e-13)
    exact = np.array([0.05, 0.15 * 0.1 / 0.35, 0.15 * 0.25 / 0.35, 0.0])  # the tied atoms share what is left
    assert recall == pytest.approx(exact @ keep / rate, rel=1e-12)


def test_recall_of_many_atoms_tends_to_the_gaussian():
    atoms = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    recall, _ = top_rate_recall(atoms, np.full(20_000, 1 / 20_000), 0.1, 0.5)
    assert recall == pytest.approx(gaussian_recall(0.1, 0.5), abs=1e-4)


def test_no_relative_error_below_one_changes_zero_price():
    rng = np.random.default_rng(6)
    delight = np.concatenate([rng.standard_normal(10_000), [0.0, 1e-300, -1e-300]])
    for sign in (-1.0, 1.0):  # the two worst errors
        seen = delight * (1 + sign * (1 - 1e-9))
        assert np.array_equal(seen > 0, delight > 0)
    assert not np.array_equal(delight * (1 - 1.0) > 0, delight > 0)


def test_a_price_is_decided_wrongly_only_in_the_band_and_rates_keep_what_is_guaranteed():
    rng = np.random.default_rng(7)
    delta, price = 0.3, 0.8
    delight = rng.normal(0.3, 1, 500)
    low, high = undecided_band(price, delta)
    outside = (delight < low) | (delight > high)
    for _ in range(20):
        seen = delight * (1 + delta * rng.choice([-1, 1], 500))
        assert np.array_equal((seen > price)[outside], (delight > price)[outside])
    assert np.any((delight * (1 - delta) > price) != (delight > price))
    for chi, k in ((rng.normal(0.3, 1, 7), 3), (-rng.random(6) - 0.1, 2), (rng.normal(0, 1, 6), 5)):
        bound = guaranteed_recall(chi, k, delta)
        top = set(np.argsort(-chi)[:k])
        worst = min(
            len(top & set(np.argsort(-(chi * (1 + delta * np.array(signs))))[:k])) / k
            for signs in itertools.product((-1, 0, 1), repeat=len(chi))
        )
        assert bound <= worst + 1e-12
    assert guaranteed_recall(np.arange(1.0, 11), 3, 0.0) == pytest.approx(2 / 3)  # the k-th itself is not counted
    assert guaranteed_recall(10.0 ** np.arange(6), 3, 0.5) == pytest.approx(2 / 3)


def test_logit_errors_are_bounded_relative_errors_of_the_surprisal():
    rng = np.random.default_rng(8)
    largest = 0.0
    for _ in range(2_000):
        logits = rng.normal(0, rng.choice([0.1, 2, 20]), 5)
        shift = 0.2 * rng.choice([-1, 1], 5)
        exact, seen = (np.log1p(np.exp(z[1:] - z[0]).sum()) for z in (logits, logits + shift))
        if exact > 0:
            largest = max(largest, abs(seen / exact - 1))
    assert 0.4 < largest <= surprisal_error_bound(0.2) + 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noisy_keep(1.0, -1.0), r"noise must be in \[0, inf\), got -1.0"),
        (lambda: noisy_keep(1.0, 1.0, "pink"), "kind must be one of additive, relative, got 'pink'"),
        (lambda: noisy_weights(0.5, 3, 1.0, 0.1), r"baseline must be in \[0, 1\), got 1.0"),
        (lambda: gaussian_recall(0.0, 1.0), r"rate must be in \(0, 1\), got 0.0"),
        (lambda: top_rate_recall([1.0, 0.0], [0.5, 0.5], 0.1, 0.5, "relative"), "delight must be nonzero"),
        (lambda: top_rate_recall([1.0], [0.5, 0.5], 0.1, 0.5), "vectors of one length"),
        (lambda: undecided_band(1.0, 1.0), r"relative_error must be in \[0, 1\), got 1.0"),
        (lambda: guaranteed_recall([1.0, 2.0], 3, 0.1), r"n_kept must be an integer in \[1, 2\], got 3.0"),
        (lambda: guaranteed_recall([1.0, 2.0], 1.5, 0.1), r"n_kept must be an integer in \[1, 2\], got 1.5"),
        (lambda: surprisal_error_bound(-1.0), r"logit_error must be in \[0, inf\), got -1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
