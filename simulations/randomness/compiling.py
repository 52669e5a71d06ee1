"""Compilation of kernels, and where compiled ones are kept."""

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import platformdirs
from numba import config, njit

__all__ = ["inlined", "kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])

_LOG = logging.getLogger(__name__)
_SAID = "KONDO_NO_KERNEL_CACHE_SAID"


def kernel(function: Function) -> Function:
    """Compile ``function`` without the GIL; division by zero gives inf or nan, as in NumPy."""
    return _compile(function)


def inlined(function: Function) -> Function:
    """Compile as :func:`kernel` does, into the caller: an array argument of a call costs more than a draw.

    Numba counts references to the arrays that it passes, with atomic instructions.
    """
    return _compile(function, forceinline=True)


def _compile(function: Function, **options: Any) -> Function:
    # Numba keys its disk cache on the file that defines a function and would go on using code that it inlined from
    # other files after they changed. So the cache has one directory for each state of all the kernels' sources, and
    # where Numba would take another one by itself there is no cache.
    compiled = njit(nogil=True, error_model="numpy", **options)(function)
    directory = _cache_directory()
    if directory is not None:
        elsewhere, config.CACHE_DIR = config.CACHE_DIR, directory  # type: ignore[attr-defined]
        try:
            cached = njit(nogil=True, cache=True, error_model="numpy", **options)(function)
        finally:
            config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]
        if Path(cached.stats.cache_path).is_relative_to(directory):
            compiled = cached
    return cast(Function, compiled)


@functools.cache
def _cache_directory() -> str | None:
    """Return where compiled kernels are kept, None where they cannot be."""
    try:
        directory = platformdirs.user_cache_path("kondo-theory") / "kernels" / _fingerprint()
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except (OSError, RuntimeError) as error:  # the latter of a home that nobody knows
        if _SAID not in os.environ:
            os.environ[_SAID] = "1"  # worker processes inherit it
            _LOG.warning("kernels are compiled anew by every process, as they cannot be cached: %s", error)
        return None
    return str(directory)


def _fingerprint() -> str:
    """Return the hash of the sources of all kernels; raises OSError where there are none, as in an archive."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
    kernels = [source for source in sources if b"simulations.randomness.compiling" in source]  # and this file's own
    if not kernels:
        raise OSError("no source of a kernel can be read")
    return hashlib.sha256(b"".join(kernels)).hexdigest()[:16]
