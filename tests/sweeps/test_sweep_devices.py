"""Sweeps on devices that the machine, or a worker, lacks."""

import pytest
import sweep_cells as cells

import simulations.sweeps.run as runs
from simulations.cli.main import main
from simulations.results.tables import load
from simulations.sweeps import Sweep, run_sweep
from simulations.sweeps.estimate import estimate
from simulations.sweeps.run import SweepError


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
