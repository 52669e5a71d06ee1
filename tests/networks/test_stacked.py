"""Seeds side by side against one run a seed of the screened step, method by method; counts, memory, padding."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from mnist_images import mnist
from steps import Stacked
from waiting import Waits

from kondo_theory.gate import Gate, delight, gate_probability
from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.training import ScreenedStep, Screening
from simulations.mnist.config import MnistConfig
from simulations.mnist.training import SeedProgram
from simulations.networks import stacked
from simulations.networks.mlp import PolicyMLP
from simulations.randomness.seed_streams import SeedStreams

CPU = torch.device("cpu")
SEEDS = (0, 1, 2)
SMALL = {"batch_size": 40, "hidden": (16, 12), "dtype": "float64", "updates": 20}
RULED = [MnistConfig("screen", rule=rule, rate=0.1, **SMALL) for rule in SAMPLE_RULES]
METHODS = [
    MnistConfig("pg", **SMALL),
    MnistConfig("dg", temperature=0.5, **SMALL),
    MnistConfig("dg-k", rate=0.01, **SMALL),
    MnistConfig("dg-k", rate=0.1, **SMALL),
    MnistConfig("dg-k", rate=0.8, **SMALL),
    MnistConfig("zero-price", **SMALL),
    MnistConfig("gate", price=0.05, temperature=0.3, **SMALL),
    MnistConfig("gate", price=-0.5, **SMALL),
    MnistConfig("gate", price=1e9, **SMALL),
    MnistConfig("cross-entropy", **SMALL),
    MnistConfig("screen", rule="additive", alpha=0.9, rate=0.1, **SMALL),
    *RULED,
]


@pytest.fixture(scope="module")
def data():
    return mnist()


def stacked_run(config, data, n_updates=20, seeds=SEEDS, swap_draws=False):
    """Masks (a list of (S, B) or None) and final parameters, one list of tensors a seed, of the stacked program."""
    program = SeedProgram([replace(config, seed=seed) for seed in seeds], data, CPU)
    if swap_draws:
        streams = [replace(config, seed=seed).streams() for seed in reversed(seeds)]
        program.streams = SeedStreams(streams, len(program.train_images), config.batch_size, CPU)
    masks, update = [], program.step.update

    def spy(screening, actions, coefficient, selection):
        masks.append(None if selection is None else selection.keep)
        update(screening, actions, coefficient, selection)

    program.step.update = spy
    for _ in range(n_updates):
        program.update()
    return masks, [list(program.step.network.policy(i).parameters()) for i in range(len(seeds))], program


def oracle_run(config, data, n_updates=20):
    """The same for one seed: ScreenedStep on a PolicyMLP, plain Adam, a generator's call for every update."""
    seeds = config.streams()
    generators = {name: torch.Generator().manual_seed(seed) for name, seed in seeds.items()}
    policy = PolicyMLP((784, *config.hidden, 10), seed=seeds["initialisation"]).to(torch.float64)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
    step = ScreenedStep(policy, optimizer, config.gate, gate_generator=generators["gate"])
    masks = []
    for _ in range(n_updates):
        index = torch.randint(60_000, (config.batch_size,), generator=generators["minibatches"]).numpy()
        pixels = torch.from_numpy(data.train_images[index].reshape(-1, 784) / 255)
        labels = torch.from_numpy(data.train_labels[index].astype(np.int64))
        with torch.no_grad():
            log_policy = policy(pixels).log_softmax(-1)
        pi = log_policy.exp().numpy()
        uniforms = torch.rand(config.batch_size, generator=generators["actions"], dtype=torch.float64).numpy()
        actions = torch.tensor([min(9, np.searchsorted(np.cumsum(p), u, "right")) for p, u in zip(pi, uniforms)])  # noqa: B905
        advantage = (actions == labels).to(torch.float64) - torch.from_numpy((pi**2).sum(-1))
        weight = score = None
        if config.method == "cross-entropy":
            actions, advantage = labels, torch.ones_like(advantage)
        surprisal = -log_policy[torch.arange(len(actions)), actions]
        if config.method == "dg":
            weight = gate_probability(delight(advantage, surprisal), 0.0, config.temperature)
        if config.rule is not None:
            entropy = -(pi * log_policy.numpy()).sum(-1)
            parameters = {} if config.alpha is None else {"alpha": config.alpha}
            values = SAMPLE_RULES[config.rule](advantage.numpy(), surprisal.numpy(), entropy, **parameters)
            score = torch.from_numpy(np.asarray(values))
        screening = Screening(actions, surprisal)
        masks.append(step.update(pixels, screening, advantage, score=score, weight=weight))
    return masks, list(policy.parameters()), step.counts


def largest_difference(found, expected):
    return max(float((f - e).detach().abs().max()) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_each_seed_is_the_run_that_it_would_be_alone(data, config):
    masks, parameters, program = stacked_run(config, data)
    for place, seed in enumerate(SEEDS):
        expected_masks, expected, counts = oracle_run(replace(config, seed=seed), data)
        if config.gate is not None:
            assert torch.equal(torch.stack([mask[place] for mask in masks]), torch.stack(expected_masks))
        assert largest_difference(parameters[place], expected) < 1e-10
        assert program.step.counts.forward_samples == counts.forward_samples
        assert int(program.step.counts.backward_samples[place]) == counts.backward_samples


@pytest.mark.parametrize("config", METHODS[:4], ids=lambda config: config.label)
def test_negative_control_another_seeds_draws_are_noticed(data, config):
    _, parameters, _ = stacked_run(config, data, swap_draws=True)
    _, expected, _ = oracle_run(replace(config, seed=SEEDS[0]), data)
    assert largest_difference(parameters[0], expected) > 1e-4


def test_negative_control_another_gate_is_noticed(data):
    config = MnistConfig("dg-k", rate=0.1, **SMALL)
    _, expected, _ = oracle_run(config, data)
    for other in (replace(config, rate=0.125), MnistConfig("screen", rule="advantage", rate=0.1, **SMALL)):
        assert largest_difference(stacked_run(other, data)[1][0], expected) > 1e-4


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_a_program_makes_no_tensor_on_the_default_device(data, config):
    """Under a meta default device a tensor made without a device has no values: the parameters would differ."""
    _, expected, _ = stacked_run(config, data, n_updates=3)
    with torch.device("meta"):
        _, found, program = stacked_run(config, data, n_updates=3)
        program.evaluate()
    assert all(largest_difference(f, e) == 0 for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("small", [True, False])
def test_what_is_kept_for_the_backward_pass_falls_with_the_rate(data, monkeypatch, small):
    """Numbers in the inputs of the layers that the backward pass reads, against those of the full step."""
    monkeypatch.setattr(stacked, "KEPT_BYTES", 100 * (100 + 100) * 4 - (not small))

    def held(config):
        program = SeedProgram([config], data, CPU)
        sizes, backward = [], program.step.network.backward

        def spy(inputs, gradient):
            sizes.append(sum(tensor.numel() for tensor in inputs))
            backward(inputs, gradient)

        program.step.network.backward = spy
        program.update()
        return sizes[0]

    full = held(MnistConfig("pg"))
    for rate in (0.01, 0.03, 0.1, 0.3):
        config = MnistConfig("dg-k", rate=rate)
        program = SeedProgram([config], data, CPU)
        inputs = program.step.act(program._pixels(program.train_images[None, :100])).inputs
        assert (inputs is not None) == small
        assert held(config) == pytest.approx(rate * full)


def test_small_activations_are_freed_before_the_backward_pass(data):
    """Not only do the gathered rows go in: the whole batch's activations are gone by then."""
    program = SeedProgram([MnistConfig("dg-k", rate=0.03)], data, CPU)
    network, alive = program.step.network, []
    forward, backward = network.forward, network.backward

    def watched(observations, inputs=None):
        logits = forward(observations, inputs)
        alive.extend(weakref.ref(each) for each in (inputs or [])[1:])
        return logits

    def spy(inputs, gradient):
        assert alive
        assert not any(ref() is not None for ref in alive)
        backward(inputs, gradient)

    network.forward, network.backward = watched, spy
    program.update()


@pytest.mark.parametrize("config", [m for m in METHODS[2:] if m.gate is not None], ids=lambda config: config.label)
def test_the_gradient_does_not_depend_on_whether_activations_were_kept(data, monkeypatch, config):
    """Small activations are kept, and those of a batch that most of will need; FLOPs are of what was done."""
    gradients, flops = [], []
    for most, share in ((0, 0.0), (0, 1.0), (2**24, 0.0)):
        monkeypatch.setattr(stacked, "KEPT_BYTES", most)
        program = SeedProgram([replace(config, seed=seed) for seed in SEEDS], data, CPU)
        program.step._last_share = share
        program.update()
        gradients.append([parameter.grad for parameter in program.step.network.parameters()])
        flops.append(program.step.counts.flops)
    assert largest_difference(gradients[0], gradients[1]) < 1e-14
    assert largest_difference(gradients[0], gradients[2]) < 1e-14
    assert torch.equal(flops[1], flops[2])
    network, kept = program.step.network, program.step.counts.backward_samples
    screening = config.batch_size * network.forward_flops
    assert torch.equal(flops[2], screening + kept * network.backward_flops)
    most_of_it = config.batch_size * network.backward_flops
    again = (kept * (network.forward_flops + network.backward_flops)).clamp(max=most_of_it)
    assert torch.equal(flops[0], screening + again)


@pytest.mark.parametrize("small", [True, False], ids=["activations kept", "two passes"])
def test_a_soft_gate_at_a_rate_backpropagates_all_that_it_draws(monkeypatch, small):
    """It draws how many are kept: in some update of each seed more than the rate's share."""
    monkeypatch.setattr(stacked, "KEPT_BYTES", 2**24 * small)
    driver = Stacked(Gate(rate=0.25, temperature=0.5))
    most = 0
    for _ in range(5):
        policies = [driver.network.policy(seed) for seed in (0, 1)]
        advantage = driver.screen()
        keep = driver.update(advantage).view(2, -1)
        most = max(most, int(keep.sum(-1).max()))
        for place, policy in enumerate(policies):
            log_prob = (
                policy(driver.observations[place]).log_softmax(-1).gather(1, driver.actions[place, :, None])[:, 0]
            )
            loss = -(keep[place] * advantage.view(2, -1)[place] * log_prob).mean()
            expected = torch.autograd.grad(loss, policy.layers[0].weight)[0].T
            torch.testing.assert_close(driver.network.weights[0].grad[place], expected, rtol=1e-10, atol=1e-12)
    assert most > 0.25 * keep.shape[1], "negative control: as many places as the rate's share are too few"


def test_counts_and_screenings_read_in_one_line():
    driver = Stacked(Gate(rate=0.25))
    driver.update(driver.screen())
    counts = "StackedCounts(updates=1, forward_samples=20, backward_samples=(2,), flops=(2,), invalid_samples=0, "
    assert repr(driver.step.counts).startswith(counts)
    driver.screen()
    shapes = "observations=(2, 20, 6), log_policy=(2, 20, 4), inputs=[(2, 20, 6), (2, 20, 8)]"
    assert repr(driver.screening) == f"StackedScreening({shapes})"


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_an_update_waits_for_no_gpu(data, config):
    """Only a gate at a price, whose number kept varies, reads one value: the width of the backward pass."""
    program = SeedProgram([replace(config, seed=seed) for seed in SEEDS], data, CPU)
    program.step.quick = False  # a CPU is looked at, which costs nothing
    program.update()
    with Waits() as waits:
        program.update()
    varying = config.gate is not None and config.gate.rate is None
    assert waits.seen == (["_local_scalar_dense"] if varying else [])


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_fewer_operations_are_the_same_update_bit_by_bit(data, config):
    programs = [SeedProgram([replace(config, seed=seed) for seed in SEEDS], data, CPU) for _ in range(2)]
    programs[0].step.quick = False
    for program in programs:
        for _ in range(5):
            program.update()
    for mine, reference in zip(*(program.step.network.parameters() for program in programs), strict=True):
        assert torch.equal(mine, reference)


def test_negative_control_a_wait_is_seen():
    mask = torch.tensor([True, False])
    for wait in (lambda: int(mask.sum()), lambda: mask.nonzero(), lambda: torch.zeros(2)[mask]):
        with Waits() as waits:
            wait()
        assert len(waits.seen) >= 1
