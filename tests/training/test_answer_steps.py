"""Steps on answers in a loop: what an error leaves, several updates on a batch, what waits, other devices."""

import contextlib
import copy
import dataclasses
import pickle

import pytest
import torch
from answer_batches import B, L, advantages, own_gradients, ragged, relative_error, small_model
from steps import sgd
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from kondo_theory.training.answers import policy_loss, ppo_loss, select_answers
from kondo_theory.training.answers.rules import LEVELS


class Fickle(nn.Module):
    """Another policy once ``left`` forward passes are through."""

    def __init__(self):
        super().__init__()
        self.inner, self.left = small_model(), 1000

    def forward(self, tokens):
        self.left -= 1
        return self.inner(tokens) * (1.0 if self.left >= 0 else 1.5)


@pytest.mark.parametrize("clear", [True, False])
def test_passes_that_disagree_in_a_later_micro_batch_leave_everything_as_before(clear):
    """The first micro-batch has written its gradient by then."""
    model, other = Fickle(), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([*model.parameters(), other], lr=0.1)
    step = AnswerStep(model, optimizer, Gate(rate=1.0), micro_tokens=30)
    answers, everything = step.screen(ragged()), [*model.parameters(), other]
    for parameter in everything[1:]:
        parameter.grad = torch.full_like(parameter, 0.5)
    held, before = [each.grad for each in everything], [each.detach().clone() for each in everything]
    model.left = 1
    selection = step.select(answers, advantages())
    arguments = (answers, advantages()) if clear else (answers, advantages(), selection)
    with pytest.raises(ValueError, match="the two forward passes must be one policy"):
        (step.update if clear else step.backward)(*arguments)
    assert model.left == -1
    assert all(each.grad is gradient for each, gradient in zip(everything, held, strict=True))
    assert all(each is None or bool((each == 0.5).all()) for each in held)
    assert all(torch.equal(a, b) for a, b in zip(before, everything, strict=True))
    assert (step.counts.updates, step.counts.micro_batches) == (0, 0)
    model.left = 1000
    step.backward(answers, advantages(), step.select(answers, advantages()))
    found = own_gradients(model)
    assert all(each.grad is gradient for each, gradient in zip(everything[1:], held[1:], strict=True)), "added to"
    for parameter in model.parameters():
        parameter.grad = None
    step.check = False  # nothing is held aside
    step.backward(answers, advantages(), step.select(answers, advantages()))
    expected = [each + 0.5 * (place > 0) for place, each in enumerate(own_gradients(model))]
    assert relative_error(found, expected) < 1e-12
    step.check = True
    step.update(answers, advantages())
    assert other.grad is None, "an update clears what its optimizer steps"


class Dropout(nn.Module):
    """Not one policy in two passes."""

    def __init__(self):
        super().__init__()
        self.inner = small_model()

    def forward(self, tokens):
        return nn.functional.dropout(self.inner(tokens), 0.1)


def test_dropout_is_refused_where_the_step_screened_and_counted_elsewhere():
    model = Dropout()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    with pytest.raises(ValueError, match=r"must be one policy, within .* Likely causes: dropout"):
        step.update(ragged(), advantages())
    assert step.counts.updates == 0
    step.update(dataclasses.replace(step.screen(ragged()), made_at=None), advantages())
    assert step.counts.largest_gap > 1e-3


def test_a_loss_that_is_no_number_is_refused_before_it_is_written():
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=1.0), loss=lambda log_prob, *_: log_prob / 0.0)
    before = [each.detach().clone() for each in model.parameters()]
    with pytest.raises(FloatingPointError, match="the loss is -inf"):
        step.update(ragged(), advantages())
    assert own_gradients(model) == [None] * len(before)


@pytest.mark.parametrize("loss", [ppo_loss(0.2), policy_loss], ids=["PPO", "policy gradient"])
@pytest.mark.parametrize("screened_once", [True, False])
def test_several_updates_on_one_batch_keep_the_ratio_to_the_policy_that_was_screened(screened_once, loss):
    """Without a ratio answers are ranked by the policy as it is, and screened again each time."""
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=1.0), loss=loss)
    answers, gaps = step.screen(ragged()) if screened_once else ragged(), []
    for _ in range(3):
        step.update(answers, advantages())
        gaps.append(step.counts.largest_gap)
    assert gaps[0] < 1e-12
    assert (gaps[1] > 1e-4) == (screened_once or loss is not policy_loss)


@pytest.mark.parametrize("screens", [True, False])
def test_answers_that_are_written_to_are_another_batch(screens):
    """Buffers that are filled again: neither their masks nor their screening are those of before."""
    first, second = ragged(seed=0), ragged(seed=3, padding="left")
    buffers = [each.clone() for each in (first.tokens, first.attention_mask.long(), first.answer_mask.long())]
    answers = Answers(*buffers)
    options = {} if screens else {"rule": "abs-advantage"}
    options |= {"loss": ppo_loss(0.2)} if screens else {}
    model, expected = small_model(), small_model()
    step, plain = (
        AnswerStep(each, torch.optim.SGD(each.parameters(), lr=0.0), Gate(rate=0.5), **options)
        for each in (model, expected)
    )
    step.update(answers, advantages())
    for buffer, new in zip(buffers, (second.tokens, second.attention_mask, second.answer_mask), strict=True):
        buffer.copy_(new)
    selection = step.update(answers, advantages())
    assert not bool((selection.keep & ~second.answered).any())
    plain.update(second, advantages())
    assert relative_error(own_gradients(model), own_gradients(expected)) < 1e-12


@pytest.mark.parametrize(
    "loss", [lambda new, old, c: -(new * c).mean(), lambda new, old, c: -(new[:, None] * c)], ids=["mean", "square"]
)
def test_a_loss_that_is_not_of_each_token_is_refused(loss):
    model = small_model()
    with pytest.raises(ValueError, match=r"the loss must have a number for each token, shape \(\d+,\), got \("):
        AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), loss=loss).update(ragged(), advantages())
    assert not any(each is not None for each in own_gradients(model))


def test_a_step_can_be_pickled_and_copied():
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    step.update(ragged(), advantages())
    for again in (pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        assert again.counts == step.counts
        answers = ragged()
        again.update(answers, advantages())
        assert again.screened(answers).log_prob is not None


def test_a_step_within_inference_mode_is_refused_in_its_own_words():
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=r"a step must be taken outside of torch\.inference_mode"),
    ):
        step.update(ragged(), advantages())


def test_answers_that_are_gone_leave_no_screening_behind():
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    answers = ragged()
    step.update(answers, advantages())
    assert step.screened(answers).log_prob is not None
    del answers
    assert len(step._screened) == 0


@pytest.mark.parametrize("gate", [None, Gate(rate=0.3), Gate(price=-1.0), Gate(rate=0.3, temperature=0.5)], ids=str)
@pytest.mark.parametrize("rule", ["delight", "entropy-band", "uniform", "group-spread"])
@pytest.mark.parametrize("level", LEVELS)
def test_selection_reads_no_value(level, rule, gate):
    """On the meta device there are none to read."""
    if (gate is None and rule != "delight") or (rule, level) in (
        ("group-spread", "token"),
        ("entropy-band", "group"),
    ):
        return  # is refused
    numbers = torch.zeros(2, B, L, device="meta")
    masks = torch.ones(B, L, dtype=torch.bool, device="meta")
    answers = Answers(masks.long(), masks, masks, *numbers)
    groups = 2 if rule == "group-spread" else torch.arange(B, device="meta")
    selection = select_answers(answers, numbers[0, :, 0], gate, level=level, rule=rule, groups=groups, check=False)
    assert selection.keep.shape == (B, L)
    with pytest.raises((RuntimeError, NotImplementedError)):
        answers.require_values()  # negative control


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("level", LEVELS)
def test_on_a_gpu_the_gradient_is_that_of_the_cpu_and_an_update_waits_once(level):
    found = []
    for device in ("cpu", "cuda"):
        model, batch = small_model().to(device), ragged()
        answers = Answers(*(each.to(device) for each in (batch.tokens, batch.attention_mask, batch.answer_mask)))
        step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4), level=level, check=False, micro_tokens=40)
        answers, U = dataclasses.replace(step.screen(answers), made_at=None), advantages().to(device)
        with pytest.warns() if device == "cuda" else contextlib.nullcontext() as waits:
            torch.cuda.set_sync_debug_mode("warn")
            step.update(answers, U, groups=2)
            torch.cuda.set_sync_debug_mode("default")
        found.append([each.cpu() for each in own_gradients(model)])
        if device == "cuda":
            assert sum("synchroniz" in str(each.message) for each in waits) == 1
    assert relative_error(found[1], found[0]) < 1e-10
