"""A rank that is killed, or hangs: the other ends in time with one line, and the same command goes on."""

import time

import pandas as pd
import pytest
from rank_processes import as_torchrun, ended
from small_runs import command

from simulations.results import load
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal.training import KIND

SIZES = "--length 3 --prompts 4 --answers 4 --eval-prompts 8 --updates 12 --eval-every 3 --checkpoint-seconds 0"


def run(directory, table, *arguments, timeout=60, options=()):
    """Start two ranks; return their exit codes, what they wrote to standard error, and the seconds it took."""
    given = [*SIZES.split(), "--out", str(table), *options]
    started = time.monotonic()
    processes = as_torchrun(2, command, directory, given, *arguments)
    return processes, given, started


def said(directory):
    return [(directory / f"{rank}.err").read_text(encoding="utf-8").splitlines() for rank in range(2)]


def own_lines(lines):
    """Without what progress or torch may print."""
    return [line for line in lines if line.startswith("simulations.reversal:")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    processes, *_ = run(directory, directory / "whole.parquet")
    assert ended(processes, 60) == []
    assert [process.exitcode for process in processes] == [0, 0]
    return load(directory / "whole.parquet", kind=KIND)


def test_one_is_killed(tmp_path, undisturbed):
    table = tmp_path / "run.parquet"
    processes, *_ = run(tmp_path, table, "SIGKILL", 7)
    assert ended(processes, 60) == []
    assert [process.exitcode for process in processes] == [1, -9]
    (line,) = own_lines(said(tmp_path)[0])
    assert line == (
        "simulations.reversal: rank 0 of 2 ends: another rank is gone; the same command goes on from the last"
        f" checkpoint, in {table.with_suffix('.partial')} of rank 0"
    )
    assert not table.exists()
    state = CheckpointFile(table.with_suffix(".partial") / "run.pt").load()  # refuses what is not whole
    assert state["update"] == 6
    processes, *_ = run(tmp_path, table)
    assert ended(processes, 60) == []
    assert [process.exitcode for process in processes] == [0, 0]
    pd.testing.assert_frame_equal(load(table).frame, undisturbed.frame)
    assert not table.with_suffix(".partial").exists()


def test_one_hangs(tmp_path):
    processes, *_ = run(tmp_path, tmp_path / "run.parquet", "SIGSTOP", 7, options=("--timeout", "2"))
    processes[0].join(60)
    assert processes[0].exitcode == 1
    assert ended(processes, 0) == [1]
    (line,) = own_lines(said(tmp_path)[0])
    assert "rank 0 of 2 ends: another rank did not answer within 2 s; the same command goes on" in line
