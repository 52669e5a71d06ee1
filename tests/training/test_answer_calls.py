"""How a causal model is called: by the names of its own forward, and told where its tokens stand if it asks."""

import pytest
import torch
from answer_batches import advantages, masked_gradients, own_gradients, ragged, relative_error
from test_answer_models import Named, Wrapped, update
from torch import nn

from kondo_theory.gate import Gate


class Placed(Wrapped):
    """It asks where its tokens stand in the batch, and takes them from there."""

    reads_sources = True

    def forward(self, input_ids, sources):
        assert torch.equal(ragged().tokens.flatten()[sources], input_ids)
        return super().forward(ragged().tokens.flatten()[sources])


def test_a_model_that_asks_is_told_where_its_tokens_stand():
    model = Placed()
    step, selection = update(model, Gate(price=1e9))
    assert step.counts.backward_rows == 0
    assert not any(each.any() for each in own_gradients(model))
    step, selection = update(model, micro_tokens=50)
    assert step._model._head is not None
    expected = masked_gradients(Wrapped(), ragged(), advantages(), selection.keep, ragged().answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10


class Renamed(nn.Module):
    """A model of Hugging Face behind a call of one's own, under the name that wrappers of data parallelism use."""

    def __init__(self):
        super().__init__()
        self.module = Named()

    def forward(self, tokens):
        return self.module(input_ids=tokens, use_cache=False)


class Sourced(Wrapped):
    """It has an argument of its own that is called sources."""

    def forward(self, tokens, sources=None):
        assert sources is None
        return super().forward(tokens)


@pytest.mark.parametrize("make", [Renamed, Sourced])
def test_a_model_is_called_as_its_own_forward_says(make):
    model = make()
    _, selection = update(model)
    expected = masked_gradients(Wrapped(), ragged(), advantages(), selection.keep, ragged().answered.sum())
    assert relative_error(own_gradients(model), expected) < 1e-10
