"""Gates on answers at policies along training: does the row condition hold, and what does a signal cost.

Policies lie on the paths of row gates at 3 %: by delight, which learns, on two tasks, and by positive surprisal,
which at M = 2, H = 10 does not. Every gate of :mod:`simulations.reversal.moments.gates` is read at each, at 3 and 12
%.

What is predicted, before it was measured but for one policy (M = 2, H = 10, update 60, 1,500 answers), which had
been looked at. Where it learns, for delight, advantage and |advantage| at both rates and every policy: the slope of
the row balance is below 1 and its margin above 0 by two standard errors, and in nine of ten cases the drift along
the mean gradient is positive. Where positive surprisal does not learn, the same of its own balance, and yet its
drift along the mean gradient is at most a tenth of |advantage|'s: parameters are shared, so that the condition is
not enough. At 3 % the cost of signal of delight is that of |advantage| at the first policy, within a factor of 1.5,
for surprisals are still alike, and at least 1.5 times as much at the last; so delight is no better early on. The
best gate by a noisy gradient costs at most half of what the best rule does, at every policy.

Beside them stand gates on single tokens (:mod:`simulations.reversal.moments.tokens`), at the same rates. What is
predicted of them was written before they were measured, when the answers of one seed had been. The drift of the mean
field of :mod:`kondo_theory.token_trap` falls below zero, for tokens by delight at 3 %, between the rewards 0.56 and
0.89 at M = 2, H = 10 and between 0.32 and 0.72 at M = 10, H = 4. At policies whose reward is within these limits by
0.05 (of seed 0: update 250, and 500) their right logits' drifts sum to something negative by two standard errors,
where those of whole answers sum to something positive by every rule; and their drift along the mean gradient is at
most half of row delight's. Below the lower limit by as much both are positive, at M = 10 where either has a signal.
Tokens by |advantage| are whole answers by |advantage|, but for one answer a batch whose tokens are cut: their cost of
signal at 12 % is the same within a factor of 1.5 at every policy where both are known within 30 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import pandas as pd
import torch

from simulations.devices import single_thread
from simulations.reversal.config import ReversalConfig
from simulations.reversal.moments.answers import draw_blocks, read_answers
from simulations.reversal.moments.gates import gate_rows
from simulations.reversal.moments.tokens import token_rows
from simulations.reversal.side_by_side.seeds import ReversalSeeds

__all__ = ["PATHS", "RATES", "SIZES", "Path", "RowsSize", "jobs", "measure"]

RATES = (0.03, 0.12)


@dataclass(frozen=True)
class Path:
    """A run of a row gate, and after how many updates its policy is looked at."""

    config: ReversalConfig
    updates: tuple[int, ...]


PATHS = (
    Path(ReversalConfig("row-gate", rate=0.03), (100, 250, 400, 800)),
    Path(ReversalConfig("row-gate", rate=0.03, vocab_size=10, length=4), (100, 300, 500, 900)),
    Path(ReversalConfig("row-gate", rate=0.03, rule="positive-surprisal"), (100, 400)),
)
"""The last does not learn."""


@dataclass(frozen=True)
class RowsSize:
    """What a preset measures.

    Attributes
    ----------
    seeds, blocks, batches, token_batches : int
        Seeds, blocks of answers, batches of each, and how many of these gates on tokens are read on.
    sooner : int
        By which factor policies are sooner.
    """

    seeds: int
    blocks: int
    batches: int
    token_batches: int
    sooner: int = 1


SIZES: Mapping[str, RowsSize] = MappingProxyType(
    {"smoke": RowsSize(1, 3, 1, 1, 50), "quick": RowsSize(3, 6, 3, 2), "paper": RowsSize(10, 10, 20, 20)}
)


def measure(path: Path, seed: int, size: RowsSize, device: torch.device) -> pd.DataFrame:
    """Train one policy and measure every gate on the way.

    Returns
    -------
    DataFrame
        One row a policy, gate and rate: label, vocab_size, length, seed, update; answers, how many, and reward, their
        mean; and what :func:`~simulations.reversal.moments.gates.gate_rows` yields, and
        :func:`~simulations.reversal.moments.tokens.token_rows`.
    """
    config, rows = replace(path.config, seed=seed), []
    names = ("label", "vocab_size", "length", "seed")
    place = {name: getattr(config, name) for name in names}
    with single_thread():
        run = ReversalSeeds([config], device)
        generator = torch.Generator(device).manual_seed(config.streams()["evaluation"])
        for update in path.updates:
            while run.update < update // size.sooner:
                run.train_batch()
            policy = run.step.network.policy(0)
            blocks = draw_blocks(policy, config, size.blocks, size.batches, generator)
            answers = read_answers(policy, blocks)
            facts = {"update": run.update, "answers": answers.advantage.size, "reward": float(answers.right.mean())}
            found = (gate_rows(answers, RATES, seed), token_rows(policy, blocks, RATES, seed, size.token_batches))
            rows += [place | facts | each for part in found for each in part]
    return pd.DataFrame(rows)


def jobs(preset: str, device: torch.device) -> list[tuple[str, str, Callable[[], pd.DataFrame]]]:
    """Return the parts of a preset: a name, a few words, and what measures."""
    size = SIZES[preset]
    return [
        (
            f"path-{place}-{seed:03d}",
            f"{_named(path.config)}, seed {seed}",
            partial(measure, path, seed, size, device),
        )
        for seed in range(size.seeds)
        for place, path in enumerate(PATHS)
    ]


def _named(config: ReversalConfig) -> str:
    return f"{config.label}, M = {config.vocab_size}, H = {config.length}"
