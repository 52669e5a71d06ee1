"""How long compilation takes: the first call of each kernel in a fresh process, without a cache and with one.

And that of torch.compile, for a small step, which uses none of the kernels.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulations.bandits.many_contexts import METHODS, simulate_gradients, spread_population
from simulations.bandits.noisy_delight import noisy_batches
from simulations.bandits.simulation import (
    AlignmentTimeConfig,
    Context,
    DynamicsConfig,
    Gate,
    MomentsConfig,
    simulate_alignment_times,
    simulate_dynamics,
    simulate_moments,
)
from simulations.benchmark.cases import BenchmarkRow
from simulations.benchmark.small_steps import compiled_step, has_compiler
from simulations.gambling import gamble
from simulations.gambling.noisy_contexts import BudgetGate, Kind, simulate_contexts
from simulations.tokens.escapes import Escape, escape_steps, held_at
from simulations.tokens.simulation import TokenGate, TokenTask, simulate_drift, simulate_rewards

__all__ = ["COLD", "KERNELS", "WARM", "first_call", "rows", "targets"]

COLD, WARM = "cold", "from the cache"
_UNIT = "compile"
_QUICK = ("context_gradients",)  # the one that compiles soonest

_SYMMETRIC = Context.symmetric(0.3, 3, 0.5, Gate("pg"))
_GRADED = Context.gated([0.5, 0.3, 0.2], [0.4, -0.3, 0.2], Gate("pg"))
_GAMBLE, _TASK = gamble.Gamble(1.0), TokenTask(3, 2, 4)
_KIND = Kind(0.5, 0.0, 1.0, 0.5, 0.5)
_ESCAPE = Escape(3, 2, 4, 2, 1.0, 0.5, 0.9)

KERNELS: Mapping[str, Callable[[], Any]] = {
    "batch_moments": lambda: simulate_moments(MomentsConfig(_GRADED, 2, 2, 2, seed=1)),
    "symmetric_moments": lambda: simulate_moments(MomentsConfig(_SYMMETRIC, 2, 2, 2, seed=1)),
    "alignment_times": lambda: simulate_alignment_times(AlignmentTimeConfig(_GRADED, 0.9, 2, 2, seed=1)),
    "learning_curves": lambda: simulate_dynamics(DynamicsConfig(3, 2, 0.5, 2, Gate("pg"), 0.5, 2, seed=1)),
    "context_gradients": lambda: simulate_gradients(spread_population(0.0, 1.0), METHODS["pg"], 0.5, 0.0, 2, 1, 1),
    "noisy_batches": lambda: noisy_batches(0.3, 3, 0.5, 0.0, 0.1, "additive", 2, 2, 2, 1),
    "gated_advantages": lambda: gamble.simulate_drift(_GAMBLE, 0.3, 2, 2, 2, 1),
    "learn": lambda: gamble.simulate_learning(_GAMBLE, 0.3, 2, 1.0, 2, 1, 2, 1),
    "shared_budget_estimates": lambda: simulate_contexts(_KIND, _KIND, 0.5, BudgetGate("delight", 0.5), 2, 1, 2, 1),
    "token_drifts": lambda: simulate_drift(_TASK, TokenGate(), 2, 2, 1),
    "token_learning": lambda: simulate_rewards(_TASK, TokenGate(), 1.0, np.array([1]), 2, 1),
    "token_escapes": lambda: escape_steps(_ESCAPE, 2, 1, most_steps=2),
    "together_escapes": lambda: escape_steps(_ESCAPE, 2, 1, together_only=True, most_steps=2),
    "held_moves": lambda: held_at(_ESCAPE, np.zeros(1), 40, 2, 1),
}
"""A call of each main kernel on next to no data, through its typed front."""

TORCH = "torch.compile, a small gated step"

_PROGRAM = "import sys; from simulations.benchmark.compilation import first_call; print(first_call(sys.argv[1]))"


def first_call(name: str) -> float:
    """Return the seconds that the call of a kernel, or ``TORCH``, takes here and now."""
    start = time.perf_counter()
    (compiled_step if name == TORCH else KERNELS[name])()
    return time.perf_counter() - start


def rows(quick: bool = False) -> list[BenchmarkRow]:
    """Time the first call of each main kernel once in a fresh process, without a cache and again with what it left.

    And that of ``TORCH``, where there is a C++ compiler. The time of imports is not counted. ``quick`` times one
    kernel alone.
    """
    found = []
    for name in _QUICK if quick else (*KERNELS, *((TORCH,) if has_compiler() else ())):
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = _in_a_process(name, cache), _in_a_process(name, cache)
            if name != TORCH and not any(path.suffix == ".nbc" for path in Path(cache).rglob("*")):
                warm = float("nan")  # nothing was cached, so there is nothing to be timed
        for variant, seconds in ((COLD, cold), (WARM, warm)):
            found.append(
                BenchmarkRow(f"compilation, {name}", variant, _UNIT, 1e6 * seconds, seconds, seconds / cold, None)
            )
    return found


def targets(found: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required): the seconds that a fresh install's first simulations compile."""
    seconds = {row.case: row.seconds for row in found if row.unit == _UNIT and row.variant == COLD}
    torchs = seconds.pop(f"compilation, {TORCH}", None)
    if not seconds:
        return []
    slowest = max(seconds, key=seconds.__getitem__)
    return [
        (f"{slowest}, the slowest first simulation: seconds", seconds[slowest], "≤ 15"),
        ("compilation, every main kernel in turn: seconds", sum(seconds.values()), "not promised"),
        *([] if torchs is None else [(f"compilation, {TORCH}: seconds", torchs, "tried")]),
    ]


def _in_a_process(name: str, cache: str) -> float:
    """Return the seconds of :func:`first_call` in a new process whose user's directories lie in ``cache``."""
    environment = {**os.environ, "HOME": cache, "XDG_CACHE_HOME": cache, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment["TORCHINDUCTOR_CACHE_DIR"] = cache
    command = [sys.executable, "-c", _PROGRAM, name]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
