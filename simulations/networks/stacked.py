"""Gated updates of several seeds side by side: one batched program in place of one small program a seed.

The seeds share matrix products, nothing else: each has its own parameters, optimizer state, minibatches, actions and
gate draws, so its result is the one it would have alone, up to the rounding of a sum.

:class:`StackedStep` is :class:`kondo_theory.training.ScreenedStep` for a
:class:`~simulations.networks.mlp.StackedMLP`: a forward pass over the whole batch, the gate, then forward and
backward on the kept rows alone. Small activations are kept from the first pass, and the second is spared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import Gate, gate_probability, kept_count, select_exactly
from kondo_theory.training.agreement import DeviceCounts, require_agreement, require_tolerance, state_of
from kondo_theory.training.policies import pick
from simulations.networks.mlp import StackedMLP

__all__ = ["KEPT_BYTES", "Advantage", "StackedScreening", "StackedStep", "kept_rows", "open_gate"]

KEPT_BYTES = 2**24
"""Activations of a seed's batch that are kept at most: beyond, a second forward pass over the kept rows is cheaper
than their memory."""

Advantage = Callable[[Tensor, Tensor], Tensor]
"""From what is known of samples without the network, (S, k), and their log-policy, (S, k, K), to advantages."""


def open_gate(gate: Gate, score: Tensor, uniforms: Tensor) -> Tensor:
    """Return the mask (..., B) of the kept samples, as ``gate(score, generator)`` with its random numbers given.

    Parameters
    ----------
    gate : Gate
        At a price, or at a rate with temperature 0.
    score : (..., B) tensor
    uniforms : (..., B) tensor
        In [0, 1): they break ties at a rate, and draw the gate at a positive temperature.

    Raises
    ------
    ValueError
        If the gate has both a rate and a temperature, whose price takes a search.
    """
    if gate.rate is not None:
        if gate.temperature > 0:
            raise ValueError(f"a gate at a rate must have temperature 0 here, got {gate}")
        return select_exactly(score, kept_count(gate.rate, score.shape[-1]), uniforms, check=False)
    assert gate.price is not None
    probability = gate_probability(score, gate.price, gate.temperature, check=False)
    return probability > 0 if gate.temperature == 0 else uniforms < probability


def kept_rows(keep: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the places of the kept samples, in order and padded, without waiting for a GPU.

    Parameters
    ----------
    keep : (S, B) boolean tensor
    width : int
        At least the largest number kept.

    Returns
    -------
    rows : (S, width) tensor of int64
        Places in the batch; anything where there are fewer.
    present : (S, width) boolean tensor
        False on the padding.
    """
    kept_first = keep.byte().sort(dim=-1, descending=True, stable=True)  # not every GPU sorts booleans
    return kept_first.indices[:, :width], kept_first.values[:, :width].bool()


@dataclass(frozen=True)
class StackedScreening:
    """What the forward pass over the whole batches leaves behind.

    Attributes
    ----------
    observations : (S, B, n) tensor
    log_policy : (S, B, K) tensor
        Nats.
    inputs : list of tensors or None
        Inputs of every layer, which an update takes out; None where they were not kept.
    made_at : tuple of int or None
        Set by :meth:`StackedStep.act` alone: the state of the network then.
    """

    observations: Tensor
    log_policy: Tensor
    inputs: list[Tensor] | None
    made_at: tuple[int, ...] | None = None


class StackedStep:
    """Gated policy-gradient updates of S seeds at a time.

    Parameters
    ----------
    network : StackedMLP
    optimizer : torch.optim.Optimizer
        Over the network's parameters; steps once an update, with zero gradients where nothing is kept.
    gate : Gate or None
        None backpropagates every sample.
    tolerance : float or None
        The largest difference in nats between log-probabilities of screening and of a second forward pass; a limit
        waits for the device. None sets none: the gap is counted.

    Attributes
    ----------
    updates, forward_samples : int
        Updates so far, and samples screened by each seed.
    backward_samples : (S,) tensor of int64
        Samples that each seed kept; padding is not counted.
    flops : (S,) tensor of int64
        FLOPs in matrix products that each seed needs by itself: the screening pass and the backward pass of what was
        kept, with another forward pass where activations were not, or the full step where that takes fewer.
    counts : kondo_theory.training.agreement.DeviceCounts
        Of all seeds: samples that were never kept because they were no numbers, and gaps of second forward passes.

    Raises
    ------
    ValueError
        If the network is a frozen copy, or the tolerance is negative or NaN.
    """

    def __init__(
        self,
        network: StackedMLP,
        optimizer: torch.optim.Optimizer,
        gate: Gate | None,
        *,
        tolerance: float | None = None,
    ) -> None:
        if any(parameter.grad is None for parameter in network.parameters()):
            raise ValueError("the network has no trainable parameter: it is a frozen copy, to be read only")
        self.network, self.optimizer, self.gate = network, optimizer, gate
        self.tolerance, self.counts = require_tolerance(tolerance), DeviceCounts()
        self.updates = self.forward_samples = 0
        device = network.weights[0].device
        self.backward_samples = torch.zeros(len(network), dtype=torch.int64, device=device)
        self.flops = torch.zeros_like(self.backward_samples)
        self._last_share = 1.0 if gate is None else gate.rate or 0.0

    def act(self, observations: Tensor) -> StackedScreening:
        """Run the forward pass over the whole batches (S, B, n).

        Activations are kept if they are small, see ``KEPT_BYTES``, or if most of the batch is going to need them: a
        fixed rate says so, and otherwise the update before does. The gradient does not depend on it.
        """
        network = self.network
        small = observations[0, :, 0].nbytes * sum(network.sizes[1:-1]) <= KEPT_BYTES
        full = self._last_share * (network.forward_flops + network.backward_flops) > network.backward_flops
        inputs: list[Tensor] | None = [] if small or full or self.gate is None else None
        log_policy = network.log_policy(observations, inputs)
        return StackedScreening(observations, log_policy, inputs, self._state())

    def select(self, score: Tensor, uniforms: Tensor) -> Tensor:
        """Return the mask (S, B) of the samples that the gate keeps; see :func:`open_gate`.

        A score of NaN is never kept, stays in the batch that a rate is of, and is counted.
        """
        assert self.gate is not None
        invalid = score.isnan()
        self.counts.add_invalid(invalid)
        return open_gate(self.gate, score.masked_fill(invalid, -math.inf), uniforms)

    def update(
        self,
        screening: StackedScreening,
        actions: Tensor,
        coefficient: Tensor,
        keep: Tensor | None,
        advantage: Advantage | None = None,
    ) -> None:
        """Backpropagate the kept samples and step the optimizer.

        Each seed's gradient is that of −(1/B) Σ_kept coefficient · log π(action).

        Parameters
        ----------
        screening : StackedScreening
            From :meth:`act`.
        actions : (S, B) tensor of int64
        coefficient : (S, B) tensor
            Advantage, times a soft weight if there is one.
        keep : (S, B) boolean tensor or None
            The gate's mask; None (only without a gate) keeps all.
        advantage : callable, optional
            For a batch that was screened approximately: makes the coefficients of the kept rows, (S, k), from what
            was given as ``coefficient`` (their rewards, say) and their exact log-probabilities, (S, k, K).

        Raises
        ------
        ValueError
            If the network changed since :meth:`act` kept its activations, or a second forward pass is further from
            the screening than the tolerance; the parameters are as before.
        """
        batch_size = coefficient.shape[-1]
        inputs, log_policy, present = screening.inputs, screening.log_policy, None
        if inputs is not None and screening.made_at not in (None, self._state()):
            raise ValueError("the network must be that of act, whose activations were kept: it changed since")
        again, kept_samples = inputs is None, None if keep is None else keep.sum(-1)
        if keep is not None:
            assert kept_samples is not None
            rows, present = kept_rows(keep, self._width(kept_samples, batch_size))
            screened = pick(log_policy, actions).gather(1, rows) if inputs is None else None
            actions, coefficient = actions.gather(1, rows), coefficient.gather(1, rows)
            taken = partial(_take, flat_rows=_flat(rows, batch_size))
            if inputs is None:
                assert screened is not None
                inputs = []
                log_policy = self.network.log_policy(taken(screening.observations), inputs)
                self._compare(pick(log_policy, actions), screened, present)
            else:
                kept = [taken(each) for each in inputs]
                inputs.clear()  # the whole batch's activations are freed before the backward pass
                inputs, log_policy = kept, taken(log_policy)
            if advantage is not None:
                coefficient = advantage(coefficient, log_policy)
        valid = coefficient.isfinite()
        invalid = ~valid if present is None else present & ~valid
        self.counts.add_invalid(invalid)
        coefficient = torch.where(valid if present is None else present & valid, coefficient, 0)
        assert inputs is not None
        self.network.backward(inputs, _logit_gradient(log_policy, actions, coefficient / batch_size))
        self.optimizer.step()
        self._count(kept_samples, batch_size, again)

    def _compare(self, second: Tensor, screened: Tensor, present: Tensor) -> None:
        """Count how far log-probabilities (S, k) of the second forward pass are from screening's, or refuse them."""
        if self.tolerance is not None:
            require_agreement(second, screened, self.tolerance, present)
        self.counts.add_gap((second - screened).abs(), present)

    def _state(self) -> tuple[int, ...]:
        return self.updates, *state_of(self.network)

    def state(self) -> dict[str, Any]:
        """Return everything that an update changes, for :meth:`restore`; the tensors are the live ones."""
        return {
            "parameters": self.network.parameters(),
            "optimizer": self.optimizer.state_dict(),
            "counts": [self.updates, self.forward_samples, self.backward_samples, self.flops],
            "last_share": self._last_share,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        for parameter, saved in zip(self.network.parameters(), state["parameters"], strict=True):
            parameter.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.forward_samples, backward_samples, flops = state["counts"]
        self.backward_samples.copy_(backward_samples)
        self.flops.copy_(flops)
        self._last_share = state["last_share"]

    def _width(self, kept: Tensor, batch_size: int) -> int:
        """Return the width of the backward pass: the most that any seed keeps."""
        if self.gate is not None and self.gate.rate is not None:
            return kept_count(self.gate.rate, batch_size)  # known without waiting for a GPU
        width = int(kept.amax())
        self._last_share = width / batch_size
        return width

    def _count(self, kept: Tensor | None, batch_size: int, again: bool) -> None:
        """Count the update; ``again``: what is kept went through another forward pass."""
        forward, backward = self.network.forward_flops, self.network.backward_flops
        self.updates += 1
        self.forward_samples += batch_size
        if kept is None:
            self.backward_samples += batch_size
            self.flops += batch_size * (forward + backward)
            return
        self.backward_samples += kept
        each = forward + backward if again else backward
        self.flops += batch_size * forward + (kept * each).clamp_(max=batch_size * backward)


def _flat(rows: Tensor, batch_size: int) -> Tensor:
    """Return rows (S, k) of batches as places (S·k,) in all batches joined."""
    first = torch.arange(0, len(rows) * batch_size, batch_size, device=rows.device)
    return (rows + first[:, None]).flatten()


def _take(values: Tensor, flat_rows: Tensor) -> Tensor:
    """Return rows (S·k,) of values (S, B, n) joined, (S, k, n)."""
    # index_select copies whole rows, several times faster than indexing on a CPU.
    return values.flatten(0, 1).index_select(0, flat_rows).view(len(values), -1, values.shape[-1])


def _logit_gradient(log_policy: Tensor, actions: Tensor, coefficient: Tensor) -> Tensor:
    """Return the derivative of −Σ coefficient · log π(action): coefficient · (π − e_action), (S, B, K)."""
    one = torch.ones_like(coefficient)[..., None]
    return log_policy.exp().scatter_add_(-1, actions[..., None], -one).mul_(coefficient[..., None])
