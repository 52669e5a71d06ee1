"""Methods whose steps are compared, and their training: beside the protocol's, a gate at a price that holds the rate.

Its price is of the last 2,000 scores and no batch's own (:class:`kondo_theory.training.StreamingGate`), so that how
many are kept varies; its sum is divided by B, or by ρ⁻¹ times how many were kept, which leaves its mean what it is.

And a gate by the last layer: the score of a sample is the inner product of its gradient in that layer's parameters
with the average of earlier batches' (all samples, weights 0.9 to the power of their age). The forward pass has both.
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
_MEMORY = 0.9  # of the last layer's average gradient


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
    aligned : bool
        A gate at a rate ranks by the last layer and not by delight.

    Raises
    ------
    ValueError
        If a setting is not allowed or does not belong to the method.
    """

    method: MnistConfig
    price_rate: float | None = None
    divisor: str = "batch"
    aligned: bool = False

    def __post_init__(self) -> None:
        choice("divisor", self.divisor, DIVISORS)
        if self.price_rate is None and self.divisor != "batch":
            raise ValueError(f"divisor {self.divisor} belongs to a gate at a price, got method {self.method.label}")
        if self.price_rate is not None and self.method.method != "zero-price":
            raise ValueError(f"price_rate belongs to method zero-price, got {self.method.label}")
        if self.aligned and self.method.method != "dg-k":
            raise ValueError(f"aligned belongs to method dg-k, got {self.method.label}")
        if self.price_rate is not None and not 0 < self.price_rate < 1:
            raise ValueError(f"price_rate must be in (0, 1), got {self.price_rate}")

    @property
    def label(self) -> str:
        """The name in tables, e.g. ``DG-K(3 %)``, ``price(3 %)``, ``price(3 %), by the kept``."""
        if self.aligned:
            return self.method.label.replace("DG-K", "last-layer")
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
        self._average: Tensor | None = None  # of the last layer's gradients, (S, n + 1, K), the bias last

    def _gate_and_update(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> None:
        if self._stream is None and not self.contender.aligned:
            super()._gate_and_update(screening, actions, reward, uniforms)
            return
        advantage = confidence_advantage(reward, screening.log_policy)
        if self._stream is None:
            score = self._alignment(screening, actions, advantage)
            self.step.update(screening, actions, advantage, self.step.select(score, uniforms))
            return
        score = delight(advantage, -pick(screening.log_policy, actions), check=False)
        selection = select_samples(score, self._stream, uniforms, check=False)
        if self.contender.divisor == "kept":
            assert self.contender.price_rate is not None
            held = self.contender.price_rate * score.shape[-1] / selection.n_kept.clamp(min=1)
            advantage = advantage * held.unsqueeze(-1).to(advantage.dtype)
        self.step.update(screening, actions, advantage, selection)

    def _alignment(self, screening: StackedScreening, actions: Tensor, advantage: Tensor) -> Tensor:
        """Return each sample's inner product with the average, (S, B), and let the batch into that."""
        assert screening.inputs is not None  # they are small: StackedStep keeps them
        last = screening.inputs[-1]
        features = torch.cat([last, torch.ones_like(last[..., :1])], -1)
        scores = torch.nn.functional.one_hot(actions, screening.log_policy.shape[-1]) - screening.log_policy.exp()
        moved = (advantage[..., None] * scores).to(features.dtype)
        batch = features.mT @ moved / moved.shape[1]
        if self._average is None:
            self._average = torch.zeros_like(batch)
        aligned = ((features @ self._average) * moved).sum(-1)
        self._average = _MEMORY * self._average + (1 - _MEMORY) * batch
        return aligned
