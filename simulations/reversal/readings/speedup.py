"""What each method of token reversal spends until few tokens are wrong, and its speed-up over PG."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kondo_theory.cost import step_cost
from simulations.errors import ResultError
from simulations.results.tables import Table

__all__ = ["COSTS", "GATE", "HARDNESS", "JUDGED_COST", "LEVELS", "METHODS", "REFERENCE", "Setting", "Spending",
           "reached", "runs_at", "saved_a_step", "seconds_an_update"]  # fmt: skip

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
        update; forward_rows, answers sampled; backward_samples, tokens backpropagated over H; flops of all phases.
    """
    curve = run.sort_values("update")
    spent = {
        "update": curve["update"].to_numpy(np.float64),
        "forward_rows": curve["forward_rows"].to_numpy(np.float64),
        "backward_samples": curve["backward_tokens"].to_numpy(np.float64) / curve["length"].to_numpy(),
        "flops": sum(curve[f"{phase}_flops"].to_numpy(np.float64) for phase in _PHASES),
    }
    errors = curve["token_error"].to_numpy(np.float64)
    below = np.flatnonzero(errors < error)
    if not len(below):
        return dict.fromkeys(spent, np.inf)
    last = int(below[0])
    first = max(0, last - 1)
    share = 1.0 if last == first else (errors[first] - error) / (errors[first] - errors[last])
    return {name: float(each[first] + share * (each[last] - each[first])) for name, each in spent.items()}


@dataclass(frozen=True)
class Spending:
    """What every run of the study spent until an error, each read once.

    Attributes
    ----------
    frame : DataFrame
        Learning curves of ``METHODS`` at every setting of ``HARDNESS``.
    """

    frame: pd.DataFrame
    _found: dict[tuple[str, Setting, float], pd.DataFrame] = field(default_factory=dict, repr=False)

    def by_seed(self, label: str, setting: Setting, error: float) -> pd.DataFrame:
        """Return :func:`reached` of each seed of a method, one row a seed."""
        key = label, setting, error
        if key not in self._found:
            every = runs_at(self.frame, label, setting).groupby("seed")
            rows = {seed: reached(run, error) for seed, run in every}
            self._found[key] = pd.DataFrame.from_dict(rows, orient="index")
        return self._found[key]

    def speedups(self, label: str, setting: Setting, backward_cost: float, error: float) -> pd.Series:
        """Return PG's cost to an error over a method's, of each seed that both have; ∞ if only PG never gets there.

        An answer costs one to sample and ``backward_cost`` to train on. Seeds of which neither gets there are left
        out.
        """
        both = [self.by_seed(name, setting, error) for name in (REFERENCE, label)]
        full, other = (each["forward_rows"] + backward_cost * each["backward_samples"] for each in both)
        return (full / other).dropna()


def saved_a_step(frame: pd.DataFrame, setting: Setting) -> float:
    """Return the FLOPs of PG's update over the gate's by the model of step cost.

    In forward passes of training: acting is the sampler's share, screening reuses its log-probabilities (s = 0), and
    the rate is the share of rows processed.
    """
    full, gate = (runs_at(frame, label, setting).sort_values("update").iloc[-1] for label in (REFERENCE, GATE))
    acting = float(3 * full["sampling_flops"] / full["training_flops"])
    share = float(gate["backward_rows"] / gate["forward_rows"])
    whole = step_cost(1.0, 2.0, "full", acting_cost=acting)
    return float(whole / step_cost(share, 2.0, "physical", screening_cost=0.0, acting_cost=acting))


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
    found: dict[tuple[Setting, str], pd.Series] = {}
    for _, part in runs.groupby(columns[:3]):
        length, vocab_size, label = part[columns[:3]].iloc[0]
        found[(int(length), int(vocab_size)), str(label)] = part.set_index("seed")["seconds"]
    return found
