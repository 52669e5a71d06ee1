"""Seeds side by side against one run a seed of the screened step, method by method; counts, memory, padding."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kondo_theory.gate import delight, gate_probability
from kondo_theory.screening import RULES
from kondo_theory.training import ScreenedStep, Screening
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import load_mnist
from simulations.mnist.training import SeedProgram
from simulations.networks import stacked
from simulations.networks.mlp import PolicyMLP, StackedMLP
from simulations.randomness.seed_streams import SeedStreams, draw_actions

CPU = torch.device("cpu")
SEEDS = (0, 1, 2)
SMALL = {"batch_size": 40, "hidden": (16, 12), "dtype": "float64", "updates": 20}
RULED = [MnistConfig("screen", rule=rule, rate=0.1, **SMALL) for rule in RULES]
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
    return load_mnist()


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
            values = RULES[config.rule](advantage.numpy(), surprisal.numpy(), entropy, **parameters)
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


def test_the_stacked_gradient_is_autograds():
    network = StackedMLP([PolicyMLP((7, 6, 5, 4), seed=seed).to(torch.float64) for seed in SEEDS])
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(3, 11, 7, generator=generator, dtype=torch.float64)
    logit_gradient = torch.randn(3, 11, 4, generator=generator, dtype=torch.float64)
    inputs = []
    logits = network.forward(observations, inputs)
    network.backward(inputs, logit_gradient)
    for place in range(3):
        policy = network.policy(place)
        expected = policy(observations[place])
        assert torch.allclose(logits[place], expected, rtol=0, atol=1e-14)
        expected.backward(logit_gradient[place])
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            assert torch.allclose(weight.grad[place].T, policy.layers[layer].weight.grad, rtol=0, atol=1e-13)
            assert torch.allclose(bias.grad[place, 0], policy.layers[layer].bias.grad, rtol=0, atol=1e-13)


def test_flops_are_those_that_the_counter_sees():
    policy = PolicyMLP(seed=0)
    network = StackedMLP([policy])
    with FlopCounterMode(display=False) as forward:
        logits = policy(torch.rand(3, 784))
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    assert network.forward_flops == forward.get_total_flops() / 3
    assert network.backward_flops == backward.get_total_flops() / 3


def test_policies_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="of one shape, got the shapes"):
        StackedMLP([PolicyMLP((4, 3), seed=0), PolicyMLP((4, 2), seed=0)])
    with pytest.raises(ValueError, match="at least one"):
        StackedMLP([])


def test_actions_follow_the_policy():
    """Frequencies within 4 standard errors; a policy in another order is more than 4 away."""
    policy = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    n = 40_000
    uniforms = torch.rand(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = torch.bincount(draw_actions(policy.expand(n, -1), uniforms), minlength=4) / n
    error = (policy * (1 - policy) / n).sqrt()
    assert ((share - policy).abs() < 4 * error).all()
    assert ((share - policy.flip(0)).abs() > 4 * error).all()
    low = torch.tensor([[0.4, 0.3, 0.2]])  # rounding left a gap at the top
    assert draw_actions(low, torch.tensor([0.99])).tolist() == [2]
    assert draw_actions(torch.tensor([[0.0, 1.0]]), torch.tensor([0.0])).tolist() == [1], "no action of probability 0"


def test_streams_continue_where_they_stood():
    seeds = [MnistConfig("pg", seed=seed).streams() for seed in SEEDS]
    one, other = (SeedStreams(seeds, 1000, 3_000, CPU) for _ in range(2))  # three updates a block
    for _ in range(4):
        one.next()
    other.restore(one.state())
    for _ in range(5):
        for mine, theirs in zip(one.next(), other.next(), strict=True):
            assert torch.equal(mine, theirs)
    assert not torch.equal(one.next().images, one.next().images)


def test_streams_of_seeds_are_their_own():
    draws = SeedStreams([MnistConfig("pg", seed=seed).streams() for seed in SEEDS], 60_000, 100, CPU).next()
    for numbers in draws:
        assert not torch.equal(numbers[0], numbers[1])
    assert not torch.equal(draws.actions, draws.gate)


class Waits(TorchDispatchMode):
    """Counts what would make the host wait for a GPU: values read, and shapes that depend on values."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_") and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in args[1]
        )
        if name in self.NAMES or masked:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_an_update_waits_for_no_gpu(data, config):
    """Only a gate at a price, whose number kept varies, reads one value: the width of the backward pass."""
    program = SeedProgram([replace(config, seed=seed) for seed in SEEDS], data, CPU)
    program.update()
    with Waits() as waits:
        program.update()
    varying = config.gate is not None and config.gate.rate is None
    assert waits.seen == (["_local_scalar_dense"] if varying else [])


def test_negative_control_a_wait_is_seen():
    mask = torch.tensor([True, False])
    for wait in (lambda: int(mask.sum()), lambda: mask.nonzero(), lambda: torch.zeros(2)[mask]):
        with Waits() as waits:
            wait()
        assert len(waits.seen) >= 1
