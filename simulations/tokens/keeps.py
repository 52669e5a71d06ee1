"""Which tokens of a batch of rows a token gate keeps, independently or clustered, and what of the rows survives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kondo_theory.words import unhandled

__all__ = ["Keeps", "keep_patterns", "surviving"]

Keeps = NDArray[np.bool_]


def keep_patterns(
    generator: np.random.Generator, n_rows: int, n_tokens: int, rate: float, correlation: float, clustering: str
) -> Keeps:
    """Return which tokens are kept, (n_rows, T): independent, or clustered by rows or by runs.

    Raises
    ------
    ValueError
        If the clustering is unknown and there is any.
    """
    if correlation == 0:
        return generator.random((n_rows, n_tokens)) < rate
    if clustering == "run":  # a token copies the decision before it with probability r, or draws its own
        keeps = generator.random((n_rows, n_tokens)) < rate
        copies = generator.random((n_rows, n_tokens)) < correlation
        for t in range(1, n_tokens):
            keeps[:, t] = np.where(copies[:, t], keeps[:, t - 1], keeps[:, t])
        return keeps
    if clustering != "row":
        raise unhandled("clustering", clustering, ("row", "run"))
    if correlation == 1:
        own = (generator.random((n_rows, 1)) < rate).astype(float)
    else:
        size = 1 / correlation - 1
        own = generator.beta(rate * size, (1 - rate) * size, (n_rows, 1))
    return generator.random((n_rows, n_tokens)) < own


def surviving(keeps: Keeps) -> tuple[float, float]:
    """Return the share of rows with a kept token, and the mean position of the last one."""
    positions = np.arange(1, keeps.shape[1] + 1)
    return float(keeps.any(axis=1).mean()), float((keeps * positions).max(axis=1).mean())
