"""MNIST as a bandit: what a run is, its training, its studies, and its tables.

May import networks, resuming, results and randomness; it must never know token reversal, claims or figures.
"""
