"""MNIST step by step: what one update of a gate is worth, predicted from exact moments and measured.

May import what :mod:`simulations.mnist` may; it must never know claims or figures.
"""
