"""Estimates of the policy gradient from a part of the samples: without bias, and with the least error.

:mod:`~kondo_theory.estimators.unbiased` has gates that weight what they keep by 1/w,
:mod:`~kondo_theory.estimators.draws` draws by score with the top kept for certain, and masks on an answer's tokens.
NumPy and SciPy; it knows no simulation.
"""

from kondo_theory.estimators.draws import MASKS, best_sure_count, draws_variance, mask_variance
from kondo_theory.estimators.unbiased import (
    biased_below,
    effective_share,
    least_unbiased_cost,
    mean_squared_error,
    symmetric_weighted_moments,
    weighted_moments,
    wrong_score_ratio,
)

__all__ = [
    "MASKS",
    "best_sure_count",
    "biased_below",
    "draws_variance",
    "effective_share",
    "least_unbiased_cost",
    "mask_variance",
    "mean_squared_error",
    "symmetric_weighted_moments",
    "weighted_moments",
    "wrong_score_ratio",
]
