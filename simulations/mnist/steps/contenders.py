"""Methods whose steps are compared, and their training: beside the protocol's, a gate at a price that holds the rate.

Its price is of the last 2,000 scores and no batch's own (:class:`kondo_theory.training.StreamingGate`), so that how
many are kept varies; its sum is divided by B, or by ρ⁻¹ times how many were kept, which leaves its mean what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kondo_theory.gate import delight
from kondo_theory.training import StreamingGate
from kondo_theory.training.policies import pick
from kondo_theory.training.selection import select_samples
from kondo_theory.words import choice
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.training import SeedProgram, confidence_advantage
from simulations.networks.image_bandits import Weighting
from simulations.networks.stacked import StackedScreening

__all__ = ["CONTENDERS", "DIVISORS", "RATES", "Contender", "ContenderProgram"]

DIVISORS = ("batch", "kept")
RATES = (0.01, 0.03, 0.1, 0.3)
_WINDOW = 2_000  # scores that a price is of


@dataclass(frozen=True)
class Contender:
    """A method of the protocol, or a gate by delight at a price that holds a rate.

    Attributes
    ----------
    method : MnistConfig
        Its seed and number of updates are those of the study.
    price_rate : float or None
        ρ in (0, 1) of a gate at a price; the method is then zero price, whose price moves.
    divisor : {"batch", "kept"}
        Of a gate at a price.

    Raises
    ------
    ValueError
        If a setting is not allowed or does not belong to the method.
    """

    method: MnistConfig
    price_rate: float | None = None
    divisor: str = "batch"

    def __post_init__(self) -> None:
        choice("divisor", self.divisor, DIVISORS)
        if self.price_rate is None and self.divisor != "batch":
            raise ValueError(f"divisor {self.divisor} belongs to a gate at a price, got method {self.method.label}")
        if self.price_rate is not None and self.method.method != "zero-price":
            raise ValueError(f"price_rate belongs to method zero-price, got {self.method.label}")
        if self.price_rate is not None and not 0 < self.price_rate < 1:
            raise ValueError(f"price_rate must be in (0, 1), got {self.price_rate}")

    @property
    def label(self) -> str:
        """The name in tables, e.g. ``DG-K(3 %)``, ``price(3 %)``, ``price(3 %), by the kept``."""
        if self.price_rate is None:
            return self.method.label
        return f"price({100 * self.price_rate:g} %)" + (", by the kept" if self.divisor == "kept" else "")

    @property
    def weighting(self) -> Weighting:
        """What it weighs samples by, where samples are gated independently of each other."""
        method = self.method
        if self.price_rate is not None:
            return Weighting("rate", self.price_rate)
        if method.rate is not None:
            return Weighting("rate", method.rate, method.rule or "delight")
        return Weighting(method.method)

    @classmethod
    def at_price(cls, rate: float, divisor: str = "batch") -> Contender:
        """Return the gate by delight at a price that holds a rate."""
        return cls(MnistConfig("zero-price"), rate, divisor)


_SCREENED = [("abs-advantage", 0.03), ("abs-advantage", 0.1), ("uniform", 0.03)]
CONTENDERS = (
    *(Contender(MnistConfig(method)) for method in ("pg", "dg", "zero-price")),
    *(Contender(MnistConfig("dg-k", rate=rate)) for rate in RATES),
    *(Contender(MnistConfig("screen", rate=rate, rule=rule)) for rule, rate in _SCREENED),
    Contender.at_price(0.03),
    Contender.at_price(0.03, "kept"),
)


class ContenderProgram(SeedProgram):
    """Several seeds of one contender, from one update to the next.

    Parameters
    ----------
    contender : Contender
    seeds : sequence of int
    data : Mnist
    device : torch.device
    **changes
        Of the method's settings: updates, learning rate and the like.
    """

    def __init__(
        self, contender: Contender, seeds: Sequence[int], data: Mnist, device: torch.device, **changes: float
    ) -> None:
        configs = [replace(contender.method, seed=seed, **changes) for seed in seeds]  # type: ignore[arg-type]
        super().__init__(configs, data, device)
        self.contender = contender
        rate = contender.price_rate
        self._stream = None if rate is None else StreamingGate(rate, _WINDOW)

    def _gate_and_update(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> None:
        if self._stream is None:
            super()._gate_and_update(screening, actions, reward, uniforms)
            return
        advantage = confidence_advantage(reward, screening.log_policy)
        score = delight(advantage, -pick(screening.log_policy, actions), check=False)
        selection = select_samples(score, self._stream, uniforms, check=False)
        if self.contender.divisor == "kept":
            assert self.contender.price_rate is not None
            held = self.contender.price_rate * score.shape[-1] / selection.n_kept.clamp(min=1)
            advantage = advantage * held.unsqueeze(-1).to(advantage.dtype)
        self.step.update(screening, actions, advantage, selection)
