"""The benchmark of token reversal runs, and compares with the first row of its kind."""

import math

import pytest

from simulations import benchmark_reversal as benchmark
from simulations.reversal_config import ReversalConfig
from simulations.transformer import Architecture


def test_every_method_and_every_way_of_sampling_has_a_row():
    small = {"length": 3, "prompts": 2, "answers": 3, "network": Architecture(8, 2, 1, 8)}
    methods = [ReversalConfig("pg", **small), ReversalConfig("row-gate", rate=0.03, **small)]
    rows = benchmark.run(2, methods=methods, warm_up=1)
    assert [row.name for row in rows] == [
        "PG", "row gate(3 %)", "cache, prompts read once", "cache, prompts read by every row", "no cache",
    ]  # fmt: skip
    assert rows[0].total_ratio == rows[0].training_ratio == rows[2].total_ratio == 1
    assert all(row.total >= row.sampling > 0 for row in rows)
    assert math.isnan(rows[3].training_ratio)
    assert [what for what, _, _ in benchmark.targets(rows)] == [
        "row gate(3 %) / PG, sampling included", "row gate(3 %) / PG, training alone",
    ]  # fmt: skip


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        benchmark.run(0)
