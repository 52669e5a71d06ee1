"""The named sets of runs of token reversal: what each claim compares, as data; a preset changes sizes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from kondo_theory.screening import SAMPLE_RULES
from simulations.reversal.config import GATED, PRESETS, QUALITY_METHODS, ReversalConfig, preset_configs
from simulations.reversal.gambles import study as gambling
from simulations.reversal.protocols import CELLS
from simulations.reversal.readings.speedup import HARDNESS

__all__ = [
    "ABOVE",
    "BELOW",
    "COMPARED",
    "DEEP",
    "FRESH",
    "NEIGHBOURS",
    "OTHER_TASKS",
    "RULES_ELSEWHERE",
    "SHALLOW",
    "STUDIES",
    "Setting",
    "Study",
    "control",
    "token_gate",
    "token_gate_by",
]


@dataclass(frozen=True)
class Setting:
    """A vocabulary M, a length H and a gate rate ρ."""

    vocab_size: int
    length: int
    rate: float

    def __str__(self) -> str:
        return f"M = {self.vocab_size}, H = {self.length}, ρ = {100 * self.rate:g} %"


BELOW = (Setting(2, 10, 0.03), Setting(2, 6, 0.03), Setting(3, 6, 0.03), Setting(5, 6, 0.05), Setting(10, 4, 0.05))
"""Rates at which the mean field predicts a stall of the token gate, with the exact mean or that of 10 answers."""

ABOVE = (Setting(2, 10, 0.3), Setting(2, 6, 0.3), Setting(3, 6, 0.3), Setting(5, 6, 0.35), Setting(10, 4, 0.3))
"""The same tasks at about twice the critical rate, outside every interval of stalling rates."""

SHALLOW = (Setting(5, 10, 0.17), Setting(3, 6, 0.1))
"""Predicted to be left within 1,000 updates: beyond the stall the mean field's drift, with the mean of 10 answers as
baseline, falls no lower than −0.0001 and −0.0003. The first has been seen to get away, before this was predicted.

A run has got away if its final training reward (:func:`simulations.reversal.summary.progress`) is above the last rise
of that drift through zero, from where on it learns: 0.628 and 0.721."""

DEEP = (Setting(5, 6, 0.1), Setting(5, 10, 0.1))
"""Predicted to hold for 1,000 updates, at the rewards 0.465 and 0.370, to within 0.05: the drift falls to −0.0027 and
−0.0048. Under Adam the time itself is not predicted: the lengths of its steps do not follow the gradient's.

A run has held if its late training reward is within 0.05 of the predicted one. Of both kinds a fifth of all runs may
be unlucky, and no setting may fail as a whole."""

FRESH = (Setting(2, 10, 0.03), Setting(3, 6, 0.03), Setting(2, 6, 0.3), Setting(3, 6, 0.3))
"""The runs that preset quick trains anew."""


def token_gate(setting: Setting) -> ReversalConfig:
    """Return the token gate by delight."""
    return _gate("token-gate", setting)


def control(setting: Setting, rule: str = "advantage") -> ReversalConfig:
    """Return the row gate with the same budget of backward tokens: what a slow task would slow down as well."""
    return replace(_gate("row-gate", setting), rule=rule)


def token_gate_by(rule: str, setting: Setting) -> ReversalConfig:
    """Return the token gate by another screening rule."""
    return replace(token_gate(setting), rule=rule)


def _gate(method: str, setting: Setting) -> ReversalConfig:
    return ReversalConfig(method, rate=setting.rate, length=setting.length, vocab_size=setting.vocab_size)


RULES_ELSEWHERE = ("additive", "positive-surprisal", "advantage", "abs-advantage", "surprisal")
"""Rules tried on the other tasks of ``BELOW``: the first two are predicted to stall, the others to learn."""


NEIGHBOURS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "row-gate": (
            *("max-variance", "abs-advantage", "advantage", "uniform", "delight", "group-spread"),
            *("surprisal", "entropy"),
        ),
        "token-gate": (
            *("weighted-advantage", "delight-no-spurious", "positive-advantage", "entropy", "probability"),
            "no-spurious",
        ),
    }
)
"""Rules that are compared on answers, 20 % of them, and those on tokens, 3 %, that study screening had no table of.

20 % are two of each prompt's ten: the fewest of which a rule can ask for the largest variance of rewards."""


OTHER_TASKS = (
    *((task, "prefix") for task in ("copy", "flip", "reverse-flip")),
    *((task, "bag") for task in ("reverse", "flip")),
)
"""Task and reward of study tasks. Reversal by ``prefix`` is in study reward. By ``bag`` copy is reverse, and flip is
reverse-flip, batch by batch: the right tokens are the same, and their order does not count."""

_TASK_METHODS = (
    *(ReversalConfig(method) for method in ("pg", "dg", "pmpo")),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("row-gate", rate=0.03),
)

_SPED_UP = (
    ReversalConfig("pg"),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
)

COMPARED = "neighbours"
"""The study whose table has the columns of :func:`simulations.reversal.summary.compared`."""

COSTLY = MappingProxyType({"smoke": 2, "quick": 2, "paper": 6})
"""Seeds, by preset, of the methods that cost several times as much as the others."""


@dataclass(frozen=True)
class Study:
    """One set of runs.

    Attributes
    ----------
    title : str
    methods : tuple of ReversalConfig
        Every run, its seed and number of updates aside.
    seeds : mapping of str to int
        How many, by preset.
    costly : tuple of str
        Names of methods that get at most ``COSTLY`` seeds.
    updates : mapping of str to int
        By preset, where they are not those of :data:`simulations.reversal.config.PRESETS`.
    """

    title: str
    methods: tuple[ReversalConfig, ...]
    seeds: Mapping[str, int]
    costly: tuple[str, ...] = ()
    updates: Mapping[str, int] = field(default_factory=dict)

    def updates_at(self, preset: str) -> int:
        """Return how many updates a run has at a preset."""
        return self.updates.get(preset, PRESETS[preset].updates)

    def configs(self, preset: str, seeds: Sequence[int] | None = None, **changes: Any) -> list[ReversalConfig]:
        """Return every run at the preset's sizes, unless ``seeds`` or ``changes`` say otherwise."""
        chosen = range(self.seeds[preset]) if seeds is None else seeds
        configs = preset_configs(preset, self.methods, chosen, **{"updates": self.updates_at(preset)} | changes)
        if seeds is not None:
            return configs
        return [config for config in configs if config.method not in self.costly or config.seed < COSTLY[preset]]


_REWARDED = (
    *(config for config in QUALITY_METHODS if config.rule == "delight" and config.method != "token-gate"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("pmpo", epochs=4),
)

_OVER_TEMPERATURES = (
    *(
        ReversalConfig(method, rate=0.03, temperature=eta)
        for method in ("token-gate", "row-gate")
        for eta in (None, 0.1, 0.3, 1.0)
    ),
    *(ReversalConfig("dg", temperature=eta) for eta in (None, 0.3, 3.0, 0.1, 10.0)),
    *(ReversalConfig(method, rate=0.3, temperature=eta) for method in GATED for eta in (None, 0.3)),
)
"""The first are the most telling; a run that is cut short has them."""

STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "quality": Study(
            "every method at H = 10, M = 2",
            QUALITY_METHODS,
            MappingProxyType({"smoke": 2, "quick": 5, "paper": 10}),
            costly=("ppo",),
        ),
        "token-trap": Study(
            "token gates below and above the critical rate, row gates at the rates below it; those of M = 2, H = 10, "
            "3 % are in quality",
            (
                *(
                    config
                    for setting in BELOW[1:]
                    for config in (token_gate(setting), control(setting), control(setting, "delight"))
                ),
                *(token_gate(setting) for setting in ABOVE),
            ),
            MappingProxyType({"smoke": 1, "quick": 2, "paper": 5}),
        ),
        "stall-escape": Study(
            "token gates in stalls that are predicted to be left, and to hold",
            tuple(token_gate(setting) for setting in (*SHALLOW, *DEEP)),
            MappingProxyType({"smoke": 1, "quick": 5, "paper": 5}),
        ),
        "screening": Study(
            "every screening rule at 3 % of the tokens, kept one by one and in whole answers",
            tuple(
                ReversalConfig(method, rate=0.03, rule=rule)
                for method in ("row-gate", "token-gate")
                for rule in SAMPLE_RULES
            ),
            MappingProxyType({"smoke": 1, "quick": 5, "paper": 10}),
        ),
        "screening-tasks": Study(
            "rules that are predicted to stall, and not to, on tokens of four other tasks",
            tuple(token_gate_by(rule, setting) for setting in BELOW[1:] for rule in RULES_ELSEWHERE),
            MappingProxyType({"smoke": 1, "quick": 3, "paper": 10}),
        ),
        "neighbours": Study(
            "published rules at equal backward rows: 20 % of the answers, and 3 % of the tokens by the rules that "
            "screening lacks",
            tuple(
                ReversalConfig(method, rate=rate, rule=rule)
                for method, rate in (("row-gate", 0.2), ("token-gate", 0.03))
                for rule in NEIGHBOURS[method]
            ),
            MappingProxyType({"smoke": 1, "quick": 5, "paper": 10}),
        ),
        "reward": Study(
            "every method but the stalling one by the sparser rewards; PMPO with several epochs as well",
            tuple(replace(config, reward=reward) for config in _REWARDED for reward in ("prefix", "exact")),
            MappingProxyType({"smoke": 1, "quick": 3, "paper": 10}),
            costly=("ppo",),
        ),
        "tasks": Study(
            "copying, flipping and reverse flipping by prefix, reversing and flipping by bag; PPO in one",
            (
                *(
                    replace(method, task=task, reward=reward)
                    for task, reward in OTHER_TASKS
                    for method in _TASK_METHODS
                ),
                ReversalConfig("ppo", reward="bag"),
            ),
            MappingProxyType({"smoke": 1, "quick": 2, "paper": 10}),
        ),
        "speedup": Study(
            "PG, DG, zero price and the row gate at growing H and M, evaluated every 25 updates",
            tuple(
                replace(method, length=length, vocab_size=vocab_size, eval_every=25, eval_prompts=500)
                for length, vocab_size in HARDNESS
                if (length, vocab_size) != (10, 2)
                for method in _SPED_UP
            ),
            MappingProxyType({"smoke": 1, "quick": 5, "paper": 10}),
            costly=("dg", "token-gate"),
        ),
        "learning-rate": Study(
            "every method at three learning rates",
            tuple(replace(config, learning_rate=rate) for config in QUALITY_METHODS for rate in (1e-4, 3e-4, 1e-3)),
            MappingProxyType({"smoke": 1, "quick": 3, "paper": 10}),
            costly=("ppo",),
        ),
        "temperature": Study(
            "DG over temperatures; gates drawn at the batch's quantile, on tokens as KG has it and on rows; 15 core "
            "minutes at preset quick",
            _OVER_TEMPERATURES,
            MappingProxyType({"smoke": 1, "quick": 2, "paper": 10}),
            updates=MappingProxyType({"quick": 400}),
        ),
        "gambling": Study(
            "half of the prompts are zeros and pay a noisy reward: gates that it may take in, and controls",
            gambling.CELLS,
            MappingProxyType({"smoke": 1, "quick": 2, "paper": 10}),
            updates=gambling.UPDATES,
        ),
        "protocols": Study(
            "rewards, baselines, last layers, learning rates and kinds of PPO, for the published errors",
            CELLS,
            MappingProxyType({"smoke": 1, "quick": 3, "paper": 10}),
        ),
    }
)
"""By name; a table's kind is ``reversal-NAME``."""
