"""Observations of other kinds than tensors, and what is no vector of the batch."""

import copy
from collections import OrderedDict, UserDict

import numpy as np
import pytest
import torch
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep, Screening
from kondo_theory.training.observations import take_rows
from kondo_theory.training.rows import any_row_logits


class Attributes(dict):
    """A mapping whose entries are attributes as well."""

    def __init__(self, *entries, **named):
        super().__init__(*entries, **named)
        self.__dict__ = self


class Reading(nn.Module):
    """A policy that reads its observations as attributes."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, observations):
        return self.inner(observations.x) * observations.scale[:, None]


class Picky(UserDict):
    """A mapping that cannot be made of a mapping."""

    def __init__(self, x, scale):
        super().__init__(x=x, scale=scale)


@pytest.mark.parametrize("kind", [Attributes, OrderedDict, UserDict, Picky])
def test_rows_of_a_mapping_are_a_mapping_of_its_kind(kind):
    observations = kind(x=torch.randn(8, 3), scale=torch.ones(8))
    rows = take_rows(observations, torch.tensor([1, 5]))
    assert type(rows) is (dict if kind is Picky else kind)
    assert torch.equal(rows["x"], observations["x"][[1, 5]])
    if kind is Attributes:
        policy = Reading()
        step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.25))
        screening = step.act(observations)
        assert step.update(observations, screening, torch.randn(8)).sum() == 2


@pytest.mark.parametrize(
    ("advantage", "got"),
    [
        ((torch.zeros(8), torch.zeros(8)), r"tuple: of a pair the first, such as group_advantage"),
        ([0.0] * 8, "list"),
        (np.zeros(8), "ndarray"),
    ],
    ids=["pair", "list", "array"],
)
def test_an_advantage_that_is_no_tensor_is_refused(advantage, got):
    policy = nn.Linear(3, 4)
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.25))
    observations = torch.randn(8, 3)
    with pytest.raises(TypeError, match=f"advantage must be a tensor, got {got}"):
        step.update(observations, step.act(observations), advantage)


def test_a_step_within_inference_mode_is_refused_in_its_own_words():
    policy = nn.Linear(3, 4)
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.25))
    observations = torch.randn(8, 3)
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=r"a step must be taken outside of torch\.inference_mode"),
    ):
        step.update(observations, step.act(observations), torch.zeros(8))


class Seen(nn.Module):
    """A policy that notes what kind of observations it is given."""

    def __init__(self):
        super().__init__()
        self.inner, self.kinds = nn.Linear(3, 4), []

    def forward(self, observations):
        self.kinds.append(type(observations))
        return self.inner(observations[0])


@pytest.mark.parametrize("kind", [list, tuple])
def test_rows_of_a_list_are_a_list(kind):
    policy, observations = Seen(), kind([torch.randn(8, 3)])
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.25))
    step.update(observations, step.act(observations), torch.randn(8))
    assert policy.kinds == [kind, kind]


def test_where_nothing_is_kept_a_row_that_is_no_number_is_not_run():
    policy, observations = nn.Linear(3, 4), torch.randn(8, 3)
    observations[0] = torch.nan
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(price=1e9), check=False)
    screening = Screening(
        torch.zeros(8, dtype=torch.int64), torch.ones(8).index_fill(0, torch.tensor([0]), torch.nan)
    )
    selection = step.select(screening, torch.ones(8))
    assert (int(selection.n_kept), int(selection.n_invalid)) == (0, 1)
    scored = selection.score > -torch.inf
    assert any_row_logits(policy, observations, scored).isfinite().all()
    assert any_row_logits(policy, observations, ~scored).isnan().all(), "a control"
    step.backward(observations, screening, torch.ones(8), selection)
    assert not policy.weight.grad.any()


def test_products_of_sixteen_bits_neither_overflow_nor_vanish():
    policy, observations = nn.Linear(3, 4), torch.randn(8, 3)
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.0), Gate(rate=1.0))
    screening, gradients = step.act(observations), []
    for dtype in (torch.float16, torch.float64):
        for factor in (256.0, 2.0**-14):
            advantage = torch.tensor([1.0, -1.0] * 4, dtype=dtype) * factor
            step.update(observations, screening, advantage, weight=torch.full((8,), factor, dtype=dtype))
            gradients.append(policy.weight.grad.clone())
    assert step.counts.invalid_samples == 0
    for half, exact in zip(gradients[:2], gradients[2:], strict=True):
        torch.testing.assert_close(half, exact)
        assert half.any()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_alignment_is_measured_in_single_precision_and_without_what_is_never_kept(size):
    policy, observations = nn.Linear(3, 4), torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    found = []
    for half in (False, True):
        one = copy.deepcopy(policy).half() if half else policy
        seen = observations.half() if half else observations
        step = ScreenedStep(one, torch.optim.SGD(one.parameters(), lr=0.0), Gate(rate=0.25), check=False)
        actions = torch.arange(40) % 4
        surprisal = -policy(observations).log_softmax(-1).gather(1, actions[:, None])[:, 0].detach()
        screening = Screening(actions, surprisal)
        advantage = size * torch.sin(torch.arange(40.0))
        advantage[3] = torch.inf
        selection = step.select(screening, advantage)
        found.append(float(step.alignment(seen, screening, advantage, selection)))
    assert 0 < found[0] < 1
    assert found[1] == pytest.approx(found[0], abs=0.02)
