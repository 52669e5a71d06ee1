"""Gates and contexts of simulated bandits, as frozen configurations that refuse bad values.

Symbols as in [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, and [DG] I. Osband, "Delightful
Policy Gradient", arXiv 2603.14608. Surprisal is in nats; delight, price and temperature in nats times reward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kondo_theory.gate import gate_probability
from kondo_theory.geometry.exact_rate import price_weights
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.words import unhandled
from simulations.randomness.streams import FloatArray

GATES = ("pg", "dg", "zero-price", "price", "rate")


def require(name: str, value: Any, condition: bool | np.bool[bool], allowed: str) -> None:
    """Raise :class:`ValueError` naming the value and the allowed range unless ``condition`` holds."""
    if not condition:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")


def require_count(name: str, value: Any, minimum: int = 1) -> None:
    """Refuse what is not an integer of at least ``minimum``: TypeError for the kind, ValueError for the range."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    require(name, value, value >= minimum, f"at least {minimum}")


def require_real(name: str, value: Any, low: float, high: float, *, open_ends: bool = False) -> None:
    """Refuse what is not a finite real number in [low, high], or in (low, high) with ``open_ends``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    inside = low < value < high if open_ends else low <= value <= high
    allowed = f"in ({low:g}, {high:g})" if open_ends else f"in [{low:g}, {high:g}]"
    require(name, value, np.isfinite(value) and inside, f"finite and {allowed}")


def require_run(n_replicates: int, seed: int, n_threads: int, *, minimum: int = 2) -> None:
    """Check what every simulation needs; a standard error takes two replicates."""
    require_count("n_replicates", n_replicates, minimum)
    require_count("seed", seed, 0)
    require_count("n_threads", n_threads)


@dataclass(frozen=True)
class Gate:
    """Which samples of a batch get a backward pass, and with what weight.

    Parameters
    ----------
    kind : str
        ``pg`` (all), ``dg`` (all, weighted by σ(χ/η)), ``zero-price`` (χ > 0), ``price`` (kept with probability
        σ((χ−λ)/η); χ > λ if η = 0) or ``rate`` (exactly k =
        :func:`kondo_theory.gate.kept_count` of highest delight, ties at random).
    price : float
        λ; used by ``price``.
    temperature : float
        η ≥ 0; used by ``dg`` (where it is positive) and ``price``.
    rate : float
        ρ in (0, 1]; used by ``rate``.
    """

    kind: str
    price: float = 0.0
    temperature: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        require("kind", self.kind, self.kind in GATES, f"one of {', '.join(GATES)}")
        require_real("price", self.price, -np.inf, np.inf)
        require_real("temperature", self.temperature, 0.0, np.inf)
        require("temperature", self.temperature, self.temperature > 0 or self.kind != "dg", "positive for dg")
        require_real("rate", self.rate, 0.0, 1.0)
        require("rate", self.rate, self.rate > 0, "in (0, 1]")

    def arm_weights(self, delight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the probability of keeping a sample and the weight of a kept one, both of ``delight``'s shape."""
        one = np.ones_like(delight)
        if self.kind == "dg":
            return one, gate_probability(delight, 0.0, self.temperature)
        if self.kind == "zero-price":
            return gate_probability(delight, 0.0), one
        if self.kind == "price":
            return gate_probability(delight, self.price, self.temperature), one
        if self.kind in ("pg", "rate"):  # a rate is kept by rank, not by probability
            return one, one
        raise unhandled("kind", self.kind, ("pg", "dg", "zero-price", "price", "rate"))


@dataclass(frozen=True, eq=False)
class Context:
    """One context of a softmax bandit as its gate sees it: an array of shape (K,) a field, K ≥ 2.

    Parameters
    ----------
    policy : ndarray, shape (K,)
        Probabilities π, positive, summing to one within 1e-9.
    advantage : ndarray, shape (K,)
        U of each arm.
    keep : ndarray, shape (K,), optional
        Probability of keeping a sample (1).
    weight : ndarray, shape (K,), optional
        Weight of a kept sample (1).
    scores : ndarray, shape (K,), optional
        With ``rate``: exactly k of highest score are kept, and ``keep`` must be one.
    rate : float, optional
        ρ in (0, 1].
    direction : ndarray, shape (K,), optional
        Vector whose direction is the parallel one (the true gradient Σ π_a U_a φ_a).
    """

    policy: FloatArray
    advantage: FloatArray
    keep: FloatArray | None = None
    weight: FloatArray | None = None
    scores: FloatArray | None = None
    rate: float | None = None
    direction: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("policy", "advantage", "keep", "weight", "scores", "direction"):
            value = getattr(self, name)
            if value is None and name in ("keep", "weight"):
                value = np.ones(np.shape(self.policy))
            if value is not None:
                array = np.array(value, dtype=np.float64)
                array.flags.writeable = False
                require(name, array, array.ndim == 1 and bool(np.isfinite(array).all()), "a finite vector")
                require(f"shape of {name}", array.shape, array.shape == np.shape(self.policy), "the policy's")
                object.__setattr__(self, name, array)
        require("number of arms", self.policy.size, self.policy.size >= 2, "at least 2")
        total = float(self.policy.sum())
        require("policy", self.policy, bool((self.policy > 0).all()), "positive")
        require("sum of policy", total, abs(total - 1.0) < 1e-9, "1 within 1e-9")
        keep, _ = self.keep_and_weight
        require("keep", keep, bool(((keep >= 0) & (keep <= 1)).all()), "in [0, 1]")
        require("scores and rate", self.rate, (self.scores is None) == (self.rate is None), "given together")
        if self.rate is not None:
            require("rate", self.rate, 0 < self.rate <= 1, "in (0, 1]")
            require("keep", keep, bool((keep == 1).all()), "one where a rate is given")
        require("direction", self.direction, float(np.abs(self.unit_direction).sum()) > 0, "nonzero")

    @classmethod
    def gated(cls, policy: npt.ArrayLike, advantage: npt.ArrayLike, gate: Gate) -> Context:
        """Return the context of a policy and its advantages, shapes (K,), under a gate on delight."""
        probabilities, values = np.asarray(policy, dtype=np.float64), np.asarray(advantage, dtype=np.float64)
        delight = -values * np.log(probabilities)
        keep, weight = gate.arm_weights(delight)
        by_rate = gate.kind == "rate"
        scores, rate = (delight, gate.rate) if by_rate else (None, None)
        return cls(probabilities, values, keep, weight, scores, rate)

    @classmethod
    def symmetric(cls, p_correct: float, n_arms: int, baseline: float, gate: Gate) -> Context:
        """Return the context of one correct arm (arm 0, reward 1) and K − 1 equal wrong ones (reward 0)."""
        require_real("p_correct", p_correct, 0.0, 1.0, open_ends=True)
        require_count("n_arms", n_arms, 2)
        require_real("baseline", baseline, -np.inf, np.inf)
        return cls.gated(*symmetric_arms(n_arms, p_correct, float(baseline)), gate)

    @classmethod
    def priced_at_rate(cls, p_correct: float, n_arms: int, baseline: float, rate: float) -> Context:
        """Return :meth:`symmetric` under the price gate of rate ρ, which draws at the price."""
        right, wrong = price_weights(p_correct, rate)
        policy, advantage = symmetric_arms(n_arms, p_correct, baseline)
        return cls(policy, advantage, keep=np.array([right, *[wrong] * (n_arms - 1)]))

    @property
    def keep_and_weight(self) -> tuple[FloatArray, FloatArray]:
        """Keep probabilities and weights, shapes (K,), never None."""
        assert self.keep is not None
        assert self.weight is not None
        return self.keep, self.weight

    @property
    def unit_direction(self) -> FloatArray:
        """Unit vector u, shape (K,); zero if the gradient it should follow is zero."""
        vector = self.direction
        if vector is None:
            vector = self.policy * (self.advantage - (self.policy * self.advantage).sum())
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm > 0 else vector

    @property
    def is_symmetric(self) -> bool:
        """Whether arms 1 to K − 1 are exchangeable and the direction is that of ∇J, so that counts suffice."""
        arrays = [self.policy, self.advantage, self.keep, self.weight, self.scores]
        equal = all(array is None or bool((array[1:] == array[1]).all()) for array in arrays)
        return equal and self.direction is None and bool(self.advantage[0] > self.advantage[1])
