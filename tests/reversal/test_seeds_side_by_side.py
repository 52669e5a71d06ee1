"""Seeds side by side against one run a seed, method by method: gradients, parameters and curves."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, tiny

from simulations.networks.transformer import Architecture
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.training import ReversalRun

SEEDS = (3, 0)
SMALL = {
    "network": Architecture(width=8, heads=2, layers=2, feed_forward=8),
    "learning_rate": 3e-2,  # the first steps take the policy far from uniform
    "eval_prompts": 10,
}
METHODS = (
    *QUALITY_METHODS,
    ReversalConfig("token-gate", price=0.01, temperature=0.1),
    ReversalConfig("token-gate", rate=0.1, temperature=0.1),
    ReversalConfig("token-gate", price=0.5),  # in some batches a seed keeps nothing
    ReversalConfig("token-gate", price=1e9),  # nobody keeps anything
    ReversalConfig("token-gate", rate=0.2, rule="entropy-band"),  # looks at a seed's whole batch
    ReversalConfig("row-gate", rate=0.2, rule="abs-advantage-entropy"),
    ReversalConfig("row-gate", rate=0.5, rule="max-variance"),  # looks at groups
    ReversalConfig("row-gate", rate=0.9),  # cheaper as whole trees
    ReversalConfig("row-gate", price=0.0, temperature=0.5),
    ReversalConfig("row-gate", rate=0.3, vocab_size=5, reward="prefix"),
    ReversalConfig("pmpo", epochs=2, reward="exact"),
    ReversalConfig("pg", length=1),
    ReversalConfig("pg", baseline="batch-mean", network=Architecture(final_norm=False)),
    ReversalConfig("dg", baseline="leave-one-out", network=Architecture(head="default")),
    ReversalConfig("row-gate", rate=0.3, reward="prefix", network=Architecture(final_norm=False, head="default")),
    ReversalConfig("ppo", epochs=2, divergence=0.5),
    ReversalConfig("pg", task="flip", reward="bag", vocab_size=4),
)


def configured(config, **options):
    last = {"final_norm": config.network.final_norm, "head": config.network.head}
    small = SMALL | {"network": replace(SMALL["network"], **last), "length": 1 if config.length == 1 else 3}
    return replace(tiny(config), **small | options)


def watched(run, n_updates):
    """Train in float64; the gradient of every update and the last parameters, each by name, and the evaluations."""
    network, found = run.step.network.double(), []
    names = [name.removeprefix("stacked.") for name, _ in network.named_parameters()]
    run.evaluate()
    for _ in range(n_updates):
        run.train_batch()
        found.append(dict(zip(names, [each.grad.clone() for each in network.parameters()], strict=True)))
    run.evaluate()
    found.append(dict(zip(names, [each.detach().clone() for each in network.parameters()], strict=True)))
    return found, run.rows


def one_by_one(config, seed, n_updates=3):
    found, rows = watched(ReversalRun(replace(config, seed=seed), CPU), n_updates)
    return found, pd.DataFrame(rows)


def side_by_side(config, seeds, n_updates=3, change=lambda run: None):
    run = ReversalSeeds([replace(config, seed=seed) for seed in seeds], CPU)
    change(run)
    found, rows = watched(run, n_updates)
    return [
        ([{name: each[place] for name, each in part.items()} for part in found], pd.DataFrame(rows[place]))
        for place in range(len(seeds))
    ]


def largest_difference(found, expected):
    pairs = zip(found, expected, strict=True)
    return max(float((part[name] - other[name]).abs().max()) for part, other in pairs for name in other)


@pytest.mark.parametrize("config", METHODS, ids=lambda config: f"{config.label}, {config.reward}, {config.length}")
def test_each_seed_is_the_run_that_it_would_be_alone(config):
    config = configured(config)
    for seed, (found, curve) in zip(SEEDS, side_by_side(config, SEEDS), strict=True):
        expected, expected_curve = one_by_one(config, seed)
        assert largest_difference(found, expected) < 1e-10
        pd.testing.assert_frame_equal(curve, expected_curve, rtol=1e-12)


@pytest.mark.parametrize("stream", ["prompts", "actions", "gate"])
def test_negative_control_anothers_draws_are_noticed(stream):
    config = configured(ReversalConfig("token-gate", price=0.0, temperature=1.0))

    def swap(run):
        run.generators[stream].reverse()  # the very list that the step draws from

    (found, _), _ = side_by_side(config, SEEDS, change=swap)
    assert largest_difference(found, one_by_one(config, SEEDS[0])[0]) > 1e-4


def test_negative_control_another_gate_is_noticed():
    config = configured(ReversalConfig("row-gate", rate=0.2))
    (found, _), _ = side_by_side(replace(config, rate=0.3), SEEDS)
    assert largest_difference(found, one_by_one(config, SEEDS[0])[0]) > 1e-4


@pytest.mark.parametrize(
    ("config", "change"),
    [
        (ReversalConfig("pg"), {"baseline": "batch-mean"}),
        (ReversalConfig("dg"), {"baseline": "leave-one-out"}),
        (ReversalConfig("ppo", epochs=2), {"divergence": 0.5}),
        (ReversalConfig("pg", network=Architecture(final_norm=False)), {"network": SMALL["network"]}),
        (ReversalConfig("pg", network=Architecture(head="default")), {"network": SMALL["network"]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_negative_control_another_protocol_is_noticed(config, change):
    config = configured(config)
    (found, _), _ = side_by_side(replace(config, **change), SEEDS)
    assert largest_difference(found, one_by_one(config, SEEDS[0])[0]) > 1e-4


def parameters_after_three_updates(config, seeds, seed):
    run = ReversalSeeds([replace(config, seed=each) for each in seeds], CPU)
    for _ in range(3):
        run.train_batch()
    return torch.cat([each[seeds.index(seed)].detach().flatten() for each in run.step.network.parameters()])


@pytest.mark.parametrize("config", [METHODS[0], METHODS[3]], ids=lambda config: config.label)
def test_where_rows_are_as_many_the_bytes_do_not_depend_on_who_trains_beside(config):
    """In float32, at the protocol's sizes, where a product of another shape may sum in another order."""
    alone, other = (parameters_after_three_updates(config, seeds, 4) for seeds in ((4,), (0, 4, 9)))
    assert torch.equal(alone, other)


@pytest.mark.parametrize("gate", [{"price": 0.0}, {"rate": 0.1}])
def test_where_they_are_not_the_company_changes_the_rounding_alone(gate):
    config = configured(ReversalConfig("token-gate", **gate), length=4, prompts=5)
    (alone, _), *_ = side_by_side(config, (4,))
    _, (other, _) = side_by_side(config, (0, 4))
    assert largest_difference(alone, other) < 1e-10
