"""What a registered screening rule is: a score, what it is a score of, and what it looks at."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory import _domain
from kondo_theory._arrays import Array, floating, require_one_shape, widened
from kondo_theory.words import one_line

__all__ = ["GRANULARITIES", "INPUTS", "Rule", "ScreeningRule"]

GRANULARITIES = ("sample", "answer", "token", "prompt")
INPUTS = ("advantage", "surprisal", "entropy", "reference policy", "history")

Rule = Callable[..., Array]
"""Scores (..., B) from advantage, surprisal and policy entropy, each (..., B), the last two in nats.

The batch is the last axis, leading axes are independent batches. Some rules have parameters, passed by keyword. A
score of −∞ is never kept, nor is one of NaN.
"""


@dataclass(frozen=True, repr=False)
class ScreeningRule:
    """A rule that can be called as any :data:`Rule`, and says what it scores and what it looks at.

    Called, it widens 16-bit floats first, and scores NaN what has advantage or surprisal NaN: a rule that does not
    look at them would otherwise keep a sample whose gradient is NaN.

    Attributes
    ----------
    score : callable
        The rule itself.
    inputs : tuple of str
        What it looks at, of :data:`INPUTS`.
    granularity : {"sample", "answer", "token", "prompt"}
        What it decides on. "sample": anything with an advantage, whole answers and tokens included. "answer": an
        answer among those of its group, which is the last axis. "token": a token among those of its batch or answer.
        "prompt": a prompt with all its answers.
    of_batch : bool
        Whether a score depends on the other samples of the last axis.
    highest : float
        What no score exceeds: a gate at this price or above, which keeps what is above its price, keeps nothing.
    drops : bool
        Whether a score can be −∞ where no input is.
    source : str
        Where it is from: "after" one that was not read word for word, "here", or "–" of what is common.
    name : str
        What it is called, in :data:`kondo_theory.screening.RULES` where it is there.

    Raises
    ------
    ValueError
        If an input or the granularity is unknown.
    """

    score: Rule
    inputs: tuple[str, ...]
    granularity: str = "sample"
    of_batch: bool = False
    highest: float = math.inf
    drops: bool = False
    source: str = "–"
    name: str = ""

    def __post_init__(self) -> None:
        _domain.choice("granularity", self.granularity, GRANULARITIES)
        for name in self.inputs:
            _domain.choice("an input", name, INPUTS)

    def __call__(self, advantage: Array, surprisal: Array, policy_entropy: Array = None, **parameters: Any) -> Array:
        """Return the scores of the samples.

        Raises
        ------
        ValueError, TypeError
            Without an input that the rule looks at, with a parameter that it has not, or if shapes do not fit.
        """
        if parameters:
            self._require_known(parameters)
        given = {"advantage": advantage, "surprisal": surprisal, "entropy": policy_entropy}
        missing = [name for name in self.inputs if given.get(name, True) is None]
        if missing:
            raise ValueError(f"{self._called} looks at {', '.join(self.inputs)}, got None for {', '.join(missing)}")
        advantage = widened(floating(advantage, "advantage", surprisal))
        surprisal = widened(floating(surprisal, "surprisal", advantage))
        if policy_entropy is not None:
            policy_entropy = widened(floating(policy_entropy, "policy_entropy", surprisal))
        values = {"advantage": advantage, "surprisal": surprisal, "policy_entropy": policy_entropy, **parameters}
        shape = require_one_shape({name: value for name, value in values.items() if value is not None})
        if self.of_batch and not shape:
            raise ValueError(f"advantage must have the batch as its last axis, got the scalar {float(advantage)}")
        xp = api.array_namespace(advantage, surprisal)
        if 0 in shape:
            return xp.broadcast_to(advantage, shape)
        with np.errstate(over="ignore", invalid="ignore"):
            score = self.score(advantage, surprisal, policy_entropy, **parameters)
        unknown = xp.isnan(advantage) | xp.isnan(surprisal)
        return xp.where(unknown, xp.full_like(score, math.nan), score)

    @property
    def _called(self) -> str:
        return f"rule {self.name!r}" if self.name else "the rule"

    def _require_known(self, parameters: Mapping[str, Any]) -> None:
        own = inspect.signature(self.score).parameters.values()
        if any(each.kind is each.VAR_KEYWORD for each in own):
            return
        known = [each.name for each in own if each.kind is each.KEYWORD_ONLY]
        unknown = [name for name in parameters if name not in known]
        if unknown:
            raise TypeError(
                f"{self._called} has the parameters {', '.join(known) or 'none'}, got {', '.join(unknown)}"
            )

    def __repr__(self) -> str:
        return one_line(self, granularity=self.granularity, inputs=", ".join(self.inputs))

    @staticmethod
    def named(rules: Mapping[str, ScreeningRule]) -> Mapping[str, ScreeningRule]:
        """Return the rules, each knowing its name, in a mapping that cannot be changed."""
        return MappingProxyType({name: replace(rule, name=name) for name, rule in rules.items()})
