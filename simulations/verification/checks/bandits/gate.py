"""Simulations of the claims about the gate itself: its law, its price and its rate, and what a backward pass buys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, kl_div, logit

from kondo_theory.gate import Gate as DelightGate
from kondo_theory.gate import gate_probability, kept_count, quantile_price, sample_gate, select
from kondo_theory.geometry.exact_rate import finite_rate_value, smooth_rate_gap
from kondo_theory.geometry.quality_cost import arm_delight, expected_rate, rate_value
from simulations.bandits.kept_batches import Keep
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import estimated, generator
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["gate_law", "price_rate_duality"]

FloatArray = NDArray[np.float64]
Law = Callable[[FloatArray, float, float], FloatArray]
"""Gate probabilities from delight, price and temperature."""

EXCESSES, TEMPERATURES, PRICE = (-2.0, -0.5, 0.0, 0.3, 1.5), (0.25, 1.0, 4.0), 0.4  # χ − λ, η, λ
SHIFTS = (-1.0, -0.5, 0.5, 1.0)  # of the gate's log-odds: rules that are not the optimal one
FREQUENCY_RESOLUTION = 0.002  # of a gate's frequency, for probabilities too small to resolve to 1 %

SIGNED = (np.array([1.5, 0.4, 0.0, -0.8]), np.array([0.05, 0.15, 0.3, 0.5]))  # atoms of χ on both sides of zero
_POLICY = np.array([0.4, *[0.15] * 4])
BANDIT = (arm_delight(_POLICY, np.array([0.5, *[-0.5] * 4])), _POLICY)  # the delight of a symmetric context, tied
DISTRIBUTIONS = {"four atoms": SIGNED, "K=5, p=0.4, b=0.5": BANDIT}
POINTS: dict[str, dict[str, Value]] = {
    "four atoms": {"χ": "four atoms"},
    "K=5, p=0.4, b=0.5": {"χ": "one context", "K": 5, "p": 0.4, "b": 0.5},
}
# Rates inside an atom, where a large batch has the limit's value, by the distribution's name.
INNER_RATES = {"four atoms": (0.02, 0.12, 0.4, 0.8), "K=5, p=0.4, b=0.5": (0.1, 0.3, 0.7)}
FINITE, LARGE = 20, 4_000  # batch sizes: one for the exact finite object, one for the limit
SMOOTH = {  # laws of χ with a density: a sampler, V(ρ) and the density at the price of ρ
    "uniform χ": (lambda rng, size: rng.random(size), lambda rho: rho - rho**2 / 2, lambda rho: 1.0),
    "exponential χ": (
        lambda rng, size: rng.exponential(size=size),
        lambda rho: rho * (1 - np.log(rho)),
        lambda rho: rho,
    ),
}
SMOOTH_BATCHES = (40, 160)
VALUE_RESOLUTION = 0.002  # of collected delight per forward sample


def gate_law(context: Context, law: Law = gate_probability) -> list[Simulated]:
    """Draw gates at w* and beside it, and compare the utility G(χ−λ) − η·log P(G) that they realise.

    Its mean is w(χ−λ) + ηH(w). At w* both outcomes have the same utility, so there is no Monte Carlo error left; a
    gate with other log-odds loses η·KL(w‖w*). ``law`` is a parameter so that a wrong gate can be shown to fail.
    """
    n_draws = {"smoke": 200_000, "quick": 1_000_000, "paper": 10_000_000}[context.preset]
    rows: list[Simulated] = []
    for index, (excess, temperature) in enumerate((x, eta) for x in EXCESSES for eta in TEMPERATURES):
        rows.extend(_law_rows(excess, temperature, law, n_draws, index))
    rows.extend(_limit_rows(law, n_draws))
    rows.append(_policy_utility(law, n_draws))
    return rows


def _law_rows(excess: float, temperature: float, law: Law, n_draws: int, seed: int) -> Iterator[Simulated]:
    """Yield frequency and utility of the gate at one point, and what its neighbours lose."""
    rng = generator(0, seed)
    point, at = f"χ−λ={excess:g}, η={temperature:g}", {"χ−λ": excess, "η": temperature, "λ": PRICE}
    optimum = float(expit(excess / temperature))
    value = temperature * float(np.logaddexp(0.0, excess / temperature))
    probability = float(law(np.array([excess + PRICE]), PRICE, temperature)[0])
    opened, utility = _realise(probability, excess, temperature, n_draws, rng)
    yield estimated(f"frequency of the open gate at {point}", optimum, opened, FREQUENCY_RESOLUTION, at=at)
    resolution = FREQUENCY_RESOLUTION * temperature
    yield estimated(f"utility at {point}", value, utility, resolution, at=at)
    for shift in SHIFTS:
        other = float(expit(logit(optimum) + shift))
        # The shifted gate starts from the law under test, its loss from the claimed optimum.
        moved = float(expit(logit(probability) + shift))
        loss = temperature * float(kl_div(other, optimum) + kl_div(1 - other, 1 - optimum))
        _, utility = _realise(moved, excess, temperature, n_draws, rng)
        name = f"utility lost by log-odds {shift:+g} at {point}"
        yield estimated(name, loss, value - utility, resolution, at=at | {"shift": shift})


def _realise(
    probability: float, excess: float, temperature: float, n_draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw gates of one probability; return whether each opened and the utility it realised."""
    opened = sample_gate(np.full(n_draws, probability), rng)
    with np.errstate(divide="ignore"):  # a certain gate never draws the impossible outcome
        utility = np.where(opened, excess - temperature * np.log(probability), -temperature * np.log1p(-probability))
    return opened.astype(np.float64), utility


def _limit_rows(law: Law, n_draws: int) -> Iterator[Simulated]:
    """Yield the cold, the hot and the strict gate below the price, at it and above it."""
    rng = generator(1)
    cold, hot = 1e-3, 1e3  # σ(±0.5/η) is within e^−500 of the cold limit and within 2e-4 of the hot one
    sides = (("below", -0.5, 0.0), ("at", 0.0, 0.5), ("above", 0.5, 1.0))
    for side, excess, limit in sides:
        for name, temperature, predicted in (
            ("cold", cold, limit),
            ("hot", hot, 0.5),
            ("hard", 0.0, float(excess > 0)),
        ):
            probability = law(np.array([excess + PRICE]), PRICE, temperature)
            opened = sample_gate(np.repeat(probability, n_draws), rng).astype(np.float64)
            at: dict[str, Value] = {"gate": name, "side": side, "χ−λ": excess, "η": temperature, "λ": PRICE}
            quantity = f"frequency of the {name} gate {side} the price"
            yield estimated(quantity, predicted, opened, FREQUENCY_RESOLUTION, at=at)


def _policy_utility(law: Law, n_draws: int) -> Simulated:
    """Return the mean utility when delight itself is drawn, from the samples of a bandit."""
    rng, temperature = generator(2), 0.5
    chi, policy = BANDIT
    delight = chi[rng.choice(len(policy), size=n_draws, p=policy)]
    probability = law(delight, PRICE, temperature)
    opened = sample_gate(probability, rng)
    surprise = -np.log(np.where(opened, probability, 1 - probability))
    utility = np.where(opened, delight - PRICE, 0.0) + temperature * surprise
    predicted = float(policy @ (temperature * np.logaddexp(0.0, (chi - PRICE) / temperature)))
    at = POINTS["K=5, p=0.4, b=0.5"] | {"η": temperature, "λ": PRICE}
    return estimated("mean utility over a bandit's samples, η=0.5", predicted, utility, at=at)


def price_rate_duality(context: Context, keep: Keep = select) -> list[Simulated]:
    """Keep the top ρ of batches full of ties and compare the delight collected with V(ρ), its slope and its price.

    At a finite batch with the exact finite-batch value; in large batches, at rates inside an atom, with the limit:
    the extrapolation's error is below e^{−2B·d²}, d the distance to the next kink, which is under 1e-5 of an atom.
    ``keep`` is a parameter so that a wrong selection can be shown to fail.
    """
    n_samples = {"smoke": 400_000, "quick": 1_600_000, "paper": 20_000_000}[context.preset]
    rows: list[Simulated] = []
    for index, (name, (chi, mass)) in enumerate(DISTRIBUTIONS.items()):
        rng = generator(3, index)
        finite = chi[rng.choice(len(mass), size=(n_samples // FINITE, FINITE), p=mass)]
        for n_kept in (1, 4, 10, 16):
            collected = _collected(finite, keep(finite, n_kept / FINITE, rng))
            predicted = float(finite_rate_value(chi, mass, FINITE, n_kept))
            quantity = f"delight per sample, best {n_kept} of {FINITE}, {name}"
            at = POINTS[name] | {"B": FINITE, "k": n_kept}
            rows.append(estimated(quantity, predicted, collected, VALUE_RESOLUTION, at=at))
        large = chi[rng.choice(len(mass), size=(n_samples // LARGE, LARGE), p=mass)]
        rows.extend(_limit_values(name, large, keep, rng))
    rows.extend(_smooth_rows(keep, n_samples))
    rows.extend(_budget_rows(keep, n_samples))
    rows.extend(_soft_rows(n_samples))
    return rows


def _collected(delight: FloatArray, kept: NDArray[np.bool_]) -> FloatArray:
    return np.asarray(np.where(kept, delight, 0.0).mean(axis=-1))


def _limit_values(name: str, batches: FloatArray, keep: Keep, rng: np.random.Generator) -> Iterator[Simulated]:
    """Yield V(ρ), its slope and the batch's own price at rates inside an atom."""
    chi, mass = DISTRIBUTIONS[name]
    step = 0.01  # stays inside the atom
    for rate in INNER_RATES[name]:
        limit, at = rate_value(chi, mass, rate), POINTS[name] | {"ρ": rate, "B": LARGE}
        values = [_collected(batches, keep(batches, r, rng)) for r in (rate, rate + step)]
        yield estimated(f"V({rate:g}), {name}", float(limit.value), values[0], VALUE_RESOLUTION, at=at)
        slope = (values[1] - values[0]) / step
        yield estimated(f"slope of V at {rate:g}, {name}", float(limit.price_low), slope, VALUE_RESOLUTION, at=at)
        price = quantile_price(batches, rate)
        quantity = f"price at rate {rate:g}, {name}"
        yield estimated(quantity, float(limit.price_high), price, VALUE_RESOLUTION, at=at)


def _smooth_rows(keep: Keep, n_samples: int) -> Iterator[Simulated]:
    """Yield B times what exactly k of B samples of a continuous χ fall short of V(ρ): ρ(1−ρ)/(2f), whatever B.

    Paired with a control of known mean: what the price gate at λ = Q(1−ρ) collects of the same samples.
    """
    rng, rate = generator(6), 0.25
    for name, (draw, value, density) in SMOOTH.items():
        price = 1 - rate if name == "uniform χ" else -float(np.log(rate))
        for size in SMOOTH_BATCHES:
            delight = draw(rng, (n_samples // size, size))
            kept = _collected(delight, keep(delight, rate, rng))
            # Less the price for each sample too many: the control is the price gate's surplus, of mean V(ρ) − λρ.
            control = np.maximum(delight - price, 0.0).mean(axis=-1) - (value(rate) - price * rate)
            found = size * (value(rate) - kept + control)
            predicted = size * float(smooth_rate_gap(rate, density(rate), size))
            mean, error = mean_and_error(found)
            quantity = f"B times the gap to V({rate:g}), best k of {size}, {name}"
            # What the first order leaves out, of relative order 1/B, joins the standard error.
            error = float(np.hypot(error, predicted / size))
            at: dict[str, Value] = {"χ": name, "ρ": rate, "B": size, "k": kept_count(rate, size)}
            yield Simulated(quantity, predicted, mean, error, 0.05 * predicted, at)


def _budget_rows(keep: Keep, n_samples: int) -> Iterator[Simulated]:
    """Yield what zero price collects and costs, and what a budget larger than P(χ>0) is worth."""
    rng = generator(4)
    chi, mass = SIGNED
    batches = chi[rng.choice(len(mass), size=(n_samples // LARGE, LARGE), p=mass)]
    best, natural = float(mass @ np.maximum(chi, 0.0)), float(mass[chi > 0].sum())
    zero_price = DelightGate(price=0.0)(batches)
    at = POINTS["four atoms"] | {"B": LARGE}
    yield estimated("delight per sample at zero price", best, _collected(batches, zero_price), at=at | {"λ": 0.0})
    yield estimated("rate at zero price", natural, zero_price.mean(axis=-1), at=at | {"λ": 0.0})
    # A budget that need not be spent: what has χ ≤ 0 is ruled out, so at most P(χ>0) of it is used.
    for budget in (0.12, 0.7):
        kept = keep(np.where(batches > 0, batches, -np.inf), budget, rng)
        value = float(rate_value(chi, mass, min(budget, natural)).value)
        name = f"delight per sample within a budget of {budget:g}"
        yield estimated(name, value, _collected(batches, kept), at=at | {"budget": budget})


def _soft_rows(n_samples: int) -> Iterator[Simulated]:
    """Yield rate and value with the entropy term: unpriced at several temperatures, and at the price of a rate."""
    rng = generator(5)
    chi, mass = SIGNED
    delight = chi[rng.choice(len(mass), size=n_samples, p=mass)]
    for temperature in (0.1, 1.0, 10.0):
        opened = DelightGate(price=0.0, temperature=temperature)(delight, rng)
        predicted = float(expected_rate(chi, mass, 0.0, temperature))
        at = POINTS["four atoms"] | {"λ": 0.0, "η": temperature}
        yield estimated(f"unpriced rate at η={temperature:g}", predicted, opened.astype(np.float64), at=at)
    temperature = 0.5
    for rate in (0.1, 0.3, 0.8):
        price = float(brentq(lambda x, rho=rate: expected_rate(chi, mass, x, temperature) - rho, -50.0, 50.0))
        probability = gate_probability(delight, price, temperature)
        opened = sample_gate(probability, rng)
        entropy = -np.log(np.where(opened, probability, 1 - probability))  # its mean is H(w)
        earned = np.where(opened, delight, 0.0) + temperature * entropy
        dual = price * rate + float(mass @ (temperature * np.logaddexp(0.0, (chi - price) / temperature)))
        at = POINTS["four atoms"] | {"ρ": rate, "λ": price, "η": temperature}
        yield estimated(f"rate at the price of ρ={rate:g}, η=0.5", rate, opened.astype(np.float64), at=at)
        yield estimated(f"E[wχ] + ηE H(w) at ρ={rate:g}, η=0.5", dual, earned, VALUE_RESOLUTION, at=at)
