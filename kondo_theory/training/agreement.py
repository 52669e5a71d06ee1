"""Whether the forward pass that screened a batch and the one that is backpropagated are one policy; device counts.

A gated step runs the kept rows through the policy twice. If the two passes differ by more than rounding the gradient
is not that of the masked full batch. A batch may also be screened elsewhere, by a sampler or by a cheaper network:
then the distance to the learner is something to know, and to limit on demand.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.training.display import one_line

__all__ = [
    "DeviceCounts",
    "compare_passes",
    "largest_logit",
    "require_agreement",
    "require_surprisal",
    "require_tolerance",
    "rounding",
    "state_of",
    "version_of",
]

_CAUSES = (
    "dropout; batch normalisation without running statistics; a normaliser that updates in its forward pass;"
    " parameters that changed in between; observations that were written to since, as a NumPy buffer that they share;"
    " autocast around one pass alone; a table that all rows share, indexed as rows; arithmetic inside the policy that"
    " is coarser than its logits' dtype (then give a tolerance)"
)


class DeviceCounts:
    """What can only be counted on the device: adding waits for nothing, reading does.

    Attributes
    ----------
    invalid_samples : int
        Samples that were never kept because their score was NaN or their coefficient was not finite.
    mean_gap, largest_gap : float
        |log π of the second forward pass − log π of screening| over the kept samples, nats; NaN while there are none.
    """

    _invalid: Tensor | int = 0
    _gap_samples: Tensor | int = 0
    _gap_total: Tensor | float = 0.0
    _gap_largest: Tensor | None = None

    def add_invalid(self, invalid: Tensor) -> None:
        """Count the True of a mask, or numbers of samples."""
        self._invalid += invalid.sum()  # in place, but for the first: a recorded update adds to the same tensor

    def add_gap(self, gap: Tensor, present: Tensor | None = None) -> None:
        """Count gaps in nats; with a mask of the same shape, those where it is True."""
        gap = gap.detach()
        if present is not None:
            gap = gap.masked_fill(~present, 0.0)
        if gap.numel() == 0:
            return
        precise = torch.float32 if gap.device.type == "mps" else torch.float64
        self._gap_samples += gap.numel() if present is None else present.sum()
        self._gap_total += gap.sum(dtype=precise)
        largest = gap.amax()
        if self._gap_largest is None:
            self._gap_largest = largest
        else:
            torch.maximum(self._gap_largest, largest, out=self._gap_largest)

    @property
    def invalid_samples(self) -> int:
        """See the class."""
        return int(self._invalid)

    @property
    def mean_gap(self) -> float:
        """See the class."""
        samples = int(self._gap_samples)
        return float(self._gap_total) / samples if samples else math.nan

    @property
    def largest_gap(self) -> float:
        """See the class."""
        return math.nan if self._gap_largest is None or not int(self._gap_samples) else float(self._gap_largest)

    def __repr__(self) -> str:
        names: list[str] = [field.name for field in fields(self)] if is_dataclass(self) else []
        return one_line(self, [*names, "invalid_samples", "mean_gap", "largest_gap"])


def largest_logit(logits: Tensor) -> Tensor:
    """Return the largest |logit| of each row, (...), among those (..., K) that have a probability.

    What forbids an action, −∞ or a number as −10⁹, says nothing of how the others are rounded.
    """
    logits = logits.detach()
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    least = math.log(torch.finfo(exact.dtype).tiny)
    there = exact - exact.amax(-1, keepdim=True) >= least
    return logits.abs().masked_fill(~there, 0.0).amax(-1)


def rounding(logits: Tensor, policy: nn.Module) -> Tensor:
    """Return how far two forward passes of one policy may differ by rounding, in nats, for each row of logits.

    √ε·(1 + the row's :func:`largest_logit`), ε the machine epsilon of the coarsest arithmetic that is known to be in
    use: of the logits, the parameters, autocast, and the matrix products' precision setting. Kernels sum in another
    order for another batch size; √ε leaves three digits for that in float32 and one in bfloat16.

    Returns
    -------
    (...) tensor
        For logits (..., K).
    """
    dtypes = {logits.dtype} | {parameter.dtype for parameter in policy.parameters() if parameter.is_floating_point()}
    device = logits.device.type
    if torch.is_autocast_enabled(device):
        dtypes.add(torch.get_autocast_dtype(device))
    epsilon = max(torch.finfo(dtype).eps for dtype in dtypes)
    if torch.float32 in dtypes:
        epsilon = max(epsilon, _matmul_epsilon(policy, device))
    largest = largest_logit(logits)
    return math.sqrt(epsilon) * (1 + largest.to(torch.promote_types(logits.dtype, torch.float32)))


def _matmul_epsilon(policy: nn.Module, device: str) -> float:
    """Return ε of the format that float32 products may be rounded to on their way in."""
    setting = torch.get_float32_matmul_precision()
    if setting == "medium":
        return torch.finfo(torch.bfloat16).eps
    fused = (nn.modules.conv._ConvNd, nn.RNNBase)
    on_cudnn = device == "cuda" and any(isinstance(module, fused) for module in policy.modules())
    if setting == "high" or on_cudnn:  # cuDNN rounds to TF32 unless it is told not to
        return torch.finfo(torch.float16).eps  # as many digits as TF32
    return 0.0


def require_tolerance(tolerance: float | None) -> float | None:
    """Return the tolerance, refusing what is negative or NaN."""
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"tolerance must be at least 0 nats, got {tolerance}")
    return tolerance


def require_agreement(
    second: Tensor, screened: Tensor, allowed: Tensor | float, present: Tensor | None = None
) -> None:
    """Refuse log-probabilities of two passes that are further apart than allowed; waits for the device.

    Parameters
    ----------
    second, screened : (...) tensor
        log π(a) of the second pass and of screening, nats.
    allowed : (...) tensor or float
        Nats.
    present : (...) boolean tensor, optional
        Where to look.

    Raises
    ------
    ValueError
        Naming the farthest sample and the likely causes.
    """
    second = second.detach()
    excess = (second - screened).abs() - allowed
    excess = torch.where(excess.isnan(), math.inf, excess)  # NaN agrees with nothing
    if present is not None:
        excess = excess.masked_fill(~present, -math.inf)
    excess = excess.flatten()
    if not bool((excess > 0).any()):
        return
    worst = int(excess.argmax())
    limit = float(allowed.flatten()[worst]) if isinstance(allowed, Tensor) else allowed
    before, after = float(screened.flatten()[worst]), float(second.flatten()[worst])
    raise ValueError(
        f"the two forward passes must be one policy, within {limit:.2g} nats: a kept sample had log-probability"
        f" {before:.6g} in screening and has {after:.6g} in the second pass. Likely causes: {_CAUSES}. A batch that"
        " was screened elsewhere on purpose is Screening(actions, surprisal), or Answers with the sampler's log_prob"
    )


def compare_passes(
    counts: DeviceCounts,
    second: Tensor,
    screened: Tensor,
    allowed: Tensor | float | None,
    present: Tensor | None = None,
) -> None:
    """Count how far the log-probabilities of two passes are apart, and refuse more than is allowed.

    Parameters and errors as for :func:`require_agreement`; ``allowed`` None sets no limit, and nothing waits.
    """
    if allowed is not None:
        require_agreement(second, screened, allowed, present)
    counts.add_gap((second.detach() - screened).abs(), present)


def require_surprisal(surprisal: Tensor) -> None:
    """Refuse surprisals that are not finite, or negative by more than rounding; waits for the device."""
    valid = surprisal.isfinite() & (surprisal >= -math.sqrt(torch.finfo(surprisal.dtype).eps))
    if bool(valid.all()):
        return
    value = float(surprisal[~valid].flatten()[0])
    hint = "; are these log-probabilities?" if -math.inf < value < 0 else ""
    raise ValueError(
        f"surprisal must be finite and at least 0, for it is -log of a probability, got {value:.6g}{hint}"
    )


def version_of(tensor: Tensor) -> int | None:
    """Return the version of a tensor, which moves with every change in place; None in inference mode, without one."""
    return None if tensor.is_inference() else tensor._version


def state_of(policy: Any) -> tuple[int, ...]:
    """Return the version of every parameter: it moves with every change in place, and costs the device nothing.

    A fused optimizer changes parameters without it.
    """
    return tuple(parameter._version for parameter in policy.parameters())
