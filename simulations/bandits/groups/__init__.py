"""Groups of answers to one prompt: what rules keep of them, and prompts that are skipped by their history.

May import what :mod:`simulations.bandits` may.
"""
