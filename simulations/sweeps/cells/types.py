"""Keyword types that the cell functions share: what a grid may hold is checked before anything runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

__all__ = [
    "Arms",
    "Baseline",
    "Count",
    "Fraction",
    "NonNegative",
    "Positive",
    "Probability",
    "Rate",
    "Replicates",
    "Rule",
    "Seed",
    "Share",
]

Probability = Annotated[float, Field(gt=0, lt=1)]
"""In (0, 1)."""
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""In [0, 1), such as a constant baseline between rewards 0 and 1."""
Share = Annotated[float, Field(ge=0, le=1)]
"""In [0, 1]."""
Rate = Annotated[float, Field(gt=0, le=1)]
"""ρ in (0, 1]."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Replicates = Annotated[int, Field(ge=2)]
"""At least 2: standard errors come from their spread."""
Arms = Annotated[int, Field(ge=2)]
"""K, or a vocabulary's M, at least 2."""
Seed = Annotated[int, Field(ge=0)]

Rule = Literal[
    "delight",
    "advantage",
    "abs-advantage",
    "surprisal",
    "additive",
    "uniform",
    "abs-advantage-entropy",
    "entropy-band",
    "positive-surprisal",
    "entropy",
]
"""A name in :data:`kondo_theory.screening.SAMPLE_RULES`."""

Baseline = Literal["constant", "value", "confidence", "optimal"]
"""b: a constant, E R = p, Σ π², or the one with which PG has the least total variance."""
