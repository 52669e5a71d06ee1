"""A screener held against exact delight: what it keeps, what exact delight would keep, and what the theory says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kondo_theory.approximate import noisy_keep, top_rate_recall
from kondo_theory.gate import delight, kept_count
from simulations.mnist.screeners import NoisyDelight, Screener
from simulations.mnist.training import confidence_advantage
from simulations.networks.mlp import StackedMLP
from simulations.randomness.seed_streams import draw_actions

__all__ = ["RATE", "Probe", "delight_of"]

RATE = 0.03
"""Of the top of delight whose recall is measured, whatever the gate of the training."""


class Probe:
    """Images on which a screener is held against exact delight, drawn anew at every look.

    Parameters
    ----------
    images : (n, 784) tensor of uint8
    labels : (n,) tensor of int64
    seed : int
        Of the images and the actions; probes with one seed see the same images and uniforms.
    size : int
        Images a look.
    draws : int
        Draws of the noise, where delight is noisy.
    """

    def __init__(self, images: Tensor, labels: Tensor, seed: int, size: int = 2_000, draws: int = 20) -> None:
        self.images, self.labels, self.size, self.draws = images, labels, size, draws
        self._generator = torch.Generator(images.device).manual_seed(seed)

    def look(self, network: StackedMLP, screener: Screener) -> list[dict[str, float]]:
        """Return, of each seed, recall of the exact top 3 % and the shares that zero price keeps, with predictions.

        Actions are drawn from the screener's policy, as in training; exact delight is the policy's own of the same
        actions. Predictions are NaN but for noise.
        """
        screener = screener.about_to_screen(network)
        where: dict[str, Any] = {"generator": self._generator, "device": self.images.device}
        rows = torch.randint(len(self.images), (self.size,), **where)
        uniforms = torch.rand(self.size, dtype=torch.float64, **where)
        pixels = (self.images[rows].to(network.weights[0].dtype) / 255).expand(len(network), -1, -1)
        exact = network.log_policy(pixels)
        found = screener.log_policy(network, pixels)
        seen = exact if found is None else found
        actions = draw_actions(seen.exp(), uniforms.expand(len(network), -1))
        right = actions == self.labels[rows]
        chi = delight_of(exact, actions, right)
        noisy = isinstance(screener, NoisyDelight)
        own = delight_of(seen, actions, right)
        draws = torch.stack([screener.delight(own) for _ in range(self.draws if noisy else 1)])
        kept = _top(chi, self.size)
        recall = (_top(draws, self.size) & kept).sum((0, -1)) / (len(draws) * kept.sum(-1))
        opened = (draws > 0).to(torch.float64).mean(0)
        return [
            {"recall": float(recall[s]), "kept_right": _mean(opened[s], right[s])}
            | {"kept_wrong": _mean(opened[s], ~right[s])}
            | _predicted(chi[s].double().numpy(force=True), right[s].numpy(force=True), screener)
            for s in range(len(network))
        ]


def delight_of(log_policy: Tensor, actions: Tensor, right: Tensor) -> Tensor:
    """Return delight (S, B) of actions (S, B), from log-probabilities (S, B, K) and which actions are right."""
    surprisal = -log_policy.gather(-1, actions[..., None]).squeeze(-1)
    return delight(confidence_advantage(right.to(log_policy.dtype), log_policy), surprisal, check=False)


def _top(chi: Tensor, n_images: int) -> Tensor:
    """Return the mask of the top 3 % of the last axis."""
    top = chi.topk(kept_count(RATE, n_images), -1).indices
    return torch.zeros_like(chi, dtype=torch.bool).scatter_(-1, top, True)


def _mean(values: Tensor, where: Tensor) -> float:
    return float(values[where].mean()) if bool(where.any()) else math.nan


def _predicted(chi: NDArray[np.float64], right: NDArray[np.bool_], screener: Screener) -> dict[str, float]:
    """Return what the theory of noisy gates says of a probe's exact delights."""
    names = ("predicted_recall", "predicted_right", "predicted_wrong")
    if not isinstance(screener, NoisyDelight):
        return dict.fromkeys(names, math.nan)
    # A delight of exactly 0, of a sample without doubt, stays where it is under relative noise: below the price.
    atoms = chi[chi != 0] if screener.kind == "relative" else chi
    rate = RATE * len(chi) / len(atoms)
    recall, _ = top_rate_recall(atoms, np.full(len(atoms), 1 / len(atoms)), rate, screener.noise, screener.kind)
    keep = noisy_keep(chi, screener.noise, screener.kind)
    shares = (float(keep[mask].mean()) if mask.any() else math.nan for mask in (right, ~right))
    return dict(zip(names, (recall, *shares), strict=True))
