"""The Kondo gate: its theory in closed form, and the gate itself for NumPy arrays and torch tensors.

Start with :mod:`kondo_theory.gate` (the one definition of the gate), :mod:`kondo_theory.claims` (every claim,
its regime and its decision rule) and :mod:`kondo_theory.training` (the screened step for a torch training loop).
"""

__version__ = "0.1.0"
