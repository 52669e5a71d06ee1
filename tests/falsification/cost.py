"""The inequalities of the claims on the cost of a step and on approximate delight."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from falsification.statements import context, refuted, states
from kondo_theory import approximate, cost
from kondo_theory.geometry import symmetric
from kondo_theory.geometry.cascade import cascade_gain, cascade_recall, cascade_window
from kondo_theory.geometry.decision_price import gaussian_gain, gaussian_price, two_point_gain, two_point_price


@states("step-cost", "a screened step is cheaper than the full one iff ρ < 1 − s/(1+c)")
def _step(rng):
    rate, c, s = rng.uniform(0.001, 1), rng.uniform(0, 5), rng.uniform(0, 1.5)
    cheaper = float(cost.step_cost(rate, c, "full")) - float(cost.step_cost(rate, c, screening_cost=s))
    return cheaper * math.copysign(1.0, 1 - s / (1 + c) - rate)


@states("step-cost", "fewer rows and shorter prefixes where keeps cluster, more rows under exactly-k")
def _rows(rng):
    rate, n_tokens, r = rng.uniform(0.005, 0.9), int(rng.integers(2, 60)), rng.uniform(0, 1)
    margins = [
        function(rate, n_tokens) - function(rate, n_tokens, r, clustering)
        for function in (cost.surviving_rows, cost.expected_prefix)
        for clustering in ("row", "run")
    ]
    n_rows = int(rng.integers(2, 20))
    kept = int(rng.integers(1, n_rows * n_tokens))
    exact = cost.surviving_rows_exact(n_rows, n_tokens, kept)
    return np.array([*margins, exact - cost.surviving_rows(kept / (n_rows * n_tokens), n_tokens)]) + 1e-10


@states("approximate-delight", "bounded errors decide exactly at zero price and outside the band at a price")
def _errors(rng):
    delta, price = rng.uniform(0, 0.999), rng.uniform(0.01, 2)
    chi = rng.normal(size=50) * rng.choice([1e-6, 1.0, 10.0])
    seen = chi * (1 + delta * rng.choice([-1.0, 1.0, rng.uniform(-1, 1)], 50))
    low, high = approximate.undecided_band(price, delta)
    outside = (chi < low) | (chi > high)
    wrong = np.sum((seen > 0) != (chi > 0)) + np.sum(((seen > price) != (chi > price)) & outside)
    k = int(rng.integers(1, 51))
    top = set(np.argsort(-chi)[:k]) & set(np.argsort(-seen)[:k])
    return np.array([-float(wrong), len(top) / k - approximate.guaranteed_recall(chi, k, delta)])


@states("approximate-delight", "noise costs at most half of PG's Var_⊥, and w± = Φ(±1/τ) for b > 0")
def _noise(rng):
    p, n_arms, b = context(rng, 3)
    tau = rng.uniform(0.05, 50)
    full = float(symmetric.pg_moments(p, n_arms, b).var_perpendicular)
    relative = approximate.noisy_weights(p, n_arms, b, tau, "relative")
    off = abs(float(relative[0]) - ndtr(1 / tau)) + abs(float(relative[1]) - ndtr(-1 / tau))
    half = 0.5 - float(approximate.noisy_moments(p, n_arms, b, tau).var_perpendicular) / full
    return np.array([half + 1e-12, 1e-12 - off])


@states("approximate-delight", "logits wrong by at most h: the surprisal is off by at most e^{2h} − 1")
def _logits(rng):
    n, h = int(rng.integers(2, 30)), rng.uniform(0.001, 1)
    z = rng.normal(size=n) * rng.uniform(0.1, 8)
    moved = z + rng.choice([-h, h], n)
    old, new = (np.logaddexp.reduce(x) - x for x in (z, moved))
    bound = float(approximate.surprisal_error_bound(h))
    return bound * (1 + 1e-9) + 1e-12 / np.maximum(old, 1e-12) - np.abs(new / np.maximum(old, 1e-300) - 1)


@refuted("approximate-delight", "w± = Φ(±1/τ) under relative noise for every baseline, b = 0 too")
def _noise_always(rng):
    tau, b = rng.uniform(0.5, 2), rng.choice([0.0, 0.5])
    return 1e-12 - abs(float(approximate.noisy_weights(0.3, 5, b, tau, "relative")[1]) - ndtr(-1 / tau))


@states("decision-price", "no price on the scores gains more than the best one, whatever the law and the error")
def _price(rng):
    c, mu, sigma, tau = rng.normal(), rng.normal(), rng.uniform(0.05, 3), rng.uniform(0.05, 3)
    law, other = (c, mu, sigma, tau), rng.normal() * 3
    gaussian = gaussian_gain(gaussian_price(*law), *law) - gaussian_gain(other, *law)
    at = (c, c + rng.uniform(0.01, 2), c - rng.uniform(0.01, 2), rng.uniform(0.01, 0.99), tau)
    return np.array([gaussian, two_point_gain(two_point_price(*at), *at) - two_point_gain(other, *at)]) + 1e-12


@refuted("decision-price", "the price c on raw scores gains over keeping nothing")
def _raw(rng):
    return gaussian_gain(1.0, 1.0, 0.0, 1.0, rng.uniform(0.8, 2))


@states(
    "cascade", "the window gains over scores alone and over exact delight for all, never more than that for nothing"
)
def _window(rng):
    law = (rng.normal(), rng.normal(), rng.uniform(0.1, 2), rng.uniform(0.05, 2))
    e = rng.uniform(0.001, 0.5)
    found, alone = cascade_gain(e, *law), gaussian_gain(gaussian_price(*law), *law)
    exact = gaussian_gain(law[0], *law[:3], 0.0)
    return np.array([found - alone, found - (exact - e), exact - found, 1 - cascade_recall(e, *law)]) + 1e-9


@refuted("cascade", "the exact delight always pays at the price")
def _pays(rng):
    return cascade_window(rng.uniform(0.01, 1), 1.0, rng.uniform(0.1, 1)) - 1e-12
