"""Sweeps of the gate itself and of screening rules."""

from __future__ import annotations

from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.axes import RULES

__all__ = ["GATES"]

_CELLS = "simulations.sweeps.cells"
_TEMPERATURES = (0.1, 0.5, 2.0)
_SUMS = ("price", "exact-k", "normalised")

GATES = (
    Sweep(
        name="gate-frequency",
        title="how often the gate opens, over delight less price and temperature",
        kind="simulated",
        cell=f"{_CELLS}.bandits.gate:gate_frequency",
        grids=({"temperature": (0.0, *_TEMPERATURES), "excess": tuple(n / 2 - 2.25 for n in range(10))},),
        presets={"smoke": {"n_draws": 200}, "paper": {"n_draws": 1_000_000}},
    ),
    Sweep(
        name="rate-value",
        title="delight that the best k of B samples collect",
        kind="simulated",
        cell=f"{_CELLS}.bandits.gate:rate_value",
        grids=(
            {"batch_size": (8,), "n_kept": tuple(range(1, 9))},
            {"batch_size": (40,), "n_kept": (4, 10, 16, 22, 28, 34, 40)},
        ),
        presets={"smoke": {"n_batches": 100}, "paper": {"n_batches": 200_000}},
    ),
    Sweep(
        name="frontier",
        title="cost and quality of a Bernoulli gate over price and temperature",
        cell=f"{_CELLS}.bandits.frontier:frontier",
        grids=(
            {
                "p_correct": (0.05, 0.2, 0.5, 0.8),
                "n_arms": (2, 10, 100),
                "baseline": (0.1, 0.5, 0.9),
                "temperature": (0.0, *_TEMPERATURES),
                "price": tuple(n / 4 for n in range(-12, 13)),
            },
        ),
    ),
    Sweep(
        name="price-gates",
        title="moments, cost and efficiency of drawn gates over price and temperature",
        kind="simulated",
        cell=f"{_CELLS}.bandits.moments:moments",
        grids=(
            {
                "method": ("price",),
                "p_correct": (0.2,),
                "temperature": _TEMPERATURES,
                "price": (-2.0, -1.3, -0.6, 0.1, 0.8, 1.5),
                "n_batches": (200,),
            },
        ),
        presets={"smoke": {"n_batches": 10, "n_replicates": 20}, "paper": {"n_replicates": 10_000}},
    ),
    Sweep(
        name="rate-gates",
        title="moments of exactly k of B by delight, and of the price gate of that rate",
        kind="simulated",
        cell=f"{_CELLS}.bandits.moments:moments",
        grids=tuple(
            {
                "method": ("exact-k", "price-at-rate"),
                "p_correct": (0.3,),
                "constant_baseline": (0.25,),
                "batch_size": batch_sizes,
                "rate": rates,
                "n_batches": (200,),
                "n_replicates": (500,),
            }
            for batch_sizes, rates in (((10, 20, 40, 80), (0.2, 0.5)), ((40,), (0.2, 0.3, 0.4, 0.6, 0.8)))
        ),
        presets={"smoke": {"n_batches": 10, "n_replicates": 20}, "paper": {"n_replicates": 20_000}},
    ),
    Sweep(
        name="additive",
        title="threshold α* and critical odds of additive scores",
        cell=f"{_CELLS}.bandits.additive:additive",
        grids=(
            {
                "n_arms": (2, 10, 100, 1000),
                "p_correct": (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999),
                "alpha": (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99),
            },
        ),
    ),
    Sweep(
        name="additive-top",
        title="how often a failure tops a batch while the policy learns",
        kind="simulated",
        cell=f"{_CELLS}.bandits.additive:top_failures",
        grids=tuple(
            {"rule": (rule,), "alpha": alphas, "log_odds": tuple(float(n) for n in range(-3, 13))}
            for rule, alphas in (("additive", (0.5, 0.8, 0.9)), ("delight", (0.0,)))
        ),
        presets={"smoke": {"n_batches": 50}, "paper": {"n_batches": 100_000}},
    ),
    Sweep(
        name="screening",
        title="composition and value of what every screening rule keeps at a rate",
        kind="simulated",
        cell=f"{_CELLS}.bandits.screening:screening",
        grids=tuple(
            {
                "rule": RULES,
                "p_correct": (p,),
                "baseline": (baseline,),
                "rate": (0.05, 0.2, 0.4, 0.6, 0.8, 1.0),
            }
            for p, baseline in ((0.3, 0.25), (0.06, 0.7))
        ),
        presets={"smoke": {"batch_size": 100, "n_batches": 20}, "paper": {"n_batches": 20_000}},
    ),
    Sweep(
        name="normalised-gates",
        title="noise of a gate's sum divided by the batch, of exactly k, and divided by the kept",
        kind="simulated",
        cell=f"{_CELLS}.bandits.normalised_gates:normalised_gates",
        grids=(
            {"method": _SUMS, "rate": (0.03, 0.1, 0.2, 0.4, 0.6, 0.8)},
            {
                "method": _SUMS,
                "rate": (0.1,),
                "batch_size": (10, 20, 40, 80, 160, 320, 640),
                "reward_noise": (1.0,),
                "n_batches": (10_000,),
            },
        ),
        presets={"smoke": {"n_batches": 200}, "paper": {"n_batches": 1_000_000}},
    ),
    Sweep(
        name="best-gates",
        title="cost of signal of the best gate of a rate, and of what rules keep at it",
        kind="simulated",
        cell=f"{_CELLS}.bandits.best_gates:best_gates",
        grids=tuple(
            {
                "gate": ("best", "delight", "advantage", "abs-advantage", "uniform"),
                "rate": (0.05, 0.2, 0.4, 0.6, 0.8),
                "p_best": (p,),
                "baseline": (baseline,),
            }
            for p, baseline in ((0.1, 0.5), (0.3, 0.65), (0.6, 0.8))
        ),
        presets={"smoke": {"n_samples": 4_000}, "paper": {"n_samples": 40_000_000}},
    ),
    Sweep(
        name="stale-gates",
        title="cosine and signal where a share of broken actors draws the arms",
        kind="simulated",
        cell=f"{_CELLS}.bandits.stale_gates:stale_gates",
        grids=(
            {"method": ("pg", "dg", "zero-price", "importance-weighted"), "error": (0.003, 0.03, 0.3, 0.9)},
            {"method": ("dg",), "surprisal": ("actor",), "error": (0.003, 0.03, 0.3, 0.9)},
            {
                "method": ("pg", "dg", "zero-price"),
                "error": (0.01, 0.03, 0.1, 0.3),
                "actor": ("even",),
                "share": (0.2,),
                "corruption": (0.1,),
            },
        ),
        presets={"smoke": {"n_samples": 1_000}, "paper": {"n_samples": 200_000}},
    ),
)
