"""Words for the reader: names that must be one of a list, the nearest to one that is not, and one-line reprs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

__all__ = ["Brief", "choice", "nearest", "one_line", "unhandled"]

_LONGEST = 199
_LONGEST_TEXT = 70


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return ``value`` if it is one of the allowed words.

    Raises
    ------
    ValueError
        If it is not; the message lists those that are, and suggests the nearest.
    """
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, got {value!r}{nearest(value, words)}")
    return value


def unhandled(name: str, value: Any, handled: Iterable[str]) -> ValueError:
    """Return the error that ends a chain of names, for a word that is known elsewhere and not treated here.

    A chain whose last branch takes every other name would treat a new one as if it were another.
    """
    return ValueError(f"{name} {value!r} is not treated here: only {', '.join(handled)}")


def nearest(value: Any, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'WORD'?`` for the allowed word that is most like a value, empty if none is."""
    if not isinstance(value, str):
        return ""
    words = {word.lower(): word for word in allowed}
    found = difflib.get_close_matches(value.strip().lower(), words, n=1)
    return f"; did you mean {words[found[0]]!r}?" if found else ""


class Brief:
    """Gives a dataclass that is declared with ``repr=False`` a repr of one line: its fields, by :func:`one_line`."""

    def __repr__(self) -> str:
        return one_line(self, **{field.name: getattr(self, field.name) for field in fields(self)})  # type: ignore[arg-type]


def one_line(of: object, *parts: object, **named: object) -> str:
    """Return ``Name(part, name=part, …)`` in fewer than 200 characters, for a ``__repr__``.

    Numbers have four digits, arrays their shape and, where there is room, their range; texts are cut, and of anything
    else that could be long there is the name of its type.
    """
    line = ""
    for ranges in (True, False):
        told = [_told(part, ranges) for part in parts]
        told += [f"{name}={_told(part, ranges)}" for name, part in named.items()]
        line = f"{type(of).__name__}({', '.join(told)})"
        if len(line) <= _LONGEST:
            return line
    return f"{line[: _LONGEST - 2]}…)"


def _told(value: Any, ranges: bool) -> str:
    if isinstance(value, bool | int | None):
        return str(value)
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1].rstrip() + "…")
    shape = () if isinstance(value, float) else getattr(value, "shape", None)
    if shape == ():
        return f"{float(value):.4g}"
    if shape is not None:
        numbers = ranges and value.dtype.kind == "f" and value.size > 0
        return f"{tuple(shape)} in [{value.min():.3g}, {value.max():.3g}]" if numbers else f"{tuple(shape)}"
    if isinstance(value, Mapping | tuple | list):
        return f"<{len(value)}>"
    return f"{type(value).__name__}(…)"
