"""What cells return keeps its value and its type, or is refused in one line that names column, cell and types."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sweep_cells as cells

import simulations.sweeps.run as runs
from simulations.results.tables import load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.run import SweepError
from simulations.sweeps.toml import parse_settings, read_sweep

WIDE = cells.WIDE
EXPECTED = {
    "int and none": ("Int64", [WIDE, None, 0]),
    "int and nan": ("Int64", [WIDE, None, 0]),
    "numpy": ("Int64", [WIDE, None, 0]),
    "nullable": ("Int64", [WIDE, None, 0]),
    "bool and none": ("boolean", [True, None, False]),
    "bool and nan": ("boolean", [True, None, False]),
    "text and nan": (None, ["x", None, "y"]),
    "category": (None, ["x", None, "y"]),
    "float32": ("float64", [float(np.float32(0.1)), None, 1.0]),
}


def plain(values: pd.Series) -> list[object]:
    return [None if pd.isna(value) else value for value in values]


@pytest.mark.parametrize("what", EXPECTED)
def test_values_beside_a_missing_one_are_exact(tmp_path, what):
    sweep = Sweep("missing", cells.beside_a_missing_value, ({"a": (0,), "what": (what,)},))
    kind, expected = EXPECTED[what]
    table = run_sweep(sweep, tmp_path, workers=1)
    for frame in (table.frame, load(table.path).frame, load(tmp_path, partial=True).frame):
        assert plain(frame["value"]) == expected
        assert kind is None or frame["value"].dtype == kind


def test_whole_numbers_of_cells_beside_missing_values_of_others_are_exact(tmp_path, monkeypatch):
    sweep = Sweep("wide", cells.wide_by_cell, ({"a": (0, 1, 2, 4)},))
    table = run_sweep(sweep, tmp_path / "together", workers=1)
    assert plain(table.frame["value"]) == [WIDE, None, None, WIDE + 4]
    monkeypatch.setattr(runs, "_LARGEST_CHUNK", 1)
    monkeypatch.setattr(runs, "_FLUSH_SECONDS", 0.0)
    assert run_sweep(sweep, tmp_path / "apart", workers=1).path.read_bytes() == table.path.read_bytes()


def test_whole_numbers_that_no_float_holds_beside_floats_are_one_cell_s_failure(tmp_path):
    sweep = Sweep("wide", cells.wide_by_cell, ({"a": (0, 1, 2, 3, 4)},))
    line = r"a=3: returned floats in column value, other cells whole numbers beyond 2\^53"
    for _ in range(2):  # a second run knows from the shards
        with pytest.raises(SweepError, match=rf"1 of 5 cells failed.*\n.*{line}"):
            run_sweep(sweep, tmp_path, workers=1)
        assert len(load(tmp_path, partial=True).frame) == 4


FRAMES = {
    "named": ["x", "y"],
    "two names": ["x", "y", "z"],
    "filtered": ["x", "y"],
}


@pytest.mark.parametrize("what", FRAMES)
def test_a_named_index_becomes_columns(tmp_path, what):
    frame = run_sweep(Sweep("f", cells.a_frame, ({"a": (0,), "what": (what,)},)), tmp_path, workers=1).frame
    assert list(frame.columns) == ["a", "what", *FRAMES[what]]
    assert frame["x"].tolist() == ([1, 3] if what == "filtered" else [1, 2, 3])


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("unnamed text", "the frame's index holds string and has no name: name it, or reset it"),
        ("half named", "a level of the frame's index has no name"),
        ("twice", "two columns, or a column and an index, named 'x'"),
        ("index and column", "two columns, or a column and an index, named 'x'"),
        ("empty", "the cell returned no row"),
        ("dates", "column y must hold numbers, text, bool or None, got Timestamp"),
        ("mixed", "column y mixes int, str"),
        ("wide and fraction", "column y mixes floats and 9007199254740993, a whole number that no float holds"),
        ("unsigned", "column y: whole numbers must fit 64 bits"),
    ],
)
def test_a_frame_that_would_lose_something_is_refused(tmp_path, what, problem):
    sweep = Sweep("f", cells.a_frame, ({"a": (0,), "what": ("named", what)},))
    with pytest.raises(SweepError, match="1 of 2 cells failed") as raised:
        run_sweep(sweep, tmp_path, workers=1)
    (failure,) = raised.value.failures
    assert failure.config["what"] == what
    assert problem in failure.error
    assert len(load(tmp_path, partial=True).frame) == 3, "the other cell's rows are kept"


# Grids.

KNOWN = {"double": Sweep("double", cells.fails_with, ({"a": (2,)},))}


def axis(text: str) -> list[int]:
    return list(parse_settings([f"a={text}"], KNOWN["double"])["a"])


def test_ranges_of_whole_numbers_beyond_floats_are_exact():
    assert axis(f"{{start={WIDE}, stop={WIDE + 4}, num=5}}") == [WIDE + n for n in range(5)]
    assert axis(f"{{start={WIDE}, stop={WIDE + 100}, num=1000}}") == [WIDE + n for n in range(101)]
    assert axis(f"{{start=-{WIDE + 1}, stop=-{WIDE}, num=2}}") == [-WIDE - 1, -WIDE]
    assert axis(f"{{start={-(2**63)}, stop={2**63 - 1}, num=3}}")[::2] == [-(2**63), 2**63 - 1]
    log = axis(f"{{start=1, stop={WIDE}, num=54, scale='log'}}")
    assert (log[0], log[-1]) == (1, WIDE)
    assert log == sorted(set(log))
    low = 2**60 + 1
    assert axis(f"{{start={low}, stop={low + 3}, num=4, scale='log'}}") == [low, low + 1, low + 2, low + 3]


def test_ranges_that_floats_hold_are_as_before():
    assert axis("{start=0, stop=1, num=5}") == [0, 1]
    assert axis("{start=1, stop=1000, num=4, scale='log'}") == [1, 10, 100, 1000]
    assert axis("{start=0, stop=10, num=7}") == [int(point) for point in np.linspace(0, 10, 7).round()]


def test_a_whole_number_that_no_float_holds_and_nan_are_no_value_of_a_float_keyword():
    sweep = Sweep("p", cells.product, ({"a": (1,), "b": (1.0,)},))
    for value, problem in ((WIDE, f"b is {WIDE}: no float holds it exactly"), (math.nan, "b is nan")):
        with pytest.raises(ValueError, match=problem):
            sweep.with_values({"b": (value,)}).checked()
    assert sweep.with_values({"b": (2**60,)}).checked().grids[0]["b"] == (float(2**60),)


def test_whole_numbers_of_a_file_and_of_a_keyword_are_exact(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'sweep = "double"\n[grid]\na = [{WIDE}, {WIDE + 1}]\n')
    table = run_sweep(read_sweep(path, KNOWN), tmp_path / "out", workers=1)
    assert table.frame["x"].tolist() == [WIDE, WIDE + 1] == table.frame["a"].tolist()


def test_committed_tables_load_as_before():
    """Sweeps' columns of numbers are NumPy's: nothing that was exact changed its type."""
    for name in SWEEPS:
        path = Path(runs.__file__).parents[1] / "tables" / f"{name}.parquet"
        if path.exists():
            kinds = set(map(str, load(path).frame.dtypes))
            assert not kinds & {"Int64", "boolean"}, name
