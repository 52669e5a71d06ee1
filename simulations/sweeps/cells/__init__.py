"""The functions behind the named sweeps, by subject: one configuration in, one row or several out.

May import every simulation and experiment; they must never know grids, workers or files. What they compute comes
from their keywords alone.
"""
