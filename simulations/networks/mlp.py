"""The policies of the experiments: one network, and the same network for several seeds side by side."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kondo_theory.training.policies import log_probabilities

__all__ = ["PolicyMLP", "StackedMLP"]


class PolicyMLP(nn.Module):
    """The MNIST policy: a multilayer perceptron with ReLU and PyTorch's default initialisation [KG §3, DG §3].

    Parameters
    ----------
    sizes : tuple of int
        Widths of the layers from the input to the logits, (784, 100, 100, 10) in the papers.
    seed : int
        Seeds the initialisation; torch's global stream is left as it was.
    """

    def __init__(self, sizes: tuple[int, ...] = (784, 100, 100, 10), *, seed: int) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be at least two positive widths, got {sizes}")
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: a GPU's stream would not be restored
            self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))

    def forward(self, observations: Tensor) -> Tensor:
        """Map observations (B, sizes[0]) to logits (B, sizes[-1])."""
        hidden = observations
        for layer in self.layers[:-1]:
            hidden = layer(hidden).relu()
        logits: Tensor = self.layers[-1](hidden)
        return logits


class StackedMLP:
    """S policies of one shape as batched matrix products, with a backward pass of its own.

    One product for all seeds replaces S small ones. The backward pass is written out, for two reasons: on a few kept
    rows autograd takes a quarter longer, and without a graph the caller decides what is kept for it.

    Parameters
    ----------
    policies : sequence of PolicyMLP
        One a seed, equal in shape, dtype and device; their parameters are copied.

    Attributes
    ----------
    weights, biases : tuples of tensors (S, n_in, n_out) and (S, 1, n_out)
        Parameters of the layers; their ``grad`` is what :meth:`backward` found last.

    Raises
    ------
    ValueError
        If there is no policy, their shapes differ, or a parameter is frozen: the backward pass moves all of them.
    """

    def __init__(self, policies: Sequence[PolicyMLP]) -> None:
        shapes = {tuple(tuple(parameter.shape) for parameter in policy.parameters()) for policy in policies}
        if len(shapes) != 1:
            raise ValueError(f"policies must be at least one and of one shape, got the shapes {sorted(shapes)}")
        for seed, policy in enumerate(policies):
            frozen = [name for name, parameter in policy.named_parameters() if not parameter.requires_grad]
            if frozen:
                raise ValueError(f"policies must have no frozen parameter, got {', '.join(frozen)} of policy {seed}")
        parameters = list(zip(*(policy.parameters() for policy in policies), strict=True))  # weight, bias, weight, …
        self.weights = tuple(torch.stack([weight.detach().T for weight in layer]) for layer in parameters[0::2])
        self.biases = tuple(torch.stack([bias.detach()[None] for bias in layer]) for layer in parameters[1::2])
        for parameter in self.parameters():
            parameter.grad = torch.zeros_like(parameter)

    def __len__(self) -> int:
        return len(self.weights[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of the layers from the input to the logits."""
        return (self.weights[0].shape[1], *(weight.shape[2] for weight in self.weights))

    @property
    def forward_flops(self) -> int:
        """FLOPs of the forward pass of one sample: two a weight."""
        return 2 * sum(n_in * n_out for n_in, n_out in pairwise(self.sizes))

    @property
    def backward_flops(self) -> int:
        """FLOPs of the backward pass of one sample: twice the forward pass, less the gradient of the input."""
        return 2 * self.forward_flops - 2 * self.sizes[0] * self.sizes[1]

    def parameters(self) -> list[Tensor]:
        """Return all parameters, for an optimizer."""
        return [*self.weights, *self.biases]

    def log_policy(self, observations: Tensor, inputs: list[Tensor] | None = None) -> Tensor:
        """Return log-probabilities (S, B, K) in nats, float32 at least; arguments as in :meth:`forward`."""
        return log_probabilities(self.forward(observations, inputs))

    def forward(self, observations: Tensor, inputs: list[Tensor] | None = None) -> Tensor:
        """Map observations (S, B, sizes[0]) to logits (S, B, sizes[-1]).

        With ``inputs`` the input (S, B, n_in) of every layer is appended to it, which is what :meth:`backward`
        needs; without it each is freed as soon as the next layer has read it.
        """
        hidden = observations
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer > 0:
                hidden = hidden.relu_()
            if inputs is not None:
                inputs.append(hidden)
            hidden = torch.baddbmm(bias, hidden, weight)
        return hidden

    def backward(self, inputs: Sequence[Tensor], logit_gradient: Tensor) -> None:
        """Write the gradient of every parameter into its ``grad``.

        Parameters
        ----------
        inputs : sequence of tensors (S, B, n_in)
            Inputs of the layers, from :meth:`forward`.
        logit_gradient : (S, B, sizes[-1]) tensor
            Derivative of the loss with respect to the logits, in the parameters' dtype or a wider one.
        """
        delta = logit_gradient.to(self.weights[0].dtype)
        for layer in reversed(range(len(self.weights))):
            torch.bmm(inputs[layer].mT, delta, out=self.weights[layer].grad)
            torch.sum(delta, dim=1, keepdim=True, out=self.biases[layer].grad)
            if layer > 0:  # nobody asks for the gradient of the observations
                delta = torch.bmm(delta, self.weights[layer].mT).mul_(inputs[layer] > 0)

    def frozen_copy(self, dtype: torch.dtype | None = None) -> StackedMLP:
        """Return the same policies with parameters of their own, in another dtype perhaps, to be read only."""
        twin = copy.copy(self)
        twin.weights, twin.biases = (
            tuple(tensor.detach().to(dtype or tensor.dtype, copy=True) for tensor in tensors)
            for tensors in (self.weights, self.biases)
        )
        return twin

    def policy(self, index: int) -> PolicyMLP:
        """Return a copy of one seed's policy, on the same device."""
        policy = PolicyMLP(self.sizes, seed=0).to(self.weights[0])
        ours = [tensor for layer in zip(self.weights, self.biases, strict=True) for tensor in layer]
        with torch.no_grad():
            for theirs, tensor in zip(policy.parameters(), ours, strict=True):
                theirs.copy_(tensor[index].T.squeeze(-1) if theirs.ndim == 1 else tensor[index].T)
        return policy
