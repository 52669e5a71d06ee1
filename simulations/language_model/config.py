"""The protocol of training a language model as data: one run's configuration, the methods, the presets."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from kondo_theory.gate import Gate
from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.words import choice
from simulations.language_model.tasks import TASKS
from simulations.language_model.weights import NAME

__all__ = [
    "GATED",
    "METHODS",
    "PRESETS",
    "STREAMS",
    "LanguageModelConfig",
    "Preset",
    "parse_trainable",
    "preset_configs",
]

METHODS = {
    "pg": "policy gradient: every answer with an advantage backpropagated",
    "dg": "delightful policy gradient: its tokens weighted by σ(χ/η), η = 1",
    "row-gate": "Kondo gate on answers, kept whole: the top ρ by a screening rule, or those above a price",
    "token-gate": "Kondo gate on tokens: the same of all tokens of the batch",
    "group-gate": "Kondo gate on prompts: the same of all answers to a prompt together",
}
GATED = ("row-gate", "token-gate", "group-gate")
_WHOLE = (
    "updates",
    "eval_every",
    "prompts",
    "answers",
    "eval_prompts",
    "watch_prompts",
    "most_tokens",
    "micro_tokens",
    "seed",
)
STREAMS = ("problems", "sampling", "gate", "adapters", "evaluation-problems", "evaluation-sampling")


@dataclass(frozen=True)
class Preset:
    """Sizes of the experiment: updates a run, updates between evaluations, seeds, prompts of the last evaluation."""

    updates: int
    eval_every: int
    seeds: int
    eval_prompts: int


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {"smoke": Preset(2, 2, 1, 8), "quick": Preset(40, 20, 2, 200), "paper": Preset(100, 25, 5, 500)}
)


@dataclass(frozen=True)
class LanguageModelConfig:
    """One run: a method with its gate, the task, what learns, the protocol's constants, and a seed.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    rate, price : float or None
        ρ in (0, 1] or λ: a gate has one of the two, no other method has any.
    rule : str
        What a gate ranks, a name in :data:`kondo_theory.screening.SAMPLE_RULES`.
    row_surprisal : str
        How an answer's surprisal is made of its tokens': ``sum`` or ``mean``.
    task : str
        One of :data:`simulations.language_model.tasks.TASKS`, or a user's own, ``module:function``.
    model : str
        What tables call the model.
    trainable : str
        ``all``, ``last-N`` blocks or ``lora-R``, adapters of rank R.
    seed : int
        Seed of every random stream of the run.
    updates, eval_every : int
        Batches, and batches between evaluations.
    prompts, answers : int
        Prompts a batch, and answers to each, at least two: the baseline is their mean.
    eval_prompts : int
        Prompts of the last evaluation; one sampled and one greedy answer to each.
    watch_prompts : int
        How many of them the evaluations before the last have.
    most_tokens : int
        Tokens after which an answer is cut off.
    learning_rate : float
        AdamW's, without weight decay; by default PG's best of 3e-5, 3e-4, 1e-3 and 3e-3 on reversal-3.
    micro_tokens : int
        Positions that go through the second pass at once.
    tolerance : float
        Nats by which the log-probabilities of sampling and of the second pass may differ.

    Raises
    ------
    ValueError, TypeError
        If a value is outside its range, does not belong to the method or is not an integer where one is needed.
    """

    method: str
    rate: float | None = None
    price: float | None = None
    rule: str = "delight"
    row_surprisal: str = "sum"
    task: str = "reversal-3"
    model: str = NAME
    trainable: str = "last-6"
    seed: int = 0
    updates: int = 40
    eval_every: int = 20
    prompts: int = 4
    answers: int = 8
    eval_prompts: int = 200
    watch_prompts: int = 100
    most_tokens: int = 24
    learning_rate: float = 3e-4
    micro_tokens: int = 1024
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        for name, allowed in (("method", METHODS), ("rule", SAMPLE_RULES), ("row_surprisal", ("sum", "mean"))):
            choice(name, getattr(self, name), allowed)
        if ":" not in self.task:
            choice("task", self.task, TASKS)
        parse_trainable(self.trainable)
        self._check_gate()
        least = {"answers": 2, "seed": 0}
        for name in _WHOLE:
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be an integer, got {getattr(self, name)!r}")
            if getattr(self, name) < least.get(name, 1):
                raise ValueError(f"{name} must be at least {least.get(name, 1)}, got {getattr(self, name)}")
        for name in ("learning_rate", "tolerance"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0 and finite, got {getattr(self, name)}")

    def _check_gate(self) -> None:
        gated, given = self.method in GATED, (self.rate is not None) + (self.price is not None)
        if given != gated:
            raise ValueError(
                "a gate needs either a rate or a price, and no other method takes one:"
                f" got {self.method} with rate {self.rate} and price {self.price}"
            )
        if self.rule != "delight" and self.rate is None:
            raise ValueError(f"a rule other than delight belongs to a gate at a rate, got {self.rule} without a rate")
        self.gate  # refuses a rate or price out of range  # noqa: B018

    @property
    def gate(self) -> Gate | None:
        """The gate of the method; None where every answer is backpropagated."""
        return Gate(rate=self.rate, price=self.price) if self.method in GATED else None

    @property
    def level(self) -> str:
        """What the gate keeps: ``row``, ``token`` or ``group``."""
        return self.method.removesuffix("-gate") if self.method in GATED else "row"

    @property
    def label(self) -> str:
        """The method's name in tables and figures, e.g. ``row gate(25 %, abs-advantage)``."""
        name = self.method.replace("-", " ")
        if self.rate is not None:
            rule = "" if self.rule == "delight" and self.row_surprisal == "sum" else f", {self.rule}"
            rule += ", surprisal per token" if self.row_surprisal == "mean" else ""
            return f"{name}({100 * self.rate:g} %{rule})"
        if self.price is not None:
            return f"{name}(λ={self.price:g})" if self.price else f"zero-price {self.level}s"
        return self.method.upper()

    def streams(self) -> dict[str, int]:
        """Return one 63-bit seed for each random stream, the same for every method."""
        children = np.random.SeedSequence(self.seed).spawn(len(STREAMS))
        seeds = (int(child.generate_state(1, np.uint64)[0] >> 1) for child in children)
        return dict(zip(STREAMS, seeds, strict=True))


def preset_configs(
    preset: str, methods: Sequence[LanguageModelConfig], seeds: Sequence[int] | None = None, **changes: Any
) -> list[LanguageModelConfig]:
    """Return every method at every seed, at the preset's sizes unless ``changes`` says otherwise."""
    size = PRESETS[choice("preset", preset, PRESETS)]
    sizes = {"updates": size.updates, "eval_every": size.eval_every, "eval_prompts": size.eval_prompts} | changes
    chosen = range(size.seeds) if seeds is None else seeds
    return [replace(method, **sizes, seed=seed) for method in methods for seed in chosen]


def parse_trainable(name: str) -> tuple[str, int]:
    """Return what learns, ``all``, ``last`` or ``lora``, and its number: of blocks, or the rank.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    found = re.fullmatch(r"all|(last|lora)-([1-9]\d{0,5})", name)
    if found is None:
        raise ValueError(f"trainable must be all, last-N (blocks) or lora-R (rank), such as last-6, got {name!r}")
    return found[1] or "all", int(found[2] or 0)
