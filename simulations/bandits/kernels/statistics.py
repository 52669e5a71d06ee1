"""Statistics of a replicate's batches: their columns, and how a batch enters them."""

import math
from typing import NamedTuple

from simulations.randomness.compiling import inlined
from simulations.randomness.streams import FloatArray

SIGNAL, SIGNAL_VARIANCE, PERPENDICULAR_SQUARE, COSINE, KEPT, ALIGNED = range(6)
"""Columns: mean and unbiased variance of ḡ·u, means of ‖ḡ_⊥‖², of the cosine, of the number kept, share aligned."""
N_STATISTICS = 6

EVERY = -1
"""``n_kept`` of gates that decide sample by sample; any other value is the k of exactly-k selection."""


class Batches(NamedTuple):
    """The batches of every replicate."""

    size: int
    """B."""
    n_kept: int
    """k, or ``EVERY``."""
    number: int
    """At least two."""
    cosine: float
    """A batch is aligned if cos(ḡ, u) is at least this; a zero gradient has cosine 0 and is never aligned."""


class BatchGradient(NamedTuple):
    """What a batch gradient ḡ enters the statistics with."""

    signal: float
    """ḡ·u."""
    square: float
    """‖ḡ_⊥‖²."""
    kept: int
    """Backward passes."""


@inlined
def record(row: FloatArray, batch: int, gradient: BatchGradient, threshold: float) -> None:
    """Add batch number ``batch`` (from 0) to running sums, shape (6,); the variance by Welford's update.

    The batch is aligned if its cosine is at least ``threshold``.
    """
    signal, square = gradient.signal, gradient.square
    norm = math.sqrt(signal * signal + square)
    cosine = signal / norm if norm > 0.0 else 0.0
    shift = signal - row[SIGNAL]
    row[SIGNAL] += shift / (batch + 1)
    row[SIGNAL_VARIANCE] += shift * (signal - row[SIGNAL])
    row[PERPENDICULAR_SQUARE] += square
    row[COSINE] += cosine
    row[KEPT] += gradient.kept
    if norm > 0.0 and cosine >= threshold:
        row[ALIGNED] += 1.0


@inlined
def finish(row: FloatArray, n_batches: int) -> None:
    """Turn running sums, shape (6,), over ``n_batches`` ≥ 2 batches into means and an unbiased variance."""
    row[SIGNAL_VARIANCE] /= n_batches - 1
    for column in (PERPENDICULAR_SQUARE, COSINE, KEPT, ALIGNED):
        row[column] /= n_batches
