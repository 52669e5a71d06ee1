"""torchrun itself: the experiments over 2 and 4 ranks end where one process does, and a killed rank ends them all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from simulations.results import load
from simulations.resuming.checkpoints import CheckpointFile

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
RUNS = {
    "simulations.reversal": "--method token-gate --rate 0.03 --eval-prompts 100",
    "simulations.mnist": "--method dg-k --rate 0.03",
}
SIZES = "--updates 60 --eval-every 20 --dtype float64"
DIFFERENT = ["processed_tokens", "training_flops"]  # a rank cuts its rows by itself


def started(n_ranks, module, table, *more):
    """Start a run; without ranks the command by itself."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_ranks}"] if n_ranks else []
    command = [sys.executable, *launcher, "-m", module, *RUNS[module].split(), *SIZES.split(), "--out", str(table)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, *more], env=environment, stderr=subprocess.PIPE, text=True)


def finished(process, timeout=400):
    _, error = process.communicate(timeout=timeout)
    return process.returncode, error


def numbers(table):
    frame = load(table).frame
    return frame.drop(columns=[name for name in DIFFERENT if name in frame]).select_dtypes("number")


@pytest.mark.parametrize("module", RUNS)
def test_two_and_four_ranks_end_where_one_process_does(module, tmp_path):
    assert finished(started(0, module, tmp_path / "alone.parquet"))[0] == 0
    alone = numbers(tmp_path / "alone.parquet")
    for n_ranks, more in ((2, ()), (4, ()), (2, ("--shard",))):
        table = tmp_path / f"{n_ranks}{len(more)}.parquet"
        code, error = finished(started(n_ranks, module, table, *more))
        assert code == 0, error
        np.testing.assert_allclose(numbers(table), alone, rtol=1e-12)


def rank_process(launcher, rank):
    """The process of a rank: a child of the launcher with that number in its environment."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            is_child = f"PPid:\t{launcher.pid}\n" in status.read_text()
            if is_child and f"RANK={rank}".encode() in (status.parent / "environ").read_bytes().split(b"\0"):
                return int(status.parent.name)
        except OSError:
            continue
    return None


def test_a_killed_rank_ends_all_within_the_timeout_and_the_same_command_goes_on(tmp_path):
    table, module = tmp_path / "run.parquet", "simulations.reversal"
    often = ("--eval-every", "5", "--checkpoint-seconds", "0", "--updates", "200")
    assert finished(started(3, module, tmp_path / "whole.parquet", *often))[0] == 0
    launcher, state = started(3, module, table, *often), table.with_suffix(".partial") / "run.pt"
    until = time.monotonic() + 120
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(rank_process(launcher, 1), signal.SIGKILL)
    killed = time.monotonic()
    code, error = finished(launcher)
    assert code == 1
    assert time.monotonic() - killed < 30
    said = [line for line in error.splitlines() if line.startswith(f"{module}: rank ")]
    assert 1 <= len(said) <= 2  # torchrun may end one before it speaks
    assert all(" ends: " in line for line in said)
    assert CheckpointFile(state).load()["update"] < 200
    code, error = finished(started(3, module, table, *often))
    assert code == 0, error
    assert load(table).frame.equals(load(tmp_path / "whole.parquet").frame)
