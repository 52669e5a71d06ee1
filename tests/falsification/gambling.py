"""The inequalities of the claims on the gamble."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import FloatArray, probability, refuted, states
from kondo_theory import gambling
from kondo_theory.gambling import noise_aware, noisy_contexts
from kondo_theory.gambling.equal_noise import equal_noise_drift, equal_noise_fixed_point, equal_noise_top_rate_drift
from kondo_theory.gambling.top_rate import corner_noise_ratio, top_rate_drift, top_rate_points


@states("gambling-false-positives", "below ½e^{−(1−x)²/2r²}, and increasing in x and r")
def _false_positives(rng):
    x, r = float(probability(rng)), math.exp(rng.uniform(-2, 4))
    at = float(gambling.false_positive_probability(x, r))
    more = (
        float(gambling.false_positive_probability(x + (1 - x) / 2, r)),
        float(gambling.false_positive_probability(x, 1.5 * r)),
    )
    return np.array([0.5 * math.exp(-((1 - x) ** 2) / (2 * r * r)) * (1 + 1e-12) - at, more[0] - at, more[1] - at])


def _one_zero(values: FloatArray) -> float:
    """Return 1 where a drift changes its sign at most once, from negative to positive, else −1."""
    signs = np.sign(values[np.abs(values) > 1e-12])
    return 1.0 if np.all(np.diff(signs) >= 0) else -1.0


GRID = 1 / (1 + np.exp(-np.linspace(-30, 12, 400)))


@states("gambling-fixed-point", "one stable zero for r < √(2π); none, and a negative drift, beyond")
def _fixed_point(rng):
    r = math.exp(rng.uniform(-1.5, 2))
    speed = gambling.drift(GRID, r)
    return np.array([_one_zero(speed), 1.0 if r < math.sqrt(2 * math.pi) else -float(speed.max())])


@states("gambling-dg-floor", "DG has one zero for every r and η")
def _dg_floor(rng):
    return _one_zero(gambling.drift(GRID, math.exp(rng.uniform(-1.5, 3)), "dg", math.exp(rng.uniform(-3, 3))))


@states("gambling-top-rate", "the corner repels below 1/φ(Φ⁻¹(1−ρ)), attracts above; the lowest point is a floor")
def _top_rate(rng):
    rate, x = rng.uniform(0.01, 0.99), 1 - 1e-9
    r = float(corner_noise_ratio(rate)) * math.exp(rng.uniform(-0.5, 0.5))
    side = math.copysign(1.0, float(corner_noise_ratio(rate)) - r) * float(top_rate_drift(x, r, rate))
    points = top_rate_points(r, rate)
    return np.array([side + 1e-6, 1.0 if not points or points[0].stable else -1.0])


@states("gambling-top-rate", "up to ρ = 1/2 a smaller rate has the higher floor at small r and resists longer")
def _rates(rng):
    low, high = np.sort(rng.uniform(0.01, 0.5, 2))
    r = rng.uniform(0.05, 0.2)
    floors = [top_rate_points(r, float(rate))[0].x for rate in (low, high)]
    return np.array([floors[0] - floors[1], corner_noise_ratio(low) - corner_noise_ratio(high)]) + 1e-300


@states("equal-noise", "zero price drifts to the better arm; DG's one floor lies below 1/2; x = 1 repels at a rate")
def _equal(rng):
    x, r, eta = float(probability(rng)), math.exp(rng.uniform(-2, 3)), math.exp(rng.uniform(-2, 2))
    floor = equal_noise_fixed_point(r, "dg", eta)
    repels = float(equal_noise_top_rate_drift(1 - 1e-7, r, rng.uniform(0.01, 0.99)))
    dg = _one_zero(equal_noise_drift(GRID, r, "dg", eta))
    return np.array([float(equal_noise_drift(x, r)) + 1e-12, 0.5 - (floor or 0.0), repels + 1e-9, dg])


@states("noise-aware-gate", "f > 0 by |advantage| and by a second draw; a margin lowers the floor, up to its noise")
def _noise_aware(rng):
    r, rate, kappa = math.exp(rng.uniform(-2, 4)), rng.uniform(0.005, 1.0), rng.uniform(0.0, 2.0)
    floors = [noise_aware.margin_fixed_point(r, margin) for margin in (kappa, kappa + 0.5)]
    speed, critical = noise_aware.margin_drift(GRID, r, kappa), float(noise_aware.margin_critical_noise_ratio(kappa))
    lower = 1.0 if floors[0] is None else floors[0] - (floors[1] or math.inf)
    return np.array(
        [
            np.min(noise_aware.extremes_drift(GRID, r, rate)),
            np.min(noise_aware.second_draw_drift(GRID, r)),
            _one_zero(speed),
            1.0 if r < critical else -float(speed.max()),
            lower,
        ]
    )


def _bids(rng, most):
    """Return what noisy contexts take by delight, and by |advantage|, less what they take once they are learnt.

    Rates go up to ``most`` times the share of positive advantages.
    """
    s, noise, clean = rng.uniform(0.1, 0.9), math.exp(rng.uniform(-1, 2)), rng.uniform(0.2, 0.8)
    rate = min(1.0, most * (s / 2 + (1 - s) * clean)) * rng.uniform(0.02, 1.0)
    mass, mean = np.array([s, (1 - s) * clean, (1 - s) * (1 - clean)]), np.array([0.0, 1 - clean, -clean])
    lost = []
    for rule in ("delight", "abs-advantage"):
        taken = []
        for surprisal in (0.7, 0.05):
            ell = np.array([surprisal, -math.log(clean), -math.log1p(-clean)])
            taken.append(s * noisy_contexts.shared_budget(mass, mean, [noise, 0, 0], ell, rate, rule).kept[0])
        lost.append(float(taken[0] - taken[1]))
    return lost


@states("gambling-transformer", "at a price above 0 learning lowers a bid by delight, and by |advantage| never")
def _noisy_contexts(rng):
    by_delight, by_size = _bids(rng, 0.99)
    x, price, noise = float(probability(rng)), math.exp(rng.uniform(-6, 0)), math.exp(rng.uniform(-1, 2))
    floor = float(noisy_contexts.priced_gamble_floor(price))
    below = float(noisy_contexts.priced_gamble_drift(x * floor * (1 - 1e-9), noise, price))
    return np.array([by_delight + 1e-9, 1e-9 - abs(by_size), 1e-300 - below])


@refuted("gambling-transformer", "at any rate learning lowers a bid by delight")
def _any_rate(rng):
    return _bids(rng, 10.0)[0] + 1e-9


@states("gambling-transformer", "clean contexts get nothing if and only if the noise is above the one that shuts out")
def _shut_out(rng):
    rule = ("delight", "advantage", "abs-advantage")[int(rng.integers(3))]
    s, p, ell = rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.8), rng.uniform(0.05, 1.0)
    rate = s * rng.uniform(0.02, 0.45)
    scores = {"delight": -(1 - p) * math.log(p), "advantage": 1 - p, "abs-advantage": max(p, 1 - p)}
    unit = scores[rule] / (ell if rule == "delight" else 1.0)
    critical = float(noisy_contexts.shut_out_noise(rate, s, rule)) * unit
    clean = []
    for noise in (0.98 * critical, 1.02 * critical):
        mass, mean = np.array([s, (1 - s) * p, (1 - s) * (1 - p)]), np.array([0.0, 1 - p, -p])
        ells = np.array([ell, -math.log(p), -math.log1p(-p)])
        found = noisy_contexts.shared_budget(mass, mean, [noise, 0, 0], ells, rate, rule)
        clean.append(float(mass[1:] @ found.kept[1:]))
    return np.array([clean[0] - 1e-9, 1e-9 - clean[1]])
