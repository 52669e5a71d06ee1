"""Mean and variance of every single parameter's gradient under a gate: what Adam sees of it.

A linear layer with input h and back-propagated error δ has the weight gradient δhᵀ, whose squares are δ²(h²)ᵀ: of n
images and K arms, weighted by π_a c₂, they are one matrix product a layer.

Source: this project.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import beta
from torch import Tensor

from simulations.networks.image_bandits import FloatArray, ImageBandits
from simulations.networks.jacobians import NetworkJacobian

__all__ = ["Coordinates", "exact_coordinates", "gated_coordinates"]

_RANKS = 16  # of the best sample that is dropped: midpoints of equal shares of its law


class Coordinates(NamedTuple):
    """Mean of each parameter's gradient, and its variance times B, (P,) tensors in float64."""

    mean: Tensor
    variance: Tensor


def gated_coordinates(
    network: NetworkJacobian, bandits: ImageBandits, first: FloatArray, second: FloatArray
) -> Coordinates:
    """Return the coordinates of ΣwUJᵀφ/B where samples are weighed independently of each other.

    Parameters
    ----------
    network : NetworkJacobian
    bandits : ImageBandits
        Of the network's logits.
    first, second : (n, K) array
        E[w | x, a] and E[w² | x, a].
    """
    mean, raw = _moments(network, bandits, first, second)
    return Coordinates(mean, (raw - mean**2).clamp(min=0))


def exact_coordinates(
    network: NetworkJacobian, bandits: ImageBandits, score: FloatArray, batch_size: int, n_kept: int
) -> Coordinates:
    """Return those of the best k of B by a score (n, K), divided by B.

    Given the rank V ~ Beta(k+1, B−k) of the best sample that is dropped, the kept are k independent draws of the best
    share V; see :mod:`kondo_theory.geometry.normalised`. The law of V is taken at 16 ranks.
    """
    shares = beta(n_kept + 1, batch_size - n_kept).ppf((np.arange(_RANKS) + 0.5) / _RANKS)
    means, noise = [], torch.zeros(())
    for share in shares:
        keep = bandits.kept(score, float(share))
        mean, raw = _moments(network, bandits, keep, keep)
        means.append(mean / share)
        noise = noise + (raw / share - (mean / share) ** 2).clamp(min=0) / _RANKS
    each = torch.stack(means)
    part = n_kept / batch_size
    return Coordinates(part * each.mean(0), part * (noise + n_kept * each.var(0, correction=0)))


@torch.no_grad()
def _moments(
    network: NetworkJacobian, bandits: ImageBandits, first: FloatArray, second: FloatArray
) -> tuple[Tensor, Tensor]:
    """Return E g and E g² of one sample, each (P,)."""
    dtype = network.logits.dtype
    mean = network.mean_gradient(torch.as_tensor(bandits.coefficients(first)[None]).to(dtype))[0]
    policy = torch.as_tensor(bandits.policy).to(dtype)
    mass = torch.as_tensor(bandits.policy * second * bandits.advantage**2).to(dtype)
    scores = torch.eye(policy.shape[1], dtype=dtype)[:, None, :] - policy
    return mean.double(), network.mean_square(scores, mass).double()
