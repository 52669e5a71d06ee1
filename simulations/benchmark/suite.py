"""Speed and memory of the bandit kernels against plain NumPy, and of training, in one interleaved run.

Every variant of every case is timed once a round, and medians over rounds are compared, so that a machine whose speed
drifts slows all of them alike. ``the machine`` is a control: how much two threads of pure arithmetic gain here and
now, which is the most that any kernel could.
"""

import dataclasses
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from simulations.benchmark import (
    answers,
    bandits,
    compilation,
    large_batches,
    low_precision,
    mnist,
    reversal,
    small_steps,
)
from simulations.benchmark.cases import BenchmarkRow, Case

__all__ = ["cases", "main_table", "run", "steps", "target_table", "targets"]


def cases(quick: bool) -> list[Case]:
    """Return all cases; ``quick`` makes them tiny."""
    subjects = (bandits, mnist, small_steps, low_precision, reversal, answers, large_batches)
    return [case for subject in subjects for case in subject.cases(quick)]


def run(
    repeats: int = 5, quick: bool = False, progress: Callable[[int, str], None] = lambda _, __: None
) -> list[BenchmarkRow]:
    """Time every variant of every case ``repeats`` times, interleaved, after one warm-up that measures memory.

    Then time the compilation of the kernels, once, in processes of their own. ``progress`` is told how many of the
    ``steps(repeats)`` parts are done, and what is next.
    """
    progress(0, "what is timed")
    todo = cases(quick)
    peaks = {}
    for case in todo:
        progress(0, f"warm-up, {case.name}")
        for name, (_, call) in case.variants.items():
            peaks[case.name, name] = (case.memory or _peak_bytes)(call)
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in peaks}
    for number in range(1, repeats + 1):
        for case in todo:
            progress(number, f"round {number}, {case.name}")
            for name, (_, call) in case.variants.items():
                start = time.perf_counter()
                call()
                seconds[case.name, name].append(time.perf_counter() - start)
    rows = []
    for case in todo:
        unit = {name: median(seconds[case.name, name]) / n for name, (n, _) in case.variants.items()}
        for name in case.variants:
            key = (case.name, name)
            ratio = unit[name] / unit[next(iter(case.variants))]
            rows.append(
                BenchmarkRow(case.name, name, case.unit, 1e6 * unit[name], median(seconds[key]), ratio, peaks[key])
            )
    progress(steps(repeats) - 1, "compilation")
    return rows + compilation.rows(quick)


def steps(repeats: int) -> int:
    """Return in how many parts a run is: the warm-up, the rounds, and compilation."""
    return repeats + 2


def _peak_bytes(call: Callable[[], Any]) -> int:
    call()  # so that compilation is not measured
    tracemalloc.start()
    result = call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if dataclasses.is_dataclass(result):
        values = (getattr(result, field.name) for field in dataclasses.fields(result))
        peak += sum(value.nbytes for value in values if isinstance(value, np.ndarray))
    return peak


def targets(rows: list[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that the project promises."""
    subjects = (bandits, mnist, small_steps, low_precision, reversal, answers, large_batches, compilation)
    return [target for subject in subjects for target in subject.targets(rows)]


def main_table(rows: list[BenchmarkRow]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table("case", "variant", "µs", "per", "× first", "peak MB", title="Medians of one run")
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    for row in rows:
        peak = "" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.2f}"
        numbers = (f"{row.microseconds:.4g}", row.unit, f"{row.ratio:.2f}", peak)
        table.add_row(row.case, row.variant, *numbers, end_section=row is rows[-1])
    return table


def target_table(rows: list[BenchmarkRow]) -> Table:
    """Return the promised speeds beside the measured ones."""
    table = Table("promise", "measured", "required", title="Promises")
    for what, measured, required in targets(rows):
        table.add_row(what, f"{measured:.2f}", required)
    return table
