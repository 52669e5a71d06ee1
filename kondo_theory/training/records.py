"""What a screened step hands on, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kondo_theory.training.agreement import DeviceCounts, require_surprisal
from kondo_theory.training.display import one_line
from kondo_theory.training.flops import FlopsPerSample
from kondo_theory.training.quick.layers import KeptPass
from kondo_theory.training.selection import Selection

__all__ = ["Screening", "StepCounts", "require_vectors"]


@dataclass(frozen=True, repr=False)
class Screening:
    """What the forward pass over a batch leaves behind for the gate.

    Attributes
    ----------
    actions : (B,) tensor
        The actions drawn from the policy.
    surprisal : (B,) tensor
        ℓ = −log π(a) ≥ 0, nats, detached.
    log_policy : (B, K) tensor or None
        Log-probabilities of every action, detached; None when the batch was screened elsewhere (by the sampler,
        by a cheaper network), in which case ``actions`` and ``surprisal`` are all the gate needs.
    log_prob : (B,) tensor or None
        log π(a) with its graph: kept only when there is no gate, so that a full step needs one forward pass.
    made_at : tuple of int or None
        Set by the step's own ``act`` alone: the state of the policy then. Such a screening must agree with the second
        forward pass; one that was made elsewhere need not.
    kept : KeptPass or None
        Set by the step's own ``act`` alone: small activations of a plain policy, which serve one backward pass.
    """

    actions: Tensor
    surprisal: Tensor
    log_policy: Tensor | None = None
    log_prob: Tensor | None = None
    made_at: tuple[int, ...] | None = None
    kept: KeptPass | None = None

    def __repr__(self) -> str:
        return one_line(self, ("actions", "surprisal", "log_policy", "log_prob"))


def require_vectors(size: int, screening: Screening, check: bool, **vectors: Any) -> None:
    """Refuse what would broadcast to another gradient: everything must be a vector of the batch's length.

    Parameters
    ----------
    size : int
        B.
    screening : Screening
    check : bool
        Look at values too, which waits for the device.
    vectors : (B,) tensor or None
        ``advantage``, ``weight``, ``score``; None where not given.

    Raises
    ------
    TypeError
        If a dtype does not fit.
    ValueError
        If a shape does not or, with ``check``, a value is NaN or infinite (a score: NaN), or a surprisal negative.
    """
    for name, vector in (vectors | {"actions": screening.actions, "surprisal": screening.surprisal}).items():
        if vector is None:
            continue
        if not isinstance(vector, Tensor):
            hint = ": of a pair the first, such as group_advantage(…)[0]" if isinstance(vector, tuple) else ""
            raise TypeError(f"{name} must be a tensor, got {type(vector).__name__}{hint}")
        if tuple(vector.shape) != (size,):
            raise ValueError(f"{name} must be a vector of the batch's length {size}, got {tuple(vector.shape)}")
        if name == "actions":
            if vector.dtype != torch.int64:
                raise TypeError(f"actions must have dtype int64, got {vector.dtype}")
        elif not vector.is_floating_point():
            raise TypeError(f"{name} must have a real floating dtype, got {vector.dtype}")
        elif check and name in ("advantage", "weight") and not bool(torch.isfinite(vector).all()):
            raise ValueError(f"{name} must be finite, got {float(vector[~torch.isfinite(vector)][0])}")
        elif check and name == "score" and bool(vector.isnan().any()):
            raise ValueError("score must be a number, got nan")
    if check:
        require_surprisal(screening.surprisal)


@dataclass(repr=False)
class StepCounts(DeviceCounts):
    """What the steps so far have cost: counted, never assumed.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    forward_samples : int
        Samples screened, here or elsewhere, and selected from: B an update.
    rerun_samples : int
        Samples that went through a second forward pass: k an update, none in a full step that keeps its first.
    backward_samples : int
        Samples backpropagated: k an update.
    flops_per_sample : FlopsPerSample or None
        Set it to what :func:`~kondo_theory.training.measure_flops` found to have ``flops``.
    invalid_samples, mean_gap, largest_gap
        See :class:`~kondo_theory.training.agreement.DeviceCounts`; reading them waits for the device.
    """

    updates: int = 0
    forward_samples: int = 0
    rerun_samples: int = 0
    backward_samples: int = 0
    flops_per_sample: FlopsPerSample | None = None

    def add_selection(self, selection: Selection) -> None:
        """Count a batch that was screened and selected from."""
        self.forward_samples += selection.keep.shape[-1]
        self.add_invalid(selection.n_invalid)

    def add_backward(self, n_kept: int, *, rerun: bool) -> None:
        """Count the samples of a backward pass; ``rerun``: they went through a second forward pass."""
        self.backward_samples += n_kept
        self.rerun_samples += n_kept if rerun else 0

    def add_step(self) -> None:
        """Count a step of the optimizer."""
        self.updates += 1

    @property
    def flops(self) -> float:
        """FLOPs of all steps so far: each pass of each sample at its measured price.

        Raises
        ------
        ValueError
            If the price was not measured.
        """
        price = self.flops_per_sample
        if price is None:
            raise ValueError(
                "FLOPs are not measured: set counts.flops_per_sample = measure_flops(policy, observations) first"
            )
        return (self.forward_samples + self.rerun_samples) * price.forward + self.backward_samples * price.backward
