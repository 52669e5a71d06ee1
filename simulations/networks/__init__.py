"""Networks and their gated steps: a perceptron for many seeds side by side, a transformer, exact moments in both.

May import :mod:`kondo_theory.training`, randomness and devices; it must never know files, or which experiment it
serves.
"""
