"""One gated policy-gradient update at a time, for any torch policy over discrete actions.

It is longer than 300 lines because every option and call of the step is documented with it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate
from kondo_theory.training.agreement import compare_passes, state_of
from kondo_theory.training.gated import require_scale
from kondo_theory.training.observations import Observations, batch_size
from kondo_theory.training.policies import (
    draw,
    log_probabilities,
    pick,
    require_gradients,
    require_independent_rows,
    require_numbers,
    wide,
)
from kondo_theory.training.quick.step import QuickRowStep
from kondo_theory.training.ranks.group import Ranks
from kondo_theory.training.records import Screening, StepCounts, require_vectors
from kondo_theory.training.rows import any_row_logits, row_log_prob, row_logits
from kondo_theory.training.selection import Selection
from kondo_theory.training.streaming import StreamingGate
from kondo_theory.words import choice

__all__ = ["NORMALISERS", "PATHS", "ScreenedStep"]

NORMALISERS = ("batch", "kept")
PATHS = ("kept graph", "second pass", "kept activations")


class ScreenedStep(QuickRowStep):
    """One gated policy-gradient update at a time, for any torch policy over discrete actions.

    :meth:`update` does it all: clear the gradients, :meth:`select`, :meth:`backward`, :meth:`step`. Call these one by
    one for what must fit between: clipping, loss scaling, further losses, gradients of several batches. Gradients
    are cleared by :meth:`update` and by nothing else here.

    Parameters
    ----------
    policy : nn.Module
        Maps observations (B, ...) to logits (B, K): a tensor, or an object with ``.logits``, such as a
        ``Categorical``. It must treat rows independently and give the kept rows what it gave them in the batch;
        ``check`` compares. Log-probabilities and draws are in float32 at least.
    optimizer : torch.optim.Optimizer
        Steps once an update, with a zero gradient when nothing is kept, as it would for the masked batch. Must step
        without a closure.
    gate : Gate, StreamingGate or None
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
    normalise : {"batch", "kept"}
        What the sum over the kept samples is divided by: B, or how many were kept. The latter makes the gradient
        1/ρ times as long; at a price it has less noise along its mean where enough is kept (claim
        ``normalised-price-gate``), at a fixed rate only its length is another.
    ranks : Ranks or None
        Each of these has a part of the batch, and they gate it as one: see :mod:`kondo_theory.training.ranks`.
    reuse : bool
        Take the kept rows' gradient from the activations of the last :meth:`act`, without a second pass with a graph,
        where these are small and the policy is plain, linear layers with a usual function between two (see
        :func:`kondo_theory.training.quick.layers.plain_layers`). It is the same up to rounding, and less overhead in
        small steps on a CPU. It asks of the loop what cannot be seen: no hooks on the nodes that accumulate gradients
        and, without ``check`` or ``tolerance``, no change of a screened batch through memory that it shares, as with
        NumPy. With one of them the kept rows are run again, without a graph, and if they disagree with a graph.

    Attributes
    ----------
    counts : StepCounts
    path : {"kept graph", "second pass", "kept activations"} or None
        Where the gradient of the last backward pass came from.

    Raises
    ------
    ValueError
        If no parameter of the policy is trainable or the optimizer's, the optimizer needs the loss several times a
        step (LBFGS), the policy has a batch normalisation layer that uses the batch's statistics, the tolerance is
        negative or NaN, the normaliser's name is unknown, or nobody averages the gradients over the given ranks.

    Examples
    --------
    >>> step = ScreenedStep(policy, optimizer, Gate(rate=0.03))                     # doctest: +SKIP
    >>> screening = step.act(observations)                                          # doctest: +SKIP
    >>> step.update(observations, screening, environment(screening.actions) - baseline)  # doctest: +SKIP

    The same with the gradient clipped:

    >>> advantage = environment(screening.actions) - baseline                       # doctest: +SKIP
    >>> selection = step.select(screening, advantage)                               # doctest: +SKIP
    >>> optimizer.zero_grad()                                                       # doctest: +SKIP
    >>> step.backward(observations, screening, advantage, selection)                # doctest: +SKIP
    >>> torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)                    # doctest: +SKIP
    >>> step.step()                                                                 # doctest: +SKIP

    Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2.
    """

    def __init__(
        self,
        policy: nn.Module,
        optimizer: torch.optim.Optimizer,
        gate: Gate | StreamingGate | None,
        *,
        generator: torch.Generator | None = None,
        gate_generator: torch.Generator | None = None,
        check: bool = True,
        tolerance: float | None = None,
        normalise: str = "batch",
        ranks: Ranks | None = None,
        reuse: bool = False,
    ) -> None:
        self.normalise = choice("normalise", normalise, NORMALISERS)
        generators = {"generator": generator, "gate_generator": gate_generator}
        super().__init__(policy, optimizer, gate, **generators, check=check, tolerance=tolerance, ranks=ranks)
        self.counts: StepCounts = StepCounts()
        self.reuse = reuse
        self.path: str | None = None

    def act(self, observations: Observations) -> Screening:
        """Run the forward pass over the whole batch and draw one action a row.

        Parameters
        ----------
        observations : tensor (B, ...), or a tuple or mapping of such tensors

        Returns
        -------
        Screening
            Without a graph, unless there is no gate; then it serves one backward pass, before the policy changes.

        Raises
        ------
        TypeError
            If the observations are not tensors, or the policy does not return logits.
        ValueError
            If the batch is empty, a tensor's first axis is not the batch, the logits are not (B, K) or, with
            ``check``, give no probabilities, or a batch normalisation layer uses the batch's statistics.
        """
        kept = self._keep_pass(observations)
        if kept is not None:
            return self._screened(kept)
        require_independent_rows(self.policy)
        size = batch_size(observations)
        made_at = (self.counts.updates, *state_of(self.policy))
        with torch.set_grad_enabled(self.gate is None):
            log_policy = log_probabilities(row_logits(self.policy, observations, size))
        detached = log_policy.detach()
        if self.check:
            require_numbers(detached)
        actions = draw(detached, self.generator, self.ranks)
        log_prob = pick(log_policy, actions)
        return Screening(actions, -log_prob.detach(), detached, log_prob if log_prob.requires_grad else None, made_at)

    def select(
        self, screening: Screening, advantage: Tensor, *, score: Tensor | None = None, weight: Tensor | None = None
    ) -> Selection:
        """Gate the batch: say which rows get a backward pass, and count the batch.

        Without ``check`` a sample whose score is NaN, or whose weight · U is not finite, is never kept; it stays in
        B, and ``counts.invalid_samples`` counts it.

        Parameters
        ----------
        screening : Screening
            From :meth:`act`, or made from a sampler's own actions and surprisals.
        advantage : (B,) tensor
            U, reward minus baseline.
        score : (B,) tensor, optional
            What the gate ranks; by default the delight χ = U·ℓ.
        weight : (B,) tensor, optional
            Soft weights of the samples, as in :meth:`backward`.

        Returns
        -------
        Selection
            Of one batch: ``keep`` (B,).

        Raises
        ------
        TypeError
            If a dtype does not fit.
        ValueError
            If a shape does not match or, with ``check``, a value is NaN or infinite, or a surprisal is negative.
        """
        require_vectors(
            screening.actions.numel(), screening, self.check, advantage=advantage, weight=weight, score=score
        )
        return self._select(screening, advantage, score, weight)

    def backward(
        self,
        observations: Observations,
        screening: Screening,
        advantage: Tensor,
        selection: Selection,
        *,
        weight: Tensor | None = None,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Add the gradient of −(scale/n) Σ_kept weight · U · log π(a) to the parameters' own; n: ``normalise``.

        Earlier gradients are not cleared. Where nothing is kept the sum is zero: the parameters that the policy uses
        get a gradient of zero if they have none, and all others stay as they are. After an error of the step's own
        everything is as before.

        Parameters
        ----------
        observations : tensor (B, ...), or a tuple or mapping of such tensors
        screening : Screening
            That of :meth:`select`; how far it is from the policy is counted in ``counts.mean_gap`` and
            ``counts.largest_gap``.
        advantage : (B,) tensor
            U; no gradient flows through it.
        selection : Selection
            From :meth:`select`.
        weight : (B,) tensor, optional
            Soft weights of the samples (the delightful policy gradient's σ(χ/η)); by default one.
        scale : float or 0-d tensor
            A loss scale, or the batch's share of those that are accumulated: 1/2 for each of two halves; if the sum
            is divided by the kept, its share of these. Over ranks a part of one selection has 1: the sum is divided
            by what the whole selection is.

        Raises
        ------
        TypeError
            If a dtype does not fit, or the policy does not return logits.
        ValueError
            If the shapes do not match, the scale is not finite, the policy changed since :meth:`act` kept its graph
            (in a way that torch counts: a fused optimizer, or a change of ``.data``, is not seen) or, with ``check``,
            the actions did, a value is NaN or infinite, a surprisal is negative, or the two forward passes disagree.
        RuntimeError
            By torch, without a gate, if the graph of :meth:`act` has served before.
        """
        size = batch_size(observations)
        require_vectors(size, screening, self.check, advantage=advantage, weight=weight)
        if tuple(selection.keep.shape) != (size,):
            raise ValueError(f"selection must be of the batch's {size} rows, got {tuple(selection.keep.shape)}")
        require_scale(scale)
        self._backward(observations, screening, _coefficient(advantage, weight), selection, scale=scale, clear=False)

    def update(
        self,
        observations: Observations,
        screening: Screening,
        advantage: Tensor,
        *,
        score: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Gate the batch, clear the gradients, backpropagate the kept rows, step the optimizer.

        After an error of the step's own everything is as before: parameters, gradients and optimizer.

        Parameters, errors
            Those of :meth:`select` and :meth:`backward`.

        Returns
        -------
        (B,) boolean tensor
            The rows that were backpropagated.
        """
        size = batch_size(observations)
        require_vectors(size, screening, self.check, advantage=advantage, weight=weight, score=score)
        selection = self._select(screening, advantage, score, weight)
        self._backward(observations, screening, _coefficient(advantage, weight), selection, scale=1.0, clear=True)
        self.step()
        return selection.keep

    def _select(
        self, screening: Screening, advantage: Tensor, score: Tensor | None, weight: Tensor | None
    ) -> Selection:
        advantage = advantage.detach()
        coefficient = _coefficient(advantage, weight)
        selection = self._ranked(screening, advantage, score, coefficient)
        self.counts.add_selection(selection)
        return selection

    def _backward(
        self,
        observations: Observations,
        screening: Screening,
        coefficient: Tensor,
        selection: Selection,
        *,
        scale: Tensor | float,
        clear: bool,
    ) -> None:
        """Write the gradient for coefficients (B,), and count it."""
        require_gradients()
        size, whole = len(selection.keep), len(selection.keep) if self.ranks is None else selection.n_valid
        rows = None if self.gate is None else selection.rows
        n_kept = size if rows is None else len(rows)
        kept_of_all = selection.keep.sum() if self.ranks is None else selection.n_kept  # of a part its own
        divisor = whole if self.normalise == "batch" else kept_of_all.clamp(min=1)
        kept, rerun = self._kept_pass(observations, screening, rows), rows is not None or screening.log_prob is None
        self.path = PATHS[2 if kept else int(rerun)]
        if kept is not None and rows is not None:
            scale = scale.reshape(()) if isinstance(scale, Tensor) else scale
            coefficient = coefficient.index_select(0, rows).to(wide(coefficient.dtype)) * scale / divisor
            self._write_from(kept, screening, coefficient, rows, clear=clear)
            self.counts.add_backward(n_kept, rerun=self._compares)
            return
        with torch.enable_grad():
            if n_kept == 0:
                scored = selection.score > -math.inf if len(selection.score) == size else selection.keep
                loss = any_row_logits(self.policy, observations, scored)
            else:
                log_prob = self._second_pass(observations, screening, rows) if rerun else self._first_pass(screening)
                coefficient = coefficient.masked_fill(~selection.keep, 0.0) if rows is None else coefficient[rows]
                loss = -(coefficient * log_prob).sum() / divisor
            self._write(loss, scale=scale, clear=clear, empty=n_kept == 0)
        self.counts.add_backward(n_kept, rerun=rerun)

    def _first_pass(self, screening: Screening) -> Tensor:
        """Return log π(a) with the graph of :meth:`act`, refusing that of other parameters or actions."""
        if screening.made_at not in (None, (self.counts.updates, *state_of(self.policy))):
            raise ValueError(
                "the policy's parameters must be those of act, whose graph the full step uses: they changed since;"
                " call act again, or pass Screening(actions, surprisal) to train on an older policy's batch"
            )
        log_prob, log_policy = screening.log_prob, screening.log_policy
        assert log_prob is not None
        drawn = log_prob if log_policy is None or not self.check else pick(log_policy, screening.actions)
        if drawn is not log_prob and not torch.equal(drawn, log_prob.detach()):
            raise ValueError(
                "the actions must be those of act, whose graph the full step uses, got others: pass"
                " Screening(actions, surprisal) to train on them"
            )
        return log_prob

    def _second_pass(self, observations: Observations, screening: Screening, rows: Tensor | None) -> Tensor:
        """Return log π(a) of the given rows, (k,), with its graph, refusing or counting its gap to the screening."""
        logits, log_prob = row_log_prob(self.policy, observations, screening.actions, rows, check=self.check)
        surprisal = screening.surprisal if rows is None else screening.surprisal[rows]
        allowed = self._allowed_gap(logits, own=screening.made_at is not None)
        compare_passes(self.counts, log_prob, -surprisal, allowed)
        return log_prob


def _coefficient(advantage: Tensor, weight: Tensor | None) -> Tensor:
    """Return what log π(a) is multiplied by, (B,), without a graph; a product of 16 bits could overflow or vanish."""
    advantage = advantage.detach()
    return advantage if weight is None else advantage.to(wide(advantage.dtype)) * weight.detach()
