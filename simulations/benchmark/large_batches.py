"""Speed and memory of selection for ``kondo bench``: many scores in one batch, and in many rows, on one CPU thread.

Memory is what NumPy holds at once above the scores, the mask among it; torch's own memory is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kondo_theory.gate import quantile_price, select
from simulations.benchmark.cases import BenchmarkRow, Case, one_threaded

__all__ = ["cases", "targets"]

ONE, ROWS = "selection, one batch", "selection, rows of 100"
NUMPY, TORCH, TIES, PRICE = "NumPy", "torch", "NumPy, 13 values", "price, NumPy"
RATE, ROW = 0.03, 100
SIZE, PROMISED_SIZE = 10**7, 10**8
SECONDS, GIGABYTES = 2.5, 2.5
"""What a batch of the promised size may take; one of a tenth of it takes a tenth."""


def cases(quick: bool) -> list[Case]:
    """Return the cases: 10^7 scores in float32; ``quick`` makes them few."""
    size = 1_000 if quick else SIZE
    scores = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    rows = scores.reshape(-1, ROW)
    one: dict[str, Callable[[], Any]] = {
        NUMPY: partial(_in_numpy, scores),
        TORCH: partial(_in_torch, scores),
        TIES: partial(_in_numpy, scores.round()),
        PRICE: partial(quantile_price, scores, RATE),
    }
    many: dict[str, Callable[[], Any]] = {NUMPY: partial(_in_numpy, rows), TORCH: partial(_in_torch, rows)}
    return [
        Case(
            name,
            "million scores",
            {key: (max(1, size // 10**6), one_threaded(call)) for key, call in variants.items()},
        )
        for name, variants in ((ONE, one), (ROWS, many))
    ]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required): seconds and gigabytes, in proportion to what is promised of 10^8 scores."""
    share = SIZE / PROMISED_SIZE
    found = []
    for row in rows:
        if row.case not in (ONE, ROWS):
            continue
        what = f"{row.case}, {row.variant}, 10^7 scores"
        required = "not promised" if row.case == ROWS else f"≤ {SECONDS * share:g}"
        found.append((f"{what}: seconds", row.seconds, required))
        if row.variant != TORCH:
            found.append((f"{what}: gigabytes", (row.peak_bytes or 0) / 1e9, f"≤ {GIGABYTES * share:g}"))
    return found


def _in_numpy(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    keep: NDArray[np.bool_] = select(scores, RATE, np.random.default_rng(1))
    return keep


def _in_torch(scores: NDArray[np.float32]) -> torch.Tensor:
    keep: torch.Tensor = select(torch.from_numpy(scores), RATE, torch.Generator().manual_seed(1))
    return keep
