"""One gated policy-gradient update at a time on the answers of a causal language model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate
from kondo_theory.screening import Rule
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.coefficient import token_coefficient
from kondo_theory.training.answers.groups import groups_without_spread
from kondo_theory.training.answers.losses import TokenLoss, policy_loss
from kondo_theory.training.answers.rules import needs_batch, needs_entropy, needs_log_prob, require_rule
from kondo_theory.training.answers.scores import ROW_SURPRISALS, rank_answers
from kondo_theory.training.gated import require_scale
from kondo_theory.training.logged import LoggedAnswerStep
from kondo_theory.training.ranks.group import Ranks
from kondo_theory.training.selection import Selection
from kondo_theory.training.streaming import StreamingGate
from kondo_theory.words import choice

__all__ = ["NORMALISERS", "AnswerStep"]

NORMALISERS = ("tokens", "rows", "kept")


class AnswerStep(LoggedAnswerStep):
    """Gate tokens, answers or groups of a causal language model's answers, and backpropagate what is kept.

    :meth:`update` does it all: clear the gradients, :meth:`select`, :meth:`backward`, :meth:`step`. Call these one by
    one for what must fit between: clipping, loss scaling, further losses, gradients of several batches. Gradients
    are cleared by :meth:`update` and by nothing else here.

    Only rows that hold a kept token go through the model again, aligned at their first token and cut before their
    last kept one, in micro-batches packed by length; log-probabilities are those of the kept tokens alone, and logits
    exist for ``chunk_tokens`` of them at a time. The gradient is that of the masked full batch.

    Parameters
    ----------
    model : nn.Module
        Returns logits (B, L, V), or an object with ``.logits``, for tokens (B, L): any torch module, a Hugging Face
        model as it is, one with low-rank adapters. Causal: what stands behind a token changes nothing before it, and
        rows do not mix. It is called without masks and positions (see :mod:`.packing`): the same as with them, and
        with positions that count from each row's first token. See :mod:`.causal_model` for what it is called with,
        and which models never make all logits of a micro-batch.
    optimizer : torch.optim.Optimizer
        Steps once an update, with a zero gradient when nothing is kept, as it would for the masked batch. Must step
        without a closure.
    gate : Gate, StreamingGate or None
        What gets a backward pass; None keeps all that has an advantage, by whatever ``rule``.
    level : {"row", "token", "group"}
        What is kept or dropped. See :func:`kondo_theory.training.answers.select_answers`, also for how rows and
        groups are scored. At a fixed rate tokens that share their row's advantage can stall (claim ``token-trap``).
    rule : str or callable
        What the gate ranks, a name in :data:`kondo_theory.screening.RULES`, or a function like them; see
        :func:`kondo_theory.training.answers.select_answers`. ``Gate(rate=1.0)`` keeps all that it does not drop.
        Rules that look at the advantage alone need no log-probabilities, and no forward pass for them.
    row_surprisal : {"sum", "mean"}
        How a row's surprisal is made of its tokens': the sum favours long answers, the mean does not.
    normalise : {"tokens", "rows", "kept"}
        What the sum of the kept tokens' losses is divided by; none of the three clears the gate's own bias.

        * "tokens", all answer tokens of the batch: every token counts alike, so long answers count more; the gradient
          is that of the masked full batch, and shorter the less is kept.
        * "rows", all answers: a row's loss is the sum over its tokens, so the step grows with the answers' length.
          The mean within each row is ``weight`` 1/length with it.
        * "kept", the kept tokens: the step's length does not fall with the rate, but a batch in which little is worth
          keeping counts as much as another; the mean of such ratios is no ratio of means, and for a token gate or
          rows of unequal length batches that keep short rows weigh more.
    loss : callable
        The loss of each token: :func:`~kondo_theory.training.answers.policy_loss`,
        :func:`~kondo_theory.training.answers.ppo_loss`, :func:`~kondo_theory.training.answers.truncated_loss`, or
        another like them. Importance ratios are against ``Answers.log_prob`` or, without it, the step's own
        screening: the first of the same ``Answers``, until their tokens or masks are written to. Where the rule needs
        none, screen them: ``answers = step.screen(answers)``.
    micro_tokens : int
        The most positions of a micro-batch, padding included; a longer row is one by itself.
    chunk_tokens : int
        Tokens whose logits exist at once: chunk_tokens × V numbers.
    generator : torch.Generator or None
        Draws the gate and breaks ties, on the model's device; None uses torch's global generator.
    check : bool
        Validate values at every update, and that the log-probabilities of the step's own screening agree with those
        of the kept tokens' second pass up to rounding (see :func:`kondo_theory.training.agreement.rounding`). Waits
        for the device; without it an update waits once, to know what was kept, and once more where it screens, to
        know where answers stand. That masks fit is seen in any case.
    tolerance : float or None
        The largest difference in nats between ``Answers.log_prob`` and the second pass, whoever made it; it waits for
        the device. None sets those of a sampler no limit: ``counts.mean_gap`` says how far they are.
    ranks : Ranks or None
        Parts of a batch that is gated as one (:mod:`kondo_theory.training.ranks`); your own rule sees a part.

    Attributes
    ----------
    counts : AnswerCounts
        See :class:`kondo_theory.training.answers.counts.AnswerCounts`.

    Raises
    ------
    ValueError
        If a name is unknown, a number of tokens is below 1, no parameter of the model is trainable or the
        optimizer's, the optimizer needs the loss several times a step (LBFGS), the model has a batch normalisation
        layer that uses the batch's statistics, the tolerance is negative or NaN, the rule does not fit the level or
        the gate, nobody averages the gradients over the given ranks, or the rule needs the batches of all of them.

    Examples
    --------
    >>> step = AnswerStep(model, optimizer, Gate(rate=0.125))                          # doctest: +SKIP
    >>> answers = Answers(sequences, attention_mask, answer_mask, log_prob)            # doctest: +SKIP
    >>> advantage, _ = group_advantage(reward, 8)                                      # doctest: +SKIP
    >>> step.update(answers, advantage)                                                # doctest: +SKIP

    The same with the gradient clipped:

    >>> selection = step.select(answers, advantage)                                    # doctest: +SKIP
    >>> optimizer.zero_grad()                                                          # doctest: +SKIP
    >>> step.backward(answers, advantage, selection)                                   # doctest: +SKIP
    >>> torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)                        # doctest: +SKIP
    >>> step.step()                                                                    # doctest: +SKIP

    Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        gate: Gate | StreamingGate | None,
        *,
        level: str = "row",
        rule: str | Rule = "delight",
        row_surprisal: str = "sum",
        normalise: str = "tokens",
        loss: TokenLoss = policy_loss,
        micro_tokens: int = 4096,
        chunk_tokens: int = 512,
        generator: torch.Generator | None = None,
        check: bool = True,
        tolerance: float | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        require_rule(rule, level, gate)
        self.level = level
        self.row_surprisal = choice("row_surprisal", row_surprisal, ROW_SURPRISALS)
        self.normalise = choice("normalise", normalise, NORMALISERS)
        if ranks is not None and needs_batch(rule):
            raise ValueError(f"over ranks a rule must score each sample by itself, got {rule!r}")
        self.rule = rule
        sizes = {"micro_tokens": micro_tokens, "chunk_tokens": chunk_tokens}
        options: dict[str, Any] = {"generator": generator, "check": check, "tolerance": tolerance, "ranks": ranks}
        super().__init__(model, optimizer, gate, gate_generator=None, loss=loss, **sizes, **options)

    def screen(self, answers: Answers) -> Answers:
        """Return the answers with the policy's own log-probabilities, and entropies if the rule needs them.

        A forward pass without a graph over all answers, in micro-batches packed by length. :meth:`select` does it
        where ``log_prob`` is None.

        Raises
        ------
        TypeError, ValueError
            If the model does not return logits, a mask does not fit or, with ``check``, a value does not or a
            log-probability is NaN.
        """
        if self.check:
            answers.require_values()
        return self._screen(answers, with_entropy=needs_entropy(self.rule))

    def select(
        self, answers: Answers, advantage: Tensor, *, groups: int | Tensor | None = None, weight: Tensor | None = None
    ) -> Selection:
        """Gate the batch: say which tokens get a backward pass, and count the batch.

        Parameters
        ----------
        answers : Answers
            Without ``log_prob``, and a rule that needs it, they are screened here: see :meth:`screened`.
        advantage : (B,) tensor, or (B, L) at the level of tokens
            U of each answer, reward minus baseline; see :func:`kondo_theory.advantage.group_advantage`.
        groups : int or (B,) integer tensor, optional
            Needed at the level of groups; elsewhere it makes ``counts`` count groups.
        weight : (B,) or (B, L) tensor, optional
            As in :meth:`backward`.

        Returns
        -------
        Selection
            ``keep`` (B, L), of tokens; ``n_valid``, ``n_eligible``, ``n_kept`` and ``price`` of what is gated.

        Raises
        ------
        TypeError, ValueError
            If a shape or dtype does not fit, the rule needs entropies and there are log-probabilities alone, or, with
            ``check``, a value does not fit.
        """
        self._coefficient(answers, advantage, weight)
        if groups is not None:
            self.counts.add_groups(*groups_without_spread(groups, answers, advantage))
        if answers.log_prob is None and self.gate is not None and needs_log_prob(self.rule):
            self._screen_once(answers, with_entropy=needs_entropy(self.rule))
        ranked = rank_answers(
            self.screened(answers),
            advantage,
            level=self.level,
            rule=None if self.gate is None else self.rule,
            row_surprisal=self.row_surprisal,
            groups=groups,
            weight=weight,
            ranks=self.ranks,
        )
        selection = ranked.select(self.gate, self.gate_generator, check=self.check, ranks=self.ranks)
        self.counts.add_selection(answers, selection)
        return selection

    def normaliser(self, answers: Answers, selection: Selection) -> Tensor:
        """Return what the sum of losses is divided by, 0-d, at least 1; over ranks it counts those of all."""
        counted = {"tokens": answers.answered, "rows": answers.present, "kept": selection.keep}[self.normalise]
        return self._total(counted.sum()).clamp(min=1)

    def backward(
        self,
        answers: Answers,
        advantage: Tensor,
        selection: Selection,
        *,
        weight: Tensor | None = None,
        scale: Tensor | float = 1.0,
        normaliser: Tensor | float | None = None,
    ) -> None:
        """Add the gradient of (scale/normaliser) Σ_kept loss to the parameters' own.

        Earlier gradients are not cleared. Where nothing is kept the sum is zero: the parameters that the model uses
        get a gradient of zero if they have none, and all others stay as they are. With ``check`` everything is as
        before after an error: with several micro-batches earlier gradients are held aside until the last one agrees.

        Parameters
        ----------
        answers : Answers
            Those of :meth:`select`.
        advantage : (B,) or (B, L) tensor
            U; no gradient flows through it.
        selection : Selection
            From :meth:`select`.
        weight : (B,) or (B, L) tensor, optional
            Beside the advantage, such as the delightful policy gradient's σ(χ/η); by default one.
        scale : float or 0-d tensor
            A loss scale, or the batch's share of those that are accumulated: 1/2 for each of two halves.
        normaliser : float or 0-d tensor, optional
            By default :meth:`normaliser`; that of the whole for parts of a larger batch.

        Raises
        ------
        TypeError
            If a dtype does not fit, or the model does not return logits.
        ValueError
            If the shapes do not match, the scale is not finite, a mask does not fit, the loss needs log-probabilities
            that there are not or, with ``check``, a value does not fit or the two forward passes disagree.
        """
        require_scale(scale)
        if selection.keep.shape != answers.tokens.shape:
            shapes = f"{tuple(answers.tokens.shape)}, got {tuple(selection.keep.shape)}"
            raise ValueError(f"selection must be of the answers' tokens, {shapes}")
        coefficient = self._coefficient(answers, advantage, weight)
        if normaliser is None:
            normaliser = self.normaliser(answers, selection)
        self._write_kept(answers, selection.keep, coefficient, normaliser=normaliser, scale=scale, clear=False)

    def update(
        self, answers: Answers, advantage: Tensor, *, groups: int | Tensor | None = None, weight: Tensor | None = None
    ) -> Selection:
        """Gate the batch, clear the gradients, backpropagate what is kept, step the optimizer.

        Parameters, errors
            Those of :meth:`select` and :meth:`backward`.

        Returns
        -------
        Selection
        """
        selection = self.select(answers, advantage, groups=groups, weight=weight)
        coefficient, normaliser = token_coefficient(answers, advantage, weight), self.normaliser(answers, selection)
        self._write_kept(answers, selection.keep, coefficient, normaliser=normaliser, scale=1.0, clear=True)
        self.step()
        return selection

    def _coefficient(self, answers: Answers, advantage: Tensor, weight: Tensor | None) -> Tensor:
        """Return advantage · weight, (B, L), refusing what does not fit; with ``check`` it waits for the device."""
        coefficient = token_coefficient(answers, advantage, weight)
        if self.check:
            answers.require_values()
            for name, values in (("advantage", advantage), ("weight", weight)):
                if values is not None and not bool(values.isfinite().all()):
                    raise ValueError(f"{name} must be finite, got {float(values[~values.isfinite()][0])}")
        return coefficient
