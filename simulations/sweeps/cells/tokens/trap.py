"""Where a gate on tokens stalls, in closed form."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory import token_trap as closed
from kondo_theory.words import choice
from simulations.sweeps.cells.types import Arms, Count, Positive, Rate

__all__ = ["stalling", "token_trap"]


def token_trap(
    *,
    vocab_size: Arms,
    n_tokens: Count,
    gate: Literal["token", "row", "zero-price", "dg"] = "token",
    rate: Rate | None = None,
    temperature: Positive = 1.0,
) -> dict[str, float | bool]:
    """Return whether training from the uniform policy stalls, and the stall point p*, nan where it does not.

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


def stalling(*, vocab_size: Arms, n_tokens: Count, gate: Literal["token", "dg"] = "token") -> list[dict[str, float]]:
    """Return the intervals of rates, or of DG's temperatures, at which training stalls; nan where there is none.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2 and T ≥ 1.
    gate : {"token", "dg"}
        Intervals of ρ for ``token``, of η for ``dg``.
    """
    stalls = {"token": closed.stalling_rates, "dg": closed.stalling_temperatures}
    intervals = stalls[choice("gate", gate, stalls)](vocab_size, n_tokens)
    return [{"low": float(low), "high": float(high)} for low, high in intervals or [(np.nan, np.nan)]]
