"""Noise on one arm: how a gate that listens to luck is taken in by a bad arm, and where learning ends.

:mod:`~kondo_theory.gambling.single_arm` has the drift and its zeros when only the bad arm is noisy,
:mod:`~kondo_theory.gambling.equal_noise` when all arms are, :mod:`~kondo_theory.gambling.top_rate` under a fixed
rate, :mod:`~kondo_theory.gambling.noise_aware` under gates that are not taken in,
:mod:`~kondo_theory.gambling.noisy_contexts` where noisy contexts share a batch with others,
:mod:`~kondo_theory.gambling.first_batches` at the first policy of token reversal;
:mod:`~kondo_theory.gambling.means` the truncated means and :mod:`~kondo_theory.gambling.roots` the root finding that
they share. NumPy and SciPy; it knows no simulation of what it predicts.
"""

from kondo_theory.gambling.single_arm import (
    CRITICAL_NOISE_RATIO,
    GATES,
    dg_threshold,
    drift,
    expected_path,
    false_positive_bound,
    false_positive_probability,
    fixed_point,
    log_false_positive_probability,
    log_fixed_point,
    log_small_noise_floor,
)

__all__ = [
    "CRITICAL_NOISE_RATIO",
    "GATES",
    "dg_threshold",
    "drift",
    "expected_path",
    "false_positive_bound",
    "false_positive_probability",
    "fixed_point",
    "log_false_positive_probability",
    "log_fixed_point",
    "log_small_noise_floor",
]
