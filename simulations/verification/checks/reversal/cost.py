"""Logical and physical cost of gates on token reversal, counted in training, against the model of the theory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kondo_theory.cost import step_cost, surviving_rows, surviving_rows_exact
from kondo_theory.gate import kept_count
from simulations.devices import describe, device_name
from simulations.errors import ResultError
from simulations.results.table_sizes import sizes_of
from simulations.results.tables import with_seconds
from simulations.reversal.tables import CAPTURED, STEP_TIMES, Curves, step_times
from simulations.statistics import Interval, bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import over_seeds
from simulations.verification.checks.reversal.runs import curves

__all__ = ["physical_cost", "physical_cost_rows", "seconds_rows"]

TOKEN, ROW, FULL = "token gate(3 %)", "row gate(3 %)", "PG"
GATED = (TOKEN, ROW, "row gate(3 %, advantage)", "zero-price")

FloatArray = NDArray[np.float64]


def physical_cost(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-physical-cost``."""
    return [*physical_cost_rows(curves(context, "quality")), *_seconds(context)]


def physical_cost_rows(found: Curves) -> list[Measured]:
    """Return what the gates kept and what they processed, as shares of full steps, over whole trainings."""
    totals = _totals(found.frame)
    lacking = [label for label in (TOKEN, ROW, FULL) if label not in totals]
    if lacking:
        raise ResultError(f"{found.origin()}: lacks {', '.join(lacking)}, which reversal-physical-cost compares")
    rows: list[Measured] = []
    compared = found.frame[found.frame["label"].isin((FULL, *GATED))]

    def add(quantity: str, values: FloatArray, **more: Value) -> None:
        rows.append(over_seeds(quantity, values, found, compared, method_of(label) | more))

    full = totals[FULL].iloc[0]  # every answer of PG costs the same
    for label in (label for label in GATED if label in totals):
        spent = totals[label]
        kept = _share(spent, "backward_tokens", "forward_tokens")
        survivors = _share(spent, "backward_rows", "forward_rows")
        processed = _share(spent, "processed_tokens", "full_tokens")
        add(f"tokens kept, share of all, {label}", kept)
        add(f"rows processed, share of all, {label}", survivors)
        add(f"positions processed, share of the full step, {label}", processed)
        add(
            f"positions cut off behind the last kept token, share of the rows processed, {label}",
            1 - processed / survivors,
        )
        add(f"positions processed over tokens kept, shares of the full step, {label}", processed / kept)
        add(f"training FLOPs, {label} / PG", _array(spent["training_flops"] / full["training_flops"]), against=FULL)
        step, full_step = (each["sampling_flops"] + each["training_flops"] for each in (spent, full))
        add(f"sampling and training FLOPs, {label} / PG", _array(step / full_step), against=FULL)
        same = f"the same, predicted from the positions processed, {label}"
        add(same, _predicted_step(full, processed), against=FULL)
        if label.startswith("token gate"):
            exact, independent = _survivors(found.frame, label)
            add(f"rows processed, {label}, measured over predicted for independent keeps", survivors / exact)
            name = f"rows processed, {label}, measured over 1 − (1 − ρ)^T = {independent:.3f}"
            add(name, survivors / independent, predicted=independent)
    return rows


def _seconds(context: Context) -> list[Measured]:
    """Return the rows on seconds, device by device: tables given to the report, else committed; paper measures."""
    own = context.tables.parts(STEP_TIMES)
    if not own and context.preset == "paper":
        return _seconds_now(context)
    return [
        row
        for device, table in step_times(own).items()
        for row in attributed(seconds_rows(with_seconds(table), device, table.origin), table.source, sizes_of(table))
    ]


def _seconds_now(context: Context) -> list[Measured]:
    import torch

    from simulations.reversal.times import chosen_batches, measure

    rows: list[Measured] = []
    device = torch.device(context.device)
    name = device_name(describe(device))
    for batches in chosen_batches(context.preset, context.device):
        context.progress(f"reversal-physical-cost: updates of {batches.rows:,} answers")
        found = measure(batches, device)
        rows += seconds_rows(found, name, context.source.origin)
    return attributed(rows, context.source, {})


def seconds_rows(times: pd.DataFrame, device: str, origin: str) -> list[Measured]:
    """Return seconds of an update and of its training over those of PG: medians of the ratios within rounds.

    Parameters
    ----------
    times : DataFrame
        As :func:`simulations.reversal.times.measure` makes it, several sizes joined.
    device, origin : str

    Raises
    ------
    ResultError
        If PG is missing.
    """
    rows: list[Measured] = []
    for answers, size in times.groupby("answers"):
        seconds = {row["label"]: np.array(row["seconds"]) for _, row in size.iterrows()}  # rounds × parts
        if FULL not in seconds:
            raise ResultError(f"{origin}: lacks {FULL}, which reversal-physical-cost compares with")
        for label in (label for label in GATED if label in seconds):
            for part, name in ((-1, "an update, sampling included"), (-2, "training alone")):
                ratios = seconds[label][:, part] / seconds[FULL][:, part]
                interval = bootstrap(ratios)
                quantity = f"seconds of {name}, {label} / PG, {answers:,} answers, {device}"
                point = method_of(label) | {"against": FULL, "part": name, "answers": int(str(answers))}
                point["device"] = device
                rows.append(Measured(quantity, *_ends(interval), len(ratios), None, origin, parameters=point))
        rows += _captured_rows(seconds, int(str(answers)), device, origin)
    return rows


def _captured_rows(seconds: Mapping[str, FloatArray], answers: int, device: str, origin: str) -> list[Measured]:
    """Return recorded updates over recorded ones of PG, and those of PG over its own as they are."""
    recorded = FULL + CAPTURED
    if recorded not in seconds:
        return []
    rows = []
    gates = [(label + CAPTURED, recorded, label) for label in GATED if label + CAPTURED in seconds]
    for label, against, method in (*gates, (recorded, FULL, FULL)):
        ratios = seconds[label][:, -1] / seconds[against][:, -1]
        quantity = f"seconds of an update, sampling included, {label} / {against}, {answers:,} answers, {device}"
        point = method_of(method) | {"against": against, "answers": answers, "device": device}
        point["part"] = "an update, captured"
        rows.append(Measured(quantity, *_ends(bootstrap(ratios)), len(ratios), None, origin, parameters=point))
    return rows


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _totals(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what each seed of each method spent in all, seeds × counts; FLOPs are those of an answer."""
    ends = frame.sort_values("update").groupby(["label", "seed"], sort=False).last()
    flops = [f"{phase}_flops" for phase in ("sampling", "screening", "training")]
    ends[flops] = ends[flops].div(ends["forward_rows"], axis=0)
    return {str(label): ends.loc[label].sort_index() for label in frame["label"].unique()}


def _share(spent: pd.DataFrame, part: str, whole: str) -> FloatArray:
    return _array(spent[part] / spent[whole])


def _array(values: pd.Series) -> FloatArray:
    return values.to_numpy(np.float64)


def _survivors(frame: pd.DataFrame, label: str) -> tuple[float, float]:
    """Return the share of rows that survive: of exactly k kept tokens of a batch, and of independent keeps."""
    run = frame[frame["label"] == label].iloc[0]
    rows, tokens, rate = int(run["prompts"] * run["answers"]), int(run["length"]), float(run["rate"])
    n_kept = kept_count(rate, rows * tokens)
    return surviving_rows_exact(rows, tokens, n_kept), float(surviving_rows(rate, tokens))


def _predicted_step(full: pd.Series, processed: FloatArray) -> FloatArray:
    """Return a gated step's FLOPs over a full one's, sampling included, by the cost model.

    In forward passes of training: acting is the sampler's share, screening reuses its log-probabilities (s = 0), and
    the rate is the share of positions processed.
    """
    forward = float(full["training_flops"]) / 3
    acting = float(full["sampling_flops"]) / forward
    gated = step_cost(processed, 2.0, "physical", screening_cost=0.0, acting_cost=acting)
    return np.asarray(gated / step_cost(1.0, 2.0, "full", acting_cost=acting))
