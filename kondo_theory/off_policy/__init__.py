"""Data that another policy drew: an older learner, broken actors, corrupted rewards.

:mod:`~kondo_theory.off_policy.moments` has the exact moments of every method, by enumeration of the arms,
:mod:`~kondo_theory.off_policy.broken_actors` what has a closed form. NumPy and SciPy; it knows no simulation.
"""

from kondo_theory.off_policy.broken_actors import (
    chi_square,
    contaminated_pg_cosine,
    failing_weight_bound,
    imitation_floor,
    mixed_behaviour,
)
from kondo_theory.off_policy.moments import METHODS, SURPRISALS, OffPolicyMoments, off_policy_moments

__all__ = [
    "METHODS",
    "SURPRISALS",
    "OffPolicyMoments",
    "chi_square",
    "contaminated_pg_cosine",
    "failing_weight_bound",
    "imitation_floor",
    "mixed_behaviour",
    "off_policy_moments",
]
