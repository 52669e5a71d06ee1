"""Random streams for the kernels: one a replicate, from :class:`numpy.random.SeedSequence`.

Every replicate owns the SFC64 generator that NumPy would build from ``SeedSequence(seed).spawn(n)[replicate]``. Its
state is four words in an array, so that a chunk of replicates goes to a kernel as one array, and a draw costs a
quarter of what it costs through :class:`numpy.random.Generator` inside Numba. A replicate's results depend on
nothing but its own row: not on the number of threads, nor on how the replicates are cut into chunks.
"""

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import platformdirs
from numba import config, njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]
Function = TypeVar("Function", bound=Callable[..., Any])

_LOG = logging.getLogger(__name__)
_SAID = "KONDO_NO_KERNEL_CACHE_SAID"
_WORD = 2**32
_TWO_TO_MINUS_53 = 1.0 / 9007199254740992.0


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
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.parent.rglob("*.py"))]
    kernels = [
        source for source in sources if b"simulations.randomness.streams" in source
    ]  # this file and all that import it
    if not kernels:
        raise OSError("no source of a kernel can be read")
    return hashlib.sha256(b"".join(kernels)).hexdigest()[:16]


def replicate_states(seed: int, n_replicates: int, first: int = 0) -> WordArray:
    """Return the initial stream states of replicates ``first`` to ``first + n_replicates - 1``.

    Building a :class:`numpy.random.SeedSequence` a replicate would take as long as a dozen learning steps, all in one
    thread. The sequences differ only in the last word that they hash, the replicate's index, so that word is hashed
    here for all replicates at once, by O'Neill's algorithm, which NumPy promises not to change.

    Parameters
    ----------
    seed : int
        Entropy of the :class:`numpy.random.SeedSequence`, nonnegative.
    n_replicates : int
        Number of streams.
    first : int
        Index of the first replicate, so that a run can be continued; all indices are below 2^32.

    Returns
    -------
    ndarray of uint64, shape (n_replicates, 4)
        Row r is the state of ``numpy.random.SFC64(SeedSequence(seed, spawn_key=(first + r,)))``.
    """
    seed = int(seed)  # a NumPy integer too
    if first + n_replicates > _WORD:
        raise ValueError(f"replicate indices must be below 2^32, got {first + n_replicates - 1}")
    parent = np.random.SeedSequence(seed)
    n_words = max(4, -(-seed.bit_length() // 32))
    multiplier = 0x43B0D7E5 * pow(0x931E8875, 4 * n_words, _WORD) % _WORD  # after the words of the seed
    index = np.arange(first, first + n_replicates, dtype=np.uint32)
    pool = []
    for word in parent.pool:
        hashed, multiplier = _hash(index, multiplier, 0x931E8875)
        mixed = np.uint32(int(word) * 0xCA01F9DD % _WORD) - hashed * np.uint32(0x4973F715)
        pool.append(mixed ^ (mixed >> np.uint32(16)))
    states = np.ones((n_replicates, 4), dtype=np.uint64)
    multiplier = 0x8B51F9DD
    for column in range(3):
        low, multiplier = _hash(pool[2 * column % 4], multiplier, 0x58F38DED)
        high, multiplier = _hash(pool[(2 * column + 1) % 4], multiplier, 0x58F38DED)
        states[:, column] = low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))
    _warm_up(states)
    return states


def _hash(value: npt.NDArray[np.uint32], multiplier: int, factor: int) -> tuple[npt.NDArray[np.uint32], int]:
    """Hash an array of words; return it and the multiplier of the next hash."""
    following = multiplier * factor % _WORD
    hashed = (value ^ np.uint32(multiplier)) * np.uint32(following)
    return hashed ^ (hashed >> np.uint32(16)), following


def in_chunks(
    function: Callable[..., Sequence[npt.NDArray[Any]]], states: WordArray, n_threads: int, *arguments: Any
) -> list[npt.NDArray[Any]]:
    """Call ``function(chunk, *arguments)`` on chunks of ``states`` in threads and join the results on axis 0.

    The kernels hold no GIL, so the threads run at once. Which thread runs a replicate changes nothing about it.
    An exception in a thread is raised here.
    """
    if n_threads == 1:
        return list(function(states, *arguments))
    chunks = np.array_split(states, min(len(states), 4 * n_threads))  # small enough to balance uneven replicates
    with ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(lambda chunk: function(chunk, *arguments), chunks))
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


@inlined
def next_uniform(state: WordArray) -> float:
    """Return a double in [0, 1) and advance the stream, shape (4,), just as ``Generator(SFC64).random()`` does."""
    word = state[0] + state[1] + state[3]
    state[3] += np.uint64(1)
    state[0] = state[1] ^ (state[1] >> np.uint64(11))
    state[1] = state[2] + (state[2] << np.uint64(3))
    state[2] = ((state[2] << np.uint64(24)) | (state[2] >> np.uint64(40))) + word
    return (word >> np.uint64(11)) * _TWO_TO_MINUS_53


@kernel
def _warm_up(states: WordArray) -> None:
    for row in range(states.shape[0]):
        for _ in range(12):  # as NumPy does, to mix the words of the seed
            next_uniform(states[row])
