"""Gated updates of several seeds side by side: one batched program in place of one small program a seed.

The seeds share matrix products, nothing else: each has its own parameters, optimizer state, minibatches, actions and
gate draws, so its result is the one it would have alone, up to the rounding of a sum.

:class:`StackedStep` is :class:`kondo_theory.training.ScreenedStep` for a
:class:`~simulations.networks.mlp.StackedMLP`: a forward pass over the whole batch, the gate, then forward and
backward on the kept rows alone. Small activations are kept from the first pass, and the second is spared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import Gate, kept_count
from kondo_theory.training.agreement import compare_passes, require_tolerance, state_of
from kondo_theory.training.display import one_line
from kondo_theory.training.policies import pick
from kondo_theory.training.quick.layers import KEPT_BYTES
from kondo_theory.training.quick.scores import quick_selection
from kondo_theory.training.selection import Selection, select_samples
from simulations.networks.mlp import StackedMLP
from simulations.networks.stacked_counts import StackedCounts

__all__ = ["KEPT_BYTES", "Advantage", "StackedScreening", "StackedStep"]

Advantage = Callable[[Tensor, Tensor], Tensor]
"""From what is known of samples without the network, (S, k), and their log-policy, (S, k, K), to advantages."""


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return one_line(self, ("observations", "log_policy", "inputs"))


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
    quick : bool
        On a CPU, select by fewer operations: the same samples, but values are read for it.

    Attributes
    ----------
    counts : simulations.networks.stacked_counts.StackedCounts

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
        quick: bool = True,
    ) -> None:
        if any(parameter.grad is None for parameter in network.parameters()):
            raise ValueError("the network has no trainable parameter: it is a frozen copy, to be read only")
        self.network, self.optimizer, self.gate, self.quick = network, optimizer, gate, quick
        self.tolerance, self.counts = require_tolerance(tolerance), StackedCounts.none(network)
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

    def select(self, score: Tensor, uniforms: Tensor) -> Selection:
        """Gate each seed's batch.

        Parameters
        ----------
        score : (S, B) tensor
            NaN is never kept, stays in the batch that a rate is of, and is counted.
        uniforms : (S, B) tensor
            In [0, 1): they break ties at a rate, and draw the gate at a positive temperature.

        Returns
        -------
        Selection
            Of S batches side by side: ``keep`` (S, B).
        """
        select = quick_selection if self.quick else select_samples
        selection = select(score, self.gate, uniforms, check=False)
        self.counts.add_invalid(selection.n_invalid)
        return selection

    def update(
        self,
        screening: StackedScreening,
        actions: Tensor,
        coefficient: Tensor,
        selection: Selection | None,
        advantage: Advantage | None = None,
        width: int | None = None,
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
        selection : Selection or None
            From :meth:`select`; None (only without a gate) keeps all.
        advantage : callable, optional
            For a batch that was screened approximately: makes the coefficients of the kept rows, (S, k), from what
            was given as ``coefficient`` (their rewards, say) and their exact log-probabilities, (S, k, K).
        width : int, optional
            Rows that each seed's kept ones are padded to, at least the most that any keeps. Otherwise that number,
            for which a gate that does not fix it waits for the device.

        Raises
        ------
        ValueError
            If the network changed since :meth:`act` kept its activations, or a second forward pass is further from
            the screening than the tolerance; the parameters are as before.
        """
        batch_size, again = coefficient.shape[-1], screening.inputs is None
        if not again and screening.made_at not in (None, self._state()):
            raise ValueError("the network must be that of act, whose activations were kept: it changed since")
        part = _Part.whole(screening, actions, coefficient)
        if selection is not None:
            part = part.kept(*selection.padded_rows(width or self._width(selection, batch_size)))
        if part.inputs is None:
            part = self._second_pass(part)
        if advantage is not None:
            part = replace(part, coefficient=advantage(part.coefficient, part.log_policy))
        self._backward(part, batch_size)
        self.optimizer.step()
        n_kept = None if selection is None else selection.n_kept
        self.counts.add_update(self.network, batch_size, n_kept, again=again)

    def _second_pass(self, part: _Part) -> _Part:
        """Return the part with its own forward pass, counting or refusing its gap to the screening."""
        inputs: list[Tensor] = []
        log_policy = self.network.log_policy(part.observations, inputs)
        second, screened = pick(log_policy, part.actions), pick(part.log_policy, part.actions)
        compare_passes(self.counts, second, screened, self.tolerance, part.present)
        return replace(part, inputs=inputs, log_policy=log_policy)

    def _backward(self, part: _Part, batch_size: int) -> None:
        """Write the gradient of a part of batches of B; coefficients that are not finite are left out and counted."""
        valid = part.coefficient.isfinite()
        present = torch.ones_like(valid) if part.present is None else part.present
        self.counts.add_invalid(present & ~valid)
        coefficient = torch.where(present & valid, part.coefficient, 0)
        assert part.inputs is not None
        self.network.backward(part.inputs, _logit_gradient(part.log_policy, part.actions, coefficient / batch_size))

    def _state(self) -> tuple[int, ...]:
        return self.counts.updates, *state_of(self.network)

    def state(self) -> dict[str, Any]:
        """Return everything that an update changes, for :meth:`restore`; the tensors are the live ones."""
        return {
            "parameters": self.network.parameters(),
            "optimizer": self.optimizer.state_dict(),
            "counts": self.counts.state(),
            "last_share": self._last_share,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        for parameter, saved in zip(self.network.parameters(), state["parameters"], strict=True):
            parameter.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.counts.restore(state["counts"])
        self._last_share = state["last_share"]

    def _width(self, selection: Selection, batch_size: int) -> int:
        """Return the width of the backward pass: the most that any seed keeps."""
        gate = self.gate
        if gate is not None and gate.rate is not None and gate.temperature == 0:
            return kept_count(gate.rate, batch_size)  # known without waiting for a GPU
        width = int(selection.n_kept.amax())
        self._last_share = width / batch_size
        return width


@dataclass(frozen=True)
class _Part:
    """What is backpropagated: k samples of each seed.

    ``inputs`` are those of every layer, each (S, k, n), or None before the second pass; ``present`` (S, k) is False
    on padding, or None if there is none.
    """

    observations: Tensor
    inputs: list[Tensor] | None
    log_policy: Tensor
    actions: Tensor
    coefficient: Tensor
    present: Tensor | None = None

    @classmethod
    def whole(cls, screening: StackedScreening, actions: Tensor, coefficient: Tensor) -> _Part:
        """Return the whole batches."""
        return cls(screening.observations, screening.inputs, screening.log_policy, actions, coefficient)

    def kept(self, rows: Tensor, present: Tensor) -> _Part:
        """Return the given rows (S, k), padded where not present; the whole batch's activations are freed."""
        take = partial(_take, flat_rows=_flat(rows, self.actions.shape[-1]))
        inputs = None
        if self.inputs is not None:
            inputs = [take(each) for each in self.inputs]
            self.inputs.clear()
        observations = take(self.observations) if inputs is None else self.observations
        actions, coefficient = self.actions.gather(1, rows), self.coefficient.gather(1, rows)
        return _Part(observations, inputs, take(self.log_policy), actions, coefficient, present)


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
