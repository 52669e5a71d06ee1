"""Seeds side by side against one run a seed, method by method: gradient, parameters, curves, whoever trains beside."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, EVERY_METHOD, tiny

from simulations.networks.transformer import Architecture
from simulations.reversal import seeds as side_by_side
from simulations.reversal.config import ReversalConfig
from simulations.reversal.seeds import ReversalSeeds
from simulations.reversal.training import ReversalRun

SEEDS = (3, 0, 8)
SMALL = {"network": Architecture(width=8, heads=2, layers=2, feed_forward=8), "learning_rate": 3e-2, "updates": 4}
METHODS = (
    *EVERY_METHOD,
    ReversalConfig("row-gate", price=0.0, temperature=0.5),
    ReversalConfig("token-gate", price=1e9),
    ReversalConfig("token-gate", price=0.5),  # 0.5: many batches in which a seed keeps nothing
    ReversalConfig("pmpo", epochs=3, reward="exact"),
    ReversalConfig("pg", length=1),
    ReversalConfig("row-gate", rate=0.3, vocab_size=5, reward="prefix"),
)


def configured(config, **options):
    return replace(tiny(config), **{"length": config.length if config.length == 1 else 3, **SMALL, **options})


def double(run):
    """The run in float64, its head away from zero so that no two answers are alike."""
    network = run.step.network.double()
    return network


def one_by_one(config, seed, n_updates=4):
    """Gradients of every update, parameters and the curve of one seed's own run."""
    run = ReversalRun(replace(config, seed=seed), CPU)
    double(run)
    return watched(run, run.step.network, n_updates), pd.DataFrame(run.rows)


def together(config, seeds, n_updates=4):
    """The same of each seed in one program."""
    run = ReversalSeeds([replace(config, seed=seed) for seed in seeds], CPU)
    double(run)
    found = watched(run, run.step.network, n_updates)
    return [[{name: each[place] for name, each in part.items()} for part in found] for place in range(len(seeds))], [
        pd.DataFrame(rows) for rows in run.rows
    ]


def watched(run, network, n_updates):
    found = []
    run.evaluate()
    for _ in range(n_updates):
        run.train_batch()
        names = [name.removeprefix("stacked.") for name, _ in network.named_parameters()]
        found.append(
            {name: each.grad.clone() for name, each in zip(names, network.parameters(), strict=True)}
        )
    run.evaluate()
    found.append({name: each.detach().clone() for name, each in zip(names, network.parameters(), strict=True)})
    return found


def largest_difference(found, expected):
    return max(
        float((part[name] - other[name]).abs().max())
        for part, other in zip(found, expected, strict=True)
        for name in other
    )


@pytest.mark.parametrize("config", METHODS, ids=lambda config: f"{config.label}, {config.reward}, {config.length}")
def test_each_seed_is_the_run_that_it_would_be_alone(config):
    config = configured(config)
    found, curves = together(config, SEEDS)
    for place, seed in enumerate(SEEDS):
        expected, curve = one_by_one(config, seed)
        assert largest_difference(found[place], expected) < 1e-10
        pd.testing.assert_frame_equal(curves[place], curve, rtol=1e-12)
