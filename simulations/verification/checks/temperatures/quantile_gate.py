"""The simulation of ``quantile-bernoulli-gate``: what is kept, and the cost of signal beside the hard gate's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import Gate as DelightGate
from kondo_theory.gate import kept_count
from kondo_theory.geometry.exact_rate import price_weights
from kondo_theory.geometry.quality_cost import arm_delight
from kondo_theory.geometry.quantile_gate import QuantileGate, exponential_share, quantile_gate, soft_gain
from kondo_theory.geometry.symmetric import SymmetricContext, symmetric_arms
from kondo_theory.moments import gradient_moments
from simulations.bandits import kernels
from simulations.bandits.estimates import cosine_of_mean, cost_of_signal, of_means, total_variance
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import estimated, generator
from simulations.verification.checks.evidence import N_STANDARD_ERRORS, Simulated, Value

__all__ = ["quantile_bernoulli_gate"]

FloatArray = NDArray[np.float64]
Drawn = Callable[[float, float], DelightGate]
"""The gate of a rate and a temperature."""
Closed = Callable[..., QuantileGate]
Gain = Callable[..., FloatArray]

CONTEXTS = ((10, 0.3, 0.5), (2, 0.7, 0.2))  # (K, p, b)
RATES, TEMPERATURES, LARGE = (0.1, 0.85), (1e-6, 0.3, 3.0), 4_000
EXPONENTIAL = ((0.03, 0.3), (0.03, 1.0), (0.45, 1.0), (0.1, 30.0))  # ρ and η; the third keeps more than a half
COLD, SMALL = (0.05, 0.2), 20
# (K, p, b, ρ, η): softness pays in the first three, and does not in the others; the last keeps no wrong sample.
COSTS = (
    (2, 0.2, 0.9, 0.1, 5.0),
    (2, 0.2, 0.9, 0.6, 0.3),
    (10, 0.1, 0.99, 0.05, 50.0),
    (2, 0.2, 0.5, 0.1, 5.0),
    (10, 0.1, 0.5, 0.05, 5.0),
    (10, 0.6, 0.5, 0.1, 1.0),
)
BATCH_SIZE = 50
GRADED = (np.array([0.05, 0.9, 0.05]), np.array([1.0, 0.9, 0.0]))  # arms whose top half points away from ∇J
SHARE_RESOLUTION = 0.002


def quantile(rate: float, temperature: float) -> DelightGate:
    """Return the gate of [KG] Algorithm 1."""
    return DelightGate(rate=rate, temperature=temperature, calibrated=False)


def quantile_bernoulli_gate(
    context: Context, drawn: Drawn = quantile, closed: Closed = quantile_gate, gain: Gain = soft_gain
) -> list[Simulated]:
    """Draw gates at the quantile of batches, and compare shares and costs of signal with the closed forms.

    The gate and the closed forms are parameters so that wrong ones can be shown to fail.
    """
    n_samples = {"smoke": 120_000, "quick": 2_000_000, "paper": 20_000_000}[context.preset]
    return [
        *_shares(n_samples, drawn, closed),
        *_exponential(n_samples, drawn),
        *_costs(context, closed, gain),
        *_directions(n_samples),
    ]


def _shares(n_samples: int, drawn: Drawn, closed: Closed) -> Iterator[Simulated]:
    """Yield what large batches of a symmetric context keep."""
    for index, (n_arms, p, b) in enumerate(CONTEXTS):
        rng = generator(0, index)
        policy, advantage = symmetric_arms(n_arms, p, b)
        delight = arm_delight(policy, advantage)[rng.choice(n_arms, size=(n_samples // LARGE, LARGE), p=policy)]
        for rate in RATES:
            for eta in TEMPERATURES:
                kept = drawn(rate, eta)(delight, rng).mean(axis=-1)
                name = f"share kept at K={n_arms}, p={p:g}, b={b:g}, ρ={rate:g}, η={eta:g}"
                at = {"K": n_arms, "p": p, "b": b, "ρ": rate, "η": eta, "B": LARGE}
                yield estimated(name, float(closed(p, n_arms, b, rate, eta).share), kept, SHARE_RESOLUTION, at=at)


def _exponential(n_samples: int, drawn: Drawn) -> Iterator[Simulated]:
    """Yield what is kept of exponential delight: of very large batches, and of small ones by a cold gate."""
    rng = generator(1)
    large = rng.exponential(size=(40, n_samples // 40))
    for rate, eta in EXPONENTIAL:
        kept = drawn(rate, eta)(large, rng).mean(axis=-1)
        at: dict[str, Value] = {"χ": "exponential χ", "ρ": rate, "η": eta, "B": large.shape[1]}
        name = f"share kept of exponential delight at ρ={rate:g}, η={eta:g}"
        yield estimated(name, float(exponential_share(rate, eta)), kept, SHARE_RESOLUTION, at=at)
    small = rng.exponential(size=(n_samples // SMALL, SMALL))
    for rate in COLD:
        k = kept_count(rate, SMALL)
        kept = drawn(rate, 1e-9)(small, rng).sum(axis=-1)
        name = f"samples kept of {SMALL} by a cold gate, ρ={rate:g}"
        yield estimated(name, k + 0.5, kept, at={"ρ": rate, "η": 1e-9, "B": SMALL, "k": k})


def _costs(context: Context, closed: Closed, gain: Gain) -> Iterator[Simulated]:
    """Yield costs of signal, soft and hard at equal shares, and at how many points softness pays."""
    replicates = {"smoke": 400, "quick": 4_000, "paper": 40_000}[context.preset]
    pays, found, unsure = 0, 0, 0
    for seed, (n_arms, p, b, rate, eta) in enumerate(COSTS):
        gate = closed(p, n_arms, b, rate, eta)
        right, wrong, share = float(gate.right), float(gate.wrong), float(gate.share)
        hard = price_weights(p, share)
        policy, advantage = symmetric_arms(n_arms, p, b)
        soft = Bandit(policy, advantage, keep=np.array([right, *[wrong] * (n_arms - 1)]))
        both = (("soft", soft, (right, wrong)), ("hard", Bandit.priced_at_rate(p, n_arms, b, share), hard))
        at: dict[str, Value] = {"K": n_arms, "p": p, "b": b, "ρ": rate, "η": eta}
        rows = []
        for name, bandit, weights in both:
            config = MomentsConfig(bandit, BATCH_SIZE, 200, replicates, seed, n_threads=context.workers)
            rows.append(_cost(f"{name} gate's cost of signal", config, weights, (n_arms, p, b), share, at))
        yield from rows
        pays += float(gain(p, n_arms, b, (1 - p) * wrong / share, (1 - p) * float(hard[1]) / share)) > 0
        difference = rows[1].estimate - rows[0].estimate
        noise = N_STANDARD_ERRORS * float(np.hypot(rows[0].standard_error, rows[1].standard_error))
        found, unsure = found + (difference > noise), unsure + (abs(difference) <= noise)
    yield Simulated("points where the soft gate has the lower cost of signal", pays, found, unsure, parameters={})


def _cost(
    name: str,
    config: MomentsConfig,
    weights: tuple[float | FloatArray, float | FloatArray],
    arms: tuple[int, float, float],
    share: float,
    at: dict[str, Value],
) -> Simulated:
    n_arms, p, b = arms
    right, wrong = (np.asarray(weight, dtype=np.float64) for weight in weights)
    exact = SymmetricContext.of(p, n_arms, b).moments(right, wrong, True)
    variance = np.asarray(exact.var_parallel + exact.var_perpendicular)
    predicted = float(cost_of_signal(np.asarray(share), np.asarray(exact.signal), variance))
    estimates = simulate_moments(config)
    kept, signal = estimates.statistics[:, kernels.KEPT] / BATCH_SIZE, estimates.statistics[:, kernels.SIGNAL]
    estimate = of_means(cost_of_signal, kept, signal, total_variance(estimates, BATCH_SIZE))
    point = f"K={n_arms}, p={p:g}, b={b:g}, ρ={at['ρ']:g}, η={at['η']:g}"
    return Simulated(f"{name} at {point}", predicted, estimate.value, estimate.standard_error, parameters=at)


def _directions(n_samples: int) -> Iterator[Simulated]:
    """Yield cosines of the top half by delight and of a hot gate, in a bandit with graded rewards."""
    rng, (policy, reward) = generator(2), GRADED
    advantage = reward - policy @ reward
    everything = np.ones(3)
    top = np.array([1.0, (0.5 - policy[0]) / policy[1], 0.0])
    gradient = policy * (advantage - policy @ advantage)
    counts = rng.multinomial(n_samples // 200, policy, size=1_000)
    for name, keep in (("top half", top), ("hot gate", everything / 2)):
        pull = rng.binomial(counts, keep) * advantage
        found = cosine_of_mean(pull - policy * pull.sum(axis=1, keepdims=True), gradient)
        predicted = float(gradient_moments(policy, advantage, keep, keep).cosine)
        at: dict[str, Value] = {"gate": name, "K": 3}
        quantity = f"cosine of the {name}, graded rewards"
        yield Simulated(quantity, predicted, found.value, found.standard_error, 0.002, at)
