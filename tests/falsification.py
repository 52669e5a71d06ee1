"""The inequalities of the claims as functions of random parameters: each returns margins that must not be negative.

``STATEMENTS`` are what the claims say, at points drawn over their whole regime; ``REFUTED`` are stronger statements
that were once made or suggest themselves, and that random points do refute: they show that the search can find.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from kondo_theory import approximate, contexts, cost, gambling
from kondo_theory.claims import CLAIMS
from kondo_theory.gambling.equal_noise import equal_noise_drift, equal_noise_fixed_point, equal_noise_top_rate_drift
from kondo_theory.gambling.top_rate import corner_noise_ratio, top_rate_drift, top_rate_points
from kondo_theory.geometry import alignment, exact_rate, graded, symmetric
from kondo_theory.geometry.learning import learning_time
from kondo_theory.geometry.quality_cost import frontier, rate_value
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.moments import gradient_moments
from kondo_theory.screening import RULES, additive_threshold, screen_context
from kondo_theory.token_trap import drift, low_rates_stall, stall_point, stalling_rates
from kondo_theory.token_trap import rows as token_rows

__all__ = ["REFUTED", "STATEMENTS", "Margins"]

FloatArray = NDArray[np.float64]
Margins = Callable[[np.random.Generator], FloatArray | float]
"""Draws one point, or several, and returns by how much the statement holds there."""

STATEMENTS: dict[tuple[str, str], Margins] = {}
REFUTED: dict[tuple[str, str], Margins] = {}


def states(claim: str, statement: str) -> Callable[[Margins], Margins]:
    """Register what a claim says."""
    assert claim in CLAIMS, claim

    def register(function: Margins) -> Margins:
        STATEMENTS[claim, statement] = function
        return function

    return register


def refuted(claim: str, statement: str) -> Callable[[Margins], Margins]:
    """Register a stronger statement that is false."""
    assert claim in CLAIMS, claim

    def register(function: Margins) -> Margins:
        REFUTED[claim, statement] = function
        return function

    return register


def probability(rng: np.random.Generator, size: int | None = None) -> FloatArray | float:
    """Draw p in (0, 1): even in log-odds half of the time, so that its ends are visited."""
    if rng.random() < 0.5:
        return rng.uniform(0.001, 0.999, size)
    return 1 / (1 + np.exp(-rng.uniform(-8, 8, size)))


def arms(rng: np.random.Generator, least: int = 2) -> int:
    """Draw K, small or large."""
    return int(rng.integers(least, 6)) if rng.random() < 0.5 else int(rng.integers(least, 300))


def context(rng: np.random.Generator, least: int = 2, b_high: float = 1.0) -> tuple[float, int, float]:
    """Draw p, K and 0 < b < 1."""
    return float(probability(rng)), arms(rng, least), float(rng.uniform(0.001, 0.999 * b_high))


# --- the gate


@states("gate-law", "no other gate probability has a larger utility")
def _gate_law(rng):
    chi, price, eta, w = rng.normal(), rng.normal(), rng.uniform(0.05, 5), rng.uniform(1e-9, 1 - 1e-9)
    excess = (chi - price) / eta
    utility = w * (chi - price) - eta * (w * math.log(w) + (1 - w) * math.log1p(-w))
    return eta * np.logaddexp(0, excess) - utility


def _law(rng) -> tuple[FloatArray, FloatArray]:
    n = int(rng.integers(2, 7))
    return np.round(rng.normal(size=n), 1), rng.dirichlet(np.full(n, 0.7)) * (1 - 1e-3) + 1e-3 / n


@states("price-rate-duality", "no rule of rate ρ collects more than V(ρ), which is concave, and exactly k less")
def _duality(rng):
    chi, mass = _law(rng)
    w = rng.random(len(chi))
    low, high = np.sort(rng.random(2))
    value = [float(rate_value(chi, mass, x).value) for x in (low, (low + high) / 2, high)]
    collected = float(rate_value(chi, mass, mass @ w).value) - float(mass @ (w * chi))
    size = int(rng.integers(1, 40))
    k = int(rng.integers(1, size + 1))
    short = float(rate_value(chi, mass, k / size).value) - float(exact_rate.finite_rate_value(chi, mass, size, k))
    return np.array([collected, value[1] - (value[0] + value[2]) / 2, short]) + 1e-12


@states("price-rate-duality", "with an inequality budget V(min(ρ, P(χ>0))) is the most")
def _budget(rng):
    chi, mass = _law(rng)
    w = rng.random(len(chi)) * rng.random()
    rho = float(mass @ w) + rng.random() * (1 - float(mass @ w))
    best = float(rate_value(chi, mass, min(rho, float(mass[chi > 0].sum()))).value)
    return best - float(mass @ (w * chi))


def _cost(p: float, n_arms: int, b: float, price: float, eta: float) -> float:
    found = frontier(*symmetric_arms(n_arms, p, b), price, eta)
    m = found.moments
    return float(found.backward_rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2)


@states("quality-cost-frontier", "the cost of signal is at least 1")
def _cost_bound(rng):
    p, n_arms, b = context(rng)
    plus, minus = rng.uniform(0.001, 1, 2)
    m = symmetric.symmetric_moments(p, n_arms, b, plus, minus, bernoulli=True)
    rate = p * plus + (1 - p) * minus
    return float(rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2) - 1


@states("quality-cost-frontier", "a higher price lowers rate, signal and w₋/w₊; for b ≤ 1/2 it never raises c")
def _price_path(rng):
    p, n_arms, b = context(rng, b_high=0.5)
    eta, low = rng.uniform(0.2, 3), rng.uniform(-3, 2)
    prices = low, low + rng.uniform(0.01, 1)
    one, two = (frontier(*symmetric_arms(n_arms, p, b), price, eta) for price in prices)
    costs = [_cost(p, n_arms, b, price, eta) for price in prices]
    slack = (costs[0] - costs[1]) / costs[0]
    return np.array([one.backward_rate - two.backward_rate, one.moments.signal - two.moments.signal, slack])


@states("quality-cost-frontier", "for b ≤ 1/2 heating at price zero never lowers c")
def _heating(rng, b_high: float = 0.5):
    p, n_arms, b = context(rng, b_high=b_high)
    eta = rng.uniform(0.05, 3)
    cold, warm = (_cost(p, n_arms, b, 0.0, x) for x in (eta, eta + rng.uniform(0.01, 1)))
    return (warm - cold) / cold


@refuted("quality-cost-frontier", "heating at price zero never lowers c")
def _heating_always(rng):
    return _heating(rng, 1.0)


@refuted("quality-cost-frontier", "a higher price never raises c")
def _price_always(rng):
    p, n_arms, b = context(rng)
    eta, low = rng.uniform(0.2, 3), rng.uniform(-3, 2)
    first, second = (_cost(p, n_arms, b, price, eta) for price in (low, low + rng.uniform(0.01, 1)))
    return (first - second) / first


@states("exact-k-or-price", "exactly k never has more parallel variance than PG")
def _exact_variance(rng):
    p, n_arms, b = context(rng)
    size = int(rng.integers(1, 60))
    kept = exact_rate.exact_rate_moments(p, n_arms, b, size, int(rng.integers(1, size + 1)))
    full = symmetric.pg_moments(p, n_arms, b).var_parallel
    return float(full - kept.var_parallel) / max(float(full), 1e-300) + 1e-9


@refuted("exact-k-or-price", "above p the price gate is the noisier")
def _gap_sign(rng):
    p, n_arms, b = context(rng)
    return float(exact_rate.variance_gap(p, n_arms, b, p + (1 - p) * rng.uniform(0.01, 0.99)))


# --- one context


@states("zero-price-geometry", "any policy with one correct arm: the direction is kept and Var_⊥ is 0")
def _geometry(rng):
    n = int(rng.integers(2, 12))
    policy = rng.dirichlet(np.full(n, 0.5)) * 0.98 + 0.02 / n
    reward = np.eye(n)[rng.integers(n)]
    b = rng.uniform(0, 0.99)
    m = gradient_moments(policy, reward - b, reward, reward)
    return np.array([1e-9 - (1 - m.cosine), 1e-12 - m.var_perpendicular])


@states("dg-noise-ratio", "(w₋/κ)² < 1")
def _dg_ratio(rng):
    p, n_arms, b = context(rng, 3)
    right, wrong = symmetric.dg_weights(p, n_arms, b, rng.uniform(0.05, 20))
    return 1 - float(wrong / (right * (1 - b) + wrong * b)) ** 2


@states("forward-efficiency", "PG needs fewer samples than zero price exactly for 0 < b < 2b*")
def _forward(rng):
    p, n_arms, b = context(rng)
    m, best = symmetric.pg_moments(p, n_arms, b), float(symmetric.optimal_pg_baseline(p, n_arms))
    noise = float((m.var_parallel + m.var_perpendicular) / m.signal**2)
    difference = (noise - (1 - p) / p) / max(noise, (1 - p) / p)
    return 1.0 if abs(difference) < 1e-7 else math.copysign(1.0, difference) * math.copysign(1.0, b - 2 * best)


@states("graded-rewards", "the cosine is positive under the stated condition, or for a uniform policy")
def _graded(rng):
    n = int(rng.integers(2, 8))
    policy = rng.dirichlet(np.full(n, 0.5)) * 0.98 + 0.02 / n if rng.random() < 0.8 else np.full(n, 1 / n)
    rewards = np.round(rng.random(n), 1)
    value = float(policy @ rewards)
    upper = value + float(policy @ np.maximum(rewards - value, 0))
    if np.ptp(rewards) == 0 or (np.ptp(policy) > 0 and np.any((value < rewards) & (rewards < upper))):
        return 1.0
    return float(graded.zero_price_cosine(policy, rewards))


@refuted("graded-rewards", "the cosine is never negative")
def _graded_always(rng):
    n = int(rng.integers(3, 8))
    return float(graded.zero_price_cosine(rng.dirichlet(np.full(n, 0.3)) + 1e-9, rng.random(n)))


def _whole(rng) -> tuple[float, float, int]:
    p, delta = float(probability(rng)), rng.uniform(0.001, 0.999)
    return p, delta, max(1, math.ceil(math.log(delta) / math.log1p(-p) * (1 - 1e-12)))


@states("backward-passes-to-align", "N rounded up has (1−p)^N ≤ δ and costs less than log(1/δ) + p passes")
def _passes(rng):
    p, delta, n = _whole(rng)
    real = float(alignment.backward_passes_to_align("zero-price", p, 5, 0.5, 0.9, 1 - delta))
    bound = math.log(1 / delta)
    return np.array([delta - (1 - p) ** n + 1e-12, bound + p - p * n, max(bound, p) - real + 1e-12])


@refuted("backward-passes-to-align", "N rounded up costs at most log(1/δ) passes")
def _passes_always(rng):
    p, delta, n = _whole(rng)
    return math.log(1 / delta) - p * n


@states("learning-time", "DG takes 1 to 2/(1−b) times PG's time")
def _learning(rng):
    n_arms, b = arms(rng), rng.uniform(0.01, 0.95)
    end = 1 - (1 - 1 / n_arms) * rng.uniform(0.01, 0.9)
    eta = rng.uniform(0.1, 3)
    pg, dg = (float(learning_time(m, n_arms, end, b, temperature=eta)) for m in ("pg", "dg"))
    return np.array([dg / pg - 1, 2 / (1 - b) - dg / pg]) + 1e-9


# --- contexts


def _population(rng, n_arms: int | None = None):
    n = int(rng.integers(2, 7))
    return np.asarray(probability(rng, n)), rng.integers(2, 60, n) if n_arms is None else np.full(n, n_arms)


def _gap(method, p, n_arms, b, **settings):
    weights = contexts.context_weights(method, p, n_arms, b, **settings)
    return float(contexts.gap_to_cross_entropy(weights, p, n_arms))


@states("context-allocation", "constant baseline: no set of contexts is closer than the best price's")
def _best_set(rng):
    p, n_arms = _population(rng)
    best = contexts.best_price(p, n_arms, rng.uniform(0, 0.9))
    kept = rng.random(p.size) < rng.random()
    kept[rng.integers(p.size)] = True
    return float(best.cosine - contexts.cosine_to_cross_entropy(p * kept, p, n_arms)) + 1e-12


@states("context-allocation", "value baseline, all p ≤ 1/2: zero price is at least as close as PG")
def _value(rng):
    p, n_arms = _population(rng)
    return _gap("pg", p / 2, n_arms, "value") - _gap("kondo", p / 2, n_arms, "value") + 1e-14


@states("context-allocation", "one K, b ≤ η, p ≤ P: DG is at least as close as PG")
def _dg_closer(rng):
    p, n_arms = _population(rng, arms(rng))
    eta = rng.uniform(0.1, 3)
    b = rng.uniform(0, min(eta, 0.99))
    p = p * contexts.dg_closer_limit(int(n_arms[0]), b, eta)
    return _gap("pg", p, n_arms, b) - _gap("dg", p, n_arms, b, temperature=eta) + 1e-14


@refuted("context-allocation", "any K, p ≤ the least P: DG is at least as close as PG")
def _dg_any_arms(rng):
    p, n_arms = _population(rng)
    p = p * min(contexts.dg_closer_limit(int(n), 0.5) for n in n_arms)
    return _gap("pg", p, n_arms, 0.5) - _gap("dg", p, n_arms, 0.5) + 1e-14


def _near_one(rng, scale: float):
    """Return log of DG's gap over PG's where (scale·e)^β is the size of DG's spread, two contexts of one K."""
    beta, b, n_arms = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.6), int(rng.integers(2, 10))
    e = scale ** (1 / beta) * rng.uniform(0.1, 1, 2)
    dg = contexts.context_weights("dg", 1 - e, n_arms, b, temperature=b / beta, p_error=e)
    share = e**2 / (e**2).sum()
    pg = share @ (e - share @ e) ** 2 / 2  # to first order, which 1 − ε itself would lose to rounding
    return math.log(float(contexts.gap_to_cross_entropy(dg, 1 - e, n_arms, p_error=e)) / pg)


@states("context-allocation", "in the limit p → 1, one K, 0 < b < η, DG is farther than PG")
def _farther(rng):
    return _near_one(rng, 1e-9)


@refuted("context-allocation", "all p near one: DG is farther than PG")
def _farther_already(rng):
    return _near_one(rng, 0.1)


# --- cost and approximate delight


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


# --- screening


@states("additive-threshold", "a failure outranks a success iff α < α*; delight never does, b between the rewards")
def _additive(rng):
    p, n_arms = float(probability(rng)), arms(rng)
    low, gap, alpha = rng.normal(), rng.uniform(0.05, 3), rng.uniform(0.001, 0.999)
    b = low + gap * rng.uniform(0, 1)
    surprisal = np.array([-math.log(p), math.log((n_arms - 1) / (1 - p))])
    advantage = np.array([low + gap, low]) - b
    additive = alpha * advantage + (1 - alpha) * surprisal
    star = float(additive_threshold(p, n_arms, gap)) if p > 1 / n_arms else 0.0
    delight = advantage * surprisal
    return np.array([(additive[1] - additive[0]) * math.copysign(1.0, star - alpha), delight[0] - delight[1]]) + 1e-12


@states("screening-at-rate", "for ρ ≤ p no rule has a smaller cost of signal than delight, 1")
def _screening(rng):
    p, n_arms, b = context(rng)
    rate = p * rng.uniform(0.01, 1)
    rules = [str(rng.choice(list(RULES))), "delight"]
    found = [screen_context(*symmetric_arms(n_arms, p, b), rule, rate) for rule in rules]
    other, own = (
        float(x.backward_rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2)
        for x, m in ((x, x.moments) for x in found)
    )
    return np.array([other - own, 1 - own]) + 1e-7


# --- gambling


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


# --- tokens


def _sizes(rng) -> tuple[int, int]:
    return int(rng.choice([2, 3, 5, 10, 48, 200])), int(rng.integers(1, 24))


@states("token-trap", "the drift is positive at 1/M, not negative from 1 − 1/T on, and T = 1 never stalls")
def _trap(rng):
    M, T = _sizes(rng)
    rate = rng.uniform(0.005, 1)
    late = 1 - rng.uniform(0.001, 1) / T
    at = [float(drift(p, T, M, rate)) for p in (1 / M, late)]
    return np.array([at[0], at[1], float(drift(float(probability(rng)), 1, M, rate))]) + 1e-14


@states("token-trap", "ρ_c's intervals hold exactly the rates that stall; low rates stall iff T is as stated")
def _rates_that_stall(rng):
    M, T = _sizes(rng)
    intervals = stalling_rates(M, T)
    rate = rng.uniform(0.005, 1)
    inside = any(low < rate < high for low, high in intervals)
    near = any(abs(rate - end) < 2e-3 for pair in intervals for end in pair)
    least = 5 if M == 2 else 4 if M <= 4 else 3 if M <= 47 else 2
    agrees = near or (stall_point(rate, M, T) is not None) == inside
    return np.array([1.0 if agrees else -1.0, 1.0 if low_rates_stall(M, T) == (least <= T) else -1.0])


@refuted("token-trap", "every rate above ρ_c learns")
def _above(rng):
    T = int(rng.integers(20, 40))
    intervals = stalling_rates(10, T)
    return 1.0 if stall_point(rng.uniform(intervals[0][1] + 0.01, 1), 10, T) is None else -1.0


@states("row-gate", "the drifts sum to T·E[G·A²], any rule on the answers; zero price is positive for each token")
def _row(rng):
    T = int(rng.integers(1, 6))
    p = np.asarray(probability(rng, T))
    rows = (np.arange(2**T)[:, None] >> np.arange(T)) & 1
    mass = np.prod(np.where(rows == 1, p, 1 - p), axis=1)
    advantage = rows.mean(axis=1) - p.mean()
    keep = np.where(rng.random(2**T) < 0.5, 0.0, rng.random(2**T))
    total = ((mass * keep * advantage)[:, None] * (rows - p)).sum()
    zero = ((mass * np.maximum(advantage, 0))[:, None] * (rows - p)).sum(axis=0)
    return np.array([1e-12 - abs(total - T * (mass * keep * advantage**2).sum()), *(zero / (p * (1 - p)) + 1e-12)])


@refuted("row-gate", "no token's drift is negative")
def _each_token(rng):
    p = np.asarray(probability(rng, 2))
    advantage = 0.5 - p.mean()
    return advantage * p * (1 - p) * (1 - 2 * p[::-1])  # the answers with exactly one of two right


@states("token-dg", "DG stalls in a window at finite T only, and not below 1/(5T²) or where η is large")
def _token_dg(rng):
    M, T = _sizes(rng)
    p = np.linspace(1 / M, 1, 202)[1:-1]
    cold, hot = 0.2 / T**2, 50.0
    return np.concatenate([drift(p, T, M, gate="dg", temperature=eta) / (p * (1 - p)) for eta in (cold, hot)]) + 1e-12


@states("token-screening", "ranked by |advantage|, advantage or surprisal the drift is positive above 1/M")
def _never(rng):
    M, T = _sizes(rng)
    rate = rng.uniform(0.005, 1)
    p = 1 / M + (1 - 1 / M) * rng.uniform(0.001, 0.999, 20)
    rules = ("abs-advantage", "advantage", "surprisal")
    return np.concatenate([drift(p, T, M, rate, rule=rule) / (p * (1 - p)) for rule in rules]) + 1e-12


@states("token-screening", "positive surprisal stalls at 1/M at rates up to P(wrong, A > 0) there")
def _at_once(rng):
    M, T = _sizes(rng)
    p = 1 / M * (1 + 1e-7)
    counts, mass = token_rows.binomial_masses(T - 1, np.array([p]))
    most = (1 - p) * float(mass[0][counts / T > p].sum())
    if most < 1e-6:
        return 1.0
    return -float(drift(p, T, M, most * rng.uniform(0.01, 0.99), rule="positive-surprisal"))
