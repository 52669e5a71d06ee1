"""The named sets of runs of a language model, as data; a preset changes sizes, and how much of a set there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from simulations.language_model.config import LanguageModelConfig, preset_configs

__all__ = ["COST", "STUDIES", "Study"]

COST = "cost"
"""The study that is no list of runs: seconds of a step."""


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
    """

    title: str
    methods: tuple[LanguageModelConfig, ...]
    more: tuple[LanguageModelConfig, ...]
    tasks: Mapping[str, tuple[str, ...]]

    def configs(self, preset: str, seeds: Sequence[int] | None = None, **changes: Any) -> list[LanguageModelConfig]:
        """Return every run at the preset's sizes, unless ``seeds`` or ``changes`` say otherwise."""
        methods = (*self.methods, *(self.more if preset == "paper" else ()))
        chosen = [replace(method, task=task) for task in self.tasks[preset] for method in methods]
        return preset_configs(preset, chosen, seeds, **changes)


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "learning": Study(
            "whether a gate that really skips learns as the policy gradient does",
            (
                LanguageModelConfig("pg"),
                LanguageModelConfig("row-gate", price=0.0),
                LanguageModelConfig("row-gate", rate=0.25, rule="abs-advantage"),
                LanguageModelConfig("token-gate", rate=0.03),
            ),
            (LanguageModelConfig("row-gate", rate=0.125, rule="abs-advantage"),),
            MappingProxyType(
                {"smoke": ("reversal-3",), "quick": ("reversal-3",), "paper": ("reversal-3", "spelling")}
            ),
        )
    }
)
"""By name; a table's kind is ``language-model-NAME``."""
