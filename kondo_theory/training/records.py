"""What a screened step hands on, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kondo_theory.training.agreement import DeviceCounts
from kondo_theory.training.flops import FlopsPerSample

__all__ = ["Screening", "StepCounts"]


@dataclass(frozen=True)
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
    """

    actions: Tensor
    surprisal: Tensor
    log_policy: Tensor | None = None
    log_prob: Tensor | None = None
    made_at: tuple[int, ...] | None = None


@dataclass(repr=False)
class StepCounts(DeviceCounts):
    """What the steps so far have cost: counted, never assumed.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    forward_samples : int
        Samples screened, here or elsewhere: B an update.
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
