"""Arrays of either library, checked: what :mod:`kondo_theory.gate` asks of NumPy arrays and torch tensors."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat as api
import numpy as np
from numpy.typing import NDArray

Array = Any
"""A NumPy array or a torch tensor of a real floating dtype."""


def uniform(like: Array, rng: Any) -> Array:
    """Return uniform numbers in [0, 1) of the shape and device of ``like``, in float64 where the device has it."""
    if api.is_numpy_array(like):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy.random.Generator for a NumPy array, got {type(rng).__name__}")
        return rng.random(like.shape)
    xp = api.array_namespace(like)
    try:
        return xp.rand(like.shape, generator=rng, dtype=widest(xp, like), device=like.device)
    except (TypeError, RuntimeError, AttributeError) as error:
        raise TypeError(
            f"rng must be a torch.Generator on {like.device} or None for a tensor, got {type(rng).__name__} ({error})"
        ) from error


def widest(xp: Any, like: Array) -> Any:
    """Return float64, or float32 on a device that lacks it."""
    return xp.float32 if str(api.device(like)).startswith("mps") else xp.float64


def is_half(xp: Any, dtype: Any) -> bool:
    """Return whether a dtype has 16 bits: float16 or bfloat16."""
    return int(xp.finfo(dtype).bits) == 16


def floating(values: Any, name: str, like: Any = None) -> Array:
    """Return ``values`` as an array of real floating numbers.

    Python numbers and lists become arrays like ``like`` (library, dtype, device) if that is an array, and NumPy
    arrays otherwise.
    """
    array: Array = values
    if api.is_array_api_obj(like) and not isinstance(like, np.generic):
        if isinstance(values, np.generic) or not api.is_array_api_obj(values):
            xp = api.array_namespace(like)
            return xp.asarray(number_or_list(values, name).tolist(), dtype=like.dtype, device=api.device(like))
        if api.array_namespace(values) is not api.array_namespace(like):
            raise TypeError(f"{name} must be of the other argument's library, got {type(values).__name__}")
    if not api.is_array_api_obj(values):
        array = number_or_list(values, name)
    xp = api.array_namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")
    return array


def batch(delight: Any, check: bool) -> Array:
    """Return ``delight`` as an array with at least one sample on its last axis, free of NaN if ``check``."""
    delight = floating(delight, "delight")
    if delight.ndim == 0 or 0 in delight.shape:
        shape = tuple(delight.shape)
        raise ValueError(f"delight must hold at least one sample on its last axis, got shape {shape}")
    if check:
        xp = api.array_namespace(delight)
        require_all(xp, ~xp.isnan(delight), delight, "delight", "a number")
    return delight


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


def price_like(xp: Any, price: float | Array, delight: Array, check: bool) -> Array:
    """Return the price as an array that broadcasts with ``delight``, on its device."""
    if isinstance(price, np.generic) or not api.is_array_api_obj(price):
        scalar = number(price, "price")
        if math.isnan(scalar):
            raise ValueError("price must be a number, got nan")
        wide = xp.float32 if is_half(xp, delight.dtype) else delight.dtype
        # Filled on the device: a scalar copied there would make a GPU wait.
        return xp.full((), scalar, dtype=wide, device=api.device(delight))
    prices: Array = floating(price, "price", delight)
    require_same_axes(delight.shape, prices.shape, "delight", "price")
    if check:
        require_all(xp, ~xp.isnan(prices), prices, "price", "a number")
    return prices


def require_temperature(temperature: float) -> float:
    """Return the temperature as a float, refusing what is negative or not finite."""
    temperature = number(temperature, "temperature")
    if not (temperature >= 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature must be finite and at least 0, got {temperature}")
    return temperature


def require_rate(rate: float) -> float:
    """Return the rate as a float, refusing what is not in (0, 1]."""
    rate = number(rate, "rate")
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
