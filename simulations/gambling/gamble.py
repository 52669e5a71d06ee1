"""A gamble and its gate, simulated: a typed front of :mod:`simulations.gambling.kernels`."""

import math
from dataclasses import dataclass

from kondo_theory.gate import kept_count
from kondo_theory.words import choice
from simulations.gambling import kernels
from simulations.randomness.streams import FloatArray, in_chunks, replicate_states

__all__ = ["Gamble", "simulate_drift", "simulate_learning"]

_GATE_CODES = {
    "pg": kernels.PG,
    "dg": kernels.DG,
    "zero-price": kernels.ZERO_PRICE,
    "rate": kernels.RATE,
    "extremes": kernels.EXTREMES,
    "margin": kernels.MARGIN,
    "second-draw": kernels.SECOND_DRAW,
}


@dataclass(frozen=True)
class Gamble:
    """A gamble and its gate.

    Attributes
    ----------
    noise_ratio : float
        r = σ/Δ.
    gate : {"zero-price", "dg", "pg", "rate", "extremes", "margin", "second-draw"}
        "extremes" is the top ρ by |advantage|, "margin" zero price on a lower confidence bound, "second-draw" zero
        price decided by another draw of the reward.
    temperature, rate : float
        η of DG in units of Δ; ρ of "rate" and "extremes".
    equal_noise : bool
        Whether arm 1 carries the same noise.
    margin : float
        κ of "margin", in standard deviations.
    """

    noise_ratio: float
    gate: str = "zero-price"
    temperature: float = 1.0
    rate: float = 1.0
    equal_noise: bool = False
    margin: float = 0.0

    def __post_init__(self) -> None:
        choice("gate", self.gate, _GATE_CODES)

    def arguments(self, batch_size: int) -> tuple[kernels.Noise, kernels.Gate]:
        """Return noise and gate as the kernels take them."""
        r = float(self.noise_ratio)  # Numba compiles again for an integer
        gate = kernels.Gate(
            _GATE_CODES[self.gate], float(self.temperature), kept_count(self.rate, batch_size), float(self.margin)
        )
        return kernels.Noise(r if self.equal_noise else 0.0, r), gate


def simulate_drift(
    gamble: Gamble, x: float, batch_size: int, n_batches: int, n_replicates: int, seed: int, n_threads: int = 1
) -> FloatArray:
    """Return estimates by :func:`~simulations.gambling.kernels.gated_advantages`, shape (n_replicates, 4)."""
    states = replicate_states(seed, n_replicates)
    noise, gate = gamble.arguments(batch_size)
    return in_chunks(kernels.gated_advantages, states, n_threads, float(x), noise, gate, batch_size, n_batches)


def simulate_learning(
    gamble: Gamble,
    x_start: float,
    batch_size: int,
    learning_rate: float,
    n_steps: int,
    n_averaged: int,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return the replicates' mean x and mean 1 − x over the last ``n_averaged`` steps."""
    states = replicate_states(seed, n_replicates)
    logit = math.log(x_start) - math.log1p(-x_start)
    learning = kernels.Learning(batch_size, float(learning_rate), n_steps, n_averaged)
    return in_chunks(kernels.learn, states, n_threads, logit, *gamble.arguments(batch_size), learning)
