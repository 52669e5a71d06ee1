"""A sweep from a file of a few lines.

::

    sweep = "alignment"        # whose function to call
    name = "my-alignment"      # names the table; by default the file's name

    [grid]                     # or several, each headed [[grid]]
    method = ["pg", "zero-price"]
    p_correct = { start = 1e-3, stop = 0.5, num = 20, scale = "log" }
    n_arms = 10
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np

from kondo_theory.words import nearest
from simulations.results.shards import LARGEST_EXACT
from simulations.sweeps.grid import MOST_CELLS, Grid, Sweep

__all__ = ["parse_settings", "read_sweep"]

_KEYS = ("sweep", "name", "grid")
_LARGEST_END = 1e18  # differences stay finite
_DIGITS = 60
_RANGE = ("start", "stop", "num", "scale")


def read_sweep(path: Path | str, sweeps: Mapping[str, Sweep]) -> Sweep:
    """Return the sweep that a TOML file describes.

    Parameters
    ----------
    path : Path or str
    sweeps : mapping
        The named sweeps, one of which the file builds on: its function, sizes at a preset and kind.

    Raises
    ------
    ValueError
        If the file is missing, is not TOML, or describes no sweep that is allowed; one line that names the file.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:  # of bad syntax, of integers and of nestings without end
        raise ValueError(f"{path} is not TOML: {error}") from None
    try:
        return _from_content(content, path.stem, sweeps)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _from_content(content: Mapping[str, Any], stem: str, sweeps: Mapping[str, Sweep]) -> Sweep:
    for key in content:
        if key not in _KEYS:
            raise ValueError(f"unknown key {key!r}: allowed are {', '.join(_KEYS)}{nearest(key, _KEYS)}")
    base = content.get("sweep")
    if not isinstance(base, str) or base not in sweeps:
        raise ValueError(f"sweep must be one of {', '.join(sweeps)}, got {base!r}{nearest(base, sweeps)}")
    name = content.get("name", stem)
    if not isinstance(name, str):
        raise ValueError(f"name must be text, got {name!r}")
    grids = content.get("grid")
    grids = [grids] if isinstance(grids, dict) else grids
    if not isinstance(grids, list) or not grids or not all(isinstance(grid, dict) for grid in grids):
        raise ValueError(f"grid must be a table of keys and their values, got {grids!r}")
    sweep = replace(sweeps[base], name=name, title=f"a grid of {base}")
    axes = tuple({key: _values(sweep, key, value) for key, value in grid.items()} for grid in grids)
    return replace(sweep, grids=axes)


def parse_settings(settings: Sequence[str], sweep: Sweep) -> Grid:
    """Return the axes that ``key=values`` settings name; values as in a file, or words separated by commas.

    Raises
    ------
    ValueError
        If a setting is malformed, names an unknown key or names one twice.
    """
    axes: dict[str, Sequence[Any]] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise ValueError(f"a setting must be key=values, got {setting!r}")
        if key in axes:
            raise ValueError(f"{key} is set twice")
        axes[key] = _values(sweep, key, _parse(text))
    return axes


def _parse(text: str) -> Any:
    """Return a TOML value, or the list of the values and bare words between commas."""
    for spelled in (text, _numbers_in_full(text)):
        try:
            return _value(spelled)
        except (ValueError, RecursionError):
            continue
    return [_parse_word(word.strip()) for word in text.split(",")] if text else []


def _numbers_in_full(text: str) -> str:
    """Return a text with ``.5``, ``5.`` and ``5.e3`` spelled as TOML does."""
    text = re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)
    return re.sub(r"(?<![\w.])(\d[\d_]*)\.(?![\d.])", r"\1.0", text)


def _parse_word(word: str) -> Any:
    for spelled in (word, _numbers_in_full(word)):
        try:
            return _value(spelled)
        except (ValueError, RecursionError):
            continue
    return word


def _value(text: str) -> Any:
    if "\n" in text:
        raise ValueError("a value is one line")
    return tomllib.loads(f"value = {text}")["value"]


def _values(sweep: Sweep, key: str, value: Any) -> Sequence[Any]:
    """Return the values of one axis; TOML has no null, so the word ``none`` stands for it where it is allowed."""
    if key not in sweep.column_types:
        allowed = sweep.column_types
        raise ValueError(f"unknown key {key!r}: allowed are {', '.join(allowed)}{nearest(key, allowed)}")
    if isinstance(value, dict):
        return _range(key, value, sweep.column_types[key])
    values = value if isinstance(value, list) else [value]
    nullable = sweep.is_nullable(key)
    return [None if nullable and item == "none" else item for item in values]


def _is_moderate(end: object) -> bool:
    if isinstance(end, int) and not isinstance(end, bool):
        return -(2**63) <= end < 2**63
    return isinstance(end, float) and -_LARGEST_END <= end <= _LARGEST_END


def _range(key: str, value: Mapping[str, Any], column_type: str) -> Sequence[Any]:
    for name in value:
        if name not in _RANGE:
            raise ValueError(f"{key}: unknown key {name!r} of a range: allowed are {', '.join(_RANGE)}")
    start, stop, num, scale = (value.get(name) for name in ("start", "stop", "num", "scale"))
    if not all(_is_moderate(end) for end in (start, stop)):
        limit = f"numbers start and stop, whole ones of 64 bits, others of at most ±{_LARGEST_END:g}"
        raise ValueError(f"{key}: a range needs {limit}, got {reprlib.repr(dict(value))}")
    if not isinstance(num, int) or isinstance(num, bool) or not 1 <= num <= MOST_CELLS:
        raise ValueError(
            f"{key}: a range needs num, a whole number from 1 to {MOST_CELLS:,}, got {reprlib.repr(num)}"
        )
    if scale not in (None, "linear", "log"):
        raise ValueError(f"{key}: scale must be linear or log, got {scale!r}")
    if column_type not in ("int64", "float64"):
        raise ValueError(f"{key}: a range is for numbers, and {key} is {column_type}")
    assert isinstance(start, int | float)
    assert isinstance(stop, int | float)
    if scale == "log" and min(start, stop) <= 0:
        raise ValueError(f"{key}: a range on a log scale needs ends above 0, got {dict(value)}")
    if column_type == "int64" and max(abs(start), abs(stop)) > LARGEST_EXACT:
        return list(dict.fromkeys(_wide_points(start, stop, num, scale)))
    points = np.geomspace(start, stop, num) if scale == "log" else np.linspace(start, stop, num)
    if column_type == "int64":  # whole numbers, each once
        return list(dict.fromkeys(int(point) for point in points.round()))
    return [float(point) for point in points]


def _wide_points(start: int | float, stop: int | float, num: int, scale: str | None) -> Iterator[int]:
    """Yield the whole numbers of a range beyond 2^53, where floats would leave some out."""
    first, last, steps = Decimal(start), Decimal(stop), max(num - 1, 1)
    with localcontext(prec=_DIGITS):
        for step in range(num):
            share = Decimal(step) / steps
            point = first * (last / first) ** share if scale == "log" else first + (last - first) * share
            yield round(point)
