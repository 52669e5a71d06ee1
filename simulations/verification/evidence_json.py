"""A claim's evidence as JSON values: what was simulated, what was measured, and the criteria with their judgements.

``parameters`` of a row maps symbols (K, p, ρ, …) and words (method, rule, device, …) to values; rates and shares are
numbers, 0.03 for 3 %, and several values are a list. Infinite values and NaN, which JSON lacks, are null, and
``not_finite`` names them; among the parameters they are the text ``inf``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from kondo_theory.claims import Claim
from simulations.results.sources import joined_fields
from simulations.verification.checks.evidence import Measured, Simulated, Value
from simulations.verification.verdicts import too_small

__all__ = ["criteria_json", "measured_json", "simulated_json"]


def simulated_json(row: Simulated) -> dict[str, Any]:
    """Return a simulated quantity beside its prediction, with the point of the grid by symbol."""
    values = asdict(row) | {"distance": row.distance, "within": row.within}
    del values["resolution"], values["parameters"]
    return _finite(values) | {"parameters": _parameters(row.parameters)}


def measured_json(row: Measured) -> dict[str, Any]:
    """Return a measured quantity with its interval, its parameters, its sizes and where it came from."""
    values = {name: getattr(row, name) for name in ("quantity", "value", "low", "high", "seeds", "published")}
    sizes = {"origin": row.origin, "updates": row.sizes.get("updates"), "sizes": row.all_sizes}
    return _finite(values) | {"parameters": _parameters(row.parameters)} | sizes | joined_fields(row.sources)


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


def _parameters(values: Mapping[str, Value]) -> dict[str, Any]:
    def writable(value: Any) -> Any:
        if isinstance(value, tuple):
            return [writable(each) for each in value]
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    return {name: writable(value) for name, value in values.items()}


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Replace infinite values and NaN, which JSON lacks, by None; ``not_finite`` says which was which, by name."""
    lacking = {name: str(v) for name, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    return row | dict.fromkeys(lacking) | {"not_finite": lacking}
