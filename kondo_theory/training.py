"""The screened step: put the Kondo gate into a torch training loop and really skip the backward passes.

A gated update needs the whole batch only forward. :class:`ScreenedStep` runs that forward without a graph, gates it,
and then runs forward *and* backward on the kept rows alone, so activations are stored, and gradients computed, for
k rows instead of B. Its gradient is that of the masked full batch, normalised by B and not by k.

The only module of the package that imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kondo_theory.advantage import group_advantage
from kondo_theory.gate import Gate, delight

__all__ = ["ScreenedStep", "Screening", "StepCounts", "group_advantage"]

Observations = Any
"""A tensor whose first axis is the batch, or a tuple or mapping of such tensors."""


@dataclass(frozen=True)
class Screening:
    """What the forward pass over a batch leaves behind for the gate.

    Attributes
    ----------
    actions : (B,) tensor
        The actions drawn from the policy.
    surprisal : (B,) tensor
        ℓ = −log π(a), nats, detached.
    log_policy : (B, K) tensor or None
        Log-probabilities of every action, detached; None when the batch was screened elsewhere (by the sampler,
        by a cheaper network), in which case ``actions`` and ``surprisal`` are all the gate needs.
    log_prob : (B,) tensor or None
        log π(a) with its graph: kept only when there is no gate, so that a full step needs one forward pass.
    """

    actions: Tensor
    surprisal: Tensor
    log_policy: Tensor | None = None
    log_prob: Tensor | None = None


@dataclass
class StepCounts:
    """What the steps so far have cost: counted, never assumed.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    forward_samples : int
        Samples screened: B an update.
    backward_samples : int
        Samples backpropagated: k an update.
    forward_flops, backward_flops : float or None
        FLOPs of the forward pass of one sample, and of the forward and backward pass of one kept sample (in a full
        step, which keeps its one forward pass, of the backward pass alone); None until measured.
        Measured by ``torch.utils.flop_counter`` on the first batch, which counts matrix products and convolutions.
    """

    updates: int = 0
    forward_samples: int = 0
    backward_samples: int = 0
    forward_flops: float | None = None
    backward_flops: float | None = None

    @property
    def flops(self) -> float:
        """FLOPs of all steps so far: screened and backpropagated samples, each at its measured price."""
        forward, backward = self.forward_flops or 0.0, self.backward_flops or 0.0
        return self.forward_samples * forward + self.backward_samples * backward


class ScreenedStep:
    """One gated policy-gradient update at a time, for any torch policy over discrete actions.

    Parameters
    ----------
    policy : nn.Module
        Maps observations (B, ...) to logits (B, K). It must treat rows independently: batch normalisation in
        training mode is refused, and dropout draws other masks for the kept rows than for the screened batch.
    optimizer : torch.optim.Optimizer
        Steps once an update, with a zero gradient when nothing is kept, as it would for the masked batch.
    gate : Gate or None
        Which samples get a backward pass; None keeps all of them (the full step).
    generator : torch.Generator or None
        Draws the actions, on the policy's device; None uses torch's global generator.
    gate_generator : torch.Generator or None
        Draws the gate: a stream of its own leaves the actions those of an ungated run. None uses ``generator``.
    check : bool
        Validate values at every update. Turn off in a hot loop on a GPU: validation waits for the device.

    Raises
    ------
    ValueError
        If the policy has a batch normalisation layer in training mode.

    Examples
    --------
    >>> step = ScreenedStep(policy, optimizer, Gate(rate=0.03))                     # doctest: +SKIP
    >>> screening = step.act(observations)                                          # doctest: +SKIP
    >>> step.update(observations, screening, environment(screening.actions) - baseline)  # doctest: +SKIP

    Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2.
    """

    def __init__(
        self,
        policy: nn.Module,
        optimizer: torch.optim.Optimizer,
        gate: Gate | None,
        *,
        generator: torch.Generator | None = None,
        gate_generator: torch.Generator | None = None,
        check: bool = True,
    ) -> None:
        self.policy, self.optimizer, self.gate = policy, optimizer, gate
        self._require_independent_rows()
        self.generator, self.gate_generator = generator, gate_generator or generator
        self.check = check
        self.counts = StepCounts()

    def act(self, observations: Observations) -> Screening:
        """Run the forward pass over the whole batch and draw one action a row.

        Parameters
        ----------
        observations : tensor (B, ...), or a tuple or mapping of such tensors

        Returns
        -------
        Screening
            Without a graph, unless there is no gate; then it serves one update.

        Raises
        ------
        ValueError
            If the batch is empty, or a batch normalisation layer is in training mode.
        """
        self._require_independent_rows()
        if len(_first_tensor(observations)) == 0:
            raise ValueError("the batch must hold at least one observation, got 0")
        with torch.set_grad_enabled(self.gate is None), _flop_counter(self.counts.forward_flops) as counter:
            log_policy = self.policy(observations).log_softmax(-1)
        if counter is not None:
            self.counts.forward_flops = counter.get_total_flops() / len(log_policy)
        detached = log_policy.detach()
        actions = torch.multinomial(detached.exp(), 1, generator=self.generator).squeeze(-1)
        log_prob = _pick(log_policy, actions)
        return Screening(actions, -log_prob.detach(), detached, log_prob if self.gate is None else None)

    def update(
        self,
        observations: Observations,
        screening: Screening,
        advantage: Tensor,
        *,
        score: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Gate the batch, backpropagate the kept rows, step the optimizer.

        The gradient is that of −(1/B) Σ_kept weight · U · log π(a). Gradients accumulated before are cleared; the
        optimizer must be one that steps without a closure.

        Parameters
        ----------
        observations : tensor (B, ...), or a tuple or mapping of such tensors
        screening : Screening
            From :meth:`act`, or made from a sampler's own actions and surprisals.
        advantage : (B,) tensor
            U, reward minus baseline; no gradient flows through it.
        score : (B,) tensor, optional
            What the gate ranks; by default the delight χ = U·ℓ.
        weight : (B,) tensor, optional
            Soft weights of the samples (the delightful policy gradient's σ(χ/η)); by default one.

        Returns
        -------
        (B,) boolean tensor
            The rows that were backpropagated.

        Raises
        ------
        ValueError
            If the shapes do not match or, with ``check``, a value is NaN or infinite.
        """
        self._require_vectors(observations, screening, advantage=advantage, weight=weight, score=score)
        advantage = advantage.detach()
        if score is None:
            score = delight(advantage, screening.surprisal, check=self.check)
        coefficient = advantage if weight is None else advantage * weight.detach()
        self.optimizer.zero_grad(set_to_none=True)
        if self.gate is None:
            keep = torch.ones_like(score, dtype=torch.bool)
            rows = None
        else:
            keep = self.gate(score, self.gate_generator, check=self.check)
            rows = keep.nonzero().squeeze(-1)
        n_kept = len(score) if rows is None else len(rows)
        self._backpropagate(observations, screening, coefficient, rows, n_kept)
        self.optimizer.step()
        self.counts.updates += 1
        self.counts.forward_samples += len(score)
        self.counts.backward_samples += n_kept
        return keep

    def _require_vectors(self, observations: Observations, screening: Screening, **vectors: Tensor | None) -> None:
        """Refuse what would broadcast to another gradient: everything must be a vector of the batch's length."""
        size = len(_first_tensor(observations))
        for name, vector in (vectors | {"actions": screening.actions, "surprisal": screening.surprisal}).items():
            if vector is None:
                continue
            if tuple(vector.shape) != (size,):
                raise ValueError(f"{name} must be a vector of the batch's length {size}, got {tuple(vector.shape)}")
            if self.check and name in ("advantage", "weight") and not bool(torch.isfinite(vector).all()):
                worst = vector[~torch.isfinite(vector)][0]
                raise ValueError(f"{name} must be finite, got {float(worst)}")

    def _require_independent_rows(self) -> None:
        for name, module in self.policy.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ValueError(
                    f"the policy's layer {name!r} is {type(module).__name__} in training mode: it mixes the rows of a"
                    " batch, so the kept rows alone would have another gradient; use eval() or a layer per row"
                )

    def _backpropagate(
        self,
        observations: Observations,
        screening: Screening,
        coefficient: Tensor,
        rows: Tensor | None,
        n_kept: int,
    ) -> None:
        if n_kept == 0:
            # A zero gradient by way of autograd, for one row: parameters that the policy does not use keep none,
            # as in the masked batch, so that weight decay and momentum treat them alike.
            logits = self.policy(_rows(observations, slice(0, 1)))
            logits.backward(torch.zeros_like(logits))
            return
        with _flop_counter(self.counts.backward_flops) as counter:
            if rows is None and screening.log_prob is not None:
                log_prob = screening.log_prob
            else:
                kept = observations if rows is None else _rows(observations, rows)
                actions = screening.actions if rows is None else screening.actions[rows]
                log_prob = _pick(self.policy(kept).log_softmax(-1), actions)
            kept_coefficient = coefficient if rows is None else coefficient[rows]
            loss = -(kept_coefficient * log_prob).sum() / len(screening.actions)
            loss.backward()  # type: ignore[no-untyped-call]
        if counter is not None:
            self.counts.backward_flops = counter.get_total_flops() / n_kept


def _flop_counter(measured: float | None) -> AbstractContextManager[FlopCounterMode | None]:
    """Return a counter for the first batch, and nothing once the FLOPs of a sample are known."""
    return FlopCounterMode(display=False) if measured is None else nullcontext()


def _pick(log_policy: Tensor, actions: Tensor) -> Tensor:
    """Return log π(a), (B,), from the log-probabilities (B, K) of all actions."""
    return log_policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def _first_tensor(observations: Observations) -> Tensor:
    """Return the tensor itself, or the first one in a tuple or mapping: its first axis is the batch."""
    if isinstance(observations, Tensor):
        return observations
    if isinstance(observations, Mapping) and observations:
        return _first_tensor(next(iter(observations.values())))
    if isinstance(observations, tuple | list) and observations:
        return _first_tensor(observations[0])
    raise TypeError(
        f"observations must be a tensor, a tuple or a mapping of tensors, got {type(observations).__name__}"
    )


def _rows(observations: Observations, rows: Tensor | slice) -> Observations:
    """Return the given rows of a tensor, or of every tensor in a tuple or mapping."""
    if isinstance(observations, Tensor):
        return observations[rows]
    if isinstance(observations, Mapping):
        return {key: _rows(value, rows) for key, value in observations.items()}
    if isinstance(observations, tuple | list):
        parts = [_rows(value, rows) for value in observations]
        return type(observations)(*parts) if hasattr(observations, "_fields") else tuple(parts)
    raise TypeError(
        f"observations must be a tensor, a tuple or a mapping of tensors, got {type(observations).__name__}"
    )
