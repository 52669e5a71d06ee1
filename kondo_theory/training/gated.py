"""What gated steps of one policy share: their settings, the agreement of two passes, how a gradient is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate
from kondo_theory.training.agreement import require_tolerance, rounding
from kondo_theory.training.policies import (
    require_graph,
    require_independent_rows,
    require_optimized,
    require_trainable,
    wide,
    zero_gradient,
)
from kondo_theory.training.ranks.group import Ranks, of_its_own, require_joined
from kondo_theory.training.ranks.selection import select_over_ranks
from kondo_theory.training.selection import Selection, require_gate, select_samples
from kondo_theory.training.streaming import StreamingGate

__all__ = ["GatedStep", "require_scale"]


class _Counts(Protocol):
    def add_step(self) -> None: ...


class GatedStep:
    """A policy, its optimizer and a gate; kinds of batches add how they are screened and backpropagated.

    Parameters and errors as for :class:`~kondo_theory.training.ScreenedStep`.
    """

    counts: _Counts

    def __init__(
        self,
        policy: nn.Module,
        optimizer: torch.optim.Optimizer,
        gate: Gate | StreamingGate | None,
        *,
        generator: torch.Generator | None,
        gate_generator: torch.Generator | None,
        check: bool,
        tolerance: float | None,
        ranks: Ranks | None = None,
    ) -> None:
        require_trainable(policy)
        require_optimized(policy, optimizer)
        require_independent_rows(policy)
        require_joined(policy, ranks)
        require_gate(gate)
        self.ranks = ranks
        self.policy, self.optimizer, self.gate = policy, optimizer, gate
        self.generator, self.gate_generator = generator, gate_generator or generator
        self.check, self.tolerance = check, require_tolerance(tolerance)

    def step(self, by: Callable[[torch.optim.Optimizer], Any] | None = None) -> None:
        """Step the optimizer and count the update; gradients stay until somebody clears them.

        Parameters
        ----------
        by : callable, optional
            What steps the optimizer, such as a ``GradScaler``'s ``step``; by default the optimizer's own.
        """
        if by is None:
            self.optimizer.step()
        else:
            by(self.optimizer)
        self.counts.add_step()

    def _select_samples(self, score: Tensor, *, check: bool, **given: Tensor | None) -> Selection:
        """Gate scores (n,): with ranks, as a part of those of all."""
        if self.ranks is None:
            return select_samples(score, self.gate, self.gate_generator, check=check, **given)
        return select_over_ranks(score, self.gate, self.gate_generator, self.ranks, check=check, **given)

    def _all_samples(self, advantage: Tensor) -> Selection:
        """Keep whatever has a finite advantage, (n,): with ranks, as a part of those of all."""
        if self.ranks is None:
            return select_samples(advantage, None, coefficient=advantage, check=False)
        return select_over_ranks(advantage, None, None, self.ranks, coefficient=advantage, check=False)

    def _total(self, number: Tensor) -> Tensor:
        """Return a number summed over the ranks, if there are several."""
        return number if self.ranks is None else self.ranks.total(number)

    def _allowed_gap(self, logits: Tensor, *, own: bool) -> Tensor | float | None:
        """Return how far two passes may differ, nats; ``own``: this step screened, and the policy is the same."""
        if self.tolerance is not None:
            return self.tolerance
        return rounding(logits, self.policy) if self.check and own else None

    @contextmanager
    def _held_aside(self, clear: bool) -> Iterator[None]:
        """Write gradients beside the earlier ones, and bring these back: in place of the new after an error."""
        optimized = {each for group in self.optimizer.param_groups for each in group["params"]}
        parameters = self._parameters()
        held = {each: of_its_own(self.policy, each.grad) for each in parameters if each.grad is not None}
        for each in held:
            each.grad = None
        try:
            yield
        except BaseException:
            for each in parameters:
                each.grad = held.get(each)
            raise
        for each, earlier in held.items():
            if not (clear and each in optimized):
                each.grad = earlier if each.grad is None else earlier.add_(each.grad)

    def _parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the optimizer and of the policy; those may be unsharded right after a pass."""
        optimized = [each for group in self.optimizer.param_groups for each in group["params"]]
        return list(dict.fromkeys([*optimized, *self.policy.parameters()]))

    def _gradients(self, parameters: list[nn.Parameter]) -> list[Tensor | None]:
        return [None if each.grad is None else of_its_own(self.policy, each.grad) for each in parameters]

    def _cosine(self, selections: Sequence[Selection], backward: Callable[[Selection], None]) -> Tensor:
        """Return the cosine of the gradients of two selections, 0-d; gradients and counts stay as they are."""
        parameters = self._parameters()
        held, counts = self._gradients(parameters), self.counts
        gradients = []
        try:
            for selection in selections:
                self.counts = deepcopy(counts)
                for each in parameters:
                    each.grad = None
                backward(selection)
                gradients.append(self._gradients(parameters))
        finally:
            self.counts = counts
            for each, earlier in zip(parameters, held, strict=True):
                each.grad = earlier
        pairs = [(kept, full) for kept, full in zip(*gradients, strict=True) if kept is not None and full is not None]
        products = torch.stack(
            [torch.stack([_inner(kept, full), _inner(kept, kept), _inner(full, full)]) for kept, full in pairs]
        ).sum(0)
        return products[0] / (products[1] * products[2]).sqrt()

    def _write(self, output: Tensor, *, scale: Tensor | float, clear: bool, empty: bool) -> None:
        """Add the gradient of scale · output to the parameters' own, when nothing can be refused any more.

        Parameters
        ----------
        output : tensor
            The loss, 0-d; where nothing is kept, logits of a few rows, which tell what the policy depends on.
        scale : float or 0-d tensor
        clear : bool
            Clear the optimizer's earlier gradients first.
        empty : bool
            Nothing is kept: what the output depends on gets a gradient of zero where it has none.

        Over ranks the gradient is that of the sum of their outputs. Their policy averages, so each counts as many
        times as there are ranks; one that keeps nothing goes through the same backward pass, for the others' sake.
        """
        require_graph(output)
        if clear:
            self.optimizer.zero_grad(set_to_none=True)
        if self.ranks is not None:
            loss = output.sum() * 0.0 if empty else output * scale
            (loss * self.ranks.size).backward()  # type: ignore[no-untyped-call]
        elif empty:
            zero_gradient(self.policy, output)
        else:
            (output * scale).backward()  # type: ignore[no-untyped-call]


def _inner(one: Tensor, other: Tensor) -> Tensor:
    """Return Σ one · other, 0-d; of sharded gradients over all their shards."""
    product: Any = (one.to(wide(one.dtype)) * other).sum()
    whole: Tensor = product.full_tensor() if hasattr(product, "full_tensor") else product  # of a DTensor
    return whole


def require_scale(scale: Tensor | float) -> None:
    """Refuse a number that is not finite, and a tensor of several; a tensor's value would have to be waited for."""
    if isinstance(scale, Tensor):
        if scale.numel() != 1:
            raise ValueError(f"scale must be a single number, got a tensor of shape {tuple(scale.shape)}")
    elif not math.isfinite(scale):
        raise ValueError(f"scale must be finite, got {scale}")
