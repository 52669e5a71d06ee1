"""Which models a step on answers takes, how it calls them, and that their logits never exist all at once."""

import dataclasses
import math
from dataclasses import dataclass

import pytest
import torch
from answer_batches import B, L, V, advantages, masked_gradients, own_gradients, ragged, relative_error, small_model
from steps import sgd
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from waiting import Waits

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep
from kondo_theory.training.answers import passes


@dataclass
class Output:
    logits: torch.Tensor


class Wrapped(nn.Module):
    """A transformer whose output goes through a function."""

    def __init__(self, wrap=lambda logits: logits):
        super().__init__()
        self.inner, self.wrap = small_model(), wrap

    def forward(self, tokens):
        return self.wrap(self.inner(tokens))


class Named(Wrapped):
    """Called as Hugging Face models are."""

    def forward(self, input_ids=None, attention_mask=None, use_cache=True):
        assert attention_mask is None
        assert use_cache is False
        return Output(super().forward(input_ids))


class Biased(Wrapped):
    """Its head has a bias, and is no linear layer but what a method names."""

    class Head(nn.Module):
        def __init__(self, linear):
            super().__init__()
            self.linear, self.bias = linear, nn.Parameter(torch.linspace(0, 1, V, dtype=torch.float64))

        def forward(self, hidden):
            return self.linear(hidden) + self.bias

    def __init__(self):
        super().__init__()
        self.inner.head = self.Head(self.inner.head)

    def get_output_embeddings(self):
        return self.inner.head


class Hooked(Wrapped):
    """A hook doubles what the head returns."""

    def __init__(self):
        super().__init__()
        self.inner.head.register_forward_hook(lambda *call: 2 * call[-1])


class Dropping(Biased):
    """Its head drops out, as that of low-rank adapters may."""

    class Head(Biased.Head):
        def forward(self, hidden):
            return super().forward(self.drop(hidden))

    def __init__(self):
        super().__init__()
        self.inner.head.drop = nn.Dropout(0.5)


class Mixing(Wrapped):
    """A linear layer makes its logits, across positions: it is no head that takes one position at a time."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(V, V).double()

    def forward(self, tokens):
        return self.last(self.inner(tokens).cumsum(1).transpose(0, 1)).transpose(0, 1)


class Parallel(nn.Module):
    """What a wrapper for data parallelism looks like."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


class Compiled(Parallel):
    """What ``torch.compile`` returns, without what it does."""

    @property
    def _orig_mod(self):
        return self.module


def capped(logits):
    return 2 * torch.tanh(logits / 2)


def masked_in_place(logits):
    logits[..., 3:5] = -30.0
    return logits


MODELS = {
    "plain": (Wrapped, True),
    "named": (Named, True),
    "a wrapper": (lambda: Parallel(Named()), True),
    "a head with a bias": (Biased, True),
    "an object": (lambda: Wrapped(Output), True),
    "capped logits": (lambda: Wrapped(capped), False),
    "scaled in place": (lambda: Wrapped(lambda z: z.div_(0.5)), False),
    "masked in place": (lambda: Wrapped(masked_in_place), False),
    "doubled by a hook": (Hooked, False),
    "a head that could drop out": (lambda: Dropping().eval(), False),
    "single precision after the head": (lambda: Wrapped(lambda z: z.float().double() + 0 * z), False),
    "no head of its own": (Mixing, False),
    "compiled": (lambda: Compiled(Wrapped()), False),
}


def update(model, gate=None, answers=None, **options):
    step = AnswerStep(model, torch.optim.SGD(model.parameters(), lr=0.0), gate or Gate(rate=0.4), **options)
    return step, step.update(answers or ragged(), advantages(), groups=2)


@pytest.mark.parametrize("level", ["row", "token"])
@pytest.mark.parametrize("name", MODELS)
def test_any_causal_model_has_the_gradient_of_the_masked_full_batch(name, level):
    make, has_head = MODELS[name]
    model = make()
    step, selection = update(model, level=level, micro_tokens=50, chunk_tokens=5)
    assert (step._model._head is not None) == has_head
    expected = masked_gradients(
        model, ragged(), advantages(), selection.keep, ragged().answered.sum(), step._model._call
    )
    assert relative_error(own_gradients(model), expected) < (1e-6 if "single" in name else 1e-10)


@pytest.mark.long
@pytest.mark.parametrize(
    "compiled", [lambda m: torch.compile(m, backend="eager"), lambda m: m.compile(backend="eager")]
)
def test_a_compiled_model_has_it_too(compiled):
    model = Wrapped()
    returned = compiled(model)  # in place nothing is
    model = model if returned is None else returned
    step, selection = update(model)
    assert step._model._head is None
    expected = masked_gradients(Wrapped(), ragged(), advantages(), selection.keep, ragged().answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10


@pytest.mark.parametrize(
    ("wrap", "error", "message"),
    [
        (lambda z: (z, z), TypeError, "got a tuple of 2: wrap the policy to return the logits alone"),
        (lambda z: {"logits": z}, TypeError, "got a dict: wrap"),
        (lambda z: z[:, 0], ValueError, r"must have the shape \(1, 2, K\), a row each, got \(1, 11\)"),
        (lambda z: z.long(), TypeError, "real floating dtype"),
        (lambda z: z * math.nan, ValueError, "the model's logits must be numbers below .*, got nan"),
    ],
)
def test_what_is_no_table_of_logits_is_refused_by_name(wrap, error, message):
    with pytest.raises(error, match=message) as caught:
        update(Wrapped(wrap))
    assert "\n" not in str(caught.value)


class Largest(TorchDispatchMode):
    """The most tokens of which logits, (…, V), existed in one tensor."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary, self.tokens = vocabulary, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, torch.Tensor) and each.shape[-1:] == (self.vocabulary,):
                self.tokens = max(self.tokens, each.numel() // self.vocabulary)
        return result


@pytest.mark.parametrize("level", ["row", "token", "group"])
def test_logits_exist_for_a_chunk_of_tokens_alone(level):
    seen = {}
    for chunk_tokens in (3, 1000):
        model = small_model()
        model.tokens = nn.Embedding(V + 1, 12, dtype=torch.float64)  # its table must not look like logits
        step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.6), level=level, chunk_tokens=chunk_tokens)
        step._model.log_prob(
            next(iter(passes.pack(ragged(), *passes.to_host(ragged().answered, ragged().attended), 99)))
        )
        with Largest(V) as spy:
            step.update(ragged(), advantages(), groups=2)
        seen[chunk_tokens] = spy.tokens
    assert seen[3] <= 12, "the head's weight has twelve rows"
    assert seen[1000] > 30, "negative control"


def test_without_check_a_step_waits_once(monkeypatch):
    """For what was kept; and where it screens, for where answers stand. With check it waits more."""
    transfers, to_host = [], passes.to_host
    monkeypatch.setattr(passes, "to_host", lambda *masks: (transfers.append(len(masks)), to_host(*masks))[1])
    for rule, known, expected in (("delight", True, 1), ("delight", False, 2), ("abs-advantage", False, 1)):
        model, answers = small_model(), ragged()
        step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4), rule=rule, level="group", check=False)
        if known:
            answers = dataclasses.replace(step.screen(answers), made_at=None)
        step.update(answers, advantages(), groups=torch.arange(B) // 2)
        transfers.clear()
        with Waits() as spy:
            step.update(answers, advantages(), groups=torch.arange(B) // 2)
        assert spy.seen == []
        assert len(transfers) == expected
    step.check = True
    with Waits() as spy:
        step.update(answers, advantages(), groups=2)
    assert spy.seen, "negative control"


def test_finding_the_head_moves_no_random_stream_and_no_gradient():
    model = Wrapped(lambda z: nn.functional.dropout(z, 0.0) + 0 * torch.rand(()))
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4))
    before = torch.random.get_rng_state()
    assert step._model._find_head(torch.zeros(1, 2, dtype=torch.int64)) is None
    assert torch.equal(torch.random.get_rng_state(), before)
    assert own_gradients(model) == [None] * len(list(model.parameters()))


def test_a_screening_by_the_step_is_the_models_own():
    model, answers = small_model(), ragged()
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.4), rule="abs-advantage-entropy", micro_tokens=30)
    found = step.screen(answers)
    for row in range(B):
        places = answers.attended[row].nonzero().flatten()
        log_policy = model(answers.tokens[row, places][None])[0, :-1].log_softmax(-1)
        for place, before in zip(places[1:], log_policy, strict=True):
            if answers.answered[row, place]:
                assert abs(found.log_prob[row, place] - before[answers.tokens[row, place]]) < 1e-12
                assert abs(found.entropy[row, place] + (before.exp() * before).sum()) < 1e-12
    assert found.log_prob[~answers.answered].abs().max() == 0
    assert step.counts.screened_positions < int(answers.attended.sum()) < B * L


@pytest.mark.parametrize("option", ["micro_tokens", "chunk_tokens"])
@pytest.mark.parametrize("value", [0, 2.5, None])
def test_sizes_that_are_none_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} must be a whole number of at least 1, got {value}"):
        update(small_model(), **{option: value})


@pytest.mark.parametrize("name", ["normalise", "level", "row_surprisal", "rule"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, got 'row_'"):
        update(small_model(), **{name: "row_"})
