"""A head is left out of the model only where it learns alone, and what becomes of its output later is seen."""

import pytest
import torch
from answer_batches import V, advantages, masked_gradients, own_gradients, ragged, relative_error, small_model
from steps import sgd
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import checkpoint

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


class Drawing(nn.Linear):
    """A head that drops inputs without a module for it, as long as it trains."""

    def forward(self, hidden):
        return super().forward(nn.functional.dropout(hidden, 0.5, self.training))


class Noisy(nn.Linear):
    """A head with noise on its weights, from a generator of its own."""

    noise = torch.Generator().manual_seed(0)

    def forward(self, hidden):
        noise = torch.randn(self.weight.shape, generator=self.noise, dtype=self.weight.dtype)
        return nn.functional.linear(hidden, self.weight + 0.1 * self.training * noise)


class Counting(nn.Linear):
    """A head that keeps something of every pass."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.register_buffer("passes", torch.ones(()))

    def forward(self, hidden):
        self.passes += self.training
        return super().forward(hidden) / self.passes.log1p()


def with_head(make):
    model = small_model()
    head = make(model.head.in_features, V, bias=False, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(model.head.weight)
    model.head = head
    return model


@pytest.mark.parametrize("make", [Drawing, Noisy, Counting])
@pytest.mark.parametrize("training", [True, False])
def test_a_head_that_would_be_another_in_the_backward_pass_is_not_taken_apart(make, training):
    """The step may find it while the model evaluates, and train it later."""
    model, answers, advantage = with_head(make).train(training), ragged(), advantages()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), rule="abs-advantage")
    before = torch.get_rng_state()
    step._model._find_head(answers.tokens[:1, 6:8])
    assert torch.equal(before, torch.get_rng_state())
    assert model.head.training == training
    assert model.training == training
    model.train()
    selection = step.select(answers, advantage)
    step.backward(answers, advantage, selection)
    assert step._model._head is None
    assert step._model._find_head(answers.tokens[:1, 6:8]) is None
    plain = small_model()
    assert AnswerStep(plain, sgd(plain.parameters()), None)._model._find_head(answers.tokens[:1, 6:8]) is plain.head


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "hook",
    [
        lambda head: head.weight.register_hook(lambda slope: 2 * slope + 1),
        lambda head: head.register_full_backward_hook(lambda _, into, out: (2 * into[0],)),
        lambda head: head.register_full_backward_pre_hook(lambda _, out: (2 * out[0],)),
    ],
    ids=["of the weight", "of the head", "before the head"],
)
def test_hooks_on_gradients_of_the_head_see_those_of_a_micro_batch_once(tied, hook):
    """They may come when the head was found; and a control, that without one it is taken apart."""
    model, answers, advantage = small_model(tied=tied), ragged(), advantages()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), chunk_tokens=4)
    selection = step.select(answers, advantage)
    removable = hook(model.head)
    step.backward(answers, advantage, selection)
    normaliser = step.normaliser(answers, selection)
    expected = masked_gradients(model, answers, advantage, selection.keep, normaliser)
    hooked = own_gradients(model)
    assert relative_error(hooked, expected) < 1e-10
    removable.remove()
    assert step._model._head is model.head
    model.zero_grad()
    step.backward(answers, advantage, selection)
    assert relative_error(own_gradients(model), hooked) > 1e-3


def whole(model):
    forward = model.forward
    model.forward = lambda tokens: checkpoint(forward, tokens, use_reentrant=False)


def head_alone(model):
    forward = model.head.forward
    model.head.forward = lambda hidden: checkpoint(forward, hidden, use_reentrant=False)


def within_a_module(model):
    model.head = checkpoint_wrapper(model.head)


@pytest.mark.parametrize("wrap", [whole, head_alone, within_a_module])
def test_a_head_within_a_checkpoint_is_run_with_it(wrap):
    model, answers, advantage = small_model(), ragged(), advantages()
    wrap(model)
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.5), chunk_tokens=4)
    selection = step.select(answers, advantage)
    step.backward(answers, advantage, selection)
    expected = masked_gradients(model, answers, advantage, selection.keep, step.normaliser(answers, selection))
    assert relative_error(own_gradients(model), expected) < 1e-10
