"""What a cell's keyword may be: a scalar of the type that its annotation names, within its bounds."""

from __future__ import annotations

import math
import reprlib
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

__all__ = ["Scalar", "arrow_type", "checked_values", "is_nullable", "scalar_type"]

Scalar = bool | int | float | str | None

_ARROW_TYPES = {bool: "bool", int: "int64", float: "float64", str: "string"}


def scalar_type(hint: Any, name: str) -> type:
    """Return the one scalar type behind a keyword's annotation, None apart.

    Raises
    ------
    TypeError
        If there is none, or more than one.
    """
    found = {kind for kind in _members(hint) if kind is not type(None)}
    if len(found) != 1 or not found <= set(_ARROW_TYPES):
        raise TypeError(f"parameter {name} must be bool, int, float or str, with or without None, got {hint}")
    return found.pop()


def arrow_type(hint: Any, name: str) -> str:
    """Return Arrow's type of the keyword's column."""
    return _ARROW_TYPES[scalar_type(hint, name)]


def is_nullable(hint: Any) -> bool:
    """Whether the keyword may be None."""
    return type(None) in _members(hint)


def checked_values(hint: Any, values: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return the values typed as the annotation says.

    Raises
    ------
    ValueError
        At the first that is of another type or out of range; the message begins with the value.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=True))
    return tuple(_checked(adapter, value) for value in values)


def _checked(adapter: TypeAdapter[Any], value: Scalar) -> Scalar:
    plain = value.item() if isinstance(value, np.generic) else value
    shown = reprlib.repr(value)  # one line of bounded length
    try:
        checked: Scalar = adapter.validate_python(plain)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ValueError(f"{shown}: {problem[:1].lower()}{problem[1:]}") from None
    if isinstance(checked, float) and math.isnan(checked):
        raise ValueError("nan: input should be a number")
    if isinstance(checked, float) and isinstance(plain, int) and checked != plain:
        raise ValueError(f"{shown}: no float holds it exactly")
    if isinstance(checked, int) and not -(2**63) <= checked < 2**63:
        raise ValueError(f"{shown}: whole numbers must fit 64 bits")
    return 0.0 if isinstance(checked, float) and checked == 0 else checked  # -0.0 would be another cell


def _members(hint: Any) -> Iterator[type]:
    """Yield the types that an annotation is made of."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(hint)[0])
    elif origin is Literal:
        yield from (type(value) for value in typing.get_args(hint))
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(hint):
            yield from _members(member)
    else:
        yield hint
