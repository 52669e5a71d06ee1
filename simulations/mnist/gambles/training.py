"""Training on MNIST where one action gambles: luck that a gate by delight is taken in by, measured on a network.

Action 0 on an image of another digit pays σξ, ξ ~ N(0, 1), where the protocol pays 0: a wrong answer, no better than
the other wrong ones on average. Everything else is the protocol of :mod:`simulations.mnist.config`. Beside the gates
by delight and by |advantage| there is one by delight whose decision comes from a second, independent draw of the
reward; the gradient has the first. Each learns with the protocol's baseline, the confidence Σ_a π(a|x)², and with the
value E R = π(digit|x), which the mean of a large group of answers to the image would be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.screening import RULES
from kondo_theory.training.policies import pick
from kondo_theory.words import choice, unhandled
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.runs import trained_and_read, write_contenders
from simulations.mnist.training import SeedProgram, confidence_advantage
from simulations.networks.stacked import StackedScreening
from simulations.randomness.seed_streams import Draws

__all__ = [
    "CONTENDERS",
    "KIND",
    "SIZES",
    "Contender",
    "GambleProgram",
    "GambleSize",
    "run",
    "write_table",
]

KIND = "mnist-gamble"
GAMBLE = 0  # the action that gambles
BASELINES = ("confidence", "value")
_TEST_CHUNK = 2_000


@dataclass(frozen=True)
class Contender:
    """A method, and whether a second draw of the reward decides what its gate keeps.

    Attributes
    ----------
    method : MnistConfig
        Its seed and number of updates are those of the study.
    second_draw : bool
        For the gate by delight alone.
    baseline : {"confidence", "value"}

    Raises
    ------
    ValueError
        If a second draw is asked for with another method, or the baseline is not known.
    """

    method: MnistConfig
    second_draw: bool = False
    baseline: str = "confidence"

    def __post_init__(self) -> None:
        choice("baseline", self.baseline, BASELINES)
        if self.second_draw and self.method.method not in ("dg-k", "zero-price"):
            raise ValueError(f"second_draw belongs to gates by delight, got method {self.method.label}")

    @property
    def label(self) -> str:
        """The contender's name in tables, e.g. ``DG-K(3 %), second draw, value baseline``."""
        draw = ", second draw" if self.second_draw else ""
        return self.method.label + draw + (", value baseline" if self.baseline == "value" else "")


@dataclass(frozen=True)
class GambleSize:
    """Updates, seeds, updates between evaluations, and the standard deviation σ of the gamble's reward."""

    updates: int
    seeds: int
    eval_every: int = 100
    noise: float = 2.0


_DELIGHT = MnistConfig("dg-k", rate=0.03)
_RANDOM, _SIZE = (MnistConfig("screen", rate=0.03, rule=rule) for rule in ("uniform", "abs-advantage"))
CONTENDERS = tuple(
    Contender(method, second_draw, baseline)
    for baseline in BASELINES
    for method, second_draw in (
        (MnistConfig("pg"), False),
        (_DELIGHT, False),
        (_DELIGHT, True),
        (_SIZE, False),
        (_RANDOM, False),
    )
)
SIZES = {"smoke": GambleSize(20, 2, eval_every=20), "quick": GambleSize(3_000, 5), "paper": GambleSize(10_000, 10)}
"""By preset."""


class GambleProgram(SeedProgram):
    """S seeds of one contender, from one update to the next.

    Parameters
    ----------
    contender : Contender
    size : GambleSize
    data : Mnist
    device : torch.device
    """

    def __init__(self, contender: Contender, size: GambleSize, data: Mnist, device: torch.device) -> None:
        configs = [
            replace(contender.method, seed=seed, updates=size.updates, eval_every=size.eval_every)
            for seed in range(size.seeds)
        ]
        super().__init__(configs, data, device)
        self.contender, self.noise = contender, size.noise
        self._labels = torch.empty(0, dtype=torch.int64)  # of the latest batch
        # Nothing else draws from these streams while the screener is exact.
        self._luck = [torch.Generator(device).manual_seed(config.streams()["screener"]) for config in configs]

    def _paid(self, actions: Tensor, reward: Tensor) -> Tensor:
        """Return what is paid, (S, B): the reward, and luck where action 0 is wrong."""
        draws = [torch.randn(reward.shape[1:], generator=luck, device=reward.device) for luck in self._luck]
        gambles = (actions == GAMBLE) & (reward == 0)
        return torch.where(gambles, self.noise * torch.stack(draws).to(reward.dtype), reward)

    def batch(self, draws: Draws | None = None) -> tuple[Draws, Tensor, Tensor]:
        """Return the random numbers of the next update, labels and pixels, and remember the labels."""
        draws, self._labels, pixels = super().batch(draws)
        return draws, self._labels, pixels

    def _advantage(self, paid: Tensor, log_policy: Tensor) -> Tensor:
        """Return what is paid less the contender's baseline, (S, B)."""
        if self.contender.baseline == "confidence":
            return confidence_advantage(paid, log_policy)
        if self.contender.baseline != "value":
            raise unhandled("baseline", self.contender.baseline, BASELINES)
        return paid - pick(log_policy, self._labels).exp()

    def _gate_and_update(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> None:
        log_policy = screening.log_policy
        advantage, again = (self._advantage(self._paid(actions, reward), log_policy) for _ in range(2))
        if self.config.gate is None:
            self.step.update(screening, actions, advantage, None)
            return
        decides = again if self.contender.second_draw else advantage
        score = RULES[self.config.rule or "delight"](decides, -pick(log_policy, actions))
        self.step.update(screening, actions, advantage, self.step.select(score, uniforms))

    def gambles(self) -> list[float]:
        """Return the mean probability of action 0 on the test images of other digits, one number a seed."""
        total = torch.zeros(len(self.seeds), dtype=torch.float64, device=self.test_labels.device)
        others = self.test_labels != GAMBLE
        chunks = zip(self.test_pixels.split(_TEST_CHUNK), others.split(_TEST_CHUNK), strict=True)
        for pixels, other in chunks:
            logits = self.step.network.forward(pixels.expand(len(self.seeds), -1, -1))
            total += logits.softmax(-1)[..., GAMBLE][:, other].sum(-1).to(torch.float64)
        return [float(share) for share in total / others.sum()]


def run(contender: Contender, size: GambleSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one contender side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, method, rate, rule, second_draw, baseline, seed, update,
        forward_samples, backward_samples, test_error (greedy), and gambles, the mean probability of action 0 on the
        other digits.
    """
    program = GambleProgram(contender, size, data, device)
    method = contender.method
    settings = {
        "label": contender.label,
        "method": method.method,
        "rate": float("nan") if method.rate is None else method.rate,
        "rule": method.rule or "",
        "second_draw": contender.second_draw,
        "baseline": contender.baseline,
    }
    return trained_and_read(program, settings, "gambles", program.gambles)


def write_table(preset: str, out: Path, **options: Any) -> Path:
    """Run the study and write its table, as :func:`simulations.mnist.runs.write_contenders` says."""
    return write_contenders(preset, out, kind=KIND, sizes=SIZES, contenders=CONTENDERS, run=run, **options)
