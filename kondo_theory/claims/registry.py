"""What a claim is: its statement, source, regime and decision rule, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kondo_theory.words import one_line

__all__ = [
    "MEDIAN_RULE",
    "SIMULATED",
    "SIMULATED_RULE",
    "SOURCES",
    "Claim",
    "Criterion",
    "DecisionRule",
    "Verdict",
]

Verdict = Literal[
    "holds", "holds in regime", "fails", "contradicted", "broken", "undecided", "not comparable", "not run"
]

SOURCES = {
    "KG": 'I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526 (2026)',
    "DG": 'I. Osband, "Delightful Policy Gradient", arXiv 2603.14608 (2026)',
    "DDG": 'I. Osband, "Delightful Distributed Policy Gradient", arXiv 2603.20521 (2026)',
    "here": "this project; the proof is the claim's derivation",
}

SIMULATED_RULE = (
    "the prediction lies within 4 standard errors of the simulated value, and the standard error is below 1 % of it"
    " (for zeros: below the stated absolute resolution)"
)


@dataclass(frozen=True)
class Criterion:
    """The claimed region [low, high] of one measured quantity, named as the measurement names it.

    Attributes
    ----------
    quantity : str
        What is measured.
    low, high : float
        The claimed region, in the quantity's unit.
    published : float or None
        The published value it stands for.
    why : str
        Where the margin comes from.
    strict : bool
        The edge does not belong to the region.
    judged_from : mapping of str to int, optional
        The smallest sizes that can judge this criterion, where they are not those of the rule.
    """

    quantity: str
    low: float = -math.inf
    high: float = math.inf
    published: float | None = None
    why: str = ""
    strict: bool = False
    judged_from: Mapping[str, int] | None = None

    def judge(self, low: float, high: float) -> Literal["holds", "fails", "undecided"]:
        """Judge a 95 % interval [low, high]: inside the region, outside it, or across its edge.

        An interval that has no ends (NaN), or whose ends are the wrong way round, decides nothing. An infinite edge
        of the region is no edge: an infinite value is inside.
        """
        if not low <= high:
            return "undecided"

        def above(value: float) -> bool:
            return self.low == -math.inf or (self.low < value if self.strict else self.low <= value)

        def below(value: float) -> bool:
            return self.high == math.inf or (value < self.high if self.strict else value <= self.high)

        if above(low) and below(high):
            return "holds"
        return "undecided" if above(high) and below(low) else "fails"

    def __repr__(self) -> str:
        numbers = {"low": self.low, "high": self.high, "published": self.published}
        told = {name: x for name, x in numbers.items() if x is not None and math.isfinite(x)}
        return one_line(self, self.quantity, **told)

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"{self.quantity} {'<' if self.strict else '≤'} {self.high:g}"
        if math.isinf(self.high):
            return f"{self.quantity} {'>' if self.strict else '≥'} {self.low:g}"
        return f"{self.low:g} ≤ {self.quantity} ≤ {self.high:g}"


@dataclass(frozen=True)
class DecisionRule:
    """How a claim is judged, fixed beforehand: the statistic, the criteria with their margins, what is undecided.

    ``judged_from`` are the smallest sizes that can judge the criteria, such as ``{"updates": 3_000, "seeds": 10}``;
    what is measured at smaller ones is ``not run``, whatever preset it is labelled with. ``not_comparable`` says why
    our protocol may differ from the published one: the criteria are judged and reported all the same, and the verdict
    is ``not comparable`` whatever they say. ``beforehand`` is False where the rule was written when the numbers had
    been seen.
    """

    statistic: str
    undecided: str
    criteria: tuple[Criterion, ...] = ()
    judged_from: Mapping[str, int] = field(default_factory=dict)
    not_comparable: str = ""
    beforehand: bool = True

    def __repr__(self) -> str:
        return one_line(self, self.statistic, criteria=len(self.criteria), not_run=self.not_run)

    def smallest(self, criterion: Criterion) -> Mapping[str, int]:
        """Return the smallest sizes that can judge a criterion."""
        return self.judged_from if criterion.judged_from is None else criterion.judged_from

    @property
    def not_run(self) -> str:
        """Below which sizes the claim is not run, in words; empty where every size will do."""
        sizes = [tuple(self.smallest(criterion).items()) for criterion in self.criteria]
        found = {
            each: "below " + " or ".join(f"{size:,} {name}" for name, size in each)
            for each in dict.fromkeys(sizes)
            if each
        }
        if len(found) == 1:
            return next(iter(found.values()))
        return "; ".join(f"{text} ({sizes.count(each)} of {len(sizes)} criteria)" for each, text in found.items())


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    id : str
        Short name, in the command line and the JSON.
    statement : str
        What is claimed, in one sentence. ``{name}`` stands for a formula of ``formulas``, here and in ``regime``.
    source : str
        Key of ``SOURCES`` and the place in it, e.g. ``KG Prop. 1``.
    regime : str
        Where it holds and where it stops.
    rule : DecisionRule
    derived : bool
        Whether there is a derivation (measured claims have none).
    conditional : bool
        Whether ``regime`` restricts the statement: success then reads ``holds in regime``.
    formulas : mapping of str to str
        The formulas and numbers that the text quotes, by the names under which the derivation concludes them, as
        they are printed (``√(2π)``). A test parses each and compares it with the derivation's result.
    """

    id: str
    statement: str
    source: str
    regime: str
    rule: DecisionRule
    derived: bool = True
    conditional: bool = True
    formulas: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, formula in self.formulas.items():
            quoted = self.statement + self.regime  # rendered already in a copy made by dataclasses.replace
            if f"{{{name}}}" not in quoted and formula not in quoted:
                raise ValueError(f"claim {self.id} names a formula that its text does not quote: {name}")
            for text in ("statement", "regime"):
                object.__setattr__(self, text, getattr(self, text).replace(f"{{{name}}}", formula))

    def __repr__(self) -> str:
        return one_line(self, self.id, source=self.source, statement=self.statement)

    @property
    def derivation_module(self) -> str | None:
        """Dotted name of the module whose ``derive()`` proves the claim, or None."""
        return f"kondo_theory.derivations.{self.id.replace('-', '_')}" if self.derived else None

    @property
    def published(self) -> bool:
        """Whether the statement is somebody else's: the first source it names is a paper."""
        return self.source.split()[0].rstrip(",;") != "here"

    @property
    def success(self) -> Verdict:
        """The verdict when everything agrees."""
        return "holds in regime" if self.conditional else "holds"


SIMULATED = DecisionRule(SIMULATED_RULE, "a standard error above the resolution: the check could not have failed")

MEDIAN_RULE = (
    "median over seeds, paired by seed, with its 95 % bootstrap interval (percentile, 10,000 resamples; of five "
    "seeds or fewer that is their range, which has the median 94 % of the time with five, 75 with three, 50 with two)"
)
