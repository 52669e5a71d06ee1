"""The comparison of published rules: what their tables say beside the learning curves, and errors at equal rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kondo_theory.screening import RULES
from simulations.reversal.summary import RUN

__all__ = ["STUDY", "compared", "error_at"]

STUDY = "neighbours"


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return learning curves of gates at a rate with the columns level and error.

    ``level`` is what the rule decides on here, ``token``, ``answer`` or ``prompt``; ``error`` is the share of wrong
    tokens of sampled answers.
    """
    names, levels = {"row-gate": "answer", "token-gate": "token"}, []
    for method, rule in zip(frame["method"], frame["rule"], strict=True):
        of_prompts = RULES[rule].granularity == "prompt"
        levels.append("prompt" if of_prompts else names[method])
    columns = frame.drop(columns=["level", "error"], errors="ignore")
    columns.insert(columns.columns.get_loc("rule") + 1, "level", levels)
    return columns.assign(error=columns["token_error"])


def error_at(frame: pd.DataFrame, backward_rows: float) -> pd.DataFrame:
    """Return the error of each run when it had backpropagated so many rows.

    Between evaluations the error is interpolated in the rows; NaN for a run that has not backpropagated as many.

    Parameters
    ----------
    frame : DataFrame
        From :func:`compared`.
    backward_rows : float

    Returns
    -------
    DataFrame
        The columns ``RUN``, level and error, one row a run.
    """
    rows = []
    for key, run in frame.groupby([*RUN, "level"], sort=False, dropna=False):
        curve = run.sort_values("update")
        spent, error = curve["backward_rows"].to_numpy(np.float64), curve["error"].to_numpy(np.float64)
        found = float(np.interp(backward_rows, spent, error, right=np.nan))
        rows.append(dict(zip([*RUN, "level"], key, strict=True)) | {"error": found})
    return pd.DataFrame(rows)
