"""MNIST on data from other policies: older actors, random ones, rewards that are corrupted, and all of it at once.

May import what :mod:`simulations.mnist` may; it must never know claims or figures.
"""
