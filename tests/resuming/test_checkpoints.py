"""Resuming: the same bytes after an interruption or a kill, and refusal of what belongs to another run."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
import torch
from mnist_images import few_images

from simulations.cli import main as cli
from simulations.errors import ReportedError
from simulations.mnist import runs as mnist_runs
from simulations.mnist.config import MnistConfig
from simulations.mnist.runs import identity
from simulations.mnist.training import train
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile
from simulations.reversal import scaling as reversal_scaling
from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side import runs as reversal_runs

CPU = torch.device("cpu")
SMALL = {"updates": 230, "eval_every": 10, "hidden": (16,)}  # 100 updates are drawn at a time
METHODS = [
    MnistConfig("dg", **SMALL),
    MnistConfig("zero-price", **SMALL),
    MnistConfig("gate", price=0.0, temperature=0.5, **SMALL),
    MnistConfig("screen", rule="uniform", rate=0.1, **SMALL),
    MnistConfig("cross-entropy", **SMALL),
]


class StoppedError(Exception):
    """What stops a training in these tests."""


@pytest.fixture(scope="module")
def data():
    return few_images()


def seeds(config):
    return [replace(config, seed=seed) for seed in (0, 1)]


def interrupted(config, data, path, update=130):
    def stop(now, policy_of):
        if now > update:
            raise StoppedError

    file = CheckpointFile(path, seconds=0)
    with pytest.raises(StoppedError):
        train(seeds(config), data, CPU, checkpoint=file, on_evaluation=stop)
    return file


def same(found, expected):
    return all(f.equals(e) for f, e in zip(found.curves, expected.curves, strict=True))


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_an_interrupted_training_goes_on_to_the_same_bits(data, tmp_path, config):
    whole = train(seeds(config), data, CPU)
    file = interrupted(config, data, tmp_path / "part.pt")
    assert file.load()["program"]["rows"][-1]["update"] == 130
    visited = []
    resumed = train(seeds(config), data, CPU, checkpoint=file, on_evaluation=lambda update, _: visited.append(update))
    assert same(resumed, whole)
    assert visited == list(range(140, 240, 10)), "it went on, and did not start again"
    assert same(train(seeds(config), data, CPU, checkpoint=file), whole), "a finished part is not run again"


@pytest.mark.parametrize("part", ["parameters", "optimizer", "streams"])
def test_negative_control_a_state_that_lacks_a_part_ends_elsewhere(data, tmp_path, part):
    config = METHODS[0]
    whole = train(seeds(config), data, CPU)
    file = interrupted(config, data, tmp_path / "part.pt")
    state = file.load()
    if part == "parameters":
        state["program"]["step"]["parameters"][0] += 0.01
    elif part == "optimizer":
        for moments in state["program"]["step"]["optimizer"]["state"].values():
            moments["exp_avg"].zero_()
    else:
        state["program"]["streams"]["position"] = 0
    file.save(state)
    assert not same(train(seeds(config), data, CPU, checkpoint=file), whole)


def test_a_damaged_checkpoint_is_named_and_removed(data, tmp_path):
    path = tmp_path / "run.partial"
    with CheckpointDirectory(path, {"code": 1}) as directory:
        directory.file("whole").save({"number": 1})
        directory.file("damaged").save({"number": 2, "tensor": torch.arange(1000)})
    file = path / "damaged.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ReportedError, match=r"checkpoint .*damaged.pt is damaged"):
        CheckpointFile(file).load()
    with CheckpointDirectory(path, {"code": 1}) as directory:
        assert directory.damaged == [file]
        assert directory.file("damaged").load() is None
        assert directory.file("whole").load() == {"number": 1}


def test_a_checkpoint_that_runs_code_is_refused(tmp_path):
    file = CheckpointFile(tmp_path / "part.pt")
    file.save({"command": os.system})
    with pytest.raises(ReportedError, match=r"checkpoint .*part.pt cannot be read"):
        file.load()


def test_another_run_is_refused(tmp_path):
    path = tmp_path / "run.partial"
    configs = [MnistConfig("pg", updates=20)]
    with CheckpointDirectory(path, identity(configs, "cpu")):
        pass
    with CheckpointDirectory(path, identity(configs, "cpu")):
        pass
    for other, what in (
        (identity([MnistConfig("pg", updates=21)], "cpu"), "configuration"),
        (identity(configs, "cuda"), "device"),
        (identity(configs, "cpu") | {"code": "0"}, "code"),
    ):
        with pytest.raises(ReportedError, match=f"has checkpoints with another {what}: remove it to start afresh"):
            CheckpointDirectory(path, other).__enter__()
    (path / "identity.json").write_text("{")
    with pytest.raises(ReportedError, match=r"identity.json is damaged: remove .*run.partial"):
        CheckpointDirectory(path, {}).__enter__()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("")
    with pytest.raises(ReportedError, match=r"is no directory of checkpoints, it has thesis\.txt"):
        CheckpointDirectory(strange, {}).__enter__()
    assert (strange / "thesis.txt").exists()


def test_a_worker_whose_owner_is_dead_stops(tmp_path):
    assert CheckpointFile(tmp_path / "part.pt", seconds=0, owner=os.getpid()).is_due()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    with pytest.raises(SystemExit):
        CheckpointFile(tmp_path / "part.pt", seconds=0, owner=int(gone.stdout)).is_due()


def command(table, workers):
    return [
        "experiment", "mnist", "--preset", "smoke", "--rate", "0.1", "--method", "dg-k", "--method", "zero-price",
        "--seeds", "3", "--updates", "400", "--workers", workers, "--checkpoint-seconds", "0", "--out", str(table),
    ]  # fmt: skip


def run(table):
    with pytest.raises(SystemExit) as stopped:
        cli.main(command(table, "1"))
    return stopped.value.code


def test_a_killed_command_goes_on_to_the_same_bytes(capsys, tmp_path):
    """Kill -9 of two workers' owner in the middle; a second writer is refused before, one worker goes on after."""
    table, whole = tmp_path / "t.parquet", tmp_path / "whole.parquet"
    partial = tmp_path / "t.partial"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from simulations.cli.main import main; main()", *command(table, "2")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        files = [CheckpointFile(partial / f"program-000{number}.pt") for number in (0, 1)]
        deadline = time.monotonic() + 120
        while not all((file.load() or {"program": {"rows": [0]}})["program"]["rows"][2:] for file in files):
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGSTOP)  # it and its workers: they wait for the second writer
        assert run(table) == 2
        error = capsys.readouterr().err.strip()
        assert error.endswith(f"another run is writing to {partial}: wait, or name another table")
        assert len(error.splitlines()) == 1
        assert process.poll() is None, "it ended before it was killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with contextlib.suppress(ProcessLookupError):  # its workers are gone where it ended by itself
            os.killpg(process.pid, signal.SIGCONT)
    assert not table.exists()
    before = [file.load()["program"]["rows"][-1]["update"] for file in files]
    assert all(update > 100 for update in before)
    assert any(update < 400 for update in before)
    assert run(table) == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("backward samples to 10 % error", "DG-K(10 %)", "zero-price", "of 3"))
    assert not partial.exists()
    assert run(whole) == 0
    assert table.read_bytes() == whole.read_bytes()
    assert pd.read_parquet(table)["update"].max() == 400


@pytest.mark.parametrize("module", ["mnist", "reversal", "reversal-scaling"])
def test_called_as_a_library_no_run_ends_the_callers_process(monkeypatch, module):
    """A ``SystemExit``, such as a signal handler's, reaches the caller: one worker runs in the caller's process."""

    def leave(*_, **__):
        raise SystemExit(7)

    def exits(code):
        raise AssertionError(f"the caller's process would have ended with {code}")

    monkeypatch.setattr(os, "_exit", exits)
    if module == "mnist":
        monkeypatch.setattr(mnist_runs, "train", leave)
        run = lambda: mnist_runs.run_many([MnistConfig("pg")], data="none")  # noqa: E731
    elif module == "reversal":
        monkeypatch.setattr(reversal_runs, "train", leave)
        run = lambda: list(reversal_runs.run_many([ReversalConfig("pg")]))  # noqa: E731
    else:
        monkeypatch.setattr(reversal_scaling, "train_to_target", leave)
        run = lambda: list(reversal_scaling.measure(reversal_scaling.SCALES["smoke"]))  # noqa: E731
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 7


def test_a_worker_process_ends_with_its_owner():
    code = "from simulations.resuming.checkpoints import working_for\nwith working_for(1):\n    raise SystemExit(7)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


def test_a_directory_that_was_removed_in_part_is_still_the_runs(tmp_path, monkeypatch):
    path, identity = tmp_path / "run.partial", {"device": "cpu"}

    def killed(*_, **__):
        raise KeyboardInterrupt

    with CheckpointDirectory(path, identity) as directory:
        for name in "ab":
            directory.file(name).save({"x": 1})
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "rmtree", killed)
            with pytest.raises(KeyboardInterrupt):
                directory.remove()
    with CheckpointDirectory(path, identity) as directory:  # and is neither refused nor taken for damaged
        assert directory.file("a").load() is None
        directory.remove()
    assert not path.exists()
