"""Arrays of either library, checked: what :mod:`kondo_theory.gate` asks of NumPy arrays and torch tensors."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import array_api_compat as api
import numpy as np
from numpy.typing import NDArray

Array = Any
"""A NumPy array or a torch tensor of a real floating dtype."""


def uniform(like: Array, rng: Any) -> Array:
    """Return uniform numbers in [0, 1) of the shape and device of ``like``, in float64 where the device has it.

    Numbers that are given in place of a generator are taken as they are.
    """
    if api.is_array_api_obj(rng):
        given = floating(rng, "rng", like)
        if tuple(given.shape) != tuple(like.shape):
            shapes = f"{tuple(given.shape)} and {tuple(like.shape)}"
            raise ValueError(f"rng must be a generator or uniform numbers of the shape of delight, got {shapes}")
        return given
    if api.is_numpy_array(like):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy.random.Generator for a NumPy array, got {type(rng).__name__}")
        return rng.random(like.shape)
    xp = api.array_namespace(like)
    try:
        return xp.rand(like.shape, generator=rng, dtype=widest(xp, like), device=like.device)
    except (TypeError, RuntimeError, AttributeError) as error:
        got, why = type(rng).__name__, str(error).partition("\n")[0]
        raise TypeError(
            f"rng must be a torch.Generator on {like.device} or None for a tensor, got {got} ({why})"
        ) from error


def is_traced(xp: Any) -> bool:
    """Whether a library compiles or records the operations: a value that is read would be a constant of that."""
    compiler = getattr(xp, "compiler", None)
    if compiler is None:
        return False
    recorder = sys.modules.get("torch.fx.experimental.proxy_tensor")  # nothing is recorded before it is loaded
    return bool(compiler.is_compiling() or (recorder is not None and recorder.get_proxy_mode() is not None))


def widest(xp: Any, like: Array) -> Any:
    """Return float64, or float32 on a device that lacks it."""
    return xp.float32 if str(api.device(like)).startswith("mps") else xp.float64


def floating(values: Any, name: str, like: Any = None) -> Array:
    """Return ``values`` as an array of real floating numbers.

    Python numbers and lists become arrays like ``like`` (library, dtype, device) if that is an array, and NumPy
    arrays otherwise.
    """
    refuse_masked(values, name)
    array: Array = values
    if api.is_array_api_obj(like) and not isinstance(like, np.generic):
        if isinstance(values, np.generic) or not api.is_array_api_obj(values):
            xp = api.array_namespace(like)
            return xp.asarray(number_or_list(values, name).tolist(), dtype=like.dtype, device=api.device(like))
        if api.array_namespace(values) is not api.array_namespace(like):
            raise TypeError(f"{name} must be of the other argument's library, got {type(values).__name__}")
    if not api.is_array_api_obj(values):
        array = number_or_list(values, name)
    if not (api.is_numpy_array(array) or api.is_torch_array(array)):
        raise TypeError(f"{name} must be a NumPy array or a torch tensor, got {type(array).__name__}")
    xp = api.array_namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")
    return array


def refuse_masked(values: Any, name: str) -> None:
    """Refuse arrays that carry a mask of their own, which NumPy and torch drop or keep by rules hard to foresee."""
    for kind in type(values).__mro__:
        if kind.__name__ in ("MaskedArray", "MaskedTensor"):
            raise TypeError(
                f"{name} must be a plain array, got {kind.__name__}; a gate takes what is valid as its `mask`"
            )


def widened(values: Array) -> Array:
    """Return float32 in place of a 16-bit dtype, in which products underflow and sums lose what is small."""
    xp = api.array_namespace(values)
    return xp.astype(values, xp.float32) if int(xp.finfo(values.dtype).bits) == 16 else values


def saturated(values: Array) -> Array:
    """Return values that overflowed as the largest number of their dtype: an infinite score has its own meaning."""
    largest = float(api.array_namespace(values).finfo(values.dtype).max)
    # Not the clip of the compatibility layer: that of its older versions makes a GPU wait, as its sign does.
    return values.clip(min=-largest, max=largest)


def product(xp: Any, left: Array, right: Array) -> Array:
    """Return left · right with the sign of its factors: it neither overflows nor underflows to zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = saturated(left * right)
    info = xp.finfo(values.dtype)
    least = xp.full_like(values, float(info.smallest_normal) * float(info.eps))  # the smallest number above zero
    lost = (values == 0) & (left != 0) & (right != 0)
    return xp.where(lost, xp.where((left > 0) == (right > 0), least, -least), values)


def batch(score: Any, check: bool, mask: Any = None) -> tuple[Array, Array | None]:
    """Return the scores as in :func:`settled`, refusing a batch without a sample on its last axis."""
    score = floating(score, "score")
    if score.ndim == 0 or score.shape[-1] == 0:
        shape = tuple(score.shape)
        raise ValueError(f"score must hold at least one sample on its last axis, got shape {shape}")
    return settled(score, check, mask)


def settled(scores: Array, check: bool, mask: Any = None) -> tuple[Array, Array | None]:
    """Return scores that are −∞ where masked, and the mask in their shape or None.

    A NaN where the mask is True is refused if ``check``; otherwise it becomes −∞ too.
    """
    xp = api.array_namespace(scores)
    valid = None if mask is None else mask_like(xp, mask, scores)
    if valid is not None:
        scores = xp.where(valid, scores, xp.full_like(scores, -math.inf))
    if check:
        require_all(xp, ~xp.isnan(scores), scores, "score", "a number")
        return scores, valid
    return xp.where(xp.isnan(scores), xp.full_like(scores, -math.inf), scores), valid


def mask_like(xp: Any, mask: Any, scores: Array) -> Array:
    """Return a boolean mask stretched to the shape of the scores, whose last axes it must have."""
    refuse_masked(mask, "mask")
    if isinstance(mask, np.generic) or not api.is_array_api_obj(mask):
        own = np.asarray(mask)
        mask = xp.asarray(own.tolist(), dtype=xp.bool, device=api.device(scores)) if own.dtype == bool else own
    elif api.array_namespace(mask) is not xp:
        raise TypeError(f"mask must be of the other argument's library, got {type(mask).__name__}")
    if mask.dtype != xp.bool:
        raise TypeError(f"mask must be boolean, True where a sample is valid, got dtype {mask.dtype}")
    shape, wanted = tuple(mask.shape), tuple(scores.shape)
    last = wanted[len(wanted) - len(shape) :]
    if len(shape) > len(wanted) or any(own not in (1, size) for own, size in zip(shape, last, strict=True)):
        raise ValueError(f"mask must have the shape of score or stretch to it, got {shape} and {wanted}")
    return xp.broadcast_to(mask, wanted)


def count(xp: Any, mask: Array) -> Array:
    """Return how many are True along the last axis, (..., 1)."""
    return xp.sum(xp.astype(mask, xp.int64), axis=-1, keepdims=True)


def require_all(xp: Any, valid: Array, values: Array, name: str, allowed: str) -> None:
    """Refuse the first value that is not valid, naming it; reading it waits for a GPU."""
    if bool(xp.all(valid)):
        return
    flat = xp.reshape(xp.astype(valid, xp.int32), (-1,))
    first = int(xp.argmin(flat))
    value = float(xp.reshape(values, (-1,))[first])
    place = f" (sample {first} of the flattened batch)" if flat.shape[0] > 1 else ""
    raise ValueError(f"{name} must be {allowed}, got {value}{place}")


def require_same_axes(left: tuple[int, ...], right: tuple[int, ...], left_name: str, right_name: str) -> None:
    """Refuse shapes of other lengths, or that differ on an axis where neither is one."""
    left, right = tuple(left), tuple(right)
    if not left or not right:  # a scalar against any shape
        return
    fits = len(left) == len(right) and all(a == b or 1 in (a, b) for a, b in zip(left, right, strict=True))
    if not fits:
        raise ValueError(f"{left_name} and {right_name} must have the same shape, got {left} and {right}")


def require_one_shape(values: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape that arrays, lists and numbers, by their names, stretch to, refusing those that do not."""
    shapes = {
        name: tuple(value.shape) if api.is_array_api_obj(value) else np.shape(value) for name, value in values.items()
    }
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(f"shapes must be the same or stretch to one, got {got}") from None


def price_like(xp: Any, price: float | Array, score: Array, check: bool) -> Array:
    """Return the price as an array that broadcasts with ``score``, on its device."""
    if isinstance(price, np.generic) or not api.is_array_api_obj(price):
        scalar = number(price, "price")
        if math.isnan(scalar):
            raise ValueError("price must be a number, got nan")
        # Filled on the device: a scalar copied there would make a GPU wait.
        return xp.full((), scalar, dtype=score.dtype, device=api.device(score))
    prices: Array = floating(price, "price", score)
    require_same_axes(score.shape, prices.shape, "score", "price")
    if check:
        require_all(xp, ~xp.isnan(prices), prices, "price", "a number")
        return prices
    return xp.where(xp.isnan(prices), xp.full_like(prices, math.inf), prices)


def require_temperature(temperature: float) -> float:
    """Return the temperature as a float, refusing what is negative or not finite."""
    temperature = number(temperature, "temperature")
    if not (temperature >= 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature must be finite and at least 0, got {temperature}")
    return temperature


def require_rate(rate: float) -> float:
    """Return the rate as a float in (0, 1], refusing others; a narrower float is the decimal that it prints as."""
    dtype = str(getattr(rate, "dtype", "")).removeprefix("torch.")
    rate = number(rate, "rate")
    if dtype in ("float16", "float32"):
        rate = float(str(np.dtype(dtype).type(rate)))
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be in (0, 1], got {rate}")
    return rate


def number_or_list(values: Any, name: str) -> NDArray[np.float64]:
    """Return Python numbers or lists as a float64 array, refusing anything else with a TypeError."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of real numbers, got {type(values).__name__}") from error


def number(value: Any, name: str) -> float:
    """Return a scalar as a float, refusing anything else with a TypeError."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number, got {value!r}") from error
