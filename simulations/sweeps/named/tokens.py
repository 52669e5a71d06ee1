"""Sweeps of tokens that share one reward."""

from __future__ import annotations

from simulations.sweeps.grid import Grid, Sweep
from simulations.sweeps.named.axes import RULES, log_spaced

__all__ = ["TOKENS"]

_CELLS = "simulations.sweeps.cells"
_VOCABULARIES = (2, 10, 100, 1_000)
_ROW_RATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_FREE: tuple[Grid, ...] = tuple(
    {"batch_size": (batch_size,), "learning_rate": (learning_rate,), "moving": ("free",)}
    for learning_rate, batch_sizes in (
        (8.0, (100, 150, 200, 250)),
        (4.0, (50, 75, 100, 125)),
        (2.0, (25, 50)),
        (1.0, (25,)),
    )
    for batch_size in batch_sizes
)
_SMALL = {"batch_size": 100, "n_steps": 10, "n_replicates": 2}

TOKENS = (
    Sweep(
        name="token-trap",
        title="where a fixed-rate gate on tokens stalls, over vocabulary, length and rate",
        cell=f"{_CELLS}.tokens.trap:token_trap",
        grids=(
            {
                "vocab_size": _VOCABULARIES,
                "n_tokens": (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32),
                "rate": (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5),
            },
            {"vocab_size": (10,), "n_tokens": (3, 10, 32), "rate": tuple(n / 100 for n in range(1, 100))},
            {"vocab_size": (10,), "n_tokens": (32,), "gate": ("dg",), "temperature": log_spaced(0.004, 1.0, 120)},
        ),
    ),
    Sweep(
        name="token-windows",
        title="rates, and temperatures of DG, at which training on tokens stalls, over vocabulary and length",
        cell=f"{_CELLS}.tokens.trap:stalling",
        grids=(
            {"vocab_size": _VOCABULARIES, "n_tokens": (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 45, 64, 90, 128)},
            {
                "gate": ("dg",),
                "vocab_size": _VOCABULARIES,
                "n_tokens": (10, 12, 14, 16, 18, 20, 24, 28, 32, 45, 64, 90, 128),
            },
            {
                "gate": ("dg",),
                "vocab_size": (*_VOCABULARIES, 30, 300, 3_000, 10_000, 30_000, 100_000),
                "n_tokens": (32, 128),
            },
        ),
    ),
    Sweep(
        name="token-runs",
        title="where training on tokens ends: the token gate over M, T and the rate, DG over the temperature",
        kind="simulated",
        cell=f"{_CELLS}.tokens.training:token_end",
        grids=(
            # Small steps: noise must not kick a run across a shallow stall. Rare right tokens need larger ones.
            *(
                {
                    "vocab_size": (vocab_size,),
                    "n_tokens": (n_tokens,),
                    "rate": (0.1, 0.25, 0.45, 0.85),
                    "learning_rate": (learning_rate,),
                    "batch_size": (8_000 // n_tokens + 400,),
                    "n_steps": (500,),
                }
                for vocab_size, learning_rate in ((2, 6.2), (10, 7.0), (100, 16.0))
                for n_tokens in (2, 4, 10, 32)
            ),
            *(
                {
                    "vocab_size": (10,),
                    "n_tokens": (n_tokens,),
                    "rate": (0.1, 0.15, 0.2, 0.25, 0.4, 0.6, 0.9),
                    "learning_rate": (5.0,),
                    "batch_size": (1_000 + 6_000 // n_tokens,),
                    "n_steps": (800,),
                }
                for n_tokens in (3, 10, 32)
            ),
            {
                "vocab_size": (10,),
                "n_tokens": (32,),
                "gate": ("dg",),
                "temperature": (0.004, 0.03, 0.06, 0.1, 0.2, 0.25, 0.4, 1.0),
                "learning_rate": (30.0,),
                "batch_size": (1_000,),
                "n_steps": (400,),
            },
        ),
        presets={"smoke": _SMALL, "quick": {"n_replicates": 8}, "paper": {"n_replicates": 64}},
    ),
    Sweep(
        name="token-learning",
        title="training on tokens under each gate at the same rate",
        kind="simulated",
        cell=f"{_CELLS}.tokens.training:token_learning",
        grids=(
            {
                "vocab_size": (10,),
                "n_tokens": (10,),
                "gate": ("token", "row", "zero-price"),
                "rate": (0.1,),
                "learning_rate": (10.0,),
                "batch_size": (2_000,),
                "n_steps": (400,),
            },
        ),
        presets={"smoke": _SMALL, "quick": {"n_replicates": 8}, "paper": {"n_replicates": 64}},
    ),
    Sweep(
        name="token-rules",
        title="drift of tokens kept at a rate by each screening rule, over PG's, along p",
        kind="simulated",
        cell=f"{_CELLS}.tokens.training:token_drift",
        grids=(
            {
                "vocab_size": (2,),
                "n_tokens": (10,),
                # Where policies are alike, rules of the entropy are those of |advantage| and of a random choice.
                "rule": tuple(rule for rule in RULES if "entropy" not in rule),
                "rate": (0.03,),
                "p_correct": (
                    0.505,
                    0.53,
                    0.56,
                    0.6,
                    0.65,
                    0.7,
                    0.75,
                    0.8,
                    0.85,
                    0.9,
                    0.95,
                    0.98,
                    0.99,
                    0.995,
                    0.999,
                ),
            },
        ),
        presets={"smoke": {"batch_size": 1_000, "n_replicates": 2}, "quick": {}, "paper": {"n_replicates": 64}},
    ),
    Sweep(
        name="row-dependence",
        title="training on whole answers whose second token depends on the first",
        kind="simulated",
        cell=f"{_CELLS}.tokens.dependent:dependent_end",
        grids=(
            {"rate": _ROW_RATES, "rule": ("delight", "abs-advantage")},
            {"rate": _ROW_RATES, "logits": ("tabular",), "learning_rate": (50.0,)},
        ),
        presets={"smoke": {"n_steps": 40, "n_replicates": 2}, "quick": {}, "paper": {"n_replicates": 64}},
    ),
    Sweep(
        name="token-escape",
        title="how long batches take to leave a stall of the token gate, tokens moving together and free",
        kind="simulated",
        cell=f"{_CELLS}.tokens.escape:token_escape",
        grids=(
            {"batch_size": (200,), "learning_rate": (16.0, 12.5, 10.0, 8.0, 7.0)},
            *_FREE,
        ),
        presets={
            "smoke": {"n_replicates": 2, "held_steps": 40},
            "quick": {},
            "paper": {"n_replicates": 1_000, "held_steps": 20_000},
        },
    ),
)
