"""What a benchmark times, and what it found: a case, and a row a variant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulations.devices import single_thread

__all__ = ["BenchmarkRow", "Case", "one_threaded"]


@dataclass(frozen=True)
class BenchmarkRow:
    """One variant of one case.

    Attributes
    ----------
    case, variant, unit : str
        What ran, how, and what the time is divided by.
    microseconds : float
        Median time a unit.
    seconds : float
        Median time of the run.
    ratio : float
        Time a unit over that of the case's first variant, the one-thread kernel of a bandit.
    peak_bytes : int or None
        Most memory that Python and NumPy held at once; Numba's scratch space, some kilobytes, is not seen, the arrays
        that its kernels return are counted. Of answers, the activations that a step holds. None of compilation, which
        other processes do.
    """

    case: str
    variant: str
    unit: str
    microseconds: float
    seconds: float
    ratio: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Case:
    """Callables of one case, by variant, each with the number of units it does.

    ``memory`` measures the bytes that a callable holds; None measures Python and NumPy.
    """

    name: str
    unit: str
    variants: dict[str, tuple[int, Callable[[], Any]]]
    memory: Callable[[Callable[[], Any]], int] | None = None


def one_threaded(call: Callable[..., object], *arguments: Any) -> Callable[[], None]:
    """Return a call with these arguments on one thread."""

    def run() -> None:
        with single_thread():
            call(*arguments)

    return run
