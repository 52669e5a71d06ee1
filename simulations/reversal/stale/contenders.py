"""Who is compared in token reversal's study of stale actors, with which corrections, and at what sizes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kondo_theory.words import choice
from simulations.networks.actors import Setting
from simulations.networks.transformer import Architecture
from simulations.reversal.config import STREAMS, ReversalConfig

__all__ = [
    "BOUND",
    "CONTENDERS",
    "CORRECTIONS",
    "SIZES",
    "SURPRISALS",
    "Contender",
    "StaleSize",
    "friction_streams",
]

CORRECTIONS = ("none", "tokens", "answers")
SURPRISALS = ("learner", "actor")
BOUND = 10.0
"""Importance weights are cut there, of a token and of an answer alike."""
FRICTIONS = ("broken", "pay")


@dataclass(frozen=True)
class Contender:
    """A method, how it corrects for the actors, and whose surprisal it takes.

    Attributes
    ----------
    method : ReversalConfig
        Its seed and its sizes are those of the study.
    correction : {"none", "tokens", "answers"}
        For PG alone, importance weights cut at ``BOUND``: π/μ of each token after those before it, or of the whole
        answer, the product of its tokens', on every one of them. Uncut, the latter leave no bias; the former ignore
        that the actors may have come to other beginnings of answers.
    surprisal : {"learner", "actor"}
        Of delight: −log π or −log μ. PG and PPO take none; PPO's ratios and its clip are of π/μ, token by token.

    Raises
    ------
    ValueError
        If a word is not known, or the correction belongs to another method.
    """

    method: ReversalConfig
    correction: str = "none"
    surprisal: str = "learner"

    def __post_init__(self) -> None:
        choice("correction", self.correction, CORRECTIONS)
        choice("surprisal", self.surprisal, SURPRISALS)
        if self.correction != "none" and self.method.method != "pg":
            raise ValueError(f"correction belongs to method pg, got {self.correction} with {self.method.label}")

    @property
    def label(self) -> str:
        """The contender's name in tables, e.g. ``DG, actor's surprisal``."""
        corrected = {"tokens": ", tokens' weights", "answers": ", answers' weights"}.get(self.correction, "")
        return self.method.label + corrected + (", actor's surprisal" if self.surprisal == "actor" else "")

    @property
    def plain(self) -> bool:
        """Whether it differs from the others where the learner acts itself."""
        return self.correction == "none" and self.surprisal == "learner"

    @property
    def scored_by(self) -> str:
        """Under whom its answers are scored: the learner, for one forward pass more, or the actor that drew them."""
        return "actor" if self.method.method in ("pg", "ppo") else self.surprisal


@dataclass(frozen=True)
class StaleSize:
    """Sizes of the study: the task's length, updates and seeds, and delays.

    Attributes
    ----------
    length : int
        H; M is 2.
    updates, seeds, eval_every : int
    delays : tuple of int
    together : int
        The delay that comes together with broken actors and false pay.
    network : Architecture
    only : tuple of tuple of int, optional
        Places in ``CONTENDERS`` of those who are trained in each setting; None trains all.
    """

    length: int
    updates: int
    seeds: int
    delays: tuple[int, ...]
    together: int
    eval_every: int = 50
    network: Architecture = field(default_factory=Architecture)
    only: tuple[tuple[int, ...], ...] | None = None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting: none, each delay, 30 % broken answers, 10 % false pay, all three."""
        late = (Setting(delay=delay) for delay in self.delays)
        return (Setting(), *late, Setting(random=0.3), Setting(corruption=0.1), Setting(self.together, 0.3, 0.1))

    def configs(self, contender: Contender) -> list[ReversalConfig]:
        """Return the runs of a contender, one a seed."""
        sizes: dict[str, Any] = {"length": self.length, "updates": self.updates, "eval_every": self.eval_every}
        return [replace(contender.method, **sizes, network=self.network, seed=seed) for seed in range(self.seeds)]


def friction_streams(seed: int) -> dict[str, int]:
    """Return one 63-bit seed for what breaks answers and one for what pays them: the streams after a run's own."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS) + len(FRICTIONS))[len(STREAMS) :]
    seeds = (int(child.generate_state(1, np.uint64)[0] >> 1) for child in children)
    return dict(zip(FRICTIONS, seeds, strict=True))


_PG, _DG = ReversalConfig("pg"), ReversalConfig("dg")
_TOKENS, _ROWS = ReversalConfig("token-gate", rate=0.3), ReversalConfig("row-gate", rate=0.03)
CONTENDERS = (
    Contender(_PG),
    Contender(_PG, "tokens"),
    Contender(_PG, "answers"),
    Contender(ReversalConfig("ppo")),
    Contender(_DG),
    Contender(_DG, surprisal="actor"),
    Contender(ReversalConfig("token-gate", price=0.0)),
    Contender(_TOKENS),
    Contender(_TOKENS, surprisal="actor"),
    Contender(_ROWS),
    Contender(_ROWS, surprisal="actor"),
)
"""DG-K keeps 30 % of the tokens: at 3 % it stalls without any friction. Answers are kept whole at 3 %."""

_PREDICTED = ((), (0, 1, 3, 4, 6, 7, 8, 9, 10), (0, 2, 4, 5, 6), (0, 4, 6, 7, 9), (0, 4, 6, 9))
"""Those of whom docs/experiments.md predicts something, setting by setting."""

SIZES = {
    "smoke": StaleSize(3, 10, 2, (5,), 5, 5, Architecture(16, 2, 1, 16)),
    "quick": StaleSize(4, 250, 2, (150,), 50, only=_PREDICTED),
    "paper": StaleSize(10, 10_000, 10, (10, 100, 1_000), 100),
}
"""By preset."""
