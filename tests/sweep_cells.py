"""Cell functions for the tests of sweeps, importable by worker processes."""

import functools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from simulations.sweeps.seeds import stream_seed


def product(*, a: int, b: float, pause: float = 0.0) -> dict[str, float]:
    time.sleep(pause)
    return {"product": a * b / 7}


def draws(*, n: Annotated[int, Field(ge=1)], seed: int = 0, kind: Literal["mean", "sum"] = "mean") -> dict[str, Any]:
    values = np.random.default_rng(stream_seed(n=n, seed=seed, kind=kind)).standard_normal((n, n))
    # A matrix product, whose last bits depend on the number of threads.
    return {"value": float((values @ values.T).sum()), "kind_of_value": kind}


def several(*, a: int, note: str | None = None) -> list[dict[str, float]]:
    return [{"row": row, "square": a * row} for row in range(3)]


def fails_on_odd(*, a: int) -> dict[str, int]:
    if a % 2:
        raise ValueError(f"{a} is odd")
    return {"half": a // 2}


def kills_once(*, a: int, mark: str) -> dict[str, int]:
    """End the worker process the first time that a = 3 is computed anywhere."""
    if a == 3:
        try:
            Path(mark).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return {"double": 2 * a}


def on_a_device(*, a: int, device: Literal["cpu", "cuda", "tpu"] = "cpu") -> dict[str, int]:
    return {"double": 2 * a}


def other_columns(*, a: int) -> dict[str, int]:
    return {"even": a} if a % 2 == 0 else {"odd": a}


def reserved(*, a: int) -> dict[str, int]:
    return {"a": a}


def nothing(*, a: int) -> list[dict[str, int]]:
    return []


def positional_only(a: int, /) -> dict[str, int]:
    return {"x": a}


def unannotated(*, a) -> dict[str, int]:  # type: ignore[no-untyped-def]
    return {"x": a}


def mixed(*, a: int | str) -> dict[str, int]:
    return {"x": 1}


def kills_always(*, a: int) -> dict[str, int]:
    time.sleep(0.2)  # others wait on the same worker by then
    if a == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"double": 2 * a}


def values_of(*, a: int, what: str = "float") -> dict[str, Any]:
    """Return one value of the kind asked for."""
    odd = a % 2 == 1
    kinds: dict[str, Any] = {
        "float": 1.5 * a,
        "int or float": a / 2 if odd else a,
        "float16 or int": np.float16(1.5) if odd else a,
        "numpy bool": np.bool_(odd),
        "none or float": None if odd else 0.5 * a,
        "text or float": "diverged" if a == 10 else float(a),
        "object": object(),
        "list": [1, 2],
        "huge": 2**70,
        "surrogate": "\ud800",
    }
    return {"place": a, "value": kinds[what]}


def exits(*, a: int) -> dict[str, int]:
    if a == 3:
        sys.exit(7)
    if a == 4:
        raise BaseException("of a kind of its own")
    return {"double": 2 * a}


def factory(k: int) -> Any:
    def cell(*, a: int) -> dict[str, int]:
        return {"x": k * a}

    return cell


def int_default(*, a: int, b: float = 1, c: int = 2) -> dict[str, float]:
    return {"sum": a + b + c}


def bad_default(*, a: int = 1.5) -> dict[str, int]:  # type: ignore[assignment]
    return {"x": a}


@functools.wraps(product)
def wraps_product(**config: Any) -> dict[str, float]:
    return {"product": 99.0}
