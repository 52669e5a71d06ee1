"""Study ``screening-ties``: token gates at 3 % that keep whatever ties with the k-th score.

Gates that keep exactly k of the tokens by the same rules are in study ``screening``. By the random choice all scores
tie: that gate is the policy gradient, whose runs are in study ``quality``.

What is predicted, before it was run. Runs of exactly k tokens and of the policy gradient had been seen: final token
errors .0093 by advantage, .0002 by |advantage|, .32 by the random choice, .43 by delight, .0004 of the policy
gradient. What is kept follows the closed form for the points that answers get. By advantage 6 to 20 % over the whole
training, 10 to 35 % over its last third; by |advantage| 40 to 90 % over the last third, most of it without an
advantage; by delight, whose surprisals tie at the first policy alone, 3 to 3.1 % as ever. The final error by delight
stays within a tenth. By advantage it falls, to no less than a quarter: what is kept more are right tokens of lucky
answers, whose pull vanishes with 1 − p. So it stays at five times that by |advantage| or more, and at twice the
policy gradient's or more: with ties kept, the random choice comes out ahead of the advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch

from simulations.devices import single_thread
from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side.seeds import trained
from simulations.reversal.ties.seeds import TiedSeeds

__all__ = ["RATE", "RULES", "SIZES", "TiesSize", "jobs", "label", "measure"]

RATE = 0.03
RULES = ("advantage", "abs-advantage", "delight")
_SETTINGS = ("method", "rate", "rule", "reward", "vocab_size", "length", "learning_rate", "seed")
_COUNTED = ("update", "forward_tokens", "backward_tokens", "moving_tokens", "backward_rows")
_FOUND = ("train_reward", "token_error", "sequence_error", "greedy_token_error")


@dataclass(frozen=True)
class TiesSize:
    """What a preset trains: seeds, updates of each, updates between evaluations, and what else is changed."""

    seeds: int
    updates: int
    eval_every: int = 50
    changes: Mapping[str, Any] = field(default_factory=dict)


SIZES: Mapping[str, TiesSize] = MappingProxyType(
    {
        "smoke": TiesSize(1, 4, 2, {"prompts": 3, "eval_prompts": 10}),
        "quick": TiesSize(3, 1_000),
        "paper": TiesSize(10, 10_000),
    }
)


def label(rule: str) -> str:
    """Return the name of a gate of this study in tables."""
    return f"{ReversalConfig('token-gate', rate=RATE, rule=rule).label}, ties kept"


def measure(rule: str, size: TiesSize, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one rule side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, the settings, update; cumulative forward_tokens, backward_tokens,
        moving_tokens, which are those of them that have an advantage, and backward_rows; train_reward, errors;
        points_0 to points_H, the answers since the last evaluation by their points.
    """
    gate = ReversalConfig("token-gate", rate=RATE, rule=rule, updates=size.updates, eval_every=size.eval_every)
    configs = [replace(gate, **size.changes, seed=seed) for seed in range(size.seeds)]
    with single_thread():
        curves = [curve for curve, _ in trained(TiedSeeds(configs, device))]
    counted = [*_COUNTED, *_FOUND, *(f"points_{n}" for n in range(gate.length + 1))]
    frames = []
    for config, curve in zip(configs, curves, strict=True):
        head = {"label": label(rule), **{name: getattr(config, name) for name in _SETTINGS}}
        frames.append(pd.DataFrame(head | {name: curve[name] for name in counted}))
    return pd.concat(frames, ignore_index=True)


def jobs(preset: str, device: torch.device) -> list[tuple[str, str, Callable[[], pd.DataFrame]]]:
    """Return the parts of a preset: a name, a few words, and what measures."""
    size = SIZES[preset]
    return [(rule, f"{label(rule)}, {size.seeds} seeds", partial(measure, rule, size, device)) for rule in RULES]
