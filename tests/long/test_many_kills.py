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
sweep = Sweep("slow", cells.product, ({"a": tuple(range(150)), "b": (1.0,), "pause": (0.01,)},))
runs.run_sweep(sweep, sys.argv[1], workers=2, progress=lambda done, total: print(done, flush=True))
"""
WRITER_SHARE = 0.1

pytestmark = pytest.mark.long


def start(directory: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-c", SCRIPT, str(directory)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def disturb(process: subprocess.Popen, rng: random.Random, killed: Counter) -> None:
    """Kill processes of a run at random moments until it ends."""
    time.sleep(rng.uniform(0.5, 2.0))
    while process.poll() is None:
        try:
            below = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            break
        if rng.random() < WRITER_SHARE / 3:
            process.kill()
            killed["writer"] += 1
        elif below:
            chosen = rng.choice(below)
            try:
                kind = "supervisor" if chosen.ppid() == process.pid else "worker"
                os.kill(chosen.pid, signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
            killed[kind] += 1
        time.sleep(rng.expovariate(1 / 0.1))


def finish(directory: Path) -> bytes:
    """Run without disturbance, and return the table."""
    with start(directory) as process:
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    return (directory / "slow.parquet").read_bytes()


def test_every_table_is_that_of_an_undisturbed_run(tmp_path):
    expected, out = finish(tmp_path / "whole"), tmp_path / "out"
    rng, killed, ends = random.Random(SEED), Counter(), Counter()
    while killed.total() < COUNT:
        with start(out) as process:
            disturb(process, rng, killed)
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
