"""Where a gate on tokens stalls, in closed form."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory import token_trap as closed
from simulations.sweeps.cells.types import Arms, Count, Positive, Rate

__all__ = ["token_trap"]


def token_trap(
    *,
    vocab_size: Arms,
    n_tokens: Count,
    gate: Literal["token", "row", "zero-price", "dg"] = "token",
    rate: Rate | None = None,
    temperature: Positive = 1.0,
) -> dict[str, float | bool]:
    """Return the stall point p* met from the uniform policy, and the drift's least value on a grid of p.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2 and T ≥ 1.
    gate : {"token", "row", "zero-price", "dg"}
    rate : float, optional
        ρ in (0, 1], for the gates ``token`` and ``row``.
    temperature : float
        η, for ``dg``.
    """
    stall = closed.stall_point(rate, vocab_size, n_tokens, gate, temperature)
    return {"stalls": stall is not None, "stall_point": np.nan if stall is None else stall}
