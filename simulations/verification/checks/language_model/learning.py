"""Measurements on training a language model: which gates keep what PG learns, and what rows by delight are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from simulations.language_model.frozen.estimates import ERRORS, alignment_difference
from simulations.language_model.tables import RUN
from simulations.results.tables import Table
from simulations.statistics import stratified, student
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.language_model.runs import PG, Runs, absent, runs_of, table_of, task_point
from simulations.verification.checks.language_model.spending import spending_rows

__all__ = ["alignment_rows", "delight", "delight_rows", "kept_rows", "quality", "quality_rows"]

ZERO_PRICE, EIGHTH = "zero-price rows", "row gate(12.5 %, abs-advantage)"
DELIGHT, RANDOM = "row gate(12.5 %)", "row gate(12.5 %, uniform)"
PER_TOKEN = "row gate(12.5 %, delight, surprisal per token)"
GROUPS = ("group gate(25 %)", "row gate(25 %, uniform)")
_JUDGED = (ZERO_PRICE, "row gate(25 %, abs-advantage)", EIGHTH)


def quality(context: Context) -> list[Measured]:
    """Return the rows of the claim ``language-model-quality``."""
    runs = runs_of(context, "learning", "methods")
    if runs is None:
        return [absent("final reward", "no table of study learning", {})]
    return [*quality_rows(runs), *spending_rows(runs)]


def quality_rows(runs: Runs) -> list[Measured]:
    """Return the rows: what is judged, then every method against PG and by itself, over the tasks and on each."""
    frame = runs.frame
    labels = [str(label) for label in frame["label"].unique()]
    others = [*_JUDGED, *(label for label in labels if label not in (PG, *_JUDGED))]
    tasks = [str(task) for task in frame["task"].unique()]
    return [
        *(runs.difference(label, PG) for label in others),
        _gained(runs, tasks),
        _share(runs, tasks),
        *(runs.difference(label, PG, "mean") for label in others if label in labels),
        *(runs.difference(label, PG, task=task) for label in others for task in tasks if len(runs.of(label, task))),
        *(row for label in labels for task in tasks for row in _final(runs, label, task)),
    ]


def _gained(runs: Runs, tasks: Sequence[str]) -> Measured:
    quantity, point = "reward that PG gained, lowest of the tasks", {"method": PG, "extreme": "lowest"}
    found = {task: runs.of(PG, task) for task in tasks}
    intervals = {task: student(each["gained"]) for task, each in found.items() if len(each)}
    if not intervals:
        return absent(quantity, "no runs of PG", point)
    worst = min(intervals, key=lambda task: intervals[task].value)
    return runs.row(quantity, intervals[worst], found[worst], point, [each for each in found.values() if len(each)])


def _share(runs: Runs, tasks: Sequence[str]) -> Measured:
    """Return the share of PG's rows that zero price keeps, of both trainings, on the task where it is the highest."""
    quantity = "share of answers that go backward, zero-price rows / PG, highest of the tasks"
    point = method_of(ZERO_PRICE) | {"against": PG, "extreme": "highest"}
    found = [pairs for task in tasks if len(pairs := runs.pairs(ZERO_PRICE, PG, task))]
    rows = [
        runs.row(quantity, student(each["backward_rows"] / each["backward_rows against"]), each, point, found)
        for each in found
    ]
    lacking = absent(quantity, "no runs of zero-price rows and PG with one task and seed", point)
    return max(rows, key=lambda row: row.value, default=lacking)


def _final(runs: Runs, label: str, task: str) -> Iterator[Measured]:
    found = runs.of(label, task)
    point = method_of(label) | task_point(task)
    for name, column in (("final reward", "reward"), ("final greedy reward", "greedy_reward")):
        if len(found):
            actions = {"actions": "greedy" if column == "greedy_reward" else "sampled"}
            yield runs.row(f"{name}, {label}, task {task}", student(found[column]), found, point | actions)


def delight(context: Context) -> list[Measured]:
    """Return the rows of the claim ``language-model-delight``."""
    runs = runs_of(context, "learning", "methods")
    frozen, cold = (table_of(context, study) for study in ("frozen", "frozen-temperature"))
    rows = [*delight_rows(runs), *kept_rows(frozen)]
    return [*rows, *(row for table in (frozen, cold) if table is not None for row in alignment_rows(table))]


def delight_rows(runs: Runs | None) -> list[Measured]:
    """Return the differences between rows by delight and others of the same number."""
    pairs = ((DELIGHT, RANDOM), (DELIGHT, EIGHTH), (PER_TOKEN, DELIGHT), (PER_TOKEN, RANDOM), GROUPS)
    runs = runs or Runs(pd.DataFrame(columns=[*RUN, "reward", "mean"]), {})
    return [*(runs.difference(*pair) for pair in pairs), *(runs.difference(*pair, "mean") for pair in pairs[:3])]


def _against(label: str) -> dict[str, Value]:
    """Return the parameters of rows by delight that are compared with another method."""
    point = method_of(DELIGHT) | {f"{name} against": value for name, value in method_of(label).items()}
    return point | {"against": str(point.pop("method against"))}


def alignment_rows(frozen: Table) -> list[Measured]:
    """Return rows by delight's alignment at the pretrained policy less that of others, in parts of PG's."""
    rows = []
    for task, frame in frozen.frame.groupby("task", sort=False):
        temperature = float(frame["temperature"].iloc[0]) if "temperature" in frame else 1.0
        for against in (EIGHTH, RANDOM):
            found = alignment_difference(frame, DELIGHT, against)
            name = f"alignment, {DELIGHT} − {against}, task {task}, temperature {temperature:g}"
            point = _against(against) | {**task_point(str(task)), "temperature": temperature, "measure": "alignment"}
            half = ERRORS * found.error
            ends = found.value, found.value - half, found.value + half
            n_blocks = int(frame["block"].nunique())
            sizes = {"blocks": n_blocks}
            rows.append(Measured(name, *ends, n_blocks, None, frozen.origin, sizes, (frozen.source,), point))
    return rows


def kept_rows(frozen: Table | None) -> list[Measured]:
    """Return what rows by delight are at the pretrained policy, beside others of the same number.

    Parameters
    ----------
    frozen : Table or None
        Of study frozen: for each task, block of batches and gate kept_surprisal, kept_tokens, kept_reward, kept_rows
        and kept_positive.
    """
    rows = []
    for against in (EIGHTH, RANDOM):
        point = _against(against)
        names = (
            f"surprisal of a kept token, {DELIGHT} / {against}",
            f"tokens of a kept answer, {DELIGHT} / {against}",
            f"reward of a kept answer, {DELIGHT} − {against}",
        )
        if frozen is None:
            rows += [absent(name, "no table of study frozen", point) for name in names]
            continue
        means = {
            gate: each.set_index(["task", "block"])
            for gate, each in frozen.frame.groupby("gate")
            if gate in (DELIGHT, against)
        }
        mine, other = means[DELIGHT], means[against]
        values = (
            mine["kept_surprisal"] / mine["kept_tokens"] / (other["kept_surprisal"] / other["kept_tokens"]),
            mine["kept_tokens"] / mine["kept_rows"] / (other["kept_tokens"] / other["kept_rows"]),
            mine["kept_reward"] / mine["kept_rows"] - other["kept_reward"] / other["kept_rows"],
        )
        sizes = {"blocks": int(mine.reset_index().groupby("task")["block"].nunique().min())}
        for name, each in zip(names, values, strict=True):
            tasks = each.index.get_level_values("task")
            for task in (None, *tasks.unique()):
                part, quantity = (each, name) if task is None else (each[tasks == task], f"{name}, task {task}")
                found = stratified(part, part.index.get_level_values("task"))
                where = point | ({} if task is None else task_point(str(task)))
                interval = (found.value, found.low, found.high)
                rows.append(
                    Measured(quantity, *interval, len(part), None, frozen.origin, sizes, (frozen.source,), where)
                )
    return rows
