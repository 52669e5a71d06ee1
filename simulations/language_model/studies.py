"""The named sets of runs of a language model, as data; a preset changes sizes, and how much of a set there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from simulations.language_model.config import LanguageModelConfig, preset_configs

__all__ = ["MEASURED", "STUDIES", "Study"]

MEASURED = ("cost", "frozen", "frozen-tasks", "frozen-temperature", "answers")
"""The studies that are no lists of runs: seconds of a step; what gates do to the pretrained policy."""

_PG = LanguageModelConfig("pg")
_ZERO_PRICE = LanguageModelConfig("row-gate", price=0.0)
_TOKENS = LanguageModelConfig("token-gate", rate=0.03)


def _rows(rate: float, rule: str = "delight", row_surprisal: str = "sum") -> LanguageModelConfig:
    return LanguageModelConfig("row-gate", rate=rate, rule=rule, row_surprisal=row_surprisal)


def _tokens(rate: float, rule: str) -> LanguageModelConfig:
    return LanguageModelConfig("token-gate", rate=rate, rule=rule)


@dataclass(frozen=True)
class Study:
    """One set of runs.

    Attributes
    ----------
    title : str
    methods : tuple of LanguageModelConfig
        Every method.
    more : tuple of LanguageModelConfig
        Methods of the published size alone.
    tasks : mapping of str to tuple of str
        By preset.
    seeds : int or None
        Seeds at the published size, where they are not the preset's.
    """

    title: str
    methods: tuple[LanguageModelConfig, ...]
    more: tuple[LanguageModelConfig, ...]
    tasks: Mapping[str, tuple[str, ...]]
    seeds: int | None = None

    def configs(self, preset: str, seeds: Sequence[int] | None = None, **changes: Any) -> list[LanguageModelConfig]:
        """Return every run at the preset's sizes, unless ``seeds`` or ``changes`` say otherwise."""
        methods = (*self.methods, *(self.more if preset == "paper" else ()))
        chosen = [replace(method, task=task) for task in self.tasks[preset] for method in methods]
        if seeds is None and preset == "paper" and self.seeds is not None:
            seeds = range(self.seeds)
        return preset_configs(preset, chosen, seeds, **changes)


def _by_preset(*paper: str) -> Mapping[str, tuple[str, ...]]:
    """Return the tasks of the published size, and the first of them for smaller ones."""
    return MappingProxyType({"smoke": paper[:1], "quick": paper[:1], "paper": paper})


_LEARNING = (_PG, _ZERO_PRICE, _rows(0.25, "abs-advantage"), _TOKENS, _rows(0.125, "abs-advantage"))

STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "learning": Study(
            "whether a gate that really skips learns as the policy gradient does",
            _LEARNING[:4],
            _LEARNING[4:],
            _by_preset("reversal-3", "spelling"),
        ),
        "methods": Study(
            "the other gates and rules, on the same problems and draws",
            (
                _rows(0.125),
                _rows(0.125, "uniform"),
                _tokens(0.2, "delight"),
                _tokens(0.2, "entropy"),
                _rows(0.25),
                LanguageModelConfig("dg"),
                LanguageModelConfig("token-gate", price=0.0),
                _tokens(0.03, "abs-advantage"),
                _tokens(0.2, "abs-advantage"),
                _tokens(0.03, "entropy"),
                _rows(0.25, "uniform"),
                _rows(0.125, row_surprisal="mean"),
                LanguageModelConfig("group-gate", rate=0.25),
            ),
            (),
            _by_preset("reversal-3", "spelling"),
            seeds=2,
        ),
        "tasks": Study(
            "the methods of study learning on the other tasks",
            _LEARNING,
            (),
            _by_preset("reversal-4", "reversal-6", "digits", "addition-1", "addition-2"),
            seeds=2,
        ),
        "learning-rate": Study(
            "a third and three times the learning rate of study learning, and the ones among which PG's was chosen",
            (
                *(replace(each, learning_rate=rate) for each in _LEARNING for rate in (1e-4, 1e-3)),
                *(replace(_PG, learning_rate=rate) for rate in (3e-5, 3e-3)),
            ),
            (),
            _by_preset("reversal-3"),
            seeds=2,
        ),
    }
)
"""By name; a table's kind is ``language-model-NAME``."""
