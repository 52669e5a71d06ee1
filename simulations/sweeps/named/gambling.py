"""Sweeps of the gambling pathology."""

from __future__ import annotations

import math

from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.axes import log_spaced

__all__ = ["GAMBLING"]

_CELL = "simulations.sweeps.cells.gambling.runs"
_AWARE = "simulations.sweeps.cells.gambling.noise_aware"
_CRITICAL = math.sqrt(2 * math.pi)
_RATES = (0.03, 0.1, 0.3)
_NOISE = log_spaced(0.2, 25.0, 160)
_X = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)

GAMBLING = (
    Sweep(
        name="gambling-rest",
        title="rest points of a gated gamble, stable and not, over the noise and the rate",
        cell="simulations.sweeps.cells.gambling.rest_points:rest_points",
        grids=(
            {"gate": ("zero-price",), "noise_ratio": _NOISE},
            {"gate": ("dg",), "equal_noise": (False, True), "noise_ratio": _NOISE},
            {"gate": ("rate",), "rate": _RATES, "equal_noise": (False, True), "noise_ratio": _NOISE},
        ),
    ),
    Sweep(
        name="gambling-kept",
        title="how often zero price keeps a losing gamble",
        kind="simulated",
        cell=f"{_CELL}:gambling_kept",
        grids=({"x": (0.01, 0.5, 0.9), "noise_ratio": (0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 80.0)},),
        presets={"smoke": {"n_batches": 1, "n_replicates": 10}, "paper": {"n_replicates": 5_000}},
    ),
    Sweep(
        name="gambling-drift",
        title="drift of a gated gamble over the policy and the noise, on one arm or on both",
        kind="simulated",
        cell=f"{_CELL}:gambling_drift",
        grids=(
            {"gate": ("zero-price",), "noise_ratio": (0.5, 1.5, _CRITICAL, 4.0), "x": _X},
            {"gate": ("dg",), "noise_ratio": (0.5, 2.0, 4.0, 10.0), "x": _X},
            {
                "gate": ("rate",),
                "rate": (0.02,),
                "noise_ratio": (0.4,),
                "x": (0.02, 0.06, 0.15, 0.24, 0.33, 0.4),
                "n_batches": (160,),
            },
            {"gate": ("zero-price", "dg"), "equal_noise": (True,), "noise_ratio": (0.5, 1.5), "x": _X},
            {"gate": ("rate",), "rate": _RATES, "equal_noise": (True,), "noise_ratio": (0.5, 1.5), "x": _X},
        ),
        presets={"smoke": {"n_batches": 1}, "paper": {"n_batches": 1_000}},
    ),
    Sweep(
        name="gambling",
        title="where learning ends on a gamble, over the gate and the noise",
        kind="simulated",
        cell=f"{_CELL}:gambling_end",
        grids=(
            {"gate": ("zero-price",), "noise_ratio": (0.9, 1.5, 2.2, 3.0)},
            {"gate": ("dg",), "noise_ratio": (0.9, 1.7, 3.5, 8.0)},
            {"gate": ("dg",), "temperature": (0.05, 0.2, 1.0), "noise_ratio": (1.2, 4.0)},
            {"gate": ("dg",), "temperature": (4.0,), "noise_ratio": (4.0,)},
            {"gate": ("rate",), "rate": _RATES, "noise_ratio": (1.0, 3.0)},
            {"gate": ("zero-price",), "equal_noise": (True,), "noise_ratio": (0.5, 1.5)},
            {"gate": ("dg",), "equal_noise": (True,), "noise_ratio": (1.0, 3.0)},
            {"gate": ("rate",), "rate": (0.1,), "equal_noise": (True,), "noise_ratio": (1.5, 3.0)},
        ),
        presets={"smoke": {"n_replicates": 2}, "paper": {"n_replicates": 400}},
    ),
    Sweep(
        name="gambling-learning",
        title="learning at zero price on a gamble, over the noise, the start and the steps",
        kind="simulated",
        cell=f"{_CELL}:gambling_learning",
        grids=(
            {
                "noise_ratio": (0.6, 1.0, 1.4, 1.8, 2.2),
                "x_start": (0.97, 0.05),
                "batch_size": (2_000,),
                "n_steps": (1_200,),
            },
            {"noise_ratio": (2.8, 3.4), "x_start": (0.05,), "batch_size": (2_000,), "n_steps": (1_200,)},
            {
                "noise_ratio": (1.0, 2.0, 2.4, 3.0),
                "x_start": (0.5,),
                "n_steps": (1, 2, 4, 7, 13, 25, 45, 80, 150, 280, 530, 1_000),
            },
        ),
        presets={"smoke": {"n_replicates": 2, "batch_size": 100}, "paper": {"n_replicates": 400}},
    ),
    Sweep(
        name="noise-aware-drift",
        title="drift of a gamble under gates that noise does not take in, over the policy and the noise",
        kind="simulated",
        cell=f"{_AWARE}:noise_aware_drift",
        grids=(
            {"gate": ("extremes",), "rate": (0.03,), "noise_ratio": (3.0,), "x": _X, "n_batches": (40,)},
            {"gate": ("second-draw",), "noise_ratio": (3.0,), "x": _X},
            {"gate": ("margin",), "margin": (1.0,), "noise_ratio": (3.0,), "x": _X},
        ),
        presets={"smoke": {"n_batches": 1}, "paper": {"n_batches": 1_000}},
    ),
    Sweep(
        name="margin-rest",
        title="where learning ends on a gamble with a margin, over the noise",
        kind="simulated",
        cell=f"{_AWARE}:margin_end",
        grids=(
            {"margin": (0.5,), "noise_ratio": (1.2, 2.0, 2.7)},
            {"margin": (1.0,), "noise_ratio": (1.6, 2.5, 3.8)},
        ),
        presets={"smoke": {"n_replicates": 2}, "paper": {"n_replicates": 400}},
    ),
)
