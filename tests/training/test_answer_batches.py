"""What a batch of answers may hold, and how its rows are cut, aligned and packed."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from answer_batches import PADDINGS, B, L, advantages, ragged, small_model
from steps import sgd

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from kondo_theory.training.answers.packing import first_row, pack, to_host


def changed(name, row, column, value):
    answers = ragged("both", turns=False)
    values = getattr(answers, name).clone()
    values[row, column] = value
    return dataclasses.replace(answers, **{name: values})


def first(mask, row):
    return int(mask[row].int().argmax())


START = first(ragged().attended, 0)
END = START + int(ragged().attended[0].sum())
LONG = torch.zeros(B, L, dtype=torch.int64)
LOG_PROB = -torch.ones(B, L)
SHAPES = [
    ({"tokens": torch.zeros(B, L)}, TypeError, r"tokens must be int32 or int64, got torch\.float32"),
    ({"tokens": [[1, 2]]}, TypeError, "tokens must be a tensor, got list"),
    ({"tokens": LONG[0]}, ValueError, r"tokens must be \(B, L\), .* got shape \(13,\)"),
    ({"tokens": LONG[:0]}, ValueError, r"got shape \(0, 13\)"),
    ({"attention_mask": LONG[:, 1:]}, ValueError, r"must have the shape of tokens, \(12, 13\), got \(12, 12\)"),
    ({"answer_mask": torch.zeros(B, L)}, TypeError, r"answer_mask must be boolean or .*, got torch\.float32"),
    ({"answer_mask": None}, TypeError, "answer_mask must be a tensor, got NoneType"),
    ({"log_prob": LONG}, TypeError, r"log_prob must have a real floating dtype, got torch\.int64"),
    ({"log_prob": LOG_PROB[:, 1:]}, ValueError, "log_prob must have the shape of tokens"),
    ({"entropy": LOG_PROB.to("meta")}, ValueError, "entropy must be on the device of tokens, cpu, got meta"),
]  # fmt: skip
VALUES = [
    (changed("attention_mask", 0, slice(None), False), "answer_mask must lie within attention_mask"),
    (changed("answer_mask", 0, END if END < L else START - 1, True), "answer_mask must lie within attention_mask"),
    (changed("answer_mask", 0, START, True), "needs an attended token before it"),
    (changed("attention_mask", 0, START + 1, False), "must be one run of tokens in each row"),
    (changed("tokens", 0, START + 1, -100), r"tokens must be at least 0 .* got -100 \(row 0, position"),
    (dataclasses.replace(ragged(), answer_mask=2 * ragged().answered.long()), "answer_mask must hold 0 and 1, got 2"),
]
NUMBERS = [
    (LOG_PROB.log(), "log_prob must be finite and at most 0"),
    (-LOG_PROB, "surprisals have the other sign.*, got 1"),
    (LOG_PROB * math.inf, "log_prob must be finite .* got -inf"),
]


@pytest.mark.parametrize(("change", "error", "message"), SHAPES, ids=range(len(SHAPES)))
def test_wrong_shapes_and_dtypes_are_refused(change, error, message):
    fine = {"tokens": LONG, "attention_mask": LONG, "answer_mask": LONG}
    Answers(**fine)
    with pytest.raises(error, match=message) as caught:
        Answers(**fine | change)
    assert "\n" not in str(caught.value)


def steps(**options):
    model = small_model()
    return [AnswerStep(model, sgd(model.parameters()), gate, **options) for gate in (Gate(rate=1.0), None)]


@pytest.mark.parametrize(("answers", "message"), VALUES, ids=range(len(VALUES)))
def test_masks_that_do_not_fit_are_refused(answers, message):
    for step in steps():
        for call in (step.screen, lambda answers, step=step: step.update(answers, advantages())):
            with pytest.raises(ValueError, match=message) as caught:
                call(answers)
            assert "\n" not in str(caught.value)
        assert step.counts.updates == 0


@pytest.mark.parametrize("answers", [answers for answers, _ in VALUES[:4]], ids=range(4))
def test_masks_that_do_not_fit_are_refused_without_check_too(answers):
    """What the model reads would not be what the masks say; where they are looked at anyway nothing waits."""
    for step in steps(check=False):
        with pytest.raises(ValueError, match=r"must lie within the row's one run of attended tokens: .* row 0"):
            step.update(answers, advantages(zero=()))


@pytest.mark.parametrize(("log_prob", "message"), NUMBERS, ids=range(len(NUMBERS)))
def test_log_probabilities_that_are_none_are_refused_on_answers_and_ignored_elsewhere(log_prob, message):
    step, _ = steps()
    answered = ragged().answered
    with pytest.raises(ValueError, match=message):
        step.update(dataclasses.replace(ragged(), log_prob=torch.where(answered, log_prob, LOG_PROB)), advantages())
    step.update(dataclasses.replace(ragged(), log_prob=torch.where(answered, LOG_PROB, log_prob)), advantages())


@pytest.mark.parametrize("bad", ["advantage", "weight"])
def test_values_that_are_no_numbers_are_refused(bad):
    step, _ = steps()
    values = {"advantage": advantages(), "weight": torch.ones(B, dtype=torch.float64)}
    values[bad] = values[bad].clone()
    values[bad][4] = math.nan
    with pytest.raises(ValueError, match=f"{bad} must be finite, got nan"):
        step.update(ragged(), **values)


def test_a_batch_without_any_answer_keeps_nothing():
    answers = dataclasses.replace(ragged(), answer_mask=LONG)
    for step in steps():
        selection = step.update(answers, advantages())
        assert (selection.n_valid, selection.n_kept) == (0, 0)
        assert not any(parameter.grad.any() for parameter in step.policy.parameters())


@pytest.mark.parametrize("micro_tokens", [1, 20, 37, 1000])
@pytest.mark.parametrize("padding", PADDINGS)
def test_rows_are_cut_aligned_and_packed(padding, micro_tokens):
    answers = ragged(padding)
    wanted = answers.answered & (torch.rand(B, L, generator=torch.Generator().manual_seed(2)) < 0.3)
    batches = list(pack(answers, *to_host(wanted, answers.attended), micro_tokens))
    places = torch.cat([batch.places for batch in batches])
    assert sorted(places.tolist()) == wanted.flatten().nonzero().flatten().tolist()
    assert torch.equal(torch.cat([batch.targets for batch in batches]), answers.tokens.flatten()[places])
    longest = [batch.tokens.shape[1] for batch in batches]
    assert longest == sorted(longest, reverse=True)
    for batch in batches:
        rows, length = batch.tokens.shape
        assert rows == 1 or rows * length <= micro_tokens
        assert batch.tokens.min() >= 0, "padding is never read"
        row, column = batch.positions // length, batch.positions % length
        assert len(row.unique()) == rows, "every row has a wanted token"
        assert int(column.max()) == length - 1, "cut before the last one"
        source, at = batch.places // L, batch.places % L
        start = answers.attended.int().argmax(1)[source]
        assert torch.equal(at - start - 1, column)
        for place in range(len(row)):  # all that stands before the token
            before = answers.tokens[source[place], start[place] : at[place]]
            assert torch.equal(batch.tokens[row[place], : int(column[place]) + 1], before)
        cut = {int(r): int(column[row == r].max()) + 1 for r in row.unique()}
        assert batch.n_positions == sum(cut.values())


def test_packing_leaves_no_row_that_would_fit():
    """Of rows of one length every micro-batch is full but the last."""
    answers = ragged("none", turns=False)
    batches = list(pack(answers, *to_host(answers.answered, answers.attended), 5 * (L - 1) + 3))
    assert [len(batch.tokens) for batch in batches] == [5, 5, 1]


def test_a_row_that_tells_what_a_model_depends_on():
    attended = np.zeros((B, L), dtype=bool)
    assert first_row(ragged(), attended).tokens.shape == (1, 1)
    (attended,) = to_host(ragged().attended)
    row = first_row(ragged(), attended)
    assert torch.equal(row.tokens[0], ragged().tokens[0, START : END - 1])


def test_it_reads_in_one_line():
    assert repr(ragged()) == "Answers(tokens=(12, 13), attention_mask=(12, 13), answer_mask=(12, 13))"


@pytest.mark.parametrize("padding", [-100, 10**6])
@pytest.mark.parametrize("attended", [0, 1])
def test_a_batch_without_answers_has_a_zero_gradient_whatever_its_padding(attended, padding):
    nothing, model, tokens = torch.zeros(2, 5, dtype=torch.bool), small_model(), torch.full((2, 5), padding)
    step = AnswerStep(model, torch.optim.SGD(model.parameters(), lr=0.1), Gate(rate=0.5))
    mask = nothing.clone()
    tokens[1, 2 : 2 + attended], mask[1, 2 : 2 + attended] = 3, True
    selection = step.update(Answers(tokens, mask, nothing), torch.ones(2, dtype=torch.float64))
    assert not selection.keep.any()
    assert all(not each.grad.any() for each in model.parameters())


def test_an_answer_token_without_a_logit_is_refused():
    answers, model = ragged(), small_model()
    tokens = answers.tokens.clone()
    tokens[0, answers.attended[0].nonzero()[-1]] = 50
    step = AnswerStep(model, sgd(model.parameters()), None)
    with pytest.raises(ValueError, match="answer tokens must be below 11, the model's logits, got 50"):
        step.update(Answers(tokens, answers.attention_mask, answers.answer_mask), advantages())
