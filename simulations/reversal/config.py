"""Token reversal's protocol as data: one run's configuration, the methods, the presets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.words import choice
from simulations.errors import ReportedError
from simulations.networks.sequence_scores import RULES_OF
from simulations.networks.transformer import Architecture
from simulations.resuming.runs import LATE
from simulations.reversal.gambles.payment import Payment
from simulations.reversal.objectives import BASELINES, REWARDS, TASKS, as_reversal

__all__ = [
    "LATER",
    "METHODS",
    "PRESETS",
    "QUALITY_METHODS",
    "RULES",
    "STREAMS",
    "Preset",
    "ReversalConfig",
    "preset_configs",
]

METHODS = {
    "pg": "policy gradient: every token backpropagated with its row's advantage",
    "dg": "delightful policy gradient: every token backpropagated, weighted by σ(χ/η)",
    "token-gate": "Kondo gate on tokens: the top ρ of all tokens by a screening rule, or those above a price",
    "row-gate": "Kondo gate on answers, kept whole: the top ρ by a screening rule, or those above a price",
    "ppo": "PPO: clipped probability ratios, several epochs over each batch",
    "pmpo": "PMPO: more of the preferred answers, less of the rejected; close to the sampler, from a second epoch on",
}

GATED = ("token-gate", "row-gate")
RULES = {**RULES_OF["token"], **RULES_OF["row"]}
EPOCHS = {"ppo": 4, "pmpo": 1}
LATER: dict[str, Any] = {
    "baseline": "mean", "divergence": 0.0, "final_norm": True, "head": "zero", "task": "reverse",
}  # fmt: skip
"""Settings that the first tables had no columns of, and what they were then."""
STREAMS = ("initialisation", "prompts", "actions", "gate", "evaluation")


@dataclass(frozen=True)
class Preset:
    """Sizes of the experiment: updates per run, and how many seeds."""

    updates: int
    seeds: int


PRESETS = {"smoke": Preset(50, 2), "quick": Preset(1_000, 5), "paper": Preset(10_000, 10)}


@dataclass(frozen=True)
class ReversalConfig:
    """One run: a method with its settings, the task, the protocol's constants, and a seed.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    rate, price : float or None
        ρ in (0, 1] or λ: a gate has one of the two, no other method has any. ``token-gate`` at price 0 is zero price.
    temperature : float or None
        η: softness of a gate, drawn as Bernoulli(σ((χ − λ)/η)) and hard if None or 0; of ``dg`` (1 if None). A soft
        gate at a rate has for λ the batch's 1 − ρ quantile, as [KG] Algorithm 1, and keeps another share.
    rule : str
        What a gate at a rate ranks, a name in :data:`simulations.networks.sequence_scores.RULES_OF` tokens or rows.
    reward : str
        One of :data:`simulations.reversal.objectives.REWARDS`.
    length, vocab_size : int
        H and M, at least 1. M = 1 has one answer, which is right: every error is 0 and every advantage 0.
    seed : int
        Seed of every random stream of the run.
    updates, eval_every : int
        Batches, and batches between evaluations.
    prompts, answers : int
        Prompts a batch, and answers to each: B = prompts·answers rows. The baseline is the mean of a prompt's
        answers, so there are at least two.
    eval_prompts : int
        Fresh prompts an evaluation.
    learning_rate : float
        Adam's.
    epochs : int or None
        Passes, and optimizer steps, over each batch: of ``ppo`` (4 if None) and ``pmpo`` (1 if None).
    clip : float
        PPO's, in (0, 1).
    alpha, beta : float
        PMPO's: weight of the preferred answers in [0, 1], and of the divergence from the sampler, at least 0.
    network : Architecture
    baseline : str
        One of :data:`simulations.reversal.objectives.BASELINES`.
    divergence : float
        PPO's: weight of its divergence from the sampler, at least 0.
    task : str
        One of :data:`simulations.reversal.objectives.TASKS`: what is to be written.
    payment : Payment
        Zero prompts, fewer than all, and noise of rewards.

    Raises
    ------
    ValueError, TypeError
        If a value is outside its range, does not belong to the method or is not an integer where one is needed; the
        message names it.
    """

    method: str
    rate: float | None = None
    price: float | None = None
    temperature: float | None = None
    rule: str = "delight"
    reward: str = "fraction"
    length: int = 10
    vocab_size: int = 2
    seed: int = 0
    updates: int = 1_000
    eval_every: int = 50
    prompts: int = 10
    answers: int = 10
    eval_prompts: int = 1_000
    learning_rate: float = 3e-4
    epochs: int | None = None
    clip: float = 0.2
    alpha: float = 0.5
    beta: float = 0.1
    network: Architecture = field(default_factory=Architecture)
    baseline: str = "mean"
    divergence: float = 0.0
    task: str = field(default="reverse", metadata=LATE)
    payment: Payment = field(default_factory=Payment, metadata=LATE)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("method", METHODS),
            ("reward", REWARDS),
            ("rule", RULES),
            ("baseline", BASELINES),
            ("task", TASKS),
        ):
            choice(name, getattr(self, name), allowed)
        self._check_gate()
        least = {"answers": 2, "seed": 0}
        for name in ("length", "vocab_size", "updates", "eval_every", "prompts", "answers", "eval_prompts", "seed"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be an integer, got {getattr(self, name)!r}")
            if getattr(self, name) < least.get(name, 1):
                raise ValueError(f"{name} must be at least {least.get(name, 1)}, got {getattr(self, name)}")
        if self.epochs is not None and (self.method not in EPOCHS or self.epochs < 1):
            raise ValueError(f"epochs, at least 1, belong to ppo and pmpo, got {self.method} with {self.epochs}")
        within = {
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "clip": (0 < self.clip < 1, "in (0, 1)"),
            "alpha": (0 <= self.alpha <= 1, "in [0, 1]"),
            "beta": (0 <= self.beta < math.inf, "at least 0"),
            "divergence": (0 <= self.divergence < math.inf, "at least 0"),
        }
        for name, (valid, allowed_range) in within.items():
            if not valid:
                raise ValueError(f"{name} must be {allowed_range}, got {getattr(self, name)}")
        if self.divergence and self.method != "ppo":
            raise ValueError(f"a divergence belongs to ppo, got {self.divergence} with {self.method}")
        if self.payment.zero_prompts >= self.prompts:
            of_a_batch = f"below the {self.prompts} prompts of a batch"
            raise ValueError(f"zero_prompts must be {of_a_batch}, got {self.payment.zero_prompts}")

    def _check_gate(self) -> None:
        gated, given = self.method in GATED, (self.rate is not None) + (self.price is not None)
        if given != gated:
            raise ValueError(
                "a gate needs either a rate or a price, and no other method takes one:"
                f" got {self.method} with rate {self.rate} and price {self.price}"
            )
        if self.rule != "delight" and self.rate is None:
            raise ValueError(f"a rule other than delight belongs to a gate at a rate, got {self.rule} without a rate")
        if self.rule not in (allowed := RULES_OF[self.granularity]):
            raise ValueError(f"{self.method} ranks by one of {', '.join(allowed)}, got rule {self.rule!r}")
        if self.temperature is not None and not (self.method == "dg" or gated):
            raise ValueError(f"a temperature belongs to dg and to a gate, got {self.temperature} with {self.method}")
        if self.method == "dg" and not 0 < self.softness < math.inf:
            raise ValueError(f"the temperature of dg must be finite and above 0, got {self.temperature}")
        self.gate  # refuses a rate, price or temperature out of range  # noqa: B018

    @property
    def softness(self) -> float:
        """η: what was given, else 1 for ``dg`` and 0 for a gate."""
        if self.temperature is not None:
            return self.temperature
        return 1.0 if self.method == "dg" else 0.0

    @property
    def gate(self) -> Gate | None:
        """The gate of the method; None where every token is backpropagated."""
        if self.method not in GATED:
            return None
        calibrated = self.rate is None or not self.softness
        return Gate(rate=self.rate, price=self.price, temperature=self.softness, calibrated=calibrated)

    @property
    def granularity(self) -> str:
        """What the gate keeps: ``row`` or ``token``."""
        return "row" if self.method == "row-gate" else "token"

    @property
    def passes(self) -> int:
        """Optimizer steps a batch."""
        return self.epochs or EPOCHS.get(self.method, 1)

    @property
    def label(self) -> str:
        """The method's name in tables and figures, e.g. ``row gate(3 %)``, and what is not the protocol's."""
        changes = (
            (self.baseline != "mean", f"{self.baseline} baseline"),
            (not self.network.final_norm, "no final norm"),
            (self.network.head != "zero", f"{self.network.head} head"),
            (self.task != "reverse", f"{self.task} task"),
        )
        return ", ".join((self.name, *(words for changed, words in changes if changed), *self.payment.words))

    @property
    def name(self) -> str:
        """The method's own name, with its settings."""
        name = self.method.replace("-", " ")
        if self.rate is not None:
            rule = "" if self.rule == "delight" else f", {self.rule}"
            soft = f", η={self.softness:g}" if self.softness else ""
            return f"{name}({100 * self.rate:g} %{rule}{soft})"
        if self.price is not None:
            if self.softness:
                return f"{name}(λ={self.price:g}, η={self.softness:g})"
            if self.price:
                return f"{name}(λ={self.price:g})"
            return "zero-price" if self.method == "token-gate" else "zero-price rows"
        if self.method == "dg" and self.softness != 1:
            return f"DG(η={self.softness:g})"
        epochs = [] if self.passes == EPOCHS.get(self.method, 1) else [f"{self.passes} epochs"]
        settings = ", ".join(epochs + ([f"β={self.divergence:g}"] if self.divergence else []))
        return self.method.upper() + (f"({settings})" if settings else "")

    def as_reversal(self, prompts: Tensor) -> Tensor:
        """Return the prompts (..., H) whose reversals are the right answers to these."""
        return as_reversal(prompts, self.task, self.vocab_size)

    def streams(self) -> dict[str, int]:
        """Return one 63-bit seed for each random stream, the same for every method."""
        children = np.random.SeedSequence(self.seed).spawn(len(STREAMS))
        seeds = (int(child.generate_state(1, np.uint64)[0] >> 1) for child in children)
        return dict(zip(STREAMS, seeds, strict=True))

    def diverged(
        self, error: FloatingPointError, update: int, checkpoint: Path | None, saved: int | None
    ) -> ReportedError:
        """Return what to tell the user of a run that stopped being a number after ``update``.

        ``checkpoint`` is where the run's state is kept, ``saved`` the update of the last good one.
        """
        good = "none was saved" if checkpoint is None or saved is None else f"{checkpoint}, of update {saved}"
        return ReportedError(
            f"{self.label}, seed {self.seed}, learning rate {self.learning_rate:g} diverged after update {update}:"
            f" {error}; last good checkpoint: {good}; {self}"
        )


QUALITY_METHODS = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("row-gate", rate=0.03, rule="advantage"),
    ReversalConfig("token-gate", rate=0.03),
    ReversalConfig("ppo"),
    ReversalConfig("pmpo"),
)
"""The methods that are compared."""


def preset_configs(
    preset: str, methods: Sequence[ReversalConfig], seeds: Sequence[int] | None = None, **changes: Any
) -> list[ReversalConfig]:
    """Return every method at every seed, at the preset's sizes unless ``changes`` says otherwise."""
    size = PRESETS[choice("preset", preset, PRESETS)]
    chosen = range(size.seeds) if seeds is None else seeds
    return [
        replace(method, **({"updates": size.updates} | changes), seed=seed) for method in methods for seed in chosen
    ]
