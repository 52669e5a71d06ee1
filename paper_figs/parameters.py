"""A figure's own parameters: the keywords of its function, checked against the kind of their defaults."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kondo_theory.words import choice, nearest
from paper_figs.catalogue import FIGURES
from simulations.errors import InputError

__all__ = ["checked", "defaults", "function_of", "settings", "written"]


def function_of(figure: str) -> Callable[..., Any]:
    """Return the function that draws a figure of the catalogue."""
    module, _, function = FIGURES[figure].function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def defaults(figure: str) -> dict[str, Any]:
    """Return a figure's own parameters with their defaults."""
    return {name: each.default for name, each in inspect.signature(function_of(figure)).parameters.items()}


def settings(texts: Sequence[str]) -> dict[str, str]:
    """Return what texts like ``n_arms=50`` set.

    Raises
    ------
    InputError
        If one has no ``=``, or two set the same.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set must be KEY=VALUE, got {text!r}")
        if key.strip() in found:
            raise InputError(f"--set {key.strip()} is given twice")
        found[key.strip()] = value.strip()
    return found


def checked(figure: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as their defaults' types; texts are read as numbers.

    Raises
    ------
    InputError
        If the figure has no such parameter, or the value is of another kind.
    """
    known = defaults(figure)
    for name in given:
        if not known:
            raise InputError(f"figure {figure} has no parameter to set, got {name!r}")
        if name not in known:
            listed = ", ".join(known)
            raise InputError(f"{figure} can set {listed}, got {name!r}{nearest(name, known)}")
    return {name: _as(name, known[name], value) for name, value in given.items()}


def _as(name: str, default: Any, value: Any) -> Any:
    """Return a value as the type of its default: an integer, a number, some numbers, or a word."""
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else [value] if not isinstance(value, Sequence) else value
        if not parts or parts == [""]:
            raise InputError(f"{name} must be numbers, as {written(default)}, got {value!r}")
        return tuple(_as(name, default[0], part) for part in parts)
    if isinstance(default, str):
        return choice(name, value, [value]) if isinstance(value, str) else _refuse(name, default, value)
    if isinstance(value, bool):
        _refuse(name, default, value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        _refuse(name, default, value)
    if not math.isfinite(number) or (isinstance(default, int) and number != int(number)):
        _refuse(name, default, value)
    return int(number) if isinstance(default, int) else number


def _refuse(name: str, default: Any, value: Any) -> Any:
    kind = "a whole number" if isinstance(default, int) else "a word" if isinstance(default, str) else "a number"
    raise InputError(f"{name} must be {kind}, as {written(default)}, got {value!r}")


def written(default: Any) -> str:
    """Return a value as it is set."""
    return ",".join(f"{each:g}" for each in default) if isinstance(default, tuple) else f"{default}"
