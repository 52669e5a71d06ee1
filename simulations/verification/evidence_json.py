"""A claim's evidence as JSON values: what was simulated, what was measured, and the criteria with their judgements.

Infinite values and NaN, which JSON lacks, are null; ``not_finite`` names them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from kondo_theory.claims import Claim
from simulations.results.sources import joined_fields
from simulations.verification.checks.evidence import Measured, Simulated, Value
from simulations.verification.verdicts import too_small

__all__ = ["criteria_json", "measured_json", "named_values", "simulated_json"]

_NAMED = re.compile(r"((?:[^\W\d][\w−]*=)+)([^\s,()]+)")


def simulated_json(row: Simulated) -> dict[str, Any]:
    """Return a simulated quantity beside its prediction, with the point of the grid by symbol."""
    values = asdict(row) | {"distance": row.distance, "within": row.within}
    del values["resolution"], values["parameters"]
    point = {k: v if not isinstance(v, float) or math.isfinite(v) else str(v) for k, v in row.parameters.items()}
    return _finite(values) | {"parameters": named_values(row.quantity) | point}


def measured_json(row: Measured) -> dict[str, Any]:
    """Return a measured quantity with its interval, its sizes and where it came from."""
    values = {name: getattr(row, name) for name in ("quantity", "value", "low", "high", "seeds", "published")}
    sizes = {"origin": row.origin, "updates": row.sizes.get("updates"), "sizes": row.all_sizes}
    return _finite(values) | sizes | joined_fields(row.sources)


def criteria_json(claim: Claim, measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """Return the claim's criteria, each with its own judgement.

    The judgement is null where the quantity was not measured, or at sizes below those that can judge it.
    """
    rows = {row.quantity: row for row in measured}
    entries = []
    for criterion in claim.rule.criteria:
        row, smallest = rows.get(criterion.quantity), dict(claim.rule.smallest(criterion))
        judged = row is not None and not too_small(row.all_sizes, smallest)
        judgement = criterion.judge(row.low, row.high) if row is not None and judged else None
        entry = _finite(asdict(criterion)) | {"judged_from": smallest}
        entries.append(entry | {"text": str(criterion), "judgement": judgement})
    return entries


def named_values(quantity: str) -> dict[str, Value]:
    """Return the values in the name of a quantity by symbol: ``{"K": 10, "p": 0.3}`` of ``… at K=10, p=0.3``.

    A value that is no number is text; ``b=p=0.3`` gives both.
    """
    found: dict[str, Value] = {}
    for names, text in _NAMED.findall(quantity):
        for name in names.split("=")[:-1]:
            found[name] = _parsed(text)
    return found


def _parsed(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Replace infinite values and NaN, which JSON lacks, by None; ``not_finite`` says which was which, by name."""
    lacking = {name: str(v) for name, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    return row | dict.fromkeys(lacking) | {"not_finite": lacking}
