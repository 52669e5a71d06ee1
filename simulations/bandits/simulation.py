"""Simulated softmax bandits: moments of a gated batch, alignment with the true gradient, learning.

The front of this room. Typed configurations in, arrays out. The first axis of every array is the replicate, and
``n_threads`` never changes a number: each replicate has a stream of its own.
"""

from simulations.bandits.alignment import (
    AlignmentConfig,
    AlignmentResult,
    AlignmentTimeConfig,
    AlignmentTimes,
    simulate_alignment,
    simulate_alignment_times,
)
from simulations.bandits.contexts import Context, Gate
from simulations.bandits.learning import DynamicsConfig, LearningCurves, simulate_dynamics
from simulations.bandits.moments import Estimate, MomentEstimates, MomentsConfig, simulate_moments

__all__ = [
    "AlignmentConfig",
    "AlignmentResult",
    "AlignmentTimeConfig",
    "AlignmentTimes",
    "Context",
    "DynamicsConfig",
    "Estimate",
    "Gate",
    "LearningCurves",
    "MomentEstimates",
    "MomentsConfig",
    "simulate_alignment",
    "simulate_alignment_times",
    "simulate_dynamics",
    "simulate_moments",
]
