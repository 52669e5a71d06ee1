"""One update in float32 on every device of this machine against float64 on the CPU, from the same draws.

On a machine with a GPU the same tests run there too. The tolerance is that of docs/devices.md.
"""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from mnist_images import mnist

from kondo_theory.gate import Gate
from simulations.devices import clock, describe
from simulations.mnist.config import MnistConfig
from simulations.mnist.screeners import Int8
from simulations.mnist.screeners import _product as int8_product
from simulations.mnist.screeners import _quantised as quantised
from simulations.mnist.training import SeedProgram
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.sequence_step import SequenceStep
from simulations.networks.transformer import Architecture, Transformer
from simulations.randomness.seed_streams import Draws
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal.config import ReversalConfig
from simulations.reversal.objectives import group_advantage, points
from simulations.reversal.training import ReversalRun, objective, run_one

CPU = torch.device("cpu")
DEVICES = [CPU, *([torch.device("cuda")] if torch.cuda.is_available() else [])]
TOLERANCE = 1e-4
"""Largest difference of a gradient over its largest entry; docs/devices.md states it."""

METHODS = (
    MnistConfig("pg"),
    MnistConfig("dg"),
    MnistConfig("dg-k", rate=0.03),
    MnistConfig("zero-price"),
    MnistConfig("gate", price=0.1, temperature=0.5),
    MnistConfig("screen", rule="surprisal", rate=0.1),
    MnistConfig("cross-entropy"),
)


@pytest.fixture(scope="module")
def data():
    return mnist()


def distance(found, expected):
    gaps = [
        (mine.double().cpu() - theirs.double()).abs().max() / theirs.abs().max()
        for mine, theirs in zip(found, expected, strict=True)
    ]
    return float(max(gaps))


def gradient(config, data, device, draws):
    """Return the gradient of an update of two seeds, and which samples were counted as kept."""
    program = SeedProgram([replace(config, seed=seed) for seed in (0, 1)], data, device)
    program.streams.next = lambda: Draws(*(numbers.to(device) for numbers in draws))
    program.update()
    return [parameter.grad for parameter in program.step.network.parameters()]


def draws_of(config, data):
    seeds = [replace(config, seed=seed) for seed in (0, 1)]
    return SeedProgram(seeds, data, CPU).streams.next()


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_an_update_on_mnist_agrees_with_float64(data, config, device):
    draws = draws_of(config, data)
    expected = gradient(replace(config, dtype="float64"), data, CPU, draws)
    assert distance(gradient(config, data, device, draws), expected) < TOLERANCE


def test_negative_control_shorter_mantissas_miss_the_tolerance(data):
    """bfloat16 has two bits less than TF32; TF32 itself is to be had on a GPU alone."""
    config = MnistConfig("pg")
    draws = draws_of(config, data)
    expected = gradient(replace(config, dtype="float64"), data, CPU, draws)
    assert distance(gradient(replace(config, dtype="bfloat16"), data, CPU, draws), expected) > 10 * TOLERANCE


REVERSAL = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("token-gate", rate=0.03),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("ppo"),
    ReversalConfig("pmpo"),
)


def reversal_gradient(config, device, dtype, rollout):
    """Return the gradient of one update on a given rollout, and what the gate kept."""
    policy = Transformer(2, 19, seed=0)
    torch.nn.init.normal_(policy.head.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    policy.to(device, dtype)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.0)
    step = SequenceStep(policy, optimizer, config.gate, granularity=config.granularity, rule=config.rule)
    part = Rollout(rollout.tokens.to(device), rollout.log_policy.to(device, dtype))
    point = points(part.prompts, part.answers, "fraction")
    advantage = group_advantage(point, 10, 10, dtype)
    coefficient, loss = objective(config, part, advantage)
    selection = step.select(part, advantage)
    step.update(part, coefficient, selection, loss)
    return [parameter.grad for parameter in policy.parameters()], selection.keep.cpu()


@pytest.fixture(scope="module")
def rollout():
    policy = Transformer(2, 19, seed=0)
    torch.nn.init.normal_(policy.head.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    prompts = torch.randint(2, (10, 10), generator=generator)
    return sample(policy.double(), prompts, 10, n_answers=10, generator=generator)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("config", REVERSAL, ids=lambda config: config.label)
def test_an_update_on_token_reversal_agrees_with_float64(config, device, rollout):
    expected, kept = reversal_gradient(config, CPU, torch.float64, rollout)
    for dtype, tolerance in ((torch.float32, TOLERANCE), (torch.float64, 1e-10)):
        found, mine = reversal_gradient(config, device, dtype, rollout)
        assert torch.equal(kept, mine)
        assert distance(found, expected) < tolerance


def test_negative_control_another_gate_misses_the_tolerance(rollout):
    config = ReversalConfig("row-gate", rate=0.03)
    expected, _ = reversal_gradient(config, CPU, torch.float64, rollout)
    found, _ = reversal_gradient(replace(config, rate=0.04), CPU, torch.float32, rollout)
    assert distance(found, expected) > 10 * TOLERANCE


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("config", REVERSAL, ids=lambda config: config.label)
def test_a_run_that_was_cut_off_goes_on_to_the_same_curve(config, device, tmp_path, monkeypatch):
    small = {"length": 3, "prompts": 3, "answers": 4, "eval_prompts": 20, "eval_every": 3, "updates": 9}
    config = replace(config, network=Architecture(8, 2, 1, 8), **small)
    whole, _ = run_one(config, device)
    half = ReversalRun(config, device)
    half.evaluate()
    for _ in range(6):
        half.train_batch()
        if half.update % 3 == 0:
            half.evaluate()
    checkpoint, train, batches = CheckpointFile(tmp_path / "run.pt", seconds=0), ReversalRun.train_batch, []
    half.save(checkpoint)
    monkeypatch.setattr(ReversalRun, "train_batch", lambda run: (batches.append(run.update), train(run)))
    pd.testing.assert_frame_equal(whole, run_one(config, device, checkpoint)[0], check_exact=True)
    assert batches == [6, 7, 8]


def sampled_bits(device, bias):
    """Draw 40,000 answers on a device; return for every token how far ones are from their probability, in SE."""
    policy = Transformer(2, 3, seed=0)
    torch.nn.init.normal_(policy.head.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    prompts = torch.tensor([[0, 1], [1, 1]], device=device)
    drawn = sample(policy.to(device), prompts, 2, n_answers=20_000, generator=torch.Generator(device).manual_seed(4))
    probability = drawn.log_policy[..., 1].double().exp() + bias
    ones = (drawn.answers == 1).double()
    return ((ones - probability).sum(0) / (probability * (1 - probability)).sum(0).sqrt()).cpu()


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_answers_follow_the_policy_and_the_cache_changes_nothing(device):
    assert sampled_bits(device, 0.0).abs().max() < 4.5  # standard errors
    assert sampled_bits(device, 0.03).abs().max() > 4.5, "negative control"
    policy = Transformer(2, 19, seed=0)
    torch.nn.init.normal_(policy.head.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    prompts = torch.randint(2, (10, 10), generator=torch.Generator().manual_seed(2)).to(device)
    drawn = sample(policy.to(device), prompts, 10, n_answers=10, generator=torch.Generator(device).manual_seed(3))
    with torch.no_grad():
        full = policy(drawn.tokens[:, :-1], 10).log_softmax(-1)
    torch.testing.assert_close(drawn.log_policy, full, rtol=0, atol=1e-5)


def coarser(values, axis):
    """Sixteen times fewer integers."""
    integers, scale = quantised(values, axis)
    return (integers // 16) * 16, scale


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_the_int8_screener_is_that_of_float64_but_for_ties(data, device, monkeypatch):
    """Products of integers are exact. A value halfway between two integers may be rounded either way."""
    config = MnistConfig("dg-k", rate=0.03, batch_size=2_000)
    precise = SeedProgram([replace(config, dtype="float64")], data, CPU)
    program = SeedProgram([config], data, device)
    pixels = precise.batch()[2]
    expected = Int8().log_policy(precise.step.network, pixels)
    single = pixels.to(device, torch.float32)

    def gaps(found):
        return (found.double().cpu() - expected).abs().amax(-1) / expected.abs().max()

    found = gaps(Int8().log_policy(program.step.network, single))
    assert (found > 1e-5).double().mean() < 0.15
    assert found.max() < 2e-3, "one integer up or down"
    exact = gaps(program.step.network.log_policy(single))
    assert (exact > 1e-5).double().mean() > 0.9, "negative control: not quantised"
    with monkeypatch.context() as patch:
        patch.setattr("simulations.mnist.screeners._quantised", coarser)
        assert gaps(Int8().log_policy(program.step.network, single)).max() > 2e-3, "negative control: fewer integers"


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize(
    "sizes", [(1, 5, 3), (17, 33, 65), (64, 64, 64), (100, 784, 100), (100, 100, 100), (256, 64, 40)], ids=str
)
def test_products_of_int8_are_exact_whatever_their_size(sizes, device):
    (batch, inner, width), generator = sizes, torch.Generator().manual_seed(0)
    rows = torch.randint(-127, 128, (batch, inner), generator=generator, dtype=torch.int8)
    columns = torch.randint(-127, 128, (inner, width), generator=generator, dtype=torch.int8)
    assert torch.equal(int8_product(rows.to(device), columns.to(device)).cpu().long(), rows.long() @ columns.long())


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_a_gate_keeps_the_same_samples_on_every_device(device):
    score = torch.randn(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for gate in (Gate(rate=0.03), Gate(price=0.0), Gate(price=0.5)):
        assert torch.equal(gate(score.to(device)).cpu(), gate(score)), gate


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_the_clock_moves_and_says_what_it_counts(device):
    now, what = clock(device)
    before = now()
    torch.ones(512, 512, device=device).matmul(torch.ones(512, 512, device=device))
    assert now() > before
    assert what == ("CPU seconds" if device.type == "cpu" else "seconds, synchronised")
    assert describe(device).startswith(f"{device.type}: ")
