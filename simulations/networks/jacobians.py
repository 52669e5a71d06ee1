"""Products with the Jacobian of a network's logits, image by image, without ever forming it.

With J_x = ∂z/∂θ, (K, P), all first and second moments of a policy gradient follow from three products: the mean
gradient E_x[J_xᵀv_x], the Gram matrix of several J_xᵀv_x at one image, and J_x u, how the logits move along a
direction u in parameter space. A linear layer with input h and back-propagated error δ has the weight gradient δhᵀ,
so the inner product of two gradients at one image is Σ_layers (δ·δ′)(‖h‖² + 1), the one for the bias.

Source: this project; per-layer products as in I. Goodfellow, "Efficient per-example gradient computations", arXiv
1510.01799.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from simulations.networks.mlp import PolicyMLP

__all__ = ["IndependentLogits", "Jacobian", "NetworkJacobian"]


class Jacobian(Protocol):
    """What the moments need to know of J_x, at n images with K logits and P parameters.

    ``coefficients`` are R sets of logit coefficients v_x, (R, n, K), in the dtype and on the device of ``logits``.
    """

    @property
    def logits(self) -> Tensor:
        """z, (n, K), without a graph."""

    def mean_gradient(self, coefficients: Tensor) -> Tensor:
        """Return (1/n)Σ_x J_xᵀv_x, (R, P)."""

    def gram(self, coefficients: Tensor) -> Tensor:
        """Return the inner products ⟨J_xᵀv_x, J_xᵀv′_x⟩ = v_xᵀ𝒦_x v′_x with 𝒦_x = J_xJ_xᵀ, (n, R, R)."""

    def logit_change(self, direction: Tensor) -> Tensor:
        """Return J_x u, (n, K), for a direction u, (P,), in parameter space."""


class NetworkJacobian:
    """The Jacobian of an MLP policy's logits at n images.

    Parameters
    ----------
    policy : PolicyMLP
        Its parameters in their order, flattened and joined, are the P coordinates; they must not change while this
        object is used.
    images : (n, sizes[0]) tensor
        On the policy's device, in its dtype (float64 for checks to rounding, float32 for speed).

    Raises
    ------
    ValueError
        If there is no image, or the images do not fit the policy's first layer.
    """

    def __init__(self, policy: PolicyMLP, images: Tensor) -> None:
        width = policy.layers[0].in_features
        if images.ndim != 2 or len(images) == 0 or images.shape[1] != width:
            raise ValueError(f"images must have shape (n, {width}) with n ≥ 1, got {tuple(images.shape)}")
        self._images = images
        self._weights: list[Tensor] = [
            layer.get_parameter("weight").detach() for layer in policy.layers
        ]  # (n_out, n_in)
        self._inputs: list[Tensor] = []  # of each layer, (n, n_in)
        hidden = images
        with torch.no_grad():
            for layer in policy.layers:
                self._inputs.append(hidden)
                self._logits = layer(hidden)
                hidden = self._logits.relu()

    @property
    def logits(self) -> Tensor:
        """z, (n, K), without a graph."""
        return self._logits

    @property
    def features(self) -> Tensor:
        """Input of the last layer, (n, width)."""
        return self._inputs[-1]

    @torch.no_grad()
    def mean_gradient(self, coefficients: Tensor) -> Tensor:
        """Return (1/n)Σ_x J_xᵀv_x, (R, P): one backward pass for each of the R rows of (R, n, K)."""
        parts: list[Tensor] = []
        for hidden, errors in self._errors(coefficients / len(self._images)):
            parts = [(errors.mT @ hidden).flatten(1), errors.sum(1), *parts]  # weight, bias, then the later layers
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def gram(self, coefficients: Tensor) -> Tensor:
        """Return v_xᵀ𝒦_x v′_x, (n, R, R), from errors and activations alone."""
        n_sets, n_images, _ = coefficients.shape
        products = coefficients.new_zeros(n_images, n_sets, n_sets)
        for hidden, errors in self._errors(coefficients):
            by_image = errors.transpose(0, 1)
            products += (by_image @ by_image.mT) * (hidden.square().sum(-1) + 1)[:, None, None]
        return products

    @torch.no_grad()
    def logit_change(self, direction: Tensor) -> Tensor:
        """Return J_x u, (n, K), by one forward-mode product.

        Written out because ``torch.func.jvp`` warns: it loads parts of torch that torch itself deprecates.
        """
        pieces = direction.split([count for weight in self._weights for count in (weight.numel(), len(weight))])
        change = torch.zeros_like(self._images)
        layers = zip(self._inputs, self._weights, pieces[::2], pieces[1::2], strict=True)
        for index, (hidden, weight, weight_change, bias_change) in enumerate(layers):
            if index > 0:
                change = change * (hidden > 0)
            change = change @ weight.T + hidden @ weight_change.view_as(weight).T + bias_change
        return change

    @torch.no_grad()
    def mean_square(self, coefficients: Tensor, mass: Tensor) -> Tensor:
        """Return (1/n)Σ_xΣ_r mass_xr (J_xᵀv_xr)², (P,), squares of each parameter: v are (R, n, K), mass (n, R)."""
        parts: list[Tensor] = []
        for hidden, errors in self._errors(coefficients):
            squares = torch.einsum("nr,rno->no", mass / len(self._images), errors.square())
            parts = [(squares.mT @ hidden.square()).flatten(), squares.sum(0), *parts]
        return torch.cat(parts)

    def _errors(self, coefficients: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each layer's input (n, n_in) and errors (R, n, n_out), the last layer first."""
        errors = coefficients
        for index in reversed(range(len(self._inputs))):
            hidden = self._inputs[index]
            yield hidden, errors
            if index > 0:  # a ReLU's output is positive exactly where it let the input through
                errors = (errors @ self._weights[index]) * (hidden > 0)


class IndependentLogits:
    """Every image as a bandit context of its own, its K logits its parameters: P = nK and 𝒦_x = 1.

    The theory of many contexts, by the same route as the network's measurement: what differs is made by the network.

    Parameters
    ----------
    logits : (n, K) tensor
    """

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits

    @property
    def logits(self) -> Tensor:
        """z, (n, K)."""
        return self._logits

    def mean_gradient(self, coefficients: Tensor) -> Tensor:
        """Return the coefficients over n, (R, nK): no two images share a coordinate."""
        return coefficients.flatten(1) / len(self._logits)

    def gram(self, coefficients: Tensor) -> Tensor:
        """Return v_x·v′_x, (n, R, R)."""
        by_image = coefficients.transpose(0, 1)
        return by_image @ by_image.mT

    def logit_change(self, direction: Tensor) -> Tensor:
        """Return the coordinates of each image, (n, K)."""
        return direction.view_as(self._logits)
