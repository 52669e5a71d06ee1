"""Tables on disk: saved whole or not at all, with their provenance, and found again by kind and size.

May import errors and statistics; it must never know an experiment: sizes and kinds are read from rows and headers.
"""

from simulations.results.tables import COMMITTED, COMMITTED_GPU, Table, load, save

__all__ = ["COMMITTED", "COMMITTED_GPU", "Table", "load", "save"]
