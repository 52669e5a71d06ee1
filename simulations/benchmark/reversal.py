"""Speed of token reversal for ``kondo bench``: an update by method, seeds side by side, and ways of sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulations.benchmark.cases import BenchmarkRow, Case, one_threaded
from simulations.networks.rollouts import sample
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer
from simulations.networks.transformer import Transformer
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.training import ReversalRun

__all__ = ["cases", "targets"]

UPDATE, TRAINING, SAMPLING = (f"token reversal, {what}" for what in ("an update", "training alone", "sampling"))
SIDE_BY_SIDE, ONE_BY_ONE, ALONE = "side by side", "one by one", "one seed in a program of its own"
SHARED, OWN, UNCACHED = "cache, prompts read once", "cache, prompts read by every row", "no cache"
BEGUN = "a program of one seed, beginnings read with the prompts"
PROMISED = {"PG": ("≤ 26 on an idle core", "≤ 0.81"), "row gate(3 %)": ("≤ 10 on an idle core", "≤ 0.67")}
"""An update of one seed in a program of its own: milliseconds, and over a run's own, which takes 32 and 15."""


def cases(quick: bool) -> list[Case]:
    """Return the cases of ``kondo bench``: updates by method, and ways of sampling; ``quick`` makes them tiny."""
    small: dict[str, Any] = {"length": 3, "prompts": 2, "answers": 2} if quick else {}
    runs = [ReversalRun(replace(config, **small), torch.device("cpu")) for config in QUALITY_METHODS]
    updates = {state.config.label: (1, one_threaded(state.train_batch)) for state in runs}
    sampling = {name: (1, one_threaded(call)) for name, call in _samplers(runs[0]).items()}
    training = {state.config.label: (1, one_threaded(_training(state))) for state in runs if state.config.passes == 1}
    alone = [Case(UPDATE, "update", updates), Case(TRAINING, "batch", training), Case(SAMPLING, "batch", sampling)]
    return [*alone, *(_seeds(replace(config, **small), 2 if quick else 5) for config in QUALITY_METHODS)]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that are promised, from the rows of ``kondo bench``."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    gate, full = "row gate(3 %)", "PG"
    promises = (
        (UPDATE, gate, full, "≤ 0.55"),
        (TRAINING, gate, full, "≤ 0.2"),
        (SAMPLING, SHARED, UNCACHED, "not promised"),
        (SAMPLING, BEGUN, SHARED, "≤ 0.6"),
    )
    found = [
        (f"{case}: {over} / {under}", time_of[case, over] / time_of[case, under], required)
        for case, over, under, required in promises
    ]
    for config in QUALITY_METHODS:
        case = _seeds_name(config)
        gain = time_of[case, ONE_BY_ONE] / time_of[case, SIDE_BY_SIDE]
        required = "≥ 1.5" if config.label in PROMISED else "not promised"
        found.append((f"{case}: {ONE_BY_ONE} / {SIDE_BY_SIDE}", gain, required))
    for label, (milliseconds, share) in PROMISED.items():
        case = next(_seeds_name(config) for config in QUALITY_METHODS if config.label == label)
        found.append((f"{case}: {ALONE}, ms", time_of[case, ALONE] / 1e3, milliseconds))
        found.append((f"{case}: {ALONE} / {ONE_BY_ONE}", time_of[case, ALONE] / time_of[case, ONE_BY_ONE], share))
    return found


def _seeds_name(config: ReversalConfig) -> str:
    return f"token reversal, five seeds, {config.label}"


def _seeds(config: ReversalConfig, n_seeds: int) -> Case:
    """Return an update of several seeds: in one program, and each as a run of its own."""
    cpu = torch.device("cpu")
    configs = [replace(config, seed=seed) for seed in range(n_seeds)]
    runs = [ReversalRun(each, cpu) for each in configs]

    def in_turn() -> None:
        for run in runs:
            run.train_batch()

    variants = {
        SIDE_BY_SIDE: (n_seeds, one_threaded(ReversalSeeds(configs, cpu).train_batch)),
        ONE_BY_ONE: (n_seeds, one_threaded(in_turn)),
        ALONE: (1, one_threaded(ReversalSeeds(configs[:1], cpu).train_batch)),
    }
    return Case(_seeds_name(config), "seed-update", variants)


def _training(state: ReversalRun) -> Callable[[], None]:
    """Return the update of a batch that is drawn and screened beforehand, at a learning rate of 0."""
    run = ReversalRun(state.config, state.device)
    batch = run.screened_batch()
    run.step.optimizer.param_groups[0]["lr"] = 0.0
    return lambda: run.step.update(*batch)


def _samplers(state: ReversalRun) -> dict[str, Callable[[], object]]:
    policy, config, generator = state.step.policy, state.config, state.generators["actions"]
    prompts = torch.randint(
        config.vocab_size, (config.prompts, config.length), generator=generator, device=state.device
    )
    every = prompts.repeat_interleave(config.answers, 0)
    network, shape = StackedTransformer([policy]), (config.prompts, config.answers, config.length, config.vocab_size)
    return {
        SHARED: lambda: sample(policy, prompts, config.length, n_answers=config.answers, generator=generator),
        OWN: lambda: sample(policy, every, config.length, generator=generator),
        BEGUN: lambda: sample_side_by_side(network, prompts[None], log_race(shape, network, [generator])),
        UNCACHED: lambda: _sample_without_cache(policy, every, config.length, generator),
    }


@torch.no_grad()
def _sample_without_cache(policy: Transformer, tokens: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """Append ``length`` tokens to each row, (B, H + length), every one after a full forward pass."""
    for _ in range(length):
        probability = policy(tokens, 1)[:, 0].softmax(-1)
        tokens = torch.cat([tokens, torch.multinomial(probability, 1, generator=generator)], 1)
    return tokens
