"""Names that must be one of a list, and the nearest to one that is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["choice", "nearest", "unhandled"]


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
