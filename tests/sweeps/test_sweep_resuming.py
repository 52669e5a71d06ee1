"""Sweeps that go on: from what is there, after an interrupt, a kill or a full disk, with other code."""

import errno
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_sweeps import PRODUCT, SCRIPT, start, temporary_files

import simulations.sweeps.run as runs
from simulations.errors import ReportedError
from simulations.results.tables import ResultError, load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.compute import Job, compute_in_worker
from simulations.sweeps.store import Store


def test_a_second_run_computes_nothing_and_touches_nothing(tmp_path):
    run_sweep(PRODUCT, tmp_path, workers=1)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != ".lock"}
    assert run_sweep(PRODUCT, tmp_path, workers=1).sidecar["last_run"]["cells_computed"] == 200
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != ".lock"}
    assert after == before


def test_a_larger_grid_reuses_the_cells_and_replaces_the_table_only_when_told(tmp_path):
    run_sweep(PRODUCT, tmp_path, workers=1)
    larger = PRODUCT.with_values({"a": tuple(range(25))})
    with pytest.raises(ResultError, match=r"holds another grid: overwrite=True \(--overwrite\) replaces it"):
        run_sweep(larger, tmp_path, workers=1)
    table = run_sweep(larger, tmp_path, workers=1, overwrite=True)
    assert (len(table.frame), table.sidecar["last_run"]["cells_computed"]) == (250, 50)
    again = run_sweep(larger, tmp_path / "fresh", workers=1)
    assert again.path.read_bytes() == table.path.read_bytes()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes a user's module anew and returns a sweep of its function ``cell``."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    def write(result: str) -> Sweep:
        (tmp_path / "a_users_sweep.py").write_text(f"def cell(*, a: int) -> dict:\n    return {{{result}}}\n")
        sys.modules.pop("a_users_sweep", None)
        importlib.invalidate_caches()
        return Sweep("mine", "a_users_sweep:cell", ({"a": (1, 2)},))

    return write


def test_changed_code_computes_anew_and_replaces_the_table_unasked(tmp_path, written):
    """As the documentation says; and workers that wait for another sweep run the new code."""
    run_sweep(written("'x': a"), tmp_path / "out", workers=1)
    table = run_sweep(written("'x': a + 10"), tmp_path / "out", workers=1)
    assert table.frame["x"].tolist() == [11, 12]
    assert table.sidecar["last_run"]["cells_computed"] == 2
    again = run_sweep(written("'x': a"), tmp_path / "out", workers=1)
    assert again.frame["x"].tolist() == [1, 2], "the cells of the first code are still there"
    assert again.sidecar["last_run"]["cells_computed"] == 0


def test_a_worker_with_other_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("simulations.sweeps.grid.code_version", lambda function: "other")
    with pytest.raises(ReportedError, match="runs other code or libraries for sweep_cells:product"):
        run_sweep(replace(PRODUCT, grids=PRODUCT.grids), tmp_path, workers=1)
    with pytest.raises(ReportedError, match="runs other code or libraries for sweep_cells:product"):
        compute_in_worker(Job("sweep_cells:product", "other", {}), [])


def test_an_interrupted_run_keeps_what_it_has(tmp_path):
    def interrupt(done: int, total: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(PRODUCT, tmp_path, workers=1, progress=interrupt)
    assert 7 <= len(load(tmp_path, partial=True).frame) < 200
    table = run_sweep(PRODUCT, tmp_path, workers=1)
    assert table.path.read_bytes() == run_sweep(PRODUCT, tmp_path / "fresh", workers=1).path.read_bytes()


@pytest.mark.parametrize("method", ["_write_index", "_write_shard"])
def test_an_interrupt_while_writing_doubles_nothing(tmp_path, monkeypatch, method):
    original, calls = getattr(Store, method), []

    def interrupted(self, *arguments):
        found = original(self, *arguments)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(runs, "_FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(Store, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(PRODUCT, tmp_path / "out", workers=1)
    monkeypatch.undo()
    table = run_sweep(PRODUCT, tmp_path / "out", workers=1)
    assert table.path.read_bytes() == run_sweep(PRODUCT, tmp_path / "fresh", workers=1).path.read_bytes()


def test_a_shard_that_repeats_cells_is_refused(tmp_path):
    run_sweep(PRODUCT, tmp_path, workers=1)
    index = json.loads((tmp_path / "index.json").read_text())
    first = index["shards"][0]
    shutil.copy(tmp_path / first["file"], tmp_path / "cells-000099.parquet")
    index["shards"].append({**first, "file": "cells-000099.parquet"})
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(ResultError, match=r"cells-000099\.parquet repeats cells of another shard"):
        run_sweep(PRODUCT, tmp_path, workers=1)


def test_a_new_column_needs_no_new_directory(tmp_path, written):
    """Shards of other code are left alone."""
    run_sweep(written("'x': a"), tmp_path / "out", workers=1)
    table = run_sweep(written("'x': a, 'sum': 2 * a"), tmp_path / "out", workers=1)
    assert "sum" in table.frame.columns
    assert list(load(tmp_path / "out", partial=True).frame.columns) == list(table.frame.columns)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_killed_between_the_new_table_and_its_sidecar(tmp_path, monkeypatch, done):
    """A table of one grid beside the sidecar of another would be refused for ever."""
    before = len(run_sweep(PRODUCT, tmp_path, workers=1).frame)
    larger = PRODUCT.with_values({"a": tuple(range(25))})
    replaced = []

    def dies(self, target):
        if target.stem == "product":
            if len(replaced) == done:
                raise KeyboardInterrupt
            replaced.append(target.name)

    original = os.replace
    monkeypatch.setattr("os.replace", lambda a, b: dies(a, Path(b)) or original(a, b))
    with pytest.raises(KeyboardInterrupt):
        run_sweep(larger, tmp_path, workers=1, overwrite=True)
    monkeypatch.undo()
    assert replaced == ["product.json", "product.parquet", "product.json"][:done]
    assert len(load(tmp_path / "product.parquet").frame) == (250 if done == 2 else before)
    assert len(run_sweep(larger, tmp_path, workers=1, overwrite=True).frame) == 250


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("simulations.sweeps.store.pq.write_table", full)
    with pytest.raises(ResultError, match=r"cannot write .*: No space left on device"):
        run_sweep(PRODUCT, tmp_path, workers=1)
    assert temporary_files(tmp_path) == []


def test_killed_at_random_moments_time_and_again(tmp_path):
    """More kills, at every write: tests/sweeps/test_sweep_kills.py."""
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT)
    rng, killed = random.Random(0), 0
    for _ in range(3):
        with start(script, out, 1) as process:
            process.stdout.readline()  # the directory is open
            process.stdout.readline()  # the first cells are computed
            time.sleep(rng.uniform(0, 0.25))
            process.kill()
        killed += process.returncode == -signal.SIGKILL
    assert killed == 3
    last = start(script, out, 2)
    text, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    assert int(text.split()[0]) > 0, "nothing survived the kills"
    assert temporary_files(out) == []
    runs_once = tmp_path / "once"
    whole = start(script, runs_once, 1)
    whole.communicate(timeout=120)
    assert (out / "slow.parquet").read_bytes() == (runs_once / "slow.parquet").read_bytes()


@pytest.mark.parametrize("moment", ["after the shard", "before the sidecar", "half a temporary file"])
def test_killed_between_two_files(tmp_path, moment):
    table = run_sweep(PRODUCT, tmp_path, workers=1)
    content = table.path.read_bytes()
    if moment == "after the shard":
        shard = next(tmp_path.glob("cells-*.parquet"))
        (tmp_path / "cells-000077.parquet").write_bytes(shard.read_bytes())
    elif moment == "before the sidecar":
        table.path.with_suffix(".json").unlink()
    else:
        (tmp_path / ".cells-000002.parquet.abc.parquet").write_bytes(content[:100])
        (tmp_path / ".index.json.xyz.json").write_bytes(b"{")
        (tmp_path / ".product.parquet.xyz.parquet").write_bytes(b"")
    again = run_sweep(PRODUCT, tmp_path, workers=1)
    assert again.path.read_bytes() == content
    assert temporary_files(tmp_path) == []
    assert len(list(tmp_path.glob("cells-*.parquet"))) == len(
        json.loads((tmp_path / "index.json").read_text())["shards"]
    )


def test_killed_processes_leave_no_workers(tmp_path):
    psutil = pytest.importorskip("psutil")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with start(script, tmp_path / "out", 2) as process:
        while int(process.stdout.readline()) < 30:  # by now the worker processes run
            pass
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
