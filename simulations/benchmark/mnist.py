"""Speed of training on the MNIST bandit: seeds side by side against one by one, the screened step against the full.

On one CPU thread. Peak memory in the table is that of Python and NumPy; torch's is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from kondo_theory.training import ScreenedStep
from simulations.benchmark.cases import BenchmarkRow, Case
from simulations.devices import single_thread
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.training import SeedProgram
from simulations.networks.mlp import PolicyMLP

__all__ = ["cases", "targets"]

SIDE_BY_SIDE, ONE_BY_ONE = "side by side", "stacks of one"
UNSTACKED = "ScreenedStep, one by one"  # what a run a seed would be without any of this
FULL = "full step"
RATES = (0.01, 0.03, 0.1, 0.3)
SIZES = ((100, 100, 10), (1_000, 100, 10), (10_000, 100, 2), (100, 1_024, 4), (1_000, 1_024, 2))
"""Batch size, width of the hidden layers, seeds side by side."""
DENORMALS, FLUSHED, KEPT = "MNIST, ten seeds, DG-K(3 %), late", "small numbers flushed", "small numbers kept"
METHODS = (MnistConfig("pg"), MnistConfig("dg-k", rate=0.03))


def cases(quick: bool) -> list[Case]:
    """Return all cases; ``quick`` makes them tiny."""
    data = load_mnist()
    sizes = ((20, 8, 2),) if quick else SIZES
    seeds = [_seeds(method, data, quick) for method in METHODS]
    return [*seeds, _denormals(data, quick), *(_steps(data, *size, quick) for size in sizes)]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that are promised."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    found = []
    for method in METHODS:
        case = _seeds_name(method)
        for alone, required in ((UNSTACKED, "≥ 1.6"), (ONE_BY_ONE, "not promised")):
            gain = time_of[case, alone] / time_of[case, SIDE_BY_SIDE]
            found.append((f"{case}: {alone} / side by side", gain, required))
    gain = time_of[DENORMALS, KEPT] / time_of[DENORMALS, FLUSHED]
    found.append((f"{DENORMALS}: {KEPT} / {FLUSHED}", gain, "not promised"))
    for batch_size, width, _ in SIZES:
        case = _steps_name(batch_size, width)
        for rate in RATES:
            required = "≥ 1" if batch_size < 1_000 else "> 1"
            gain = time_of[case, FULL] / time_of[case, _rate_name(rate)]
            found.append((f"{case}: full / {_rate_name(rate)}", gain, required))
    return found


def _seeds_name(method: MnistConfig) -> str:
    return f"MNIST, ten seeds, {method.label}"


def _steps_name(batch_size: int, width: int) -> str:
    return f"MNIST, B = {batch_size:,}, width {width:,}"


def _rate_name(rate: float) -> str:
    return f"{100 * rate:g} % kept"


def _seeds(method: MnistConfig, data: Mnist, quick: bool) -> Case:
    n_seeds, n_updates = (2, 2) if quick else (10, 20)
    configs = [replace(method, seed=seed) for seed in range(n_seeds)]
    variants = {
        SIDE_BY_SIDE: _updates([_program(configs, data)], n_updates),
        ONE_BY_ONE: _updates([_program([config], data) for config in configs], n_updates),
        UNSTACKED: _updates([_unstacked(config, data) for config in configs], n_updates),
    }
    units = n_seeds * n_updates
    return Case(_seeds_name(method), "seed-step", {name: (units, run) for name, run in variants.items()})


def _steps(data: Mnist, batch_size: int, width: int, n_seeds: int, quick: bool) -> Case:
    n_updates = 1 if quick else max(1, 1_000_000 // (batch_size * width * n_seeds))
    methods = {FULL: MnistConfig("pg")} | {_rate_name(rate): MnistConfig("dg-k", rate=rate) for rate in RATES}
    variants: dict[str, tuple[int, Callable[[], Any]]] = {}
    for name, method in methods.items():
        config = replace(method, batch_size=batch_size, hidden=(width, width))
        program = _program([replace(config, seed=seed) for seed in range(n_seeds)], data)
        variants[name] = (n_seeds * n_updates, _updates([program], n_updates))
    return Case(_steps_name(batch_size, width), "seed-step", variants)


def _denormals(data: Mnist, quick: bool) -> Case:
    """Late in training, when the moments of parameters without a gradient have fallen below the normal range."""
    n_seeds, n_before, n_updates = (2, 2, 2) if quick else (10, 1_200, 20)
    configs = [replace(METHODS[1], seed=seed) for seed in range(n_seeds)]

    def run(flush: bool) -> Callable[[], Any]:
        program = SeedProgram(configs, data, torch.device("cpu"))

        def updates(number: int = n_updates) -> None:
            with single_thread():
                torch.set_flush_denormal(flush)
                for _ in range(number):
                    program.update()

        updates(n_before)
        return updates

    units = n_seeds * n_updates
    return Case(DENORMALS, "seed-step", {FLUSHED: (units, run(True)), KEPT: (units, run(False))})


def _program(configs: list[MnistConfig], data: Mnist) -> Callable[[], Any]:
    return SeedProgram(configs, data, torch.device("cpu")).update


def _unstacked(config: MnistConfig, data: Mnist) -> Callable[[], Any]:
    """Return an update of one seed in a loop as a user would write it."""
    policy = PolicyMLP((784, *config.hidden, 10), seed=config.seed)
    step = ScreenedStep(policy, torch.optim.Adam(policy.parameters(), config.learning_rate), config.gate, check=False)
    images, labels = torch.from_numpy(data.train_images.copy()), torch.from_numpy(data.train_labels.copy())
    generator = torch.Generator().manual_seed(config.seed)

    def update() -> None:
        index = torch.randint(len(images), (config.batch_size,), generator=generator)
        observations = images[index].flatten(1).to(torch.float32) / 255
        screening = step.act(observations)
        assert screening.log_policy is not None
        reward = (screening.actions == labels[index]).to(torch.float32)
        step.update(observations, screening, reward - screening.log_policy.exp().square().sum(-1))

    return update


def _updates(programs: list[Callable[[], Any]], n_updates: int) -> Callable[[], Any]:
    def run() -> None:
        with single_thread():
            for update in programs:
                for _ in range(n_updates):
                    update()

    return run
