"""Argument checks of the closed forms: float64 arrays in their domain, or one line that names the bad value.

Every refusal reads "what must be allowed, got value". Values that are not real numbers raise TypeError, values
outside the domain ValueError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory._arrays import refuse_masked, require_one_shape
from kondo_theory.words import choice as choice

FloatArray = NDArray[np.float64]

SUM_TOLERANCE = 1e-6
"""How far a policy may be from summing to one, what a float32 softmax leaves; it is then divided by its sum."""

NEVER = 1e-150
"""Arms less likely than this count as never played: the squares of their probabilities would underflow."""

PAIR_TOLERANCE = 1e-12
"""How far p_correct + p_error may be from one."""

KERNEL_TOLERANCE = 1e-6
"""Asymmetry and most negative eigenvalue a kernel may have, relative to its largest entry (float32 rounding)."""


def real(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as a float64 array, refusing anything that is not real or has a mask of its own."""
    refuse_masked(value, name)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, got {_shown(value)}")
    return array.astype(np.float64, copy=False)


def scalar(name: str, value: ArrayLike) -> float:
    """Return ``value`` as a float, refusing arrays by name."""
    array = real(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be a scalar, got an array of shape {array.shape}")
    return float(array)


def finite(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as a finite float64 array."""
    array = real(name, value)
    return require(name, array, np.isfinite(array), "finite")


def interval(name: str, value: ArrayLike, low: float, high: float, ends: str) -> FloatArray:
    """Return ``value`` as a float64 array within an interval whose brackets are ``ends``, such as "[)"."""
    if ends not in ("()", "(]", "[)", "[]"):  # a slip of ours
        raise RuntimeError(f"the brackets of {name} are {ends!r}")
    array = real(name, value)
    above = array >= low if ends[0] == "[" else array > low
    below = array <= high if ends[1] == "]" else array < high
    return require(name, array, above & below, f"in {ends[0]}{low:g}, {high:g}{ends[1]}")


def number(name: str, value: ArrayLike, low: float, high: float, ends: str) -> float:
    """Return ``value`` as one float within an interval, refusing arrays by name."""
    return float(interval(name, scalar(name, value), low, high, ends))


def integers(name: str, value: ArrayLike, least: float, most: float = np.inf) -> FloatArray:
    """Return ``value`` as floats that are whole, from ``least`` to ``most``."""
    array = real(name, value)
    valid = (array >= least) & (array <= most) & np.isfinite(array) & (array == np.floor(array))
    allowed = f"≥ {least:g}" if most == np.inf else f"in [{least:g}, {most:,g}]"
    return require(name, array, valid, f"an integer {allowed}")


def integer(name: str, value: ArrayLike, least: float, most: float = np.inf) -> int:
    """Return ``value`` as one integer from ``least`` to ``most``, refusing arrays by name."""
    return int(integers(name, scalar(name, value), least, most))


def require(name: str, array: FloatArray, valid: NDArray[np.bool_] | np.bool_ | bool, allowed: str) -> FloatArray:
    """Return ``array`` if every entry is valid, else name the first one that is not."""
    if not np.all(valid):
        bad = float(array[~np.broadcast_to(valid, array.shape)].flat[0])
        raise ValueError(f"{name} must be {allowed}, got {bad!r}")
    return array


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return arrays stretched to one shape, refusing by their names those that do not stretch."""
    require_one_shape(arrays)
    return tuple(np.broadcast_arrays(*arrays.values()))


def arm_count(n_arms: ArrayLike) -> FloatArray:
    """Return K, whole numbers of at least two, as floats."""
    return integers("n_arms", n_arms, 2)


def probability_pair(p_correct: ArrayLike, p_error: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Return p and ε = 1 − p, both in (0, 1), each as accurate as it was given."""
    right = interval("p_correct", p_correct, 0, 1, "()" if p_error is None else "(]")
    if p_error is None:
        return right, 1 - right
    wrong = interval("p_error", p_error, 0, 1, "()")
    total = np.asarray(right + wrong)
    require("p_correct + p_error", total, np.abs(total - 1) <= PAIR_TOLERANCE, f"1 to within {PAIR_TOLERANCE:g}")
    right, wrong = np.broadcast_arrays(right, wrong)
    return right, wrong


def policy(value: ArrayLike) -> FloatArray:
    """Return probabilities over K ≥ 2 arms on the last axis, divided by their sum; NEVER rounds to zero."""
    array = distribution("policy", value)
    if array.shape[-1] < 2:
        raise ValueError(f"policy must have K ≥ 2 arms on its last axis, got shape {array.shape}")
    return np.where(array < NEVER, 0.0, array)


def distribution(name: str, value: ArrayLike) -> FloatArray:
    """Return probabilities over the last axis, divided by their sum."""
    array = interval(name, value, 0, 1 + SUM_TOLERANCE, "[]")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} must have its outcomes on the last axis, got shape {array.shape}")
    total = np.asarray(array.sum(axis=-1, keepdims=True))
    require(f"the sum of {name}", total, np.abs(total - 1) <= SUM_TOLERANCE, f"1 to within {SUM_TOLERANCE:g}")
    return np.asarray(array / total)


def kernel(value: ArrayLike, n_arms: int) -> FloatArray:
    """Return a symmetric positive semidefinite (..., K, K) metric."""
    array = finite("kernel", value)
    if array.ndim < 2 or array.shape[-2:] != (n_arms, n_arms):
        raise ValueError(f"kernel must have shape (..., {n_arms}, {n_arms}), got {array.shape}")
    scale = np.max(np.abs(array), axis=(-2, -1))
    asymmetry = np.max(np.abs(array - np.swapaxes(array, -2, -1)), axis=(-2, -1))
    allowed = f"symmetric to within {KERNEL_TOLERANCE:g} of its largest entry"
    if not np.all(asymmetry <= KERNEL_TOLERANCE * scale):
        raise ValueError(f"kernel must be {allowed}, got a difference of {float(np.max(asymmetry))!r}")
    shift = (KERNEL_TOLERANCE * scale + np.finfo(float).tiny)[..., None, None] * np.eye(n_arms)
    try:  # Cholesky settles it several times faster than eigenvalues, which are needed only to say what is wrong
        np.linalg.cholesky(array + shift)
    except np.linalg.LinAlgError:
        lowest = float(np.min(np.linalg.eigvalsh(array)))
        raise ValueError(f"kernel must be positive semidefinite, got an eigenvalue of {lowest!r}") from None
    return array


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:57]}…"
