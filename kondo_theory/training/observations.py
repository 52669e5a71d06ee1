"""Batches of observations: a tensor whose first axis is the batch, or a tuple, list or mapping of such tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

__all__ = ["Observations", "batch_size", "take_rows"]

Observations = Any
"""A tensor whose first axis is the batch, or a tuple, list or mapping of such tensors, nested as you like."""


def batch_size(observations: Observations) -> int:
    """Return B, refusing what has no batch or two of them.

    Raises
    ------
    TypeError
        If the observations are not tensors.
    ValueError
        If the batch is empty, or a tensor has another number of rows than the first: one that all rows share belongs
        into the policy, for taking its rows would take other entries of it.
    """
    sizes = dict(_sizes(observations, ""))
    if not sizes:
        raise TypeError(f"observations must hold at least one tensor, got an empty {type(observations).__name__}")
    size = next(iter(sizes.values()))
    if size == 0:
        raise ValueError("the batch must hold at least one observation, got 0")
    for place, other in sizes.items():
        if other != size:
            rows = "no axis at all" if other is None else f"{other} rows"
            raise ValueError(
                f"the first axis of every tensor of the observations must be the batch of {size}, got {rows} in"
                f" observations{place}; a table that all rows share belongs into the policy"
            )
    assert size is not None
    return size


def _sizes(observations: Observations, place: str) -> Iterator[tuple[str, int | None]]:
    """Yield the place of every tensor and the length of its first axis, None for a scalar."""
    if isinstance(observations, Tensor):
        yield place, len(observations) if observations.ndim else None
    elif isinstance(observations, Mapping):
        for key, value in observations.items():
            yield from _sizes(value, f"{place}[{key!r}]")
    elif isinstance(observations, tuple | list):
        for index, value in enumerate(observations):
            yield from _sizes(value, f"{place}[{index}]")
    else:
        what = type(observations).__name__
        raise TypeError(f"observations{place} must be a tensor, a tuple or a mapping of tensors, got {what}")


def take_rows(observations: Observations, rows: Tensor | slice) -> Observations:
    """Return the given rows of a tensor, or of every tensor in a tuple, list or mapping.

    A mapping stays of its type, so that what can be read as an attribute still can, where the type takes a mapping.
    """
    if isinstance(observations, Tensor):
        return observations[rows]
    if isinstance(observations, Mapping):
        return _like(observations, {key: take_rows(value, rows) for key, value in observations.items()})
    parts = [take_rows(value, rows) for value in observations]
    if hasattr(observations, "_fields"):
        return type(observations)(*parts)
    return parts if isinstance(observations, list) else tuple(parts)


def _like(observations: Mapping[Any, Any], values: dict[Any, Any]) -> Mapping[Any, Any]:
    """Return a mapping of the same type with other values."""
    kind: Any = type(observations)
    if kind is dict:
        return values
    try:
        found = kind(values)
    except (TypeError, ValueError):
        return values
    same = isinstance(found, Mapping) and found.keys() == values.keys()
    return found if same and all(found[key] is values[key] for key in values) else values
