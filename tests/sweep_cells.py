"""Cell functions for the tests of sweeps, importable by worker processes."""

import functools
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from simulations.randomness.cell_seeds import stream_seed


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


def ends_its_process(*, a: int, how: str) -> dict[str, int]:
    """End the process where a is 3 or 7."""
    ways: dict[str, Any] = {
        "exit": lambda: os._exit(3),
        "exit 0": lambda: os._exit(0),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "abort": os.abort,
        "group": lambda: os.killpg(0, signal.SIGKILL),  # those that it works for too
        "lives": lambda: None,
    }
    if a in (3, 7):
        ways[how]()
    return {"double": 2 * a}


def kills_every_fourth(*, a: int) -> dict[str, int]:
    if a % 4 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
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


WIDE = 2**53 + 1


def beside_a_missing_value(*, a: int, what: str) -> Any:
    """Return three rows, the middle one's value missing; the kind asked for."""
    kinds: dict[str, Any] = {
        "int and none": [WIDE, None, a],
        "int and nan": [WIDE, math.nan, a],
        "numpy": [np.int64(WIDE), None, np.int32(a)],
        "nullable": pd.array([WIDE, None, a], "Int64"),
        "bool and none": [True, None, False],
        "bool and nan": [True, math.nan, False],
        "text and nan": ["x", math.nan, "y"],
        "category": pd.Categorical(["x", None, "y"]),
        "float32": np.array([0.1, np.nan, 1], np.float32),
    }
    return pd.DataFrame({"value": kinds[what]}, dtype=object if isinstance(kinds[what], list) else None)


def wide_by_cell(*, a: int) -> dict[str, Any]:
    """Return whole numbers that no float holds, but NaN at 1 and None at 2; a fraction at 3."""
    return {"value": {1: math.nan, 2: None, 3: 0.5}.get(a, WIDE + a)}


def a_frame(*, a: int, what: str) -> pd.DataFrame:
    frame = pd.DataFrame({"x": [1, 2, 3], "y": [4, 5, 6]})
    kinds: dict[str, Any] = {
        "named": lambda: frame.set_index("x"),
        "two names": lambda: frame.set_index(["x", "y"]).assign(z=1.5),
        "filtered": lambda: frame[frame["x"] != 2],
        "unnamed text": lambda: frame.set_axis(["p", "q", "r"]),
        "half named": lambda: frame.set_index([["p", "q", "r"], "x"]),
        "twice": lambda: frame.set_axis(["x", "x"], axis=1),
        "index and column": lambda: frame.rename_axis("x"),
        "empty": lambda: frame[:0],
        "dates": lambda: frame.assign(y=pd.Timestamp("2026-01-01")),
        "mixed": lambda: frame.assign(y=[1, "two", 3]),
        "wide and fraction": lambda: frame.assign(y=pd.Series([WIDE, 0.5, 1], dtype=object)),
        "unsigned": lambda: frame.assign(y=np.array([2**63, 1, 2], np.uint64)),
    }
    return kinds[what]()


def fails_with(*, a: int, what: str = "") -> dict[str, int]:
    if a == 1:
        raise {"lines": ValueError("first\nsecond"), "empty": ValueError(), "text": KeyError("\ud800")}[what]
    return {"x": a}


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
