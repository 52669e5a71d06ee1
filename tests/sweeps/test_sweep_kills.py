"""Kills: of the process that writes, at every operation on a file; of those that compute, by their own cells or not.

The long job: ``pytest -m long tests/long/test_many_kills.py``.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sweep_cells as cells

import simulations.sweeps.processes as processes
from simulations.results.tables import load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.run import SweepError

HERE = Path(__file__).parents[1]
WAYS = {
    "exit": "exit code 3",
    "exit 0": "exit code 0",
    "kill": "SIGKILL, as when memory runs out",
    "segfault": "SIGSEGV",
    "abort": "SIGABRT",
}


@pytest.mark.parametrize(("how", "workers"), [*((how, 1) for how in WAYS), ("kill", 2)])
def test_a_cell_that_kills_its_process_is_named_and_the_others_finish(tmp_path, how, workers):
    sweep = Sweep("deadly", cells.ends_its_process, ({"a": tuple(range(12)), "how": (how,)},))
    for _ in range(2):  # run after run: nothing is blocked, nothing computed twice
        with pytest.raises(SweepError, match="2 of 12 cells failed") as raised:
            run_sweep(sweep, tmp_path, workers=workers)
        assert sorted(failure.config["a"] for failure in raised.value.failures) == [3, 7]
        assert all(f"alone: {WAYS[how]}" in failure.error for failure in raised.value.failures)
        assert sorted(load(tmp_path, partial=True).frame["a"]) == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    alive = sweep.with_values({"how": ("lives",)})
    assert len(run_sweep(alive, tmp_path, workers=workers).frame) == 12, "the workers are as good as before"


def test_fifty_kills_in_one_sweep(tmp_path):
    """Each of 25 cells kills its process twice; 75 others are computed around them."""
    sweep = Sweep("deadly", cells.kills_every_fourth, ({"a": tuple(range(100))},))
    with pytest.raises(SweepError, match="25 of 100 cells failed"):
        run_sweep(sweep, tmp_path, workers=2)
    assert sorted(load(tmp_path, partial=True).frame["a"]) == [a for a in range(100) if a % 4]


def test_a_cell_that_kills_its_supervisor_too_is_named_and_the_others_finish(tmp_path):
    sweep = Sweep("deadly", cells.ends_its_process, ({"a": (3, 4), "how": ("group",)},))
    with pytest.raises(SweepError, match=r"a=3, how=group: killed its process twice.*SIGKILL"):
        run_sweep(sweep, tmp_path, workers=2)
    assert load(tmp_path, partial=True).frame["a"].tolist() == [4]


def test_a_cell_that_was_killed_by_chance_is_computed_again(tmp_path):
    sweep = Sweep("kills", cells.kills_once, ({"a": tuple(range(40)), "mark": (str(tmp_path / "mark"),)},))
    assert len(run_sweep(sweep, tmp_path / "out", workers=2).frame) == 40
    assert (tmp_path / "mark").exists()


def test_supervisors_that_are_killed_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_ALONE_SECONDS", 0.0)
    sweep = Sweep("product", cells.product, ({"a": tuple(range(60)), "b": (1.0,), "pause": (0.01,)},))
    started, killed = [], []
    popen = subprocess.Popen

    def noted(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    processes._Staff.dismiss()
    monkeypatch.setattr(processes.subprocess, "Popen", noted)

    def kill(done: int, total: int) -> None:
        if done > 10 * len(killed) + 5 and len(killed) < 3:
            killed.append(started[-1].pid)
            os.kill(started[-1].pid, signal.SIGKILL)

    table = run_sweep(sweep, tmp_path / "out", workers=2, progress=kill)
    assert len(set(killed)) == 3
    monkeypatch.undo()
    assert table.path.read_bytes() == run_sweep(sweep, tmp_path / "whole", workers=1).path.read_bytes()


def test_a_worker_that_cannot_begin_is_reported_and_not_tried_for_ever(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_deadly_module.py").write_text(
        "import os\nif 'A_PARENT' not in os.environ: os._exit(5)\ndef cell(*, a: int):\n    return {'x': a}\n"
    )
    monkeypatch.setenv("A_PARENT", "")
    sweep = Sweep("deadly", "a_deadly_module:cell", ({"a": (1, 2, 3)},)).checked()
    monkeypatch.delenv("A_PARENT")
    with pytest.raises(SweepError, match="worker processes die before their first cell: exit code 5"):
        run_sweep(sweep, tmp_path / "out", workers=2)


WRITER = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
import simulations.results.provenance, simulations.sweeps.run as runs
import sweep_cells as cells
from simulations.sweeps import Sweep
from simulations.sweeps.compute import compute_in_worker
from simulations.sweeps.executors import Executor

@contextmanager
def here(workers, scheduler, *, at_once):
    yield Executor(1, "this process", lambda job, chunks: (compute_in_worker(job, chunk) for chunk in chunks))

runs.executor, runs._FLUSH_SECONDS, runs._LARGEST_CHUNK = here, 0.0, 4
sweep = Sweep("product", cells.product, ({"a": (1, 2, 3), "b": (1.0,)},))
simulations.results.provenance.commit = lambda: "unknown"
sweep.version  # read once: copies of this process know it

def run(directory, last):
    "Run in a copy of this process; it is killed at its operation number ``last`` on a file, before or after it."
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0
    def deadly(function):
        def operation(*arguments, **options):
            nonlocal count
            count += 1
            if count == last: os.kill(os.getpid(), signal.SIGKILL)
            found = function(*arguments, **options)
            count += 1
            if count == last: os.kill(os.getpid(), signal.SIGKILL)
            return found
        return operation
    for name in ("replace", "unlink", "link", "mkdir", "chmod"):
        setattr(os, name, deadly(getattr(os, name)))
    for name in ("unlink", "chmod", "write_text", "mkdir"):
        setattr(Path, name, deadly(getattr(Path, name)))
    import pyarrow.parquet as pq
    pq.write_table = deadly(pq.write_table)
    try:
        runs.run_sweep(sweep, directory)
        os._exit(0)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)

root, step = Path(sys.argv[1]), int(sys.argv[2])
assert run(root / "whole", 0) == 0
expected = (root / "whole" / "product.parquet").read_bytes()
kills = 0
for last in range(1, 1000, step):
    directory = root / str(last)
    code = run(directory, last)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    kills += 1
    assert run(directory, 0) == 0, f"after a kill at operation {last}"
    assert (directory / "product.parquet").read_bytes() == expected, last
    left = [path.name for path in directory.iterdir() if path.name.startswith(".") and path.name != ".lock"]
    assert not left, left
print(kills)
"""


def killed_writers(directory: Path, step: int) -> int:
    """Kill a writer at every ``step``-th operation on a file, finish its sweep each time, and return how many."""
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", WRITER, str(directory), str(step)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])


def test_the_writer_is_killed_around_its_operations_on_files(tmp_path):
    assert killed_writers(tmp_path, 7) >= 8


@pytest.mark.long
def test_the_writer_is_killed_before_and_after_each_of_its_operations_on_files(tmp_path):
    assert killed_writers(tmp_path, 1) >= 60
