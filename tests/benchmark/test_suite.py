"""The benchmark runs, prints, and times compilation without a cache and with one."""

import re
from pathlib import Path

import numpy as np
import pytest

from simulations.benchmark import compilation, suite

SIMULATIONS = Path(compilation.__file__).parents[1]


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def rows(told):
    return suite.run(repeats=1, quick=True, progress=lambda done, words: told.append((done, words)))


def test_progress_counts_the_parts_and_names_what_is_next(rows, told):
    done = [number for number, _ in told]
    assert done == sorted(done), "never back"
    assert set(done) == set(range(suite.steps(1))), "every part is told of, and the last is under way"
    assert told[1] == (0, "warm-up, the machine")
    assert (told[-2][1].split(",")[0], told[-1][1]) == ("round 1", "compilation")


def test_benchmark_runs_and_prints(rows):
    assert {row.variant for row in rows} >= {"kernel", "NumPy, every sample", "NumPy, counts"}
    assert all(row.seconds > 0 for row in rows)
    assert suite.main_table(rows).row_count == len(rows)


def test_compilation_is_timed_without_a_cache_and_with_one(rows):
    cold, warm = (row for row in rows if row.unit == "compile")
    assert (cold.case, cold.variant, warm.variant) == (warm.case, compilation.COLD, compilation.WARM)
    assert (cold.ratio, cold.peak_bytes) == (1.0, None)
    assert warm.seconds < cold.seconds, "Numba found what it had compiled"
    assert warm.microseconds == 1e6 * warm.seconds


def test_negative_control_where_nothing_can_be_cached_there_is_no_warm_time(monkeypatch):
    monkeypatch.setattr(compilation, "_in_a_process", lambda name, cache: 1.0)  # and leaves nothing there
    _, warm = compilation.rows(quick=True)
    assert np.isnan(warm.seconds)


def test_every_kernel_that_replicates_are_handed_to_is_timed():
    sources = (path.read_text(encoding="utf-8") for path in SIMULATIONS.rglob("*.py"))
    handed = {name for source in sources for name in re.findall(r"(?<!def )in_chunks\(\s*(?:\w+\.)?(\w+),", source)}
    assert handed == compilation.KERNELS.keys()
