"""The benchmark of token reversal runs, and compares with the first row of its kind."""

import math

import pytest

from simulations import benchmark_reversal as benchmark
from simulations.benchmark import BenchmarkRow
from simulations.results import load
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


def test_the_cases_of_the_bench_command_run_and_have_their_promises():
    rows = []
    for case in benchmark.cases(quick=True):
        for name, (units, call) in case.variants.items():
            call()
            rows.append(BenchmarkRow(case.name, name, case.unit, 10.0 * (len(rows) + 1), units, 1.0, 0))
    assert [row.variant for row in rows[:2]] == ["PG", "DG"]
    assert benchmark.case_targets(rows) == [
        ("token reversal, an update: row gate(3 %) / PG", 4.0, "≤ 0.55"),
        ("token reversal, sampling: cache, prompts read once / no cache", 9 / 11, "not promised"),
    ]


def test_the_phases_are_written_as_a_table(tmp_path, monkeypatch):
    times = [benchmark.StepTime("PG", 1.0, 0.0, 2.0, 3.0, 1.0, 1.0)]
    monkeypatch.setattr(benchmark, "run", lambda repeats: times * repeats)
    monkeypatch.setattr("sys.argv", ["benchmark", str(tmp_path / "t.parquet"), "--repeats", "2"])
    benchmark.main()
    table = load(tmp_path / "t.parquet", kind=benchmark.KIND)
    assert table.frame["total"].tolist() == [3.0, 3.0]
    assert table.sidecar["command"] == "python -m simulations.benchmark_reversal t.parquet"
