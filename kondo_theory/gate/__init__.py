"""The Kondo gate, one definition for NumPy arrays and torch tensors.

:mod:`~kondo_theory.gate.law` says what the gate is, :mod:`~kondo_theory.gate.prices` what price a rate amounts to,
and :mod:`~kondo_theory.gate.selection` which samples exactly the top ρ are. It imports arrays' helpers alone: every
other room may use it, and it knows no policy, no task and no torch.
"""

from kondo_theory.gate.law import Gate, delight, gate_probability, sample_gate
from kondo_theory.gate.prices import calibrated_price, kept_count, quantile_price
from kondo_theory.gate.selection import select, select_exactly

__all__ = [
    "Gate",
    "calibrated_price",
    "delight",
    "gate_probability",
    "kept_count",
    "quantile_price",
    "sample_gate",
    "select",
    "select_exactly",
]
