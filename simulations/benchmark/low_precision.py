"""Where a screened step's time goes at width 1,024 and 1,000 samples, in float32 and in bfloat16.

The step is compared with screening, optimizer and ρ of a full step, as claim ``mnist-savings`` does. A backward
pass reads every weight, and writes its gradient, whole, however few samples it is for: its matrix products are timed
alone, of all samples and of the kept ones. Where the format's arithmetic is fast, reading and writing is most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from simulations.benchmark.cases import BenchmarkRow, Case, one_threaded
from simulations.mnist.config import MnistConfig
from simulations.mnist.cost import StepSize, resting_program, screen_and_step
from simulations.mnist.images import Mnist, load_mnist

__all__ = ["cases", "targets"]

FULL, BASE, PRODUCTS = "full step", "batch, screening and optimizer", "backward products alone, all samples"
RATES = (0.01, 0.03)
SIZES = (StepSize(1_000, 1_024), StepSize(1_000, 1_024, "bfloat16"))
N_ACTIONS, N_PIXELS = 10, 784
_CPU = torch.device("cpu")


def cases(quick: bool) -> list[Case]:
    """Return the cases; ``quick`` makes them tiny."""
    data = load_mnist()
    return [_case(size, data) for size in (_tiny(SIZES) if quick else SIZES)]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that are promised, and what explains them."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    found = []
    for size in SIZES:
        case = _name(size)
        for rate in RATES:
            model = time_of[case, BASE] + rate * time_of[case, FULL]
            what = f"{case}: {_kept(rate)} / (screening + {100 * rate:g} % of full + optimizer)"
            found.append((what, time_of[case, _kept(rate)] / model, "≤ 1.2"))
        for rate in RATES:
            products = time_of[case, _products(rate)]
            found.append((f"{case}: {_products(rate)} / all", products / time_of[case, PRODUCTS], "explains"))
            what = f"{case}: {_kept(rate)} / (screening + these products + optimizer)"
            found.append((what, time_of[case, _kept(rate)] / (time_of[case, BASE] + products), "explains"))
    return found


def _tiny(sizes: Iterable[StepSize]) -> tuple[StepSize, ...]:
    return tuple(StepSize(20, 8, size.dtype) for size in sizes)


def _name(size: StepSize) -> str:
    return f"MNIST, {size.dtype}, B = {size.batch_size:,}, width {size.width:,}"


def _kept(rate: float) -> str:
    return f"{100 * rate:g} % kept"


def _products(rate: float) -> str:
    return f"backward products alone, {100 * rate:g} % of samples"


def _case(size: StepSize, data: Mnist) -> Case:
    methods = {FULL: MnistConfig("pg")} | {_kept(rate): MnistConfig("dg-k", rate=rate) for rate in RATES}
    runs: dict[str, Callable[[], Any]] = {
        name: size.program(method, data, _CPU).update for name, method in methods.items()
    }
    runs[BASE] = partial(screen_and_step, resting_program(size, data, _CPU))
    runs[PRODUCTS] = backward_products(size, size.batch_size)
    for rate in RATES:
        runs[_products(rate)] = backward_products(size, max(1, round(rate * size.batch_size)))
    return Case(_name(size), "step", {name: (1, one_threaded(run)) for name, run in runs.items()})


def backward_products(size: StepSize, samples: int) -> Callable[[], list[Tensor]]:
    """Return what computes the matrix products of a backward pass over that many samples.

    They are the gradients of all weight matrices, (out, in) each, and those of the inputs of all layers but the
    first, (samples, in). What is multiplied are normal draws: the time of a product does not depend on them.
    """
    generator, dtype = torch.Generator().manual_seed(0), getattr(torch, size.dtype)
    widths = (N_PIXELS, size.width, size.width, N_ACTIONS)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    layers = [(drawn(samples, n), drawn(samples, m), drawn(m, n)) for n, m in pairwise(widths)]

    def run() -> list[Tensor]:
        weights = [gradient.T @ inputs for inputs, gradient, _ in layers]
        return weights + [gradient @ weight for _, gradient, weight in layers[1:]]

    return run
