"""A cascade on the MNIST bandit: a cheap score for all, exact delight within a window of the price.

May import what :mod:`simulations.mnist` may; it must never know claims or figures.
"""
