"""One line for what holds tensors: their shapes in place of their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

__all__ = ["one_line"]


def one_line(value: Any, names: Iterable[str]) -> str:
    """Return ``Name(field=…, …)`` of the attributes that are not None.

    A tensor stands as its shape, one of a single number (0-d) as that number, whose reading waits for the device.
    """
    shown = {name: getattr(value, name) for name in names}
    inside = ", ".join(f"{name}={_short(each)}" for name, each in shown.items() if each is not None)
    return f"{type(value).__name__}({inside})"


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape)) if value.ndim else _short(value.item())
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
