"""Observations of other kinds than tensors, and what is no vector of the batch."""

from collections import OrderedDict, UserDict

import numpy as np
import pytest
import torch
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep
from kondo_theory.training.observations import take_rows


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
