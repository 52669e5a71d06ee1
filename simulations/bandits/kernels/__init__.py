"""Numba kernels of softmax bandits: arrays in, arrays out, a replicate a row.

Here are the columns of the statistics that the kernels of batches return; the kernels lie in the modules. They know
none of the typed functions in front of them.
"""

from simulations.bandits.kernels.statistics import (
    ALIGNED,
    COSINE,
    EVERY,
    KEPT,
    N_STATISTICS,
    PERPENDICULAR_SQUARE,
    SIGNAL,
    SIGNAL_VARIANCE,
)

__all__ = [
    "ALIGNED",
    "COSINE",
    "EVERY",
    "KEPT",
    "N_STATISTICS",
    "PERPENDICULAR_SQUARE",
    "SIGNAL",
    "SIGNAL_VARIANCE",
]
