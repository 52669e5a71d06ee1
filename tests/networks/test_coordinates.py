"""Mean and variance of single parameters: against autograd sample by sample, and against sampled batches."""

import numpy as np
import pytest
import torch

from kondo_theory.gate import select
from simulations.networks.coordinates import exact_coordinates, gated_coordinates
from simulations.networks.image_bandits import ImageBandits
from simulations.networks.jacobians import NetworkJacobian
from simulations.networks.mlp import PolicyMLP


@pytest.fixture(scope="module")
def tiny():
    """A network, its bandits on six images, and the gradient of every image and arm, (n, K, P), from autograd."""
    policy = PolicyMLP((5, 4, 3), seed=1).double()
    images = torch.rand(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    network = NetworkJacobian(policy, images)
    bandits = ImageBandits.of(network.logits, torch.arange(6) % 3)
    gradients = np.empty((6, 3, sum(each.numel() for each in policy.parameters())))
    for image in range(6):
        for arm in range(3):
            policy.zero_grad()
            (bandits.advantage[image, arm] * policy(images[image]).log_softmax(-1)[arm]).backward()
            gradients[image, arm] = torch.cat([each.grad.flatten() for each in policy.parameters()])
    return network, bandits, gradients


def test_moments_are_those_of_autograd(tiny):
    network, bandits, gradients = tiny
    rng = np.random.default_rng(3)
    first = rng.random((6, 3))
    second = first**2 + rng.random((6, 3))
    found = gated_coordinates(network, bandits, first, second)
    mass = bandits.policy[..., None] / 6
    mean = (mass * first[..., None] * gradients).sum((0, 1))
    raw = (mass * second[..., None] * gradients**2).sum((0, 1))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.variance, raw - mean**2, rtol=1e-10, atol=1e-14)


def test_exactly_k_is_that_of_sampled_batches_and_the_price_gate_is_not(tiny):
    network, bandits, gradients = tiny
    size, count, n_batches = 20, 4, 8_000
    rng = np.random.default_rng(4)
    mass = (bandits.policy / 6).ravel()
    drawn = rng.choice(18, p=mass / mass.sum(), size=(n_batches, size))
    kept = select(bandits.delight.ravel()[drawn], count / size, rng)
    batches = (kept[..., None] * gradients.reshape(18, -1)[drawn]).mean(1)
    found = exact_coordinates(network, bandits, bandits.delight, size, count)
    keep = bandits.kept(bandits.delight, count / size)
    price = gated_coordinates(network, bandits, keep, keep)
    errors = batches.std(0) / np.sqrt(n_batches)
    scale = np.abs(batches.mean(0)).max()
    assert np.all(np.abs(found.mean.numpy() - batches.mean(0)) < 4 * errors + 0.02 * scale)
    variance = size * batches.var(0)
    total = [float(each.variance.sum()) for each in (found, price)]
    assert total[0] == pytest.approx(variance.sum(), rel=0.03)
    assert total[1] != pytest.approx(variance.sum(), rel=0.06)
