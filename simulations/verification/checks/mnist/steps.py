"""Measurements on MNIST, step by step: gains of updates, and gates at one rate, in exact moments and in training."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from simulations.mnist.summary import final_error, samples_to_error
from simulations.mnist.tables import LEARNING_CURVES, committed
from simulations.results.table_sizes import sizes_of_paths, sizes_of_runs
from simulations.results.tables import Table
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = [
    "cost_rows",
    "curve_rows",
    "gain_rows",
    "gates_under_adam",
    "joined",
    "normalised_price_gate",
    "optimal_gate",
    "order_rows",
]

FloatArray = NDArray[np.float64]

_POLICY = ["seed", "target", "label", "direction"]
_RATES = (1e-4, 1e-3)
_BY_DELIGHT, _PRICE, _KEPT, _LAST = "DG-K(3 %)", "price(3 %)", "price(3 %), by the kept", "last-layer(3 %)"


def gates_under_adam(context: Context) -> list[Measured]:
    """Return what updates gain beside the predictions, and these beside the order of committed learning curves."""
    predicted, gains = _table(context, "mnist-adam"), _table(context, "mnist-gains")
    if predicted is None or gains is None:
        both = _measured_gains(context)
        return attributed(gain_rows(both, context.source.origin), context.source, sizes_of_paths(both))
    both = joined(predicted.frame, gains.frame)
    rows = attributed(gain_rows(both, gains.source.origin), gains.source, sizes_of_paths(both))
    curves = committed(*LEARNING_CURVES)
    if curves is not None:
        found = order_rows(predicted.frame, curves.frame, predicted.source.origin)
        rows += attributed(found, predicted.source, sizes_of_paths(predicted.frame))
    return rows


def normalised_price_gate(context: Context) -> list[Measured]:
    """Return the measured rows of ``normalised-price-gate``: learning curves by divisor."""
    pairs = ((_KEPT, _PRICE), (_BY_DELIGHT, _PRICE))
    return _curves(context, pairs)


def optimal_gate(context: Context) -> list[Measured]:
    """Return the measured rows of ``optimal-gate``: learning curves by the last layer, and costs of signal."""
    rows = _curves(context, ((_LAST, _BY_DELIGHT),))
    costs = _table(context, "mnist-best-gates")
    if costs is not None:
        rows += attributed(cost_rows(costs.frame, costs.source.origin), costs.source, sizes_of_paths(costs.frame))
    return rows


def _table(context: Context, kind: str) -> Table | None:
    found = context.tables.find(kind)
    if found is None and context.preset == "quick" and context.device == "cpu":
        found = committed(f"{kind}-paper", f"{kind}-quick")
    return found


def _curves(context: Context, pairs: tuple[tuple[str, str], ...]) -> list[Measured]:
    """Return final errors, updates to an error, and how pairs of gates compare: at smoke from short runs."""
    found = _table(context, "mnist-curves")
    table, source = (_measured_curves(context), context.source) if found is None else (found.frame, found.source)
    return attributed(curve_rows(table, pairs, source.origin), source, sizes_of_runs(table))


@lru_cache(maxsize=1)  # two claims are judged from one table
def _measured_curves(context: Context) -> pd.DataFrame:
    import torch

    from simulations.mnist.images import load_mnist
    from simulations.mnist.runs import run_contenders
    from simulations.mnist.steps.curves import CONTENDERS, SIZES, run

    def progress(done: str) -> None:
        context.progress(f"gates at 3 %: {done}")

    return run_contenders(
        run, CONTENDERS, SIZES[context.preset], load_mnist(), torch.device(context.device), progress=progress
    )


def _measured_gains(context: Context) -> pd.DataFrame:
    import torch

    from simulations.mnist.images import load_mnist
    from simulations.mnist.steps import gains, progress
    from simulations.mnist.steps.policies import SIZES, path_configs

    size, data, device = gains.SIZES[context.preset], load_mnist(), torch.device(context.device)
    frames = []
    for config in path_configs(SIZES[context.preset])[: size.paths]:
        context.progress(f"gates-under-adam: path of seed {config.seed}")
        predicted = progress.measure_path(config, data, device, size.contenders)
        frames.append(joined(predicted, gains.measure_path(config, size, data, device)))
    return pd.concat(frames, ignore_index=True)


def joined(predicted: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Return measured gains, each beside what was predicted of its policy, method and direction."""
    return gains.merge(predicted[[*_POLICY, "progress", "descent"]], on=_POLICY, validate="many_to_one")


def gain_rows(both: pd.DataFrame, origin: str) -> list[Measured]:
    """Return gains over predictions in the limit of small steps, and rank correlations over methods.

    Parameters
    ----------
    both : DataFrame
        As :func:`joined` makes it.
    origin : str
    """
    table = both[both["direction"] == "PG"]
    limit = table[table["learning_rate"] == 0]
    ratio = (limit["gain"] / limit["progress"]).groupby(limit["seed"])
    name = "gain in the limit of small steps, Adam / predicted"
    apart = ((limit["gain"] - limit["progress"]).abs() / limit["standard_error"]).groupby(limit["seed"])
    far = "gain in the limit of small steps less the predicted, standard errors, largest of all methods"
    rows = [
        _row(f"{name}, lowest of all methods", ratio.min(), origin, {}),
        _row(f"{name}, highest of all methods", ratio.max(), origin, {}),
        _row(f"{name}, median of all methods", ratio.median(), origin, {}),
        _row(far, apart.max(), origin, {}),
    ]
    for rate in _RATES:
        found = _correlations(table[table["learning_rate"] == rate], "progress")
        title = f"rank correlation of predicted gains with those of 20 updates at learning rate {rate:g}, lowest"
        rows.append(_row(title, found.groupby("seed").min(), origin, {"learning rate": rate, "updates": 20}))
        better = found - _correlations(table[table["learning_rate"] == rate], "descent")
        title = f"rank correlation with gains at learning rate {rate:g}, Adam's prediction − descent's, lowest"
        rows.append(_row(title, better.groupby("seed").min(), origin, {"learning rate": rate}))
    for label in table["label"].unique():
        for rate in (0.0, *_RATES):
            part = table[(table["learning_rate"] == rate) & (table["label"] == label)].set_index("seed")
            title = f"gain at learning rate {rate:g} / predicted, {label}, mean over policies"
            values = (part["gain"] / part["progress"]).groupby("seed").mean()
            rows.append(_row(title, values, origin, method_of(label) | {"learning rate": rate}))
    return rows


def _correlations(table: pd.DataFrame, prediction: str) -> pd.Series:
    """Return the rank correlation over methods of a prediction with gains, by seed and policy."""
    groups = table.groupby(["seed", "target"])
    return pd.Series(
        {place: spearmanr(each[prediction], each["gain"]).statistic for place, each in groups}
    ).rename_axis(["seed", "target"])


def order_rows(predicted: pd.DataFrame, curves: pd.DataFrame, origin: str) -> list[Measured]:
    """Return how the predicted order of methods agrees with that of learning curves, which is not demanded.

    Parameters
    ----------
    predicted : DataFrame
        As :func:`simulations.mnist.steps.progress.measure_path` makes it.
    curves : DataFrame
        As :func:`simulations.mnist.config.tidy` makes it.
    origin : str
        Of the predictions.
    """
    rows = []
    for direction in ("PG", "cross-entropy"):
        for target, error in ((0.8, 0.1), (0.9, 0.05), (0.95, 0.05)):
            at = predicted[(predicted["direction"] == direction) & (predicted["target"] == target)]
            labels = [label for label in at["label"].unique() if label in set(curves["label"])]
            spent = [float(np.median(samples_to_error(curves, label, error, "update"))) for label in labels]
            values = at.pivot(index="seed", columns="label", values="progress")[labels]
            found = np.array([-spearmanr(row, spent).statistic for row in values.to_numpy()])
            title = (
                f"rank correlation of gains predicted at {100 * target:g} % along {direction}'s gradient with the "
                f"speed of committed curves to {100 * error:g} % error"
            )
            where: dict[str, Value] = {"accuracy": target, "target error": error, "gradient": direction}
            rows.append(_row(title, found, origin, where))
    return rows


def curve_rows(table: pd.DataFrame, pairs: tuple[tuple[str, str], ...], origin: str) -> list[Measured]:
    """Return final errors and updates to 20 and to 10 % error of gates and how pairs of them compare.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.steps.curves.run` makes it, of all contenders.
    pairs : tuple of pairs of str
        Labels: each gate, and what it is compared with.
    origin : str
    """
    rows = []
    for label in dict.fromkeys(each for pair in pairs for each in pair):
        rows.append(
            _row(f"final test error, {label} (percent)", 100 * final_error(table, label), origin, method_of(label))
        )
        for error in (0.2, 0.1):
            spent = samples_to_error(table, label, error, "update")
            where = method_of(label) | {"target error": error}
            rows.append(_row(f"updates to {100 * error:g} % error, {label}", spent, origin, where))
    for one, other in pairs:
        where = method_of(one) | {"against": method_of(other)["method"]}
        gap = 100 * (final_error(table, one) - final_error(table, other))
        rows.append(_row(f"final test error, {one} − {other} (percentage points)", gap, origin, where))
        for error in (0.2, 0.1):
            took, than = (samples_to_error(table, label, error, "update") for label in (one, other))
            there = np.isfinite(than)  # where neither arrives they are alike; where one does, a ratio of ∞ or 0
            with np.errstate(invalid="ignore"):
                ratio = np.where(there | np.isfinite(took), took / than, 1.0)
            title = f"updates to {100 * error:g} % error, {one} / {other}"
            rows.append(_row(title, ratio, origin, where | {"target error": error}))
    return rows


def cost_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return, of each gate at 3 %, its cost of signal over the least, at every policy, along PG's gradient.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.steps.best_gates.measure_path` makes it.
    origin : str
    """
    at = table[(table["direction"] == "PG") & (table["rate"] == 0.03)]
    costs = at.pivot(index=["target", "seed"], columns="gate", values="cost")
    rows = []
    for gate in (name for name in at["gate"].unique() if name != "best"):
        for target, values in (costs[gate] / costs["best"]).groupby("target"):
            where: dict[str, Value] = {"gate": gate, "accuracy": float(target), "ρ": 0.03}
            title = f"cost of signal over the least at ρ=0.03, {gate}, policy of {100 * target:g} % accuracy"
            rows.append(_row(title, values, origin, where))
    return rows


def _row(name: str, values: pd.Series | FloatArray, origin: str, parameters: dict[str, Value]) -> Measured:
    found = bootstrap(np.asarray(values, dtype=np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
