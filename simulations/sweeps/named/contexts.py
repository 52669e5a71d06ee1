"""Sweeps of one context, and of many at once."""

from __future__ import annotations

from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.axes import log_spaced_counts

__all__ = ["CONTEXTS"]

_CELLS = "simulations.sweeps.cells"
_METHODS = ("pg", "dg", "zero-price")
_P = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_RARE = (3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)

CONTEXTS = (
    Sweep(
        name="baselines",
        title="signal, noise and efficiency of PG, DG and zero price over p, K and the baseline",
        kind="simulated",
        cell=f"{_CELLS}.bandits.moments:moments",
        grids=(
            {"method": _METHODS, "p_correct": _P},
            {
                "method": _METHODS,
                "p_correct": (0.3,),
                "constant_baseline": (0.05, *(n / 10 for n in range(1, 10)), 0.95),
            },
            {"method": ("pg",), "p_correct": (0.1, 0.5, 0.9), "constant_baseline": (0.02, 0.05, 0.1, 0.2, 0.5, 0.9)},
            {"method": ("pg",), "p_correct": (0.1, 0.5, 0.9), "n_arms": (2, 3, 5, 10, 100, 1_000)},
            # Moments per sample do not depend on the batch; the signal is precise in a large one.
            {
                "method": ("pg",),
                "p_correct": _P,
                "baseline": ("constant", "value", "confidence", "optimal"),
                "batch_size": (10_000,),
            },
            {"method": ("zero-price",), "p_correct": _P, "baseline": ("constant", "value"), "batch_size": (10_000,)},
            {
                "method": ("pg", "dg"),
                "p_correct": (0.1, 0.5, 0.9, 0.98),
                "n_arms": (100,),
                "temperature": (0.5, 1.0, 4.0),
                "batch_size": (100_000,),
            },
        ),
        presets={
            "smoke": {"n_batches": 10, "n_replicates": 10},
            "quick": {"n_batches": 100},
            "paper": {"n_batches": 200, "n_replicates": 5_000},
        },
    ),
    Sweep(
        name="alignment",
        title="samples and backward passes until a batch points the right way",
        kind="simulated",
        cell=f"{_CELLS}.bandits.alignment:samples_to_align",
        grids=(
            {"method": _METHODS, "p_correct": _RARE},
            {"method": ("pg",), "baseline": ("value",), "p_correct": _RARE},
        ),
        presets={"smoke": {"n_batches": 50, "n_replicates": 10}, "paper": {"n_replicates": 10_000}},
    ),
    Sweep(
        name="batch-direction",
        title="cosine of a batch with the true gradient, over its size",
        kind="simulated",
        cell=f"{_CELLS}.bandits.alignment:batch_direction",
        grids=tuple(
            {
                "method": methods,
                "baseline": (baseline,),
                "p_correct": (0.01,),
                "n_samples": log_spaced_counts(1, 100_000, 16),
            }
            for methods, baseline in ((_METHODS, "constant"), (("pg",), "value"))
        ),
        presets={"smoke": {"n_batches": 10, "n_replicates": 10}, "paper": {"n_replicates": 5_000}},
    ),
    Sweep(
        name="learning-time",
        title="time from the uniform policy to p = 0.9 over the number of arms",
        kind="simulated",
        cell=f"{_CELLS}.bandits.learning:learning_time",
        grids=(
            {"method": _METHODS, "n_arms": (10, 100, 1_000)},
            {"method": ("zero-price",), "baseline": ("value",), "n_arms": (10, 100, 1_000)},
        ),
        presets={"smoke": {"n_replicates": 2}, "paper": {"n_replicates": 64}},
    ),
    Sweep(
        name="graded",
        title="direction of zero price under graded rewards, in the family of the worst case",
        kind="simulated",
        cell=f"{_CELLS}.bandits.graded:graded_direction",
        grids=({"family_size": (1, 3, 10, 30, 100, 300, 1_000)},),
        presets={"smoke": {"n_batches": 5, "n_replicates": 10}, "paper": {"n_batches": 200, "n_replicates": 400}},
    ),
    Sweep(
        name="contexts",
        title="cosine to cross-entropy over many contexts, under three baselines",
        kind="simulated",
        cell=f"{_CELLS}.bandits.contexts:context_cosine",
        grids=(
            {
                "method": (*_METHODS, "best-price"),
                "baseline": ("constant", "value", "confidence"),
                "spread": (0.4, 1.1, 1.8, 2.5, 3.2, 3.9),
            },
            {
                "method": ("pg", "dg"),
                "centre": (0.3, 1.2, 2.1, 3.0, 3.9),
                "spread": (0.5,),
                "n_contexts": (6,),
                "n_arms": (2,),
                "n_samples": (30_000,),
            },
        ),
        presets={"smoke": {"n_samples": 200}, "paper": {"n_samples": 200_000}},
    ),
    Sweep(
        name="noise",
        title="zero price on noisy delight, over kind and scale of the noise",
        kind="simulated",
        cell=f"{_CELLS}.bandits.noise:noisy_delight",
        grids=({"kind": ("additive", "relative"), "noise": (0.25, 0.75, 1.25, 1.75, 2.25, 2.75)},),
        presets={"smoke": {"n_batches": 10, "n_replicates": 10}, "paper": {"n_batches": 200, "n_replicates": 5_000}},
    ),
    Sweep(
        name="survival",
        title="rows, and tokens up to the last kept one, that survive a token gate",
        kind="simulated",
        cell=f"{_CELLS}.bandits.noise:survival",
        grids=({"correlation": (0.0, 0.2), "rate": (0.002, 0.005, 0.013, 0.035, 0.09, 0.23, 0.6)},),
        presets={"smoke": {"n_rows": 200}, "paper": {"n_rows": 100_000}},
    ),
)
