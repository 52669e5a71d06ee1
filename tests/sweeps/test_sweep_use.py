"""Sweeps as people use them: paths as text, progress, tracebacks, settings, functions of a notebook, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sweep_cells as cells
from fuzzing import fuzz_files, fuzz_settings

from simulations.cli.main import main
from simulations.cli.sweeping import choose
from simulations.results.tables import load, save, table_path
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.estimate import estimate
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.run import SweepError
from simulations.sweeps.toml import parse_settings, read_sweep

HERE = Path(__file__).parents[1]
DOUBLE = Sweep("double", cells.fails_with, ({"a": (2, 3)},))
FAILING = Sweep("failing", cells.fails_with, ({"a": (1, 2), "what": ("lines",)},))


def kondo(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return raised.value.code, captured.out, captured.err


def test_paths_may_be_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert estimate(DOUBLE, "out").missing == 2
    table = run_sweep(DOUBLE, "out", workers=1)
    assert table.path == Path("out/double.parquet")
    assert load("out").frame.equals(table.frame)
    Path("mine.toml").write_text('sweep = "double"\n[grid]\na = 2\n')
    assert read_sweep("mine.toml", {"double": DOUBLE}).name == "mine"
    assert choose("frontier", "smoke", [], "there")[1] == Path("there")
    assert save(table.frame, "mine.parquet", kind="mine", config={}, sidecar={}) == Path("mine.parquet")
    assert table_path("own.parquet", "default") == Path("own.parquet")


def test_progress_is_shown_where_it_is_asked_for(tmp_path, capfd):
    run_sweep(DOUBLE, tmp_path / "quiet", workers=1)
    assert capfd.readouterr().err == ""
    run_sweep(DOUBLE, tmp_path / "shown", workers=1, progress=True)
    assert "2/2" in capfd.readouterr().err
    told: list[tuple[int, int]] = []
    run_sweep(DOUBLE, tmp_path / "told", workers=1, progress=lambda done, total: told.append((done, total)))
    assert (told[0], told[-1]) == ((0, 2), (2, 2))


# Failures.


def test_a_failed_cell_s_traceback_is_kept_and_the_message_says_where(tmp_path):
    with pytest.raises(SweepError) as raised:
        run_sweep(FAILING, tmp_path, workers=1)
    (failure,) = raised.value.failures
    assert failure.error == "ValueError: first"
    assert re.search(r'sweep_cells\.py", line \d+, in fails_with', failure.traceback)
    assert "compute.py" not in failure.traceback
    kept = (tmp_path / "failures.txt").read_text()
    assert f"tracebacks in {tmp_path / 'failures.txt'}" in str(raised.value)
    assert "a=1, what=lines: ValueError: first\nTraceback" in kept
    assert failure.traceback in kept
    run_sweep(FAILING.with_values({"a": (2,)}), tmp_path, workers=1)
    assert not (tmp_path / "failures.txt").exists(), "nothing fails any more"


@pytest.mark.parametrize(("what", "error"), [("empty", "ValueError: "), ("text", r"KeyError: '\ud800'")])
def test_odd_messages_of_failures_are_kept(tmp_path, what, error):
    with pytest.raises(SweepError) as raised:
        run_sweep(FAILING.with_values({"what": (what,)}), tmp_path, workers=1)
    assert raised.value.failures[0].error == error
    assert (tmp_path / "failures.txt").stat().st_size


# The list and the settings.


def test_the_list_counts_every_cell_once(capsys):
    for preset in ("smoke", "quick", "paper"):
        out = kondo(capsys, "sweep", "--list", "--preset", preset)[1]
        for name, sweep in SWEEPS.items():
            total = len({cell.key for cell in sweep.at_preset(preset).checked().cells()})
            assert re.search(rf"^ {name} +\w+ +{total:,} ", out, flags=re.MULTILINE), (name, total)


def test_a_setting_says_which_of_several_grids_it_changes(tmp_path, capsys):
    """contexts has two grids: one over the baseline, one over the centre."""
    before = SWEEPS["contexts"].at_preset("smoke")
    sweep, _, said = choose("contexts", "smoke", ["baseline=value", "spread=1.5,2", "seed=3"], None)
    assert said == (
        "baseline is set in 1 of the 2 grids of contexts: 1; the others do not name it",
        "spread is set in all 2 grids of contexts",
        "seed is set in all 2 grids of contexts",
    )
    assert sweep.grids[0]["baseline"] == ("value",)
    assert sweep.grids[1]["baseline"] == before.checked().grids[1]["baseline"], "not a word, not a change"
    assert [grid["spread"] for grid in sweep.grids] == [(1.5, 2.0)] * 2
    assert [grid["seed"] for grid in sweep.grids] == [(3,)] * 2
    assert choose("frontier", "smoke", ["p_correct=.5"], None)[2] == (), "one grid: nothing to say"
    code, _, errors = kondo(
        capsys, "sweep", "contexts", "--preset", "smoke", "--set", "baseline=best", "--out", tmp_path
    )
    assert (code, len(errors.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (".5", [0.5]),
        ("+.5", [0.5]),
        ("1e-3", [1e-3]),
        ("5.e-1", [0.5]),
        (".1,.2", [0.1, 0.2]),
        ("[.1, .2]", [0.1, 0.2]),
        ("{start=.25, stop=.75, num=3}", [0.25, 0.5, 0.75]),
        ("0.000_1", [1e-4]),
    ],
)
def test_numbers_as_people_spell_them(text, values):
    sweep = SWEEPS["frontier"].with_axes(parse_settings([f"p_correct={text}"], SWEEPS["frontier"])).checked()
    assert list(sweep.grids[0]["p_correct"]) == values
    assert parse_settings(["n_arms=1_000"], SWEEPS["frontier"])["n_arms"] == [1000]


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "5.", "1.2.3", "0,5", "half", "._5", "{start=.1}", "[.1"])
def test_what_is_no_probability_is_refused_in_one_line(text, capsys):
    code, _, errors = kondo(capsys, "sweep", "frontier", "--preset", "smoke", "--set", f"p_correct={text}")
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert "p_correct" in errors


def test_nan_is_refused_where_nothing_else_bounds_a_keyword():
    with pytest.raises(ValueError, match="price is nan"):
        choose("frontier", "smoke", ["price=nan"], None)


def test_fuzzed_files_and_settings_give_a_sweep_or_one_line(tmp_path):
    """The long job, a hundred times as much: tests/long/test_fuzz_sweeps.py."""
    found = fuzz_files(tmp_path, 200, seed=0) + fuzz_settings(200, seed=0)
    assert found.total() == 400
    assert found["a sweep"] >= 20
    assert found["ValueError"] >= 200


# Functions of a notebook.

NOTEBOOK = """
import numpy as np
from simulations.sweeps import Sweep, run_sweep
FACTOR, TABLE = 2, np.arange(3)
def twice(x):
    return FACTOR * x
def cell(*, a: int) -> dict:
    return {"y": twice(a) + int(TABLE[a % 3])}
def run(name="out"):
    return run_sweep(Sweep("mine", cell, ({"a": (1, 2)},)), name, workers=2)
print(run().frame["y"].tolist(), run().sidecar["last_run"]["cells_computed"])
FACTOR = 10
print(run().frame["y"].tolist())
TABLE[1] = 5
print(run().frame["y"].tolist())
handle = open("/dev/null")
def cell(*, a: int) -> dict:
    return {"y": handle.fileno()}
try:
    run("other")
except TypeError as error:
    print(error)
"""


def test_functions_of_a_notebook_run_in_workers_and_a_change_of_what_they_use_is_seen(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [sys.executable, "-"], input=NOTEBOOK, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == ["[3, 6] 2", "[11, 22]", "[15, 22]"]
    assert "function cell was defined in no file and uses handle, a TextIOWrapper" in lines[3]


# Ctrl-C.

SLOW = """
import signal
import sys
import simulations.sweeps.run as runs
import sweep_cells as cells
from simulations.sweeps import Sweep
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would inherit that it is ignored
runs._FLUSH_SECONDS, runs._CHUNK_SECONDS = 1e9, 0.02
sweep = Sweep("slow", cells.product, ({"a": tuple(range(500)), "b": (1.0,), "pause": (0.02,)},))
runs.run_sweep(sweep, "out", workers=2, progress=lambda done, total: print(done, flush=True))
"""


def test_ctrl_c_keeps_what_is_done_and_leaves_no_worker(tmp_path):
    psutil = pytest.importorskip("psutil")
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    while int(process.stdout.readline()) < 30:
        pass
    children = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started < 15
    assert errors.strip().splitlines()[-1] == "KeyboardInterrupt"
    assert errors.count("Traceback") == 1, "the workers have nothing to say"
    assert len(load(tmp_path / "out", partial=True).frame) >= 30
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]
