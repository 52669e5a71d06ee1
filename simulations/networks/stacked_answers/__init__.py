"""Transformers of several seeds side by side: their answers and their gated steps.

May import what :mod:`simulations.networks` may; it must never know claims or figures.
"""
