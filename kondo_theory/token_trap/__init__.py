"""Tokens that share one advantage: where a fixed-rate gate on them stops learning, and what does not.

:mod:`~kondo_theory.token_trap.drifts` has drifts, stall points and the rates that stall;
:mod:`~kondo_theory.token_trap.rows` the tokens of one answer, :mod:`~kondo_theory.token_trap.groups` answers under a
group baseline, :mod:`~kondo_theory.token_trap.sets` the whole sets of rates and temperatures that stall. NumPy and
SciPy; it knows no simulation of what it predicts.
"""

from kondo_theory.token_trap.drifts import (
    GATES,
    critical_rate,
    critical_temperature,
    drift,
    low_rates_stall,
    stall_point,
    stalling_rates,
    stalling_temperatures,
)

__all__ = [
    "GATES",
    "critical_rate",
    "critical_temperature",
    "drift",
    "low_rates_stall",
    "stall_point",
    "stalling_rates",
    "stalling_temperatures",
]
