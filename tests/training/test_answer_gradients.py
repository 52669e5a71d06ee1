"""The gradient of a step on answers is that of the masked full batch, however rows are padded, cut and packed."""

import math
from itertools import product

import pytest
import torch
from answer_batches import (
    PADDINGS,
    B,
    L,
    V,
    advantages,
    masked_gradients,
    own_gradients,
    ragged,
    relative_error,
    small_model,
)
from steps import sgd
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from kondo_theory.training.answers import ppo_loss, truncated_loss
from kondo_theory.training.answers.rules import LEVELS
from kondo_theory.training.answers.step import NORMALISERS

GATES = (Gate(rate=0.3), Gate(price=0.0), Gate(rate=0.5, temperature=0.3), None)


def found_and_expected(gate, answers=None, *, model=None, groups=2, **options):
    """The gradients of an update and of the masked full batch, and the selection."""
    answers, model = answers or ragged(), model or small_model()
    step = AnswerStep(model, sgd(model.parameters()), gate, **options)
    for group in step.optimizer.param_groups:
        group["lr"] = 0.0
    selection = step.update(answers, advantages(), groups=groups)
    normaliser = {
        "tokens": answers.answered.sum(),
        "rows": answers.answered.any(1).sum(),
        "kept": selection.keep.sum(),
    }[step.normalise]
    expected = masked_gradients(model, answers, advantages(), selection.keep, normaliser)
    return own_gradients(model), expected, selection


@pytest.mark.parametrize("gate", GATES, ids=str)
@pytest.mark.parametrize(("level", "normalise"), list(product(LEVELS, NORMALISERS)))
def test_it_is_that_of_the_masked_full_batch(level, normalise, gate):
    found, expected, selection = found_and_expected(gate, level=level, normalise=normalise, micro_tokens=40)
    assert relative_error(found, expected) < 1e-10
    assert 0 < selection.keep.sum() < B * L


@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_padding_and_turns_change_nothing(padding, level, turns):
    answers = ragged(padding, turns=turns)
    found, expected, selection = found_and_expected(Gate(rate=0.4), answers, level=level)
    assert relative_error(found, expected) < 1e-10
    assert not (selection.keep & ~answers.answered).any()


@pytest.mark.parametrize("chunk_tokens", [1, 7, 1000])
@pytest.mark.parametrize("micro_tokens", [1, 25, 1000])
def test_micro_batches_and_chunks_change_nothing(micro_tokens, chunk_tokens):
    found, expected, _ = found_and_expected(
        Gate(rate=0.6), level="token", micro_tokens=micro_tokens, chunk_tokens=chunk_tokens
    )
    assert relative_error(found, expected) < 1e-10


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "options", [{"tied": True}, {"frozen": ("head",)}, {"frozen": ("tokens", "positions", "blocks.0")}], ids=str
)
def test_tied_and_frozen_parts(level, options):
    found, expected, _ = found_and_expected(Gate(rate=0.4), model=small_model(**options), level=level)
    assert relative_error(found, expected) < 1e-10
    if "frozen" in options:
        assert any(each is None for each in found)


@pytest.mark.parametrize("level", LEVELS)
def test_one_kept(level):
    found, expected, selection = found_and_expected(Gate(rate=1e-3), level=level)
    assert selection.n_kept == 1
    assert relative_error(found, expected) < 1e-10


def test_negative_control_another_normaliser_or_mask_is_noticed():
    found, expected, selection = found_and_expected(Gate(rate=0.4))
    assert relative_error([1.01 * each for each in found], expected) > 1e-3
    keep = selection.keep.clone()
    keep[selection.rows[0], keep[selection.rows[0]].nonzero()[0]] = False
    other = masked_gradients(small_model(), ragged(), advantages(), keep, ragged().answered.sum())
    assert relative_error(found, other) > 1e-3


@pytest.mark.parametrize("level", LEVELS)
def test_a_weight_multiplies_each_token(level):
    answers, model = ragged(), small_model()
    weight = torch.rand(B, L, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4), level=level)
    selection = step.select(answers, advantages(), groups=2, weight=weight)
    step.backward(answers, advantages(), selection, weight=weight)
    coefficient = weight * advantages()[:, None]
    expected = masked_gradients(model, answers, coefficient, selection.keep, answers.answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10


def test_tokens_may_have_advantages_of_their_own():
    answers, model = ragged(), small_model()
    advantage = torch.randn(B, L, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step = AnswerStep(model, sgd(model.parameters()), Gate(price=0.0), level="token")
    selection = step.select(answers, advantage)
    assert torch.equal(selection.keep, answers.answered & (advantage > 0))
    step.backward(answers, advantage, selection)
    expected = masked_gradients(model, answers, advantage, selection.keep, answers.answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10


LOSSES = {
    "ppo": (ppo_loss(0.2), lambda r, A: torch.minimum(r * A, r.clamp(0.8, 1.2) * A)),
    "ppo, asymmetric": (ppo_loss(0.2, 0.28), lambda r, A: torch.minimum(r * A, r.clamp(0.8, 1.28) * A)),
    "truncated": (truncated_loss(1.1), lambda r, A: r.detach().clamp(max=1.1) * A * r.log()),
    "not truncated": (truncated_loss(math.inf), lambda r, A: r * A),
}


@pytest.mark.parametrize("name", LOSSES)
def test_importance_ratios_are_against_the_answers_own_log_probabilities(name):
    """The full batch's surrogate, written out on logits of all rows at once."""
    loss, surrogate = LOSSES[name]
    model, other = small_model(), small_model()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)))
    answers = ragged("right")
    old = AnswerStep(other, sgd(other.parameters()), None).screen(answers).log_prob
    answers = Answers(answers.tokens, answers.attention_mask, answers.answer_mask, old)
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), level="token", loss=loss, micro_tokens=30)
    selection = step.select(answers, advantages())
    step.backward(answers, advantages(), selection)
    tokens = answers.tokens.clamp(min=0)
    log_prob = model(tokens[:, :-1]).log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    ratio = (log_prob - old[:, 1:]).exp()
    kept = (selection.keep[:, 1:] * surrogate(ratio, advantages()[:, None].expand_as(ratio))).sum()
    expected = torch.autograd.grad(-kept / answers.answered.sum(), list(model.parameters()))
    assert relative_error(own_gradients(model), list(expected)) < 1e-10
    assert ((ratio > 1.28) | (ratio < 0.8)).any(), "negative control: there is something to clip"
    assert step.counts.largest_gap > 0.1


@pytest.mark.parametrize("loss", [ppo_loss(0.2), truncated_loss(2.0)])
def test_on_the_policy_itself_every_loss_is_the_policy_gradient(loss):
    found, expected, _ = found_and_expected(Gate(rate=0.4), loss=loss)
    assert relative_error(found, expected) < 1e-10


def test_a_ratio_without_log_probabilities_is_refused():
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4), rule="abs-advantage", loss=ppo_loss(0.2))
    with pytest.raises(ValueError, match="the loss needs log_prob of the policy that drew the answers"):
        step.update(ragged(), advantages())
    step.update(step.screen(ragged()), advantages())


@pytest.mark.parametrize(
    ("arguments", "message"), [((0.0,), "clip must"), ((1.0,), "clip must"), ((0.2, 0.0), "clip_high")]
)
def test_a_clip_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ppo_loss(*arguments)
    with pytest.raises(ValueError, match="cap must be above 0, got 0"):
        truncated_loss(0)


@pytest.mark.parametrize("level", LEVELS)
def test_parts_of_a_batch_accumulate_to_it_by_its_normaliser(level):
    """Halves of unequal numbers of tokens, each by the normaliser of the whole."""
    answers, model = ragged(), small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(price=0.0), level=level)
    whole = step.select(answers, advantages(), groups=2)
    for rows in (slice(0, 4), slice(4, B)):
        part = Answers(answers.tokens[rows], answers.attention_mask[rows], answers.answer_mask[rows])
        selection = step.select(part, advantages()[rows], groups=2)
        step.backward(part, advantages()[rows], selection, normaliser=step.normaliser(answers, whole))
    expected = masked_gradients(model, answers, advantages(), whole.keep, answers.answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10


def test_two_optimizers_and_a_further_loss_fit_between():
    """A value head of its own optimizer, and the entropy of the policy at every position."""
    model, value, answers = small_model(), nn.Linear(V, 1).double(), ragged("none", turns=False)
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    second = sgd(value.parameters())
    selection = step.select(answers, advantages())
    step.backward(answers, advantages(), selection)
    logits = model(answers.tokens[:, :-1])
    further = torch.special.entr(logits.softmax(-1)).sum() + value(logits.detach()).square().sum()
    of_entropy = torch.autograd.grad(further, list(model.parameters()), retain_graph=True)
    further.backward()
    expected = masked_gradients(model, answers, advantages(), selection.keep, answers.answered.sum())
    assert relative_error(own_gradients(model), [a + b for a, b in zip(expected, of_entropy, strict=True)]) < 1e-10
    before = [each.detach().clone() for each in (*model.parameters(), *value.parameters())]
    step.step()
    second.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, (*model.parameters(), *value.parameters()), strict=True))
    assert value.weight.grad is not None, "gradients stay until somebody clears them"
