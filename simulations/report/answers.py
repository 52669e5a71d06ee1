"""The numbers of the page's first paragraphs: what the gate saves, and where it stalls, as this run measured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulations.report.document import Document

__all__ = ["CLAIMS", "QUANTITIES", "Number", "numbers_that_hold"]

CLAIMS = {
    *("zero-price-geometry", "mnist-quality", "step-cost", "mnist-savings", "token-trap", "reversal-token-trap"),
    "reversal-row-gate",
}
"""Claims that the paragraphs name: without all of them they are left out."""

QUANTITIES = {
    "fewer": ("mnist-quality", "backward samples to 5 % error, PG / DG-K(3 %), at least"),
    "above": ("mnist-quality", "final test error, DG-K(3 %) − DG (percentage points)"),
    "large": ("mnist-savings", "seconds a step, screened / full, highest from B = 1,000 on"),
    "worst": ("mnist-savings", "seconds a step, screened / full, highest of all"),
    "stall": ("reversal-token-trap", "share of runs below the critical rate that stall"),
    "apart": ("reversal-token-trap", "|stalled reward − predicted|, worst setting"),
    "learn": ("reversal-row-gate", "share of runs that learn, row gate by delight"),
}
"""Name → claim and quantity, each one that the claim's rule judges."""

FAILING = {"worst"}
"""What is told because it misses what was demanded."""


@dataclass(frozen=True)
class Number:
    """A measured value, and over how many seeds."""

    value: float
    seeds: int


def numbers_that_hold(document: Document) -> Mapping[str, Number]:
    """Return the numbers by name whose criteria were judged, and met but for those that tell of a failure."""
    found = {}
    claims = {claim.id: claim for claim in document.claims}
    for name, (claim_id, quantity) in QUANTITIES.items():
        claim = claims.get(claim_id)
        for criterion in claim.criteria if claim else ():
            judgements = {"fails"} if name in FAILING else {"holds"}
            if criterion.quantity == quantity and criterion.judgement in judgements:
                row = next(row for row in claim.measured if row.quantity == quantity)
                if row.value is not None:
                    found[name] = Number(row.value, row.seeds)
    return found
