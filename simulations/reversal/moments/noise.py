"""Drift and noise of the mean reward along stalls of the token gate, under Adam: from copies of one policy.

A policy is trained by the token gate to a level of reward. Copies of it, optimizer state and all, take some updates
on batches of their own, until Adam's mean gradient is theirs, and are compared some more updates later. Their mean
gain of reward for each update is the drift s, the variance of the gains for each update the noise V: of the
optimizer's whole steps, to all orders. Rewards before and after are means over the same prompts, drawn with the same
numbers, of the right tokens' probabilities on the answer's own way: their mean is the mean reward. V is the
covariance over copies of the gains on one half of the prompts and on the other, so that the prompts' own noise is
not in it.

From a stall at the reward z to the last rise of the mean field's drift, at z + L, a drift alone would take L/s
updates, noise alone, reflected at z, L²/V.

What is predicted, before it was measured: in the shallow stalls the drift at the predicted reward is positive by two
standard errors, and would carry a policy over to the rise sooner than noise alone, V < s·L: then noise is not what
leaves them, and the claim stall-escape does not explain it. If s is not positive and L²/V is at most 1,000, it does.
In the deep stall, at the end, s is within 5e-5, what 0.05 in 1,000 updates come to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from simulations.devices import single_thread
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer
from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.studies import DEEP, SHALLOW, Setting, token_gate

__all__ = ["SIZES", "STALLS", "Gains", "NoiseSize", "Stall", "copies_of", "gains", "jobs", "measure", "right_share"]


@dataclass(frozen=True)
class Stall:
    """A stall of the mean field with the mean of 10 answers as baseline.

    Attributes
    ----------
    setting : Setting
    reward, rise : float
        Where the drift falls through zero first, and where it rises for the last time.
    levels : tuple of float
        Rewards at which a policy is looked at, ascending; at the first that it does not reach, it is at the end.
    """

    setting: Setting
    reward: float
    rise: float
    levels: tuple[float, ...]


STALLS = (
    Stall(SHALLOW[0], 0.539, 0.628, (0.5, 0.54, 0.585)),
    Stall(SHALLOW[1], 0.568, 0.721, (0.53, 0.57, 0.645)),
    Stall(DEEP[0], 0.465, 0.748, (0.425, 0.465)),
)
_RECENT = 20
"""Batches whose mean reward a level is compared with."""
_PROMPTS_AT_ONCE = 500


@dataclass(frozen=True)
class NoiseSize:
    """What a preset measures.

    Attributes
    ----------
    seeds, copies, warm_up, steps, prompts : int
        Policies of each stall, copies of each, their updates before and between the comparisons, and the prompts on
        which rewards are compared.
    updates : int
        The most that a policy is trained.
    changes : mapping
        What is changed of the runs' settings.
    """

    seeds: int
    copies: int
    warm_up: int
    steps: int
    prompts: int
    updates: int = 1_000
    changes: Mapping[str, Any] = field(default_factory=dict)


SIZES: Mapping[str, NoiseSize] = MappingProxyType(
    {
        "smoke": NoiseSize(1, 3, 1, 2, 20, 30),
        "quick": NoiseSize(3, 10, 15, 30, 600),
        "paper": NoiseSize(10, 64, 20, 40, 4_000),
    }
)


@dataclass(frozen=True)
class Gains:
    """The gain of reward for each update; errors are standard errors.

    Attributes
    ----------
    drift, noise : float
        s and V.
    drift_error, noise_error : float
    """

    drift: float
    drift_error: float
    noise: float
    noise_error: float


def gains(gained: Tensor, steps: int) -> Gains:
    """Return drift and noise from what each copy gained on each prompt, (R, P), in so many updates.

    Copies and prompts are both a sample: the error of the drift has a part of each.

    Raises
    ------
    ValueError
        If there are fewer than three copies or four prompts.
    """
    R, P = gained.shape
    if R < 3 or P < 4:
        raise ValueError(f"gains need at least 3 copies and 4 prompts, got {R} and {P}")
    error = math.sqrt(float(gained.mean(1).var()) / R + float(gained.mean(0).var()) / P)
    halves = torch.stack([gained[:, 0::2].mean(1), gained[:, 1::2].mean(1)])
    (one, both), (_, other) = torch.cov(halves).tolist()
    noise_error = math.sqrt((one * other + both**2) / (R - 1))
    return Gains(float(gained.mean()) / steps, error / steps, both / steps, noise_error / steps)


def copies_of(run: ReversalSeeds, seeds: range) -> ReversalSeeds:
    """Return copies of a run of one seed, with the random streams of other seeds: parameters, optimizer, updates."""
    copies = ReversalSeeds([replace(run.config, seed=seed) for seed in seeds], run.device)

    def spread(each: Tensor) -> Tensor:
        return each.expand(len(seeds), *each.shape[1:]).clone() if each.ndim else each.clone()

    state = run.step.network.state_dict()
    copies.step.network.load_state_dict({name: spread(each) for name, each in state.items()})
    optimizer = run.step.optimizer.state_dict()
    moments = {
        place: {name: spread(each) for name, each in kept.items()} for place, kept in optimizer["state"].items()
    }
    copies.step.optimizer.load_state_dict({**optimizer, "state": moments})
    copies.update = run.update
    return copies


def right_share(network: StackedTransformer, prompts: Tensor, race: Tensor) -> Tensor:
    """Return the mean probability of the right tokens on an answer's own way, for each policy and prompt, (S, P).

    Its mean over prompts and draws is the mean reward.

    Parameters
    ----------
    network : StackedTransformer
    prompts : (P, H) int64 tensor
    race : (P, 1, H, M) tensor
        As :func:`~simulations.networks.stacked_answers.rollouts.log_race` draws it: the same for every policy.
    """
    S, shares = len(network), []
    size = max(1, _PROMPTS_AT_ONCE // S)
    for some, numbers in zip(prompts.split(size), race.split(size), strict=True):
        rollout = sample_side_by_side(network, some.expand(S, -1, -1), numbers.expand(S, *numbers.shape))
        wanted = rollout.prompts.flip(1).unsqueeze(-1)
        shares.append(rollout.log_policy.gather(-1, wanted).squeeze(-1).double().exp().mean(1).view(S, -1))
    return torch.cat(shares, 1)


def measure(stall: Stall, seed: int, size: NoiseSize, device: torch.device) -> pd.DataFrame:
    """Train one policy by the token gate and measure drift and noise at each level.

    Returns
    -------
    DataFrame
        One row a level that was reached, and one for the end if one was not: label, vocab_size, length, rate, seed,
        level, reached, update; reward and reward_error, of the copies before; drift, drift_error, noise, noise_error,
        of the mean reward for each update; copies, steps, prompts.
    """
    config = replace(token_gate(stall.setting), seed=seed, updates=size.updates, **size.changes)
    rows = []
    with single_thread():
        run = ReversalSeeds([config], device)
        for level in stall.levels:
            reached = _train_to(run, level)
            rows.append(_settings(config) | {"level": level, "reached": reached} | _at(run, size))
            if not reached:
                break
    return pd.DataFrame(rows)


def _settings(config: ReversalConfig) -> dict[str, Any]:
    names = ("label", "vocab_size", "length", "rate", "seed")
    return {name: getattr(config, name) for name in names}


def _train_to(run: ReversalSeeds, level: float) -> bool:
    """Train until the mean reward of the last batches is at a level, or to the end, and return which."""
    while run.update < run.config.updates:
        recent = run.rewards[-_RECENT:]
        if len(recent) == _RECENT and float(torch.stack(recent).mean()) >= level:
            return True
        run.train_batch()
    return False


def _at(run: ReversalSeeds, size: NoiseSize) -> dict[str, Any]:
    """Return what the copies of a policy gain."""
    config, first = run.config, 1_000 * (1 + run.config.seed)
    copies = copies_of(run, range(first, first + size.copies))
    generator = torch.Generator(run.device).manual_seed(config.streams()["evaluation"])
    prompts = torch.randint(config.vocab_size, (size.prompts, config.length), generator=generator, device=run.device)
    (race,) = log_race((size.prompts, 1, config.length, config.vocab_size), run.step.network, [generator])
    for _ in range(size.warm_up):
        copies.train_batch()
    before = right_share(copies.step.network, prompts, race)
    for _ in range(size.steps):
        copies.train_batch()
    found = gains(right_share(copies.step.network, prompts, race) - before, size.steps)
    rewards = {"reward": float(before.mean()), "reward_error": float(before.mean(0).std()) / math.sqrt(size.prompts)}
    sizes = {"copies": size.copies, "steps": size.steps, "prompts": size.prompts}
    return {"update": run.update} | rewards | vars(found) | sizes


def jobs(preset: str, device: torch.device) -> list[tuple[str, str, Callable[[], pd.DataFrame]]]:
    """Return the parts of a preset: a name, a few words, and what measures."""
    size = SIZES[preset]
    return [
        (f"stall-{place}-{seed:03d}", f"{stall.setting}, seed {seed}", partial(measure, stall, seed, size, device))
        for seed in range(size.seeds)
        for place, stall in enumerate(STALLS)
    ]
