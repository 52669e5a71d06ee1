"""Who is compared in MNIST's study of stale actors: methods with their corrections, and where actions come from."""

from __future__ import annotations

from dataclasses import dataclass

from kondo_theory.words import choice
from simulations.mnist.config import MnistConfig
from simulations.networks.actors import Setting

__all__ = ["CONTENDERS", "CORRECTIONS", "SETTINGS", "SIZES", "SURPRISALS", "Contender", "Setting", "StaleSize"]

CORRECTIONS = ("none", "importance", "clip")
SURPRISALS = ("learner", "actor")


@dataclass(frozen=True)
class Contender:
    """A method, how it corrects for the actors, and whose surprisal it takes.

    Attributes
    ----------
    method : MnistConfig
        Its seed and number of updates are those of the study.
    correction : {"none", "importance", "clip"}
        For PG alone: weights π/μ, or those clipped as PPO does.
    surprisal : {"learner", "actor"}
        Of delight: −log π or −log μ.

    Raises
    ------
    ValueError
        If a word is not known, or the correction belongs to another method.
    """

    method: MnistConfig
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
        corrected = {"importance": ", importance weights", "clip": ", clipped"}.get(self.correction, "")
        return self.method.label + corrected + (", actor's surprisal" if self.surprisal == "actor" else "")


@dataclass(frozen=True)
class StaleSize:
    """Updates, seeds, and updates between evaluations."""

    updates: int
    seeds: int
    eval_every: int = 100


_PG, _DG, _GATE = MnistConfig("pg"), MnistConfig("dg"), MnistConfig("dg-k", rate=0.03)
CONTENDERS = (
    Contender(_PG),
    Contender(_PG, "importance"),
    Contender(_PG, "clip"),
    Contender(_DG),
    Contender(_DG, surprisal="actor"),
    Contender(MnistConfig("zero-price")),
    Contender(_GATE),
    Contender(_GATE, surprisal="actor"),
)
SETTINGS = (
    Setting(),
    *(Setting(delay=late) for late in (10, 100, 1_000)),
    Setting(random=0.3),
    Setting(corruption=0.1),
    Setting(100, 0.3, 0.1),
)
SIZES = {"smoke": StaleSize(20, 2, 20), "quick": StaleSize(600, 2, 200), "paper": StaleSize(10_000, 10, 1_000)}
"""By preset."""
