"""One gated policy-gradient update at a time, for any torch policy over discrete actions."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate, delight
from kondo_theory.training.agreement import (
    require_agreement,
    require_surprisal,
    require_tolerance,
    rounding,
    state_of,
)
from kondo_theory.training.observations import Observations, batch_size, take_rows
from kondo_theory.training.policies import (
    draw,
    fresh_casts,
    log_probabilities,
    logits_of,
    pick,
    require_graph,
    require_independent_rows,
    require_numbers,
    require_trainable,
    zero_gradient,
)
from kondo_theory.training.records import Screening, StepCounts

__all__ = ["ScreenedStep"]


class _Selection(NamedTuple):
    """What the gate says of a batch: its mask (B,), the kept rows (k,) or None for all, and the coefficients (B,)."""

    keep: Tensor
    rows: Tensor | None
    coefficient: Tensor
    invalid: Tensor


class ScreenedStep:
    """One gated policy-gradient update at a time, for any torch policy over discrete actions.

    Parameters
    ----------
    policy : nn.Module
        Maps observations (B, ...) to logits (B, K): a tensor, or an object with ``.logits``, such as a
        ``Categorical``. It must treat rows independently and give the kept rows what it gave them in the batch;
        ``check`` compares. Log-probabilities and draws are in float32 at least.
    optimizer : torch.optim.Optimizer
        Steps once an update, with a zero gradient when nothing is kept, as it would for the masked batch.
    gate : Gate or None
        Which samples get a backward pass; None keeps all of them (the full step).
    generator : torch.Generator or None
        Draws the actions, on the policy's device; None uses torch's global generator.
    gate_generator : torch.Generator or None
        Draws the gate: a stream of its own leaves the actions those of an ungated run. None uses ``generator``.
    check : bool
        Validate values at every update, and that the two forward passes over the kept rows agree up to rounding (see
        :func:`kondo_theory.training.agreement.rounding`) where :meth:`act` made the screening. Turn off in a hot loop
        on a GPU: validation waits for the device.
    tolerance : float or None
        The largest difference in nats between log-probabilities of screening and of the second pass, for screenings
        from :meth:`act` and from elsewhere alike; it waits for the device. None leaves it to ``check``, which sets
        batches that were screened elsewhere no limit.

    Attributes
    ----------
    counts : StepCounts

    Raises
    ------
    ValueError
        If no parameter of the policy is trainable, it has a batch normalisation layer that uses the batch's
        statistics, or the tolerance is negative or NaN.

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
        tolerance: float | None = None,
    ) -> None:
        require_trainable(policy)
        require_independent_rows(policy)
        self.policy, self.optimizer, self.gate = policy, optimizer, gate
        self.generator, self.gate_generator = generator, gate_generator or generator
        self.check, self.tolerance = check, require_tolerance(tolerance)
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
        TypeError
            If the observations are not tensors, or the policy does not return logits.
        ValueError
            If the batch is empty, a tensor's first axis is not the batch, the logits are not (B, K) or, with
            ``check``, give no probabilities, or a batch normalisation layer uses the batch's statistics.
        """
        require_independent_rows(self.policy)
        size = batch_size(observations)
        made_at = (self.counts.updates, *state_of(self.policy))
        with torch.set_grad_enabled(self.gate is None):
            log_policy = log_probabilities(self._logits(observations, size))
        detached = log_policy.detach()
        if self.check:
            require_numbers(detached)
        actions = draw(detached, self.generator)
        log_prob = pick(log_policy, actions)
        return Screening(actions, -log_prob.detach(), detached, log_prob if log_prob.requires_grad else None, made_at)

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
        optimizer must be one that steps without a closure. After an error everything is as before: parameters,
        gradients and optimizer.

        Without ``check`` a sample whose score is NaN, or whose weight · U is not finite, is never kept; it stays in
        B, and ``counts.invalid_samples`` counts it.

        Parameters
        ----------
        observations : tensor (B, ...), or a tuple or mapping of such tensors
        screening : Screening
            From :meth:`act`, or made from a sampler's own actions and surprisals; how far these are from the policy
            is counted in ``counts.mean_gap`` and ``counts.largest_gap``.
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
        TypeError
            If a dtype does not fit, or the policy does not return logits.
        ValueError
            If the shapes do not match, the policy changed since :meth:`act` kept its graph or, with ``check``, a
            value is NaN or infinite, a surprisal is negative, or the two forward passes disagree.
        """
        self._require_vectors(observations, screening, advantage=advantage, weight=weight, score=score)
        selection = self._select(screening, advantage, score, weight)
        self._backward(observations, screening, selection)
        self.optimizer.step()
        self.counts.add_invalid(selection.invalid)
        self.counts.updates += 1
        self.counts.forward_samples += len(selection.keep)
        return selection.keep

    def _logits(self, observations: Observations, size: int) -> Tensor:
        with fresh_casts():
            return logits_of(self.policy(observations), size)

    def _require_vectors(self, observations: Observations, screening: Screening, **vectors: Tensor | None) -> None:
        """Refuse what would broadcast to another gradient: everything must be a vector of the batch's length."""
        size = batch_size(observations)
        for name, vector in (vectors | {"actions": screening.actions, "surprisal": screening.surprisal}).items():
            if vector is None:
                continue
            if tuple(vector.shape) != (size,):
                raise ValueError(f"{name} must be a vector of the batch's length {size}, got {tuple(vector.shape)}")
            if name == "actions":
                if vector.dtype != torch.int64:
                    raise TypeError(f"actions must have dtype int64, got {vector.dtype}")
            elif not vector.is_floating_point():
                raise TypeError(f"{name} must have a real floating dtype, got {vector.dtype}")
            elif self.check and name in ("advantage", "weight") and not bool(torch.isfinite(vector).all()):
                raise ValueError(f"{name} must be finite, got {float(vector[~torch.isfinite(vector)][0])}")
            elif self.check and name == "score" and bool(vector.isnan().any()):
                raise ValueError("score must be a number, got nan")
        if self.check:
            require_surprisal(screening.surprisal)

    def _select(
        self, screening: Screening, advantage: Tensor, score: Tensor | None, weight: Tensor | None
    ) -> _Selection:
        """Gate the batch; what is not a number is ruled out before the gate, which cannot rank it."""
        advantage = advantage.detach()
        if score is None:
            score = delight(advantage, screening.surprisal, check=self.check)
        coefficient = advantage if weight is None else advantage * weight.detach()
        invalid = score.isnan() | ~coefficient.isfinite()
        if self.gate is None:
            return _Selection(~invalid, None, coefficient.masked_fill(invalid, 0.0), invalid)
        keep = self.gate(score.detach().masked_fill(invalid, -math.inf), self.gate_generator, check=self.check)
        return _Selection(keep, keep.nonzero().squeeze(-1), coefficient, invalid)

    def _backward(self, observations: Observations, screening: Screening, selection: _Selection) -> None:
        """Write the gradient; the optimizer's earlier one goes when nothing can be refused any more."""
        rows, size = selection.rows, len(selection.keep)
        n_kept = size if rows is None else len(rows)
        if n_kept == 0:
            with torch.enable_grad():
                logits = self._logits(take_rows(observations, slice(0, 1)), 1)
            self.optimizer.zero_grad(set_to_none=True)
            zero_gradient(self.policy, logits)
            return
        rerun = rows is not None or screening.log_prob is None
        log_prob = self._second_pass(observations, screening, rows) if rerun else self._first_pass(screening)
        coefficient = selection.coefficient if rows is None else selection.coefficient[rows]
        loss = -(coefficient * log_prob).sum() / size
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.counts.rerun_samples += n_kept if rerun else 0
        self.counts.backward_samples += n_kept

    def _first_pass(self, screening: Screening) -> Tensor:
        """Return log π(a) with the graph of :meth:`act`, refusing one of other parameters."""
        if screening.made_at not in (None, (self.counts.updates, *state_of(self.policy))):
            raise ValueError(
                "the policy's parameters must be those of act, whose graph the full step uses: they changed since;"
                " call act again, or pass Screening(actions, surprisal) to train on an older policy's batch"
            )
        assert screening.log_prob is not None
        return screening.log_prob

    def _second_pass(self, observations: Observations, screening: Screening, rows: Tensor | None) -> Tensor:
        """Return log π(a) of the given rows, (k,), with its graph, refusing or counting its gap to the screening."""
        surprisal, actions = screening.surprisal, screening.actions
        if rows is not None:
            observations, surprisal, actions = take_rows(observations, rows), surprisal[rows], actions[rows]
        with torch.enable_grad():
            logits = self._logits(observations, len(actions))
            if self.check and not bool(((actions >= 0) & (actions < logits.shape[-1])).all()):
                worst = int(actions[(actions < 0) | (actions >= logits.shape[-1])][0])
                raise ValueError(f"actions must be from 0 to {logits.shape[-1] - 1}, got {worst}")
            log_prob = pick(log_probabilities(logits), actions)
        require_graph(log_prob)
        if self.tolerance is not None:
            require_agreement(log_prob, -surprisal, self.tolerance)
        elif self.check and screening.made_at is not None:
            require_agreement(log_prob, -surprisal, rounding(logits, self.policy))
        self.counts.add_gap((log_prob.detach() + surprisal).abs())
        return log_prob
