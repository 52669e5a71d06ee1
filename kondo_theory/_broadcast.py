"""Functions of scalars, root findings most of them, that broadcast over arrays all the same: one call an element."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kondo_theory import _domain

__all__ = ["Elementwise", "elementwise"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Elementwise(Protocol[P, R_co]):
    """A function of scalars that answers arrays with an array."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> NDArray[Any]: ...


def elementwise(
    *names: str, along: str = "", dtype: DTypeLike = np.float64
) -> Callable[[Callable[P, R_co]], Elementwise[P, R_co]]:
    """Let a function of scalars broadcast over arrays in its named arguments.

    Scalars alone go through untouched and get the function's own answer. With an array among the named arguments the
    answer is an array, nan where the function says None.

    Parameters
    ----------
    *names : str
        The arguments that may be arrays; the others are handed on as they are.
    along : str
        An argument over which the function broadcasts by itself, as long as those of ``names`` are scalars.
    dtype : dtype
        Of the array.
    """

    def decorate(function: Callable[P, R_co]) -> Elementwise[P, R_co]:
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            if not any(np.ndim(given.get(name, 0)) for name in names):
                return function(*args, **kwargs)
            looped = [name for name in (*names, along) if given.get(name) is not None]
            arrays = _domain.broadcast(**{name: _domain.real(name, given[name]) for name in looped})
            found = np.empty(arrays[0].shape, dtype)
            for place in np.ndindex(found.shape):
                element = {name: float(array[place]) for name, array in zip(looped, arrays, strict=True)}
                value = function(**given | element)  # type: ignore[call-arg]
                found[place] = np.nan if value is None else value
            return found

        return call

    return decorate
