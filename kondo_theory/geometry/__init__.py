"""Geometry of what a gate does to one context: the closed forms, gathered.

* :mod:`kondo_theory.geometry.symmetric`: exact moments of a sign gate, DG's weights, baselines, forward efficiency.
* :mod:`kondo_theory.geometry.alignment`: samples and backward passes until the gradient points the right way.
* :mod:`kondo_theory.geometry.learning`: learning time under gradient flow.
* :mod:`kondo_theory.geometry.corners`: the same from a corner, late rates, and contexts that share a parameter.
* :mod:`kondo_theory.geometry.graded`: graded rewards, where zero price can turn the direction.
* :mod:`kondo_theory.geometry.quality_cost`: quality against cost over prices and temperatures, and the value of a
rate.
* :mod:`kondo_theory.geometry.quantile_gate`: the gate drawn at the batch's quantile, and the hard gate at its share.

Every function broadcasts over arrays. Any policy and any gate: :mod:`kondo_theory.moments`.
"""

from kondo_theory.geometry.alignment import alignment_probability, backward_passes_to_align, forward_samples_to_align
from kondo_theory.geometry.graded import ascent_guaranteed, direction_kept, graded_worst_case, zero_price_cosine
from kondo_theory.geometry.learning import learning_time
from kondo_theory.geometry.quality_cost import Frontier, RateValue, arm_delight, expected_rate, frontier, rate_value
from kondo_theory.geometry.symmetric import (
    METHODS,
    confidence_baseline,
    cosine_gap,
    dg_noise_ratio,
    dg_weights,
    forward_efficiency,
    optimal_pg_baseline,
    pg_moments,
    symmetric_moments,
    value_baseline,
    zero_price_moments,
)

__all__ = [
    "METHODS",
    "Frontier",
    "RateValue",
    "alignment_probability",
    "arm_delight",
    "ascent_guaranteed",
    "backward_passes_to_align",
    "confidence_baseline",
    "cosine_gap",
    "dg_noise_ratio",
    "dg_weights",
    "direction_kept",
    "expected_rate",
    "forward_efficiency",
    "forward_samples_to_align",
    "frontier",
    "graded_worst_case",
    "learning_time",
    "optimal_pg_baseline",
    "pg_moments",
    "rate_value",
    "symmetric_moments",
    "value_baseline",
    "zero_price_cosine",
    "zero_price_moments",
]
