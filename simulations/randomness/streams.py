"""Random streams for the kernels: one a replicate, from :class:`numpy.random.SeedSequence`.

Every replicate owns the SFC64 generator that NumPy would build from ``SeedSequence(seed).spawn(n)[replicate]``. Its
state is four words in an array, so that a chunk of replicates goes to a kernel as one array, and a draw costs a
quarter of what it costs through :class:`numpy.random.Generator` inside Numba. A replicate's results depend on
nothing but its own row: not on the number of threads, nor on how the replicates are cut into chunks.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from simulations.randomness.compiling import inlined, kernel

__all__ = ["FloatArray", "IntArray", "WordArray", "in_chunks", "next_uniform", "replicate_states"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]
Result = TypeVar("Result")

_CHUNKS_PER_THREAD = 4  # small enough to balance uneven replicates

# numpy.random.SeedSequence, by names of NumPy's source: a hash of 32-bit words whose multiplier changes with each.
_WORD = 2**32
_POOL_SIZE = 4
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875  # of the words that enter the pool
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED  # of the words that leave it
_MIX_MULT_L, _MIX_MULT_R = 0xCA01F9DD, 0x4973F715
_XSHIFT = np.uint32(16)  # half a word

# SFC64 (C. Doty-Humphrey, PractRand), as NumPy has it; a rotation by 24 is a shift by 24 and one by 64 − 24.
_STATE_WORDS = 4
_SHIFT_RIGHT, _SHIFT_LEFT = np.uint64(11), np.uint64(3)
_ROTATION, _ROTATION_BACK = np.uint64(24), np.uint64(40)
_WARM_UP_ROUNDS = 12  # to mix the words of the seed

# A double in [0, 1) takes the 53 upper bits of a word, as many as its mantissa holds.
_UNUSED_BITS = np.uint64(64 - 53)
_TWO_TO_MINUS_53 = 1.0 / 2**53


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
    n_words = max(_POOL_SIZE, -(-seed.bit_length() // 32))
    multiplier = _INIT_A * pow(_MULT_A, _POOL_SIZE * n_words, _WORD) % _WORD  # after the words of the seed
    index = np.arange(first, first + n_replicates, dtype=np.uint32)
    pool = []
    for word in parent.pool:
        hashed, multiplier = _hash(index, multiplier, _MULT_A)
        mixed = np.uint32(int(word) * _MIX_MULT_L % _WORD) - hashed * np.uint32(_MIX_MULT_R)
        pool.append(mixed ^ (mixed >> _XSHIFT))
    states = np.ones((n_replicates, _STATE_WORDS), dtype=np.uint64)
    multiplier = _INIT_B
    for column in range(_STATE_WORDS - 1):  # the last word is SFC64's counter, which starts at one
        low, multiplier = _hash(pool[2 * column % _POOL_SIZE], multiplier, _MULT_B)
        high, multiplier = _hash(pool[(2 * column + 1) % _POOL_SIZE], multiplier, _MULT_B)
        states[:, column] = low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))
    _warm_up(states)
    return states


def _hash(value: npt.NDArray[np.uint32], multiplier: int, factor: int) -> tuple[npt.NDArray[np.uint32], int]:
    """Hash an array of words; return it and the multiplier of the next hash."""
    following = multiplier * factor % _WORD
    hashed = (value ^ np.uint32(multiplier)) * np.uint32(following)
    return hashed ^ (hashed >> _XSHIFT), following


def in_chunks(function: Callable[..., Result], states: WordArray, n_threads: int, *arguments: Any) -> Result:
    """Call ``function(chunk, *arguments)`` on chunks of ``states`` in threads and join the results on axis 0.

    The function returns an array or a tuple of arrays. The kernels hold no GIL, so the threads run at once. Which
    thread runs a replicate changes nothing about it. An exception in a thread is raised here.
    """
    if n_threads == 1:
        return function(states, *arguments)
    chunks = np.array_split(states, min(len(states), _CHUNKS_PER_THREAD * n_threads))
    with ThreadPoolExecutor(n_threads) as pool:
        parts: list[Any] = list(pool.map(lambda chunk: function(chunk, *arguments), chunks))
    if isinstance(parts[0], tuple):
        return cast(Result, tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    return cast(Result, np.concatenate(parts))


@inlined
def next_uniform(state: WordArray) -> float:
    """Return a double in [0, 1) and advance the stream, shape (4,), just as ``Generator(SFC64).random()`` does."""
    word = state[0] + state[1] + state[3]
    state[3] += np.uint64(1)
    state[0] = state[1] ^ (state[1] >> _SHIFT_RIGHT)
    state[1] = state[2] + (state[2] << _SHIFT_LEFT)
    state[2] = ((state[2] << _ROTATION) | (state[2] >> _ROTATION_BACK)) + word
    return (word >> _UNUSED_BITS) * _TWO_TO_MINUS_53


@kernel
def _warm_up(states: WordArray) -> None:
    """Advance every stream, shape (n, 4), as NumPy does before the first number."""
    for row in range(states.shape[0]):
        for _ in range(_WARM_UP_ROUNDS):
            next_uniform(states[row])
