"""Cases of the bandit kernels: learning, alignment, and a control of what two threads gain on this machine."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from simulations.bandits import reference
from simulations.bandits.simulation import (
    AlignmentConfig,
    AlignmentTimeConfig,
    Context,
    DynamicsConfig,
    Gate,
    simulate_alignment,
    simulate_alignment_times,
    simulate_dynamics,
)
from simulations.benchmark.cases import BenchmarkRow, Case
from simulations.randomness.compiling import kernel

__all__ = ["alignment_name", "cases", "targets"]

KERNEL, TWO_THREADS = "kernel", "kernel, 2 threads"
EVERY_SAMPLE, COUNTS, RANDOM = "NumPy, every sample", "NumPy, counts", "NumPy, random numbers alone"
MACHINE = "the machine"
N_ARMS = 100


def cases(quick: bool) -> list[Case]:
    """Return the cases; ``quick`` makes them tiny."""
    gates = (Gate("pg"), Gate("dg"), Gate("zero-price"), Gate("price", temperature=0.5), Gate("rate", rate=0.03))
    alignments = [_alignment(size, symmetric, quick) for symmetric in (True, False) for size in (100, 10**6)]
    return [_machine(quick), *(_dynamics(gate, quick) for gate in gates), *alignments, _alignment_times(quick)]


@kernel
def _arithmetic(n: int) -> float:
    x = 0.5
    for _ in range(n):
        x = 3.9 * x * (1.0 - x)
    return x


def _machine(quick: bool) -> Case:
    n = 100_000 if quick else 10_000_000

    def two() -> list[float]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(_arithmetic, [n, n]))

    return Case(MACHINE, "multiplication", {KERNEL: (n, lambda: _arithmetic(n)), TWO_THREADS: (2 * n, two)})


def _dynamics(gate: Gate, quick: bool) -> Case:
    n_replicates, n_steps, batch_size = (20, 3, 100) if quick else (1000, 200, 100)
    config = DynamicsConfig(N_ARMS, batch_size, 0.5, n_steps, gate, 0.5, n_replicates, seed=1, record_every=n_steps)
    two = dataclasses.replace(config, n_threads=2)

    def numpys(draw_samples: bool) -> Any:
        rng = np.random.default_rng(1)
        arguments = (config.initial_logits, batch_size, 0.5, n_steps, gate, 0.5, n_replicates)
        return reference.learning_curves(rng, *arguments, draw_samples=draw_samples)

    def random() -> None:
        rng, policy = np.random.default_rng(1), np.full((n_replicates, N_ARMS), 1 / N_ARMS)
        for _ in range(n_steps):
            rng.multinomial(batch_size, policy)

    units = n_replicates * n_steps
    runs: dict[str, Callable[[], Any]] = {
        KERNEL: lambda: simulate_dynamics(config),
        TWO_THREADS: lambda: simulate_dynamics(two),
        EVERY_SAMPLE: lambda: numpys(True),
        COUNTS: lambda: numpys(False),
        RANDOM: random,
    }
    return Case(f"learning, {gate.kind}", "step", {name: (units, run) for name, run in runs.items()})


def _alignment(batch_size: int, symmetric: bool, quick: bool) -> Case:
    context = Context.symmetric(0.3, N_ARMS, 0.3, Gate("pg"))
    if not symmetric:  # a stated direction makes the general kernel run
        context = dataclasses.replace(context, direction=context.unit_direction)
    n_replicates, n_batches = (4, 5) if quick else (200, 500)
    config = AlignmentConfig(context, 0.9, (batch_size,), n_batches, n_replicates, seed=1)
    two = dataclasses.replace(config, n_threads=2)

    def numpys(draw: Callable[..., Any], n: int) -> Any:
        gradients, kept = draw(np.random.default_rng(1), context, batch_size, n)
        return reference.batch_statistics(gradients, kept, context.unit_direction, 0.9)

    units, fewer, few = n_replicates * n_batches, 20 if quick else 2000, 10 if quick else 100
    variants: dict[str, tuple[int, Callable[[], Any]]] = {
        KERNEL: (units, lambda: simulate_alignment(config)),
        TWO_THREADS: (units, lambda: simulate_alignment(two)),
        COUNTS: (fewer, lambda: numpys(reference.counted_gradients, fewer)),
        RANDOM: (fewer, lambda: np.random.default_rng(1).multinomial(batch_size, context.policy, size=fewer)),
    }
    if batch_size <= 1000:  # the scores of 10^6 samples would take a gigabyte a batch
        variants[EVERY_SAMPLE] = (few, lambda: numpys(reference.sampled_gradients, few))
    return Case(alignment_name(batch_size, symmetric), "batch", variants)


def alignment_name(batch_size: int, symmetric: bool = True) -> str:
    """Return the name of an alignment case."""
    return f"alignment, {'symmetric' if symmetric else 'general'}, B = {batch_size:,}"


def _alignment_times(quick: bool) -> Case:
    context = Context.symmetric(0.1, N_ARMS, 0.5, Gate("pg"))
    n, slow, most = (20, 2, 2000) if quick else (20_000, 10, 5000)
    config = AlignmentTimeConfig(context, 0.9, most, n, seed=1)
    two = dataclasses.replace(config, n_threads=2)

    def numpys() -> Any:
        return reference.sampled_alignment_times(np.random.default_rng(1), context, 0.9, most, slow)

    variants: dict[str, tuple[int, Callable[[], Any]]] = {
        KERNEL: (n, lambda: simulate_alignment_times(config)),
        TWO_THREADS: (n, lambda: simulate_alignment_times(two)),
        EVERY_SAMPLE: (slow, numpys),
    }
    return Case("samples until aligned", "replicate", variants)


def targets(rows: list[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that the project promises."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    found = []
    for case in dict.fromkeys(row.case for row in rows if row.case.startswith("learning")):
        found.append((f"{case}: NumPy on counts / kernel", time_of[case, COUNTS] / time_of[case, KERNEL], "≥ 2.5"))
        found.append((f"{case}: one thread / two", time_of[case, KERNEL] / time_of[case, TWO_THREADS], "≥ 1.7"))
    found.append(
        (f"{MACHINE}: one thread / two", time_of[MACHINE, KERNEL] / time_of[MACHINE, TWO_THREADS], "control")
    )
    for symmetric in (True, False):
        large, small = (time_of[alignment_name(size, symmetric), KERNEL] for size in (10**6, 100))
        kind = "symmetric" if symmetric else "general"
        found.append((f"alignment, {kind}: B = 1,000,000 / B = 100", large / small, "≤ 3"))
    return found
