"""Runs of token reversal that take a moment."""

from dataclasses import replace

import torch

from simulations.networks.sequence_scores import RULES_OF
from simulations.networks.transformer import Architecture
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal import training as reversal
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig

CPU = torch.device("cpu")
TINY = {
    "length": 3,
    "updates": 6,
    "eval_every": 3,
    "prompts": 3,
    "answers": 4,
    "eval_prompts": 20,
    "network": Architecture(width=8, heads=2, layers=1, feed_forward=8),
}
EVERY_METHOD = (
    *QUALITY_METHODS,
    ReversalConfig("token-gate", price=0.01, temperature=0.1),
    ReversalConfig("row-gate", price=0.0),
    *(ReversalConfig(f"{of}-gate", rate=0.2, rule=rule) for of in ("token", "row") for rule in RULES_OF[of]),
)


def tiny(config, **options):
    return replace(config, **(TINY | options))


def run(config, **options):
    return reversal.run_one(tiny(config, **options), CPU)[0]


def checkpoint_at(path):
    return CheckpointFile(path, seconds=0)
