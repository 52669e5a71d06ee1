"""Perceptrons side by side: their gradient against autograd's, their FLOPs against torch's counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from simulations.networks.mlp import PolicyMLP, StackedMLP

SEEDS = (0, 1, 2)


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
