"""Computing sweeps: resuming, killing, refusing, and the same bytes whatever computed them."""

import errno
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import sweep_cells as cells
from distributed import Client, LocalCluster

import simulations.sweeps.processes as processes
import simulations.sweeps.run as runs
from simulations.cli.main import main
from simulations.errors import ReportedError
from simulations.results.tables import SWEEP, ResultError, load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.compute import Job, compute_in_worker
from simulations.sweeps.estimate import estimate
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.run import SweepError
from simulations.sweeps.store import Store

HERE = Path(__file__).parents[1]
PRODUCT = Sweep("product", cells.product, ({"a": tuple(range(20)), "b": tuple(i / 4 for i in range(10))},))
DRAWS = Sweep("draws", cells.draws, ({"n": tuple(range(1, 61)), "seed": (0, 1)},))


def temporary_files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith(".") and path.name != ".lock")


# What a sweep returns and writes.


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


# Resuming.


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


SCRIPT = """
import sys
from pathlib import Path
import simulations.sweeps.run as runs
import sweep_cells as cells
from simulations.sweeps import Sweep
runs._FLUSH_SECONDS = 0.01
runs._CHUNK_SECONDS = 0.02
sweep = Sweep("slow", cells.product, ({"a": tuple(range(40)), "b": (1.0, 2.0, 3.0), "pause": (0.02,)},))
out, workers = Path(sys.argv[1]), int(sys.argv[2])
runs.run_sweep(sweep, out, workers=workers, progress=lambda done, total: print(done, flush=True))
"""


def start(script: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


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


# What must not be used.


def test_a_second_writer_is_refused(tmp_path):
    with Store(tmp_path, PRODUCT.checked()), pytest.raises(ResultError, match="another run is writing to"):
        run_sweep(PRODUCT, tmp_path, workers=1)
    run_sweep(PRODUCT, tmp_path, workers=1)


def test_two_processes_on_one_directory(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    first = start(script, tmp_path / "out", 1)
    first.stdout.readline()
    second = start(script, tmp_path / "out", 1)
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 1)
    assert "another run is writing to" in errors.splitlines()[-1]


def test_foreign_directories_and_files_are_refused_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResultError, match=r"is not a sweep's directory: it holds thesis.txt"):
        run_sweep(PRODUCT, tmp_path, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]
    with pytest.raises(ResultError, match="is not a directory"):
        run_sweep(PRODUCT, tmp_path / "thesis.txt", workers=1)


def test_cells_of_another_function_are_refused(tmp_path):
    run_sweep(PRODUCT, tmp_path, workers=1)
    with pytest.raises(ResultError, match=r"holds cells of sweep_cells:product, not of sweep_cells:draws"):
        run_sweep(DRAWS, tmp_path, workers=1)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("damage", ["half", "foreign", "altered"])
def test_damaged_shards_are_refused_by_name(tmp_path, damage, partial):
    run_sweep(PRODUCT, tmp_path, workers=1)
    shard = sorted(tmp_path.glob("cells-*.parquet"))[0]
    content = shard.read_bytes()
    if damage == "half":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "foreign":
        pd.DataFrame({"x": [1]}).to_parquet(shard)
    else:
        shard.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    match = rf"{shard.name} does not match its hash"
    with pytest.raises(ResultError, match=match):
        load(tmp_path, partial=True) if partial else run_sweep(PRODUCT, tmp_path, workers=1)
    shard.unlink()  # as the message says
    assert len(run_sweep(PRODUCT, tmp_path, workers=1).frame) == 200


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is damaged"),
        ('{"schema_version": 1}', "is damaged"),
        ('{"schema_version": 1, "function": "x", "shards": [{"file": "../x"}]}', "is damaged"),
        ('{"schema_version": 9, "function": "x", "shards": []}', "has schema version 9, this code reads 1"),
        ('{"schema_version": 1, "function": "x", "shards": {}}', "is damaged: shards: "),
        ('{"schema_version": 1, "function": "x", "shards": [{"file": 5}]}', "is damaged: shards.0.file: "),
    ],
)
def test_damaged_indexes_are_refused_by_name(tmp_path, text, problem):
    run_sweep(PRODUCT, tmp_path, workers=1)
    (tmp_path / "index.json").write_text(text)
    for action in (lambda: run_sweep(PRODUCT, tmp_path, workers=1), lambda: load(tmp_path)):
        with pytest.raises(ResultError, match=rf"index\.json.* {problem}"):
            action()


def test_loading_a_directory_says_what_is_wrong(tmp_path):
    with pytest.raises(ResultError, match=r"it has no index\.json"):
        load(tmp_path)
    run_sweep(PRODUCT, tmp_path, workers=1)
    run_sweep(replace(PRODUCT, name="twin"), tmp_path, workers=1)
    with pytest.raises(ResultError, match=r"several tables, name one: product.parquet, twin.parquet"):
        load(tmp_path)


# The same bytes.


def test_the_table_does_not_depend_on_the_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_ALONE_SECONDS", 0.0)
    tables = [run_sweep(DRAWS, tmp_path / str(n), workers=n).path.read_bytes() for n in (1, 2, 4)]
    assert tables[0] == tables[1] == tables[2]
    other = DRAWS.with_values({"seed": (0, 2)})  # the control: other seeds make other bytes
    assert run_sweep(other, tmp_path / "other", workers=2).path.read_bytes() != tables[0]


@pytest.fixture(scope="module")
def cluster():
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{HERE}{os.pathsep}{path}"  # worker processes import the tests' cells
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as found:
        yield found
    os.environ["PYTHONPATH"] = path


def test_a_dask_cluster_gives_the_same_bytes(tmp_path, cluster):
    table = run_sweep(DRAWS, tmp_path / "dask", scheduler=cluster.scheduler_address)
    assert table.path.read_bytes() == run_sweep(DRAWS, tmp_path / "here", workers=1).path.read_bytes()
    assert table.sidecar["last_run"]["workers"].startswith("Dask, 2 threads")


def test_a_dask_worker_killed_on_the_way_changes_nothing(tmp_path, cluster):
    sweep = PRODUCT.with_values({"pause": (0.02,)})
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    killed = []

    def kill_one(done: int, total: int) -> None:
        if done >= 20 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    table = run_sweep(sweep, tmp_path / "dask", scheduler=cluster.scheduler_address, progress=kill_one)
    assert killed
    assert table.path.read_bytes() == run_sweep(sweep, tmp_path / "here", workers=2).path.read_bytes()


@pytest.mark.parametrize("allowed_failures", [0, 3])
def test_a_cell_that_kills_every_dask_worker_is_reported_and_the_others_finish(
    tmp_path, cluster, monkeypatch, allowed_failures
):
    """The nanny restarts the workers; the scheduler gives up on the cell, and so do we.

    It gives up on cells that wait on the same worker as well, at once where no failure is allowed.
    """
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", allowed_failures)
    sweep = Sweep("deadly", cells.kills_always, ({"a": tuple(range(6))},))
    with pytest.raises(SweepError, match=r"a=3: killed its worker, again and again"):
        run_sweep(sweep, tmp_path, scheduler=cluster.scheduler_address)
    assert set(load(tmp_path, partial=True).frame["a"]) == {0, 1, 2, 4, 5}


def test_no_scheduler_and_too_many_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("simulations.sweeps.executors._CONNECT_SECONDS", 1)
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_sweep(PRODUCT, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    for nonsense in ("", "nowhere", "tcp://", "http://host:80", "scheduler.json"):
        with pytest.raises(ValueError, match="a scheduler's address is tcp://host:port"):
            run_sweep(PRODUCT, tmp_path / "out", scheduler=nonsense)
    with pytest.raises(ValueError, match="not both"):
        run_sweep(PRODUCT, tmp_path / "out", scheduler="tcp://127.0.0.1:9", workers=2)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run_sweep(PRODUCT, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()


# The command.


def kondo(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return raised.value.code, captured.out, captured.err


FRONTIER = ("sweep", "frontier", "--preset", "smoke", "--set", "p_correct=0.2", "--set", "n_arms=10", "--workers", 1)


def test_the_command_writes_a_table_and_resumes(tmp_path, capsys):
    code, out, _ = kondo(capsys, *FRONTIER, "--out", tmp_path / "out")
    assert (code, "rows in" in out) == (0, True)
    assert load(tmp_path / "out").frame["n_arms"].unique().tolist() == [10]
    assert kondo(capsys, *FRONTIER, "--out", tmp_path / "out")[0] == 0


def test_the_dry_run_counts_and_writes_nothing(tmp_path, capsys):
    code, out, _ = kondo(capsys, *FRONTIER, "--out", tmp_path / "out", "--dry-run")
    cells_named = sum(
        1 for _ in SWEEPS["frontier"].with_values({"p_correct": (0.2,), "n_arms": (10,)}).checked().cells()
    )
    assert code == 0
    assert f"frontier: {cells_named:,} cells" in out
    assert "core seconds" in out
    assert not (tmp_path / "out").exists()


def test_the_list_names_every_sweep(capsys):
    code, out, _ = kondo(capsys, "sweep", "--list")
    assert code == 0
    assert all(name in out for name in SWEEPS)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a sweep or a file"),
        (("frontiers",), "a sweep must be a file"),
        (("frontier", "--set", "p_correct=2.0"), "p_correct is 2.0"),
        (("frontier", "--set", "price="), "the grid is empty"),
        (("frontier", "--set", "p=1"), "unknown key 'p'"),
        (("missing.toml",), "no such file"),
        (("frontier", "--scheduler", "nowhere", "--workers", "2"), "not both"),
    ],
)
def test_bad_input_ends_in_one_line_exit_2_and_no_file(tmp_path, capsys, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    code, _, errors = kondo(capsys, "sweep", *arguments)
    assert code == 2
    assert problem in errors.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_grid_of_a_million_million_cells_ends_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    axis = "{ start = 0.1, stop = 0.2, num = 1000000 }"
    (tmp_path / "huge.toml").write_text(
        f'sweep = "frontier"\n[grid]\np_correct = {axis}\nprice = {axis}\ntemperature = 1.0\n'
    )
    code, _, errors = kondo(capsys, "sweep", "huge.toml")
    assert code == 2
    assert "at most 1,000,000 cells are allowed, got 1,000,000,000,000" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["huge.toml"]


def test_failing_cells_exit_1(tmp_path, capsys, monkeypatch):
    failing = Sweep("half", cells.fails_on_odd, ({"a": (0, 1, 2)},))
    monkeypatch.setattr("simulations.cli.sweeping.SWEEPS", {"half": failing})
    code, _, errors = kondo(capsys, "sweep", "half", "--out", tmp_path / "out", "--workers", 1)
    assert code == 1
    assert "1 of 3 cells failed" in errors
    assert "a=1: ValueError: 1 is odd" in errors


def test_shards_are_few(tmp_path):
    """Not one file a cell."""
    run_sweep(PRODUCT, tmp_path, workers=1)
    shards = list(tmp_path.glob("cells-*.parquet"))
    assert len(shards) <= 2
    assert sum(pq.read_metadata(shard).num_rows for shard in shards) == 200


# Devices.


def test_a_device_that_the_machine_lacks_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    sweep = Sweep("on", cells.on_a_device, ({"a": (1, 2), "device": ("cpu", "cuda")},))
    for asked in (
        lambda: run_sweep(sweep, tmp_path / "out", workers=1),
        lambda: estimate(sweep, tmp_path / "out"),
    ):
        with pytest.raises(ValueError, match="sweep on: device is cuda, which this machine lacks"):
            asked()
    for option in ([], ["--dry-run"]):
        arguments = ["sweep", "mnist-learning-rate", "--set", "device=cuda", "--out", str(tmp_path / "out"), *option]
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        line = "kondo: sweep mnist-learning-rate: device is cuda, which this machine lacks\n"
        assert capsys.readouterr().err.endswith(line)
    assert not (tmp_path / "out").exists()


def test_a_worker_that_lacks_a_device_fails_the_cells_that_name_it_and_no_others(tmp_path, monkeypatch):
    """As on a cluster, where the process that writes cannot know what the workers have."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(runs, "require_devices", lambda sweep: None)
    sweep = Sweep("on", cells.on_a_device, ({"a": (1, 2), "device": ("cpu", "cuda", "tpu")},))
    with pytest.raises(SweepError, match=r"2 of 6 cells failed[\s\S]*device cuda is not available"):
        run_sweep(sweep, tmp_path / "out", workers=1)
    kept = load(tmp_path / "out", partial=True)
    assert sorted(kept.frame["device"]) == ["cpu", "cpu", "tpu", "tpu"], "a word that is no device of torch's is data"
