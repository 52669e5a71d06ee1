"""Many contexts at once: how each method shares its mean gradient among them, against cross-entropy's share.

:mod:`~kondo_theory.contexts.allocation` has every method's weights and their cosine to cross-entropy,
:mod:`~kondo_theory.contexts.prices` the gate's best price. NumPy and SciPy; it knows no simulation of what it
predicts.
"""

from kondo_theory.contexts.allocation import (
    METHODS,
    context_weights,
    cosine_to_cross_entropy,
    dg_closer_limit,
    gap_to_cross_entropy,
    spread_probabilities,
)
from kondo_theory.contexts.prices import BestPrice, best_price, critical_probability, self_consistent_counts

__all__ = [
    "METHODS",
    "BestPrice",
    "best_price",
    "context_weights",
    "cosine_to_cross_entropy",
    "critical_probability",
    "dg_closer_limit",
    "gap_to_cross_entropy",
    "self_consistent_counts",
    "spread_probabilities",
]
