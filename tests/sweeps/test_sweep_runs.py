"""Computing sweeps: the table that comes of them, types and order whatever computed it, cells that fail."""

from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
import sweep_cells as cells
from small_sweeps import DRAWS, PRODUCT

import simulations.sweeps.processes as processes
import simulations.sweeps.run as runs
from simulations.results.tables import SWEEP, ResultError, load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.run import SweepError


def test_the_table_has_configurations_and_results_in_the_order_of_the_grid(tmp_path):
    table = run_sweep(PRODUCT, tmp_path / "out", workers=1)
    frame = table.frame
    assert list(frame.columns) == ["a", "b", "pause", "product"]
    assert frame["a"].tolist() == [a for a in range(20) for _ in range(10)]
    pd.testing.assert_series_equal(frame["product"], frame["a"] * frame["b"] / 7, check_names=False)
    assert table.kind == SWEEP
    assert table.config["grids"][0]["a"] == list(range(20))
    assert {"commit", "versions", "device", "date", "last_run"} <= set(table.sidecar)
    assert load(tmp_path / "out").frame.equals(frame)


def test_several_rows_a_cell_stay_together_and_none_is_null(tmp_path):
    sweep = Sweep("several", cells.several, ({"a": (3, 1), "note": (None, "x")},))
    frame = run_sweep(sweep, tmp_path, workers=1).frame
    assert frame["row"].tolist() == [0, 1, 2] * 4
    assert frame["note"].isna().tolist() == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (cells.reserved, "a column 'a', which is one of its keywords"),
        (cells.nothing, "returned no row"),
        (cells.other_columns, "returned the columns odd, other cells even"),
    ],
)
def test_what_makes_no_tidy_table_is_refused(tmp_path, cell, problem):
    with pytest.raises((SweepError, ResultError), match=problem):
        run_sweep(Sweep("bad", cell, ({"a": (0, 1, 2, 3)},)), tmp_path, workers=1)


def test_columns_are_compared_across_chunks_and_runs_too(tmp_path):
    run_sweep(Sweep("bad", cells.other_columns, ({"a": (0, 2)},)), tmp_path, workers=1)
    with pytest.raises(SweepError, match=r"a=1: returned the columns odd, other cells even"):
        run_sweep(Sweep("worse", cells.other_columns, ({"a": (1,)},)), tmp_path, workers=1)


def test_failing_cells_are_named_and_the_others_kept(tmp_path):
    sweep = Sweep("half", cells.fails_on_odd, ({"a": tuple(range(16))},))
    with pytest.raises(SweepError, match=r"8 of 16 cells failed") as raised:
        run_sweep(sweep, tmp_path, workers=1)
    assert "a=1: ValueError: 1 is odd" in str(raised.value)
    assert "and 3 more" in str(raised.value)
    with pytest.raises(ResultError, match=r"has no finished table; its 8 cells so far"):
        load(tmp_path)
    assert sorted(load(tmp_path, partial=True).frame["half"]) == list(range(8))
    even = replace(sweep, grids=({"a": tuple(range(0, 16, 2))},))
    assert run_sweep(even, tmp_path, workers=1).sidecar["last_run"]["cells_computed"] == 0


def cell_of(what: str, a: tuple[int, ...]) -> Sweep:
    return Sweep("kinds", cells.values_of, ({"a": a, "what": (what,)},))


@pytest.mark.parametrize("what", ["int or float", "float16 or int", "numpy bool", "none or float"])
def test_types_depend_on_the_cells_alone(tmp_path, monkeypatch, what):
    """Neither on how the cells are cut into chunks, nor on what the directory held before."""
    sweep = cell_of(what, (0, 1, 2, 3))
    together = run_sweep(sweep, tmp_path / "together", workers=1).path.read_bytes()
    monkeypatch.setattr(runs, "_LARGEST_CHUNK", 1)
    monkeypatch.setattr(runs, "_FLUSH_SECONDS", 0.0)
    assert run_sweep(sweep, tmp_path / "apart", workers=1).path.read_bytes() == together
    even = cell_of(what, (0, 2))
    alone = run_sweep(even, tmp_path / "alone", workers=1).path.read_bytes()
    assert run_sweep(even, tmp_path / "together", workers=1, overwrite=True).path.read_bytes() == alone
    values = load(tmp_path / "apart").frame["value"]
    expected = {"int or float": [0, 0.5, 2, 1.5], "float16 or int": [0, 1.5, 2, 1.5], "numpy bool": [0, 1, 0, 1]}
    if what in expected:
        assert values.tolist() == expected[what]


@pytest.mark.parametrize("what", ["object", "list", "huge", "surrogate"])
def test_values_that_fit_no_table_are_the_cell_s_failure(tmp_path, what):
    with pytest.raises(SweepError, match="2 of 2 cells failed"):
        run_sweep(cell_of(what, (0, 1)), tmp_path, workers=1)


def test_a_cell_of_another_type_is_named_and_the_others_kept(tmp_path):
    sweep = cell_of("text or float", tuple(range(50)))
    for _ in range(2):  # and a second run does not stumble over the first
        with pytest.raises(SweepError, match=r"1 of 50 cells failed.*\n.*a=10.*returned text in column value"):
            run_sweep(sweep, tmp_path, workers=1)
        assert len(load(tmp_path, partial=True).frame) == 49


def test_a_cell_that_exits_is_a_failure_like_any_other(tmp_path):
    sweep = Sweep("exits", cells.exits, ({"a": tuple(range(8))},))
    with pytest.raises(SweepError, match=r"2 of 8 cells failed.*\n.*a=3: SystemExit: 7\n.*a=4: BaseException"):
        run_sweep(sweep, tmp_path, workers=1)
    assert len(load(tmp_path, partial=True).frame) == 6


def test_the_function_that_was_passed_is_the_one_that_runs(tmp_path):
    sweep = Sweep("wrapped", cells.wraps_product, ({"a": (1,), "b": (1.0,)},))
    assert run_sweep(sweep, tmp_path, workers=1).frame["product"].tolist() == [99.0]


def test_the_table_does_not_depend_on_the_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_ALONE_SECONDS", 0.0)
    tables = [run_sweep(DRAWS, tmp_path / str(n), workers=n).path.read_bytes() for n in (1, 2, 4)]
    assert tables[0] == tables[1] == tables[2]
    other = DRAWS.with_values({"seed": (0, 2)})  # the control: other seeds make other bytes
    assert run_sweep(other, tmp_path / "other", workers=2).path.read_bytes() != tables[0]


def test_shards_are_few(tmp_path):
    """Not one file a cell."""
    run_sweep(PRODUCT, tmp_path, workers=1)
    shards = list(tmp_path.glob("cells-*.parquet"))
    assert len(shards) <= 2
    assert sum(pq.read_metadata(shard).num_rows for shard in shards) == 200
