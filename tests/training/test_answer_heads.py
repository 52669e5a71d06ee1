"""A head is left out of the model only where it learns alone, and what becomes of its output later is seen."""

import pytest
import torch
from answer_batches import V, advantages, masked_gradients, own_gradients, ragged, relative_error, small_model
from steps import sgd
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep


class Borrowing(nn.Module):
    """A head with the embedding's weight, which it does not register a second time."""

    def __init__(self, embedding):
        super().__init__()
        self.__dict__["embedding"] = embedding

    def forward(self, hidden):
        return hidden @ self.embedding.weight.t()


class Scaled(nn.Linear):
    """A head whose scale is the model's parameter."""

    def forward(self, hidden):
        return super().forward(hidden) * self.__dict__["scale"]


def borrowing():
    model = small_model()
    model.head = Borrowing(model.tokens)
    model.get_output_embeddings = lambda: model.head
    return model


def scaled():
    model = small_model()
    head = Scaled(model.head.in_features, V, bias=False, dtype=torch.float64)
    model.scale = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    head.__dict__["scale"] = model.scale
    model.head = head
    return model


def computed_before():
    model = small_model()
    with pytest.warns(FutureWarning, match="deprecated"):
        nn.utils.weight_norm(model.head)
    return model


@pytest.mark.parametrize("make", [borrowing, scaled, computed_before])
def test_what_a_head_has_from_elsewhere_learns_too(make):
    model, answers, advantage = make(), ragged(), advantages()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), rule="abs-advantage", chunk_tokens=4)
    selection = step.select(answers, advantage)
    step.backward(answers, advantage, selection)
    expected = masked_gradients(model, answers, advantage, selection.keep, step.normaliser(answers, selection))
    assert relative_error(own_gradients(model), expected) < 1e-10


@pytest.mark.parametrize("of", ["model", "head"])
@pytest.mark.parametrize("change", [torch.div, torch.Tensor.div_], ids=["new", "in place"])
def test_logits_that_are_changed_later_are_refused(of, change):
    """The head was found before: its hook would be given log-probabilities in place of logits."""
    model, answers, advantage = small_model(), ragged(), advantages()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    step.update(answers, advantage)
    hook = (model if of == "model" else model.head).register_forward_hook(lambda *call: change(call[-1], 2))
    with pytest.raises(RuntimeError, match="the model must return what its head returns, as it did at first"):
        step.update(answers, advantage)
    AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5)).update(answers, advantage)
    hook.remove()
    step.update(answers, advantage)


def test_hooks_that_look_and_wrappers_that_copy_are_no_change():
    model, answers, advantage, seen = small_model(), ragged(), advantages(), []
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5))
    step.screen(answers)
    model.head.register_forward_hook(lambda *call: seen.append(call[-1].shape))
    model.register_forward_hook(lambda *call: call[-1].clone())
    step.update(answers, advantage)
    assert seen
    with torch.inference_mode():
        assert step.screen(answers).log_prob.isfinite().all()
