"""What a table of windows on cheap scores says; free of torch, for figures to read."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["RECALL", "costs_of", "forward_passes", "windows_of"]

RECALL = 0.99
"""At which forward passes are compared."""


def windows_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the grid of windows about the cost."""
    return frame[(frame["choice"] == "grid") & (frame["offset"] == 0)]


def forward_passes(windows: pd.DataFrame, column: str = "") -> pd.Series:
    """Return exact forward passes a sample, score included, of each seed's first window with 99 % recall; ∞ if none.

    Parameters
    ----------
    windows : DataFrame
        Rows of the grid of windows, of one screener at one policy.
    column : str
        Empty for what was measured, ``predicted_`` for what Gaussian error says.
    """
    enough = windows[windows[f"{column}recall"] >= RECALL]
    spent = (enough["score_cost"] + enough[f"{column}evaluated"]).groupby(enough["seed"]).min()
    return spent.reindex(np.sort(windows["seed"].unique()), fill_value=np.inf)


def costs_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what windows cost beside the score, in backward passes: e × share + missed + wasted.

    Parameters
    ----------
    frame : DataFrame
        Rows of one screener.

    Returns
    -------
    DataFrame
        One row a seed, policy and e: seed, update, evaluation; least, the least on the grid of windows, and
        best_width, where; gaussian_error, at the window that is predicted to cost least; closed_form, at that of
        Gaussian delight.
    """
    rows = []
    closed = frame[frame["choice"] == "window"]
    for (seed, update), grid in windows_of(frame).groupby(["seed", "update"]):
        own = closed[(closed["seed"] == seed) & (closed["update"] == update)]
        for _, at in own.iterrows():
            e = float(at["evaluation"])
            cost = (e * grid["evaluated"] + grid["missed"] + grid["wasted"]).to_numpy()
            told = (e * grid["predicted_evaluated"] + grid["predicted_missed"] + grid["predicted_wasted"]).to_numpy()
            rows.append(
                {
                    "seed": seed,
                    "update": update,
                    "evaluation": e,
                    "least": cost.min(),
                    "best_width": grid["width"].to_numpy()[cost.argmin()],
                    "gaussian_error": cost[told.argmin()],
                    "closed_form": e * at["evaluated"] + at["missed"] + at["wasted"],
                }
            )
    return pd.DataFrame(rows)
