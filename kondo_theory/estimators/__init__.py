"""Estimates of the policy gradient from a part of the samples: without bias, and with the least error.

:mod:`~kondo_theory.estimators.unbiased` has gates that weight what they keep by 1/w,
:mod:`~kondo_theory.estimators.draws` draws by score with the top kept for certain, and masks on an answer's tokens,
:mod:`~kondo_theory.estimators.blend` the blend of PG and a gated gradient of least error,
:mod:`~kondo_theory.estimators.baseline` the baseline of least noise, and the step that the noise allows;
:mod:`~kondo_theory.estimators.registry` has estimates by name, as they are compared with rules, of
:mod:`~kondo_theory.estimators.samples`.
NumPy and SciPy; it knows no simulation.
"""

from kondo_theory.estimators.baseline import (
    BestBaseline,
    best_baseline,
    best_step,
    dg_baseline,
    least_gated_cost,
    median_baseline,
    reward_smoothness,
    soft_baseline,
)
from kondo_theory.estimators.blend import (
    Blend,
    best_blend,
    blend_weight,
    estimated_blend_error,
    zero_price_blend,
)
from kondo_theory.estimators.draws import MASKS, best_sure_count, draws_variance, mask_variance
from kondo_theory.estimators.registry import ESTIMATORS, Estimator
from kondo_theory.estimators.samples import Samples, Use
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
    "ESTIMATORS",
    "MASKS",
    "BestBaseline",
    "Blend",
    "Estimator",
    "Samples",
    "Use",
    "best_baseline",
    "best_blend",
    "best_step",
    "best_sure_count",
    "biased_below",
    "blend_weight",
    "dg_baseline",
    "draws_variance",
    "effective_share",
    "estimated_blend_error",
    "least_gated_cost",
    "least_unbiased_cost",
    "mask_variance",
    "mean_squared_error",
    "median_baseline",
    "reward_smoothness",
    "soft_baseline",
    "symmetric_weighted_moments",
    "weighted_moments",
    "wrong_score_ratio",
    "zero_price_blend",
]
