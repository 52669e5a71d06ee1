"""What each method of token reversal spends until few tokens are wrong, and its speed-up over PG."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulations.errors import ResultError
from simulations.results.tables import Table

__all__ = [
    "COSTS",
    "GATE",
    "HARDNESS",
    "JUDGED_COST",
    "LEVELS",
    "METHODS",
    "REFERENCE",
    "Setting",
    "reached",
    "runs_at",
    "seconds_an_update",
    "speedups",
    "spent_by_seed",
]  # fmt: skip

Setting = tuple[int, int]
"""H and M."""
HARDNESS: tuple[Setting, ...] = ((5, 2), (10, 2), (20, 2), (10, 4))
"""Those of study speedup; the runs of H = 10, M = 2 are in study quality."""
LEVELS = (0.05, 0.1)
"""Token errors that are to be reached; the first is judged."""
COSTS = (0.0, 1.0, 4.0, 8.0, 16.0)
"""c, a backward pass in forward passes."""
JUDGED_COST = 4.0
REFERENCE, GATE = "PG", "row gate(3 %)"
METHODS = (REFERENCE, "DG", "zero-price", GATE)

_PHASES = ("sampling", "screening", "training")


def runs_at(frame: pd.DataFrame, label: str, setting: Setting) -> pd.DataFrame:
    """Return the curves of a method at H and M.

    Raises
    ------
    ResultError
        If there are none.
    """
    length, vocab_size = setting
    at = (frame["length"] == length) & (frame["vocab_size"] == vocab_size)
    runs = frame[at & (frame["label"] == label)]
    if runs.empty:
        raise ResultError(f"the runs lack {label} at H = {length}, M = {vocab_size}, which reversal-speedup compares")
    return runs


def reached(run: pd.DataFrame, error: float) -> dict[str, float]:
    """Return what one run had spent when its token error fell below ``error``; everything is ∞ if it never did.

    Between the last evaluation above the error and the first below it the error is interpolated.

    Returns
    -------
    dict of str to float
        update; forward_rows, answers sampled; backward_samples, tokens backpropagated over H; flops of all phases,
        and sampling_flops.
    """
    curve = run.sort_values("update")
    spent = {
        "update": curve["update"],
        "forward_rows": curve["forward_rows"],
        "backward_samples": curve["backward_tokens"] / curve["length"],
        "flops": curve[[f"{phase}_flops" for phase in _PHASES]].sum(axis=1),
        "sampling_flops": curve["sampling_flops"],
    }
    below = np.flatnonzero(curve["token_error"].to_numpy() < error)
    if not len(below):
        return dict.fromkeys(spent, np.inf)
    last = int(below[0])
    first = max(0, last - 1)
    high, low = (float(curve["token_error"].iloc[place]) for place in (first, last))
    share = 1.0 if last == first else (high - error) / (high - low)
    ends = {name: (float(each.iloc[first]), float(each.iloc[last])) for name, each in spent.items()}
    return {name: start + share * (end - start) for name, (start, end) in ends.items()}


def spent_by_seed(frame: pd.DataFrame, label: str, setting: Setting, error: float) -> pd.DataFrame:
    """Return :func:`reached` of each seed, one row a seed."""
    every = runs_at(frame, label, setting).groupby("seed")
    return pd.DataFrame.from_dict({seed: reached(run, error) for seed, run in every}, orient="index")


def speedups(frame: pd.DataFrame, label: str, setting: Setting, backward_cost: float, error: float) -> pd.Series:
    """Return PG's cost to an error over a method's, of each seed that both have; ∞ if only PG never gets there.

    An answer costs one to sample and ``backward_cost`` to train on. Seeds of which neither gets there are left out.
    """
    both = [spent_by_seed(frame, name, setting, error) for name in (REFERENCE, label)]
    full, other = (each["forward_rows"] + backward_cost * each["backward_samples"] for each in both)
    return (full / other).dropna()


def seconds_an_update(table: Table) -> dict[tuple[Setting, str], pd.Series]:
    """Return what an update took, evaluations apart, by setting and label: of each seed, from a table's sidecar.

    Raises
    ------
    ResultError
        If the sidecar is gone or has not one entry a run.
    """
    columns = ["length", "vocab_size", "label", "seed", "updates"]
    runs, phases = table.frame[columns].drop_duplicates(), table.sidecar.get("seconds")
    if not isinstance(phases, list) or len(phases) != len(runs):
        raise ResultError(f"{table.path} needs a sidecar with the seconds of each of its {len(runs)} runs")
    taken = np.array([sum(each[phase] for phase in _PHASES) for each in phases])
    runs = runs.assign(seconds=taken / runs["updates"].to_numpy())
    return {
        ((int(length), int(vocab_size)), str(label)): part.set_index("seed")["seconds"]
        for (length, vocab_size, label), part in runs.groupby(["length", "vocab_size", "label"])
    }
