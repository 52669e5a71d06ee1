"""Every claim: what it says, where it comes from, where it holds, its proof, and how it will be judged.

A claim is data. Its proof is the module ``kondo_theory.derivations.<id with underscores>``; its simulation and its
measurement live in :mod:`simulations.verify`, which has one entry for each claim here. The decision rule of a claim
was written before anything was measured; changing one is a change of this file that a reader can see.

Verdicts
--------
``holds``            derivation and simulation agree (and every measured criterion is met), without conditions
``holds in regime``  the same, within the stated regime
``fails``            a measured criterion is missed: the whole interval lies outside it
``undecided``        an interval straddles a criterion, or a simulation is too noisy to fail
``not comparable``   our protocol may differ from the published one
``not run``          the preset is too small to judge, or nothing was measured
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["CLAIMS", "SOURCES", "Claim", "Criterion", "DecisionRule", "Verdict", "get_claims"]

Verdict = Literal["holds", "holds in regime", "fails", "undecided", "not comparable", "not run"]

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
    """

    quantity: str
    low: float = -math.inf
    high: float = math.inf
    published: float | None = None
    why: str = ""

    def judge(self, low: float, high: float) -> Literal["holds", "fails", "undecided"]:
        """Judge a 95 % interval [low, high]: inside the region, outside it, or across its edge."""
        if self.low <= low and high <= self.high:
            return "holds"
        if high < self.low or low > self.high:
            return "fails"
        return "undecided"

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"{self.quantity} ≤ {self.high:g}"
        if math.isinf(self.high):
            return f"{self.quantity} ≥ {self.low:g}"
        return f"{self.low:g} ≤ {self.quantity} ≤ {self.high:g}"


@dataclass(frozen=True)
class DecisionRule:
    """How a claim is judged, fixed beforehand: the statistic, the criteria with their margins, what is undecided.

    ``judged_from`` is the smallest preset whose sizes can judge the criteria; below it the verdict is ``not run``.
    """

    statistic: str
    undecided: str
    criteria: tuple[Criterion, ...] = ()
    judged_from: Literal["smoke", "quick", "paper"] = "smoke"


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    id : str
        Short name, in the command line and the JSON.
    statement : str
        What is claimed, in one sentence.
    source : str
        Key of ``SOURCES`` and the place in it, e.g. ``KG Prop. 1``.
    regime : str
        Where it holds and where it stops.
    rule : DecisionRule
    derived : bool
        Whether there is a derivation (measured claims have none).
    conditional : bool
        Whether ``regime`` restricts the statement: success then reads ``holds in regime``.
    """

    id: str
    statement: str
    source: str
    regime: str
    rule: DecisionRule
    derived: bool = True
    conditional: bool = True

    @property
    def derivation_module(self) -> str | None:
        """Dotted name of the module whose ``derive()`` proves the claim, or None."""
        return f"kondo_theory.derivations.{self.id.replace('-', '_')}" if self.derived else None

    @property
    def success(self) -> Verdict:
        """The verdict when everything agrees."""
        return "holds in regime" if self.conditional else "holds"


_SIMULATED = DecisionRule(SIMULATED_RULE, "a standard error above the resolution: the check could not have failed")

_MEDIAN_RULE = "median over seeds, paired by seed, with its 95 % bootstrap interval (percentile, 10,000 resamples)"

_ALL: tuple[Claim, ...] = (
    Claim(
        id="zero-price-geometry",
        statement=(
            "With one correct arm, zero-price gating keeps the direction of the policy gradient, E[g] = (1−b)∇J, "
            "removes all perpendicular noise, Var_⊥ = 0, and backpropagates a share p of the samples."
        ),
        source="KG Prop. 1, DG Prop. 1; exact variances here",
        regime=(
            "one context, one correct arm, R in {0, 1}, 0 ≤ b < 1, samples gated independently; any policy for the "
            "direction and Var_⊥, equally likely wrong arms for the formulas in (p, K, b); stops at graded rewards, "
            "and the noise removed is the baseline's: none at b = 0, none at K = 2"
        ),
        rule=_SIMULATED,
    ),
    Claim(
        id="mnist-quality",
        statement=(
            "On the MNIST bandit DG-K(3 %) matches DG's test error at equal forward passes, beats PG's, and reaches "
            "an error with a small fraction of the backward passes."
        ),
        source="KG §3",
        regime=(
            "784-100-100-10 ReLU network, confidence baseline, Adam 1e-3, batch 100, 3,000 updates or more; the "
            "final error is the mean of the last five evaluations"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=_MEDIAN_RULE
            + "; backward samples to an error are those of the first evaluation at or below it, and a seed of PG that"
            " never gets there counts with all it has spent, which can only understate the ratio; a seed of DG-K that"
            " never gets there counts as a ratio of 0",
            undecided="an interval that straddles its margin; below 3,000 updates or 10 seeds the claim is not run",
            judged_from="quick",
            criteria=(
                Criterion(
                    "final test error, DG-K(3 %) − DG (percentage points)",
                    high=1.0,
                    published=0.0,
                    why="'matches': no more than one point worse, a third of the published final error of about 3 %",
                ),
                Criterion(
                    "final test error, DG-K(3 %) − PG (percentage points)", high=0.0, why="strictly better than PG"
                ),
                Criterion(
                    "backward samples to 10 % error, PG / DG-K(3 %)",
                    low=10.0,
                    published=100.0,
                    why="published as about two orders of magnitude; one is demanded",
                ),
                Criterion(
                    "backward samples to 5 % error, PG / DG-K(3 %)",
                    low=10.0,
                    published=100.0,
                    why="published as about two orders of magnitude; one is demanded",
                ),
            ),
        ),
    ),
)

CLAIMS: Mapping[str, Claim] = {claim.id: claim for claim in _ALL}
"""All claims by id, in the order in which they are verified and printed."""


def get_claims(ids: Iterable[str] | None = None) -> list[Claim]:
    """Return the claims with the given ids, or all of them.

    Raises
    ------
    ValueError
        If an id is not known; the message lists those that are.
    """
    wanted = list(ids) if ids is not None else list(CLAIMS)
    for claim_id in wanted:
        if claim_id not in CLAIMS:
            raise ValueError(f"claim must be one of {', '.join(CLAIMS)}, got {claim_id!r}")
    return [CLAIMS[claim_id] for claim_id in dict.fromkeys(wanted)]
