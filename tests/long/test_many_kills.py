"""A thousand kills at random moments: ``pytest -m long tests/long/test_many_kills.py -s``.

Of the process that writes, of those that compute, and of those between them. After each the directory is used again;
every table that is finished has the bytes of an undisturbed run. ``KONDO_KILLS`` is the number, ``KONDO_KILLS_SEED``
another seed.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil")

COUNT, SEED = int(os.environ.get("KONDO_KILLS", "1000")), int(os.environ.get("KONDO_KILLS_SEED", "0"))
TESTS = Path(__file__).resolve().parent.parent
SCRIPT = """
import sys
import simulations.sweeps.processes as processes, simulations.sweeps.run as runs
import sweep_cells as cells
from simulations.sweeps import Sweep
runs._FLUSH_SECONDS, runs._CHUNK_SECONDS, processes._ALONE_SECONDS = 0.05, 0.05, 0.1
sweep = Sweep("slow", cells.product, ({"a": tuple(range(100)), "b": (1.0,), "pause": (0.01,)},))
runs.run_sweep(sweep, sys.argv[1], workers=2, progress=lambda done, total: print(done, flush=True))
"""
SHARES = {"worker": 0.75, "supervisor": 0.2, "writer": 0.05}

pytestmark = pytest.mark.long


def start(directory: Path, said: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-c", SCRIPT, str(directory)]
    with said.open("w") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.PIPE, text=True)


def disturb(process: subprocess.Popen, said: Path, rng: random.Random, killed: Counter) -> None:
    """Kill processes of a run until it ends, each at a random moment after some cells were done since the last."""
    before = 0
    while process.poll() is None:
        if said.stat().st_size <= before:
            time.sleep(0.005)
            continue
        time.sleep(rng.uniform(0, 0.1))
        before = said.stat().st_size
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        victims = found(process, kind)
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
            killed[kind] += 1


def found(process: subprocess.Popen, kind: str) -> list[int]:
    """Return the processes of a kind in a run."""
    if kind == "writer":
        return [process.pid] if process.poll() is None else []
    try:
        writer = psutil.Process(process.pid)
        supervisors = writer.children()
        below = supervisors if kind == "supervisor" else [child for each in supervisors for child in each.children()]
        return [child.pid for child in below if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def finish(directory: Path) -> bytes:
    """Run without disturbance, and return the table."""
    with start(directory, directory.with_suffix(".txt")) as process:
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    return (directory / "slow.parquet").read_bytes()


def test_every_table_is_that_of_an_undisturbed_run(tmp_path):
    expected, out = finish(tmp_path / "whole"), tmp_path / "out"
    said = tmp_path / "said.txt"
    rng, killed, ends = random.Random(SEED), Counter(), Counter()
    while killed.total() < COUNT:
        with start(out, said) as process:
            disturb(process, said, rng, killed)
            errors = process.stderr.read().strip()
        ends[process.returncode] += 1
        assert process.returncode in (0, -signal.SIGKILL) or "SweepError" in errors, errors
        if process.returncode == 0:
            assert (out / "slow.parquet").read_bytes() == expected
            shutil.rmtree(out)
    assert finish(out) == expected
    print(f"\n{killed.total()} kills {dict(killed)}; {ends[0]} tables finished in {ends.total()} runs {dict(ends)}")
    assert ends[0] > 0
    assert min(killed.values()) > 0
