"""Approximate delight on the MNIST bandit: what may draw the actions and rank the samples in place of the policy.

A screener looks at the whole batch, cheaply; forward and backward of the kept samples stay exact (speculative
screening). Its actions are those that are taken, so a screener far from the policy makes the data off-policy too.

int8 is written on ``torch._int_mm``, the product of int8 matrices that torchao's dynamic quantisation calls as well:
torch's quantised tensors, and with them torch.ao, are deprecated, and torchao brings a dependency for one product.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from kondo_theory.approximate import NOISES
from kondo_theory.training.policies import log_probabilities
from kondo_theory.words import choice, unhandled
from simulations.networks.mlp import PolicyMLP, StackedMLP

__all__ = ["Distilled", "Int8", "LowPrecision", "NoisyDelight", "Screener", "Stale"]


class Screener:
    """The exact forward pass of the policy itself; the others are derived from it.

    Attributes
    ----------
    exact : bool
        Whether actions and log-probabilities are the policy's own.
    """

    exact = True

    def advance(self, network: StackedMLP, observations: Tensor) -> None:
        """Learn what there is to learn before the update on observations (S, B, n)."""

    def log_policy(self, network: StackedMLP, observations: Tensor) -> Tensor | None:
        """Return approximate log-probabilities (S, B, K) in nats; None if the policy's own are to be used."""
        return None

    def delight(self, chi: Tensor) -> Tensor:
        """Return what the gate is to see of delight (S, B)."""
        return chi

    def about_to_screen(self, network: StackedMLP) -> Screener:
        """Return the screener as it will be at the next update of a network; this one stays as it is."""
        return self


class NoisyDelight(Screener):
    """Gaussian noise on delight, as in :func:`kondo_theory.approximate.noisy_keep`: χ + τξ, or χ(1 + τξ).

    Parameters
    ----------
    kind : {"additive", "relative"}
    noise : float
        τ ≥ 0: in units of delight if "additive", a pure number if "relative".
    seeds : sequence of int
        One for each of the S seeds.
    device : torch.device

    Raises
    ------
    ValueError
        If the kind is not known or the noise is negative or not finite.
    """

    def __init__(self, kind: str, noise: float, seeds: Sequence[int], device: torch.device) -> None:
        choice("kind", kind, NOISES)
        if not 0 <= noise < float("inf"):
            raise ValueError(f"noise must be finite and at least 0, got {noise}")
        self.kind, self.noise = kind, noise
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def delight(self, chi: Tensor) -> Tensor:
        """Return χ̂, (S, B)."""
        where: dict[str, Any] = {"dtype": chi.dtype, "device": chi.device}
        xi = torch.stack([torch.randn(chi.shape[1:], generator=each, **where) for each in self._generators])
        return chi + self.noise * xi * self._unit(chi)

    def _unit(self, chi: Tensor) -> Tensor | float:
        if self.kind == "relative":
            return chi.abs()
        if self.kind == "additive":
            return 1.0
        raise unhandled("kind", self.kind, ("additive", "relative"))


class LowPrecision(Screener):
    """The forward pass in another floating-point format, bfloat16 if none is named; its softmax in float32."""

    exact = False

    def __init__(self, dtype: torch.dtype = torch.bfloat16) -> None:
        self.dtype = dtype

    def log_policy(self, network: StackedMLP, observations: Tensor) -> Tensor:
        """Return log-probabilities (S, B, K), nats."""
        return network.frozen_copy(self.dtype).log_policy(observations.to(self.dtype))


class Int8(Screener):
    """Every layer but the last, which costs next to nothing, as a product of int8 matrices.

    Symmetric, scaled by the largest weight of each unit and the largest input of each sample; quantised anew at
    every update. Sizes are padded with zeros to multiples of 16, batches to 32 rows at least: a GPU refuses others.
    """

    exact = False

    def log_policy(self, network: StackedMLP, observations: Tensor) -> Tensor:
        """Return log-probabilities (S, B, K), nats."""
        hidden = observations
        for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
            rows, row_scale = _quantised(hidden, -1)
            columns, column_scale = _quantised(weight, -2)
            product = torch.stack([_product(*pair) for pair in zip(rows, columns, strict=True)])
            hidden = torch.addcmul(bias, product.to(weight.dtype).mul_(row_scale), column_scale).relu_()
        return log_probabilities(torch.baddbmm(network.biases[-1], hidden, network.weights[-1]))


def _product(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the product of int8 matrices (B, n) and (n, m) as int32, (B, m)."""
    (batch, inner), width = rows.shape, columns.shape[1]
    padded = pad(rows, (0, -inner % 16, 0, max(32 - batch, -batch % 16)))
    other = pad(columns, (0, -width % 16, 0, -inner % 16))
    if columns.is_cuda:  # cuBLAS wants the second matrix by column; a CPU is slower then
        other = other.T.contiguous().T
    return torch._int_mm(padded, other)[:batch, :width]


def _quantised(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return values as int8 and the scale that they were divided by, one a slice along the axis."""
    low, high = values.aminmax(dim=axis, keepdim=True)
    scale = torch.maximum(high, -low).div_(127).clamp_(min=1e-30)  # a slice of zeros stays one
    return (values / scale).round_().to(torch.int8), scale


class Stale(Screener):
    """The policy as it was ``lag`` updates ago, or at the start of training until then.

    Raises
    ------
    ValueError
        If the lag is not a whole number of at least 1.
    """

    exact = False

    def __init__(self, lag: int) -> None:
        if lag != int(lag) or lag < 1:
            raise ValueError(f"lag must be whole and at least 1, got {lag}")
        self.lag = int(lag)
        self._past: list[StackedMLP] = []

    def advance(self, network: StackedMLP, observations: Tensor) -> None:
        """Keep the parameters as they are, and forget those that are older than the lag."""
        self._past = [*self._past[-self.lag :], network.frozen_copy()]

    def about_to_screen(self, network: StackedMLP) -> Stale:
        """Return a screener whose newest parameters are the network's."""
        twin = copy.copy(self)
        twin.advance(network, network.weights[0])
        return twin

    def log_policy(self, network: StackedMLP, observations: Tensor) -> Tensor:
        """Return log-probabilities (S, B, K), nats."""
        return (self._past[0] if self._past else network).log_policy(observations)


class Distilled(Screener):
    """A small network that learns the policy's probabilities on a few rows of every batch.

    Parameters
    ----------
    width : int
        Of its one hidden layer.
    sizes : tuple of int
        Number of inputs and of actions.
    seeds : sequence of int
        Seeds of its initialisation, one for each of the S seeds.
    device : torch.device
    rows : int
        Rows a batch on which it is taught: one forward pass of the policy and one step of its own.
    learning_rate : float
        Its Adam's.
    """

    exact = False

    def __init__(
        self,
        width: int,
        sizes: tuple[int, int],
        seeds: Sequence[int],
        device: torch.device,
        *,
        rows: int = 20,
        learning_rate: float = 3e-3,
    ) -> None:
        if width < 1 or rows < 1:
            raise ValueError(f"width and rows must be at least 1, got {width} and {rows}")
        students = [PolicyMLP((sizes[0], width, sizes[1]), seed=seed).to(device) for seed in seeds]
        self.student, self.rows = StackedMLP(students), rows
        self._optimizer = torch.optim.Adam(self.student.parameters(), lr=learning_rate, fused=True)

    def advance(self, network: StackedMLP, observations: Tensor) -> None:
        """Take one step towards the policy: down the mean divergence KL(π ‖ student)."""
        lesson = observations[:, : self.rows]
        inputs: list[Tensor] = []
        found = self.student.log_policy(lesson, inputs).exp()
        self.student.backward(inputs, (found - network.log_policy(lesson).exp()) / lesson.shape[1])
        self._optimizer.step()

    def log_policy(self, network: StackedMLP, observations: Tensor) -> Tensor:
        """Return log-probabilities (S, B, K), nats."""
        return self.student.log_policy(observations)
