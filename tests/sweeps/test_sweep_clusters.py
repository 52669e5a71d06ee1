"""Sweeps on a Dask cluster: the same bytes, workers that are killed, schedulers that do not answer."""

import os
import signal

import dask
import pytest
import sweep_cells as cells
from distributed import Client, LocalCluster
from small_sweeps import DRAWS, HERE, PRODUCT

from simulations.results.tables import load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.executors import _Room
from simulations.sweeps.run import SweepError


@pytest.fixture(scope="module")
def cluster():
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{HERE}{os.pathsep}{path}"  # worker processes import the tests' cells
    with (
        # A worker that was lost a quarter of a minute ago and is away at that moment is let go for good otherwise.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as found,
    ):
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


class Clock:
    """A clock that only sleeping moves, the work that it ends, and workers who are there at some of its times."""

    def __init__(self, there, ready):
        self.now, self.there, self.ready = 0.0, there, ready

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def nthreads(self):
        return {"tcp://host:1": 1} if self.there(self.now) else {}

    def has_ready(self):
        return self.now > self.ready


@pytest.mark.parametrize("phase", range(5))
def test_workers_that_come_and_go_are_no_loss_whenever_they_are_looked_for(monkeypatch, phase):
    clock = Clock(lambda now: (now + phase) % 5 < 2, ready=400)
    monkeypatch.setattr("simulations.sweeps.executors.time", clock)
    _Room(clock).wait(clock)
    assert clock.now > 400


def test_workers_that_are_away_for_more_than_a_minute_are_lost(monkeypatch):
    clock = Clock(lambda now: now < 100, ready=400)
    monkeypatch.setattr("simulations.sweeps.executors.time", clock)
    with pytest.raises(SweepError, match="all Dask workers are gone"):
        _Room(clock).wait(clock)
    assert 160 < clock.now < 190


def test_workers_that_go_for_good_end_the_sweep_in_one_line_and_what_is_done_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("simulations.sweeps.executors._WAIT_FOR_WORKERS_SECONDS", 1)
    monkeypatch.setattr("simulations.sweeps.executors._LOOK_SECONDS", 0.2)
    sweep = PRODUCT.with_values({"pause": (0.05,)})
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:

        def send_home(done: int, total: int) -> None:
            if done >= 5:
                cluster.scale(0)

        with pytest.raises(SweepError, match="all Dask workers are gone: start some and run again to go on"):
            run_sweep(sweep, tmp_path, scheduler=cluster.scheduler_address, progress=send_home)
    assert len(load(tmp_path, partial=True).frame) >= 5


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
