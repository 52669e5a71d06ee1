"""Rules on the answers of a group, as an answer step takes them: a group at a time, padding aside."""

from itertools import combinations

import pytest
import torch
from answer_batches import advantages, ragged, small_model
from steps import sgd

from kondo_theory.advantage import group_advantage
from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from kondo_theory.training.answers import select_answers


def answers_of(n_groups, size):
    tokens = torch.randint(1, 9, (n_groups * size, 4), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(tokens)
    answered = mask.clone()
    answered[:, 0] = 0
    return Answers(tokens, mask, answered)


REWARDS = torch.tensor([[0.0, 0.1, 0.2, 0.9], [1.0, 1.0, 0.0, 0.3], [0.5, 0.5, 0.5, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize("k", [2, 3])
def test_an_answer_step_keeps_the_subset_of_largest_variance_of_each_group(k):
    """A price keeps the first k of each group, and no answer of the group without spread."""
    advantage, _ = group_advantage(REWARDS.flatten(), 4)
    selection = select_answers(
        answers_of(3, 4), advantage, Gate(price=0.5 - k), rule="max-variance", groups=4, check=False
    )
    kept = selection.keep.any(1).view(3, 4)
    assert kept.sum(1).tolist() == [k, k, 0]
    for rewards, mine in zip(REWARDS[:2], kept[:2], strict=True):
        best = max(float(rewards[list(chosen)].var(correction=0)) for chosen in combinations(range(4), k))
        assert float(rewards[mine].var(correction=0)) == pytest.approx(best, rel=1e-12)
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), Gate(price=0.5 - k), rule="max-variance")
    assert torch.equal(step.select(answers_of(3, 4), advantage, groups=4).keep, selection.keep)
    assert step.counts.screened_positions == 0, "it looks at advantages alone: no forward pass"


def test_the_rate_is_a_share_of_the_batch():
    advantage, _ = group_advantage(REWARDS[:2].flatten(), 4)
    kept = select_answers(answers_of(2, 4), advantage, Gate(rate=0.5), rule="max-variance", groups=4).keep.any(1)
    assert kept.view(2, 4).sum(1).tolist() == [2, 2]


def test_a_row_without_an_answer_has_no_place_in_its_group():
    answers, U = ragged(), advantages(zero=())
    absent = int((~answers.present).nonzero()[0])
    for outlier in (-100.0, 100.0):
        U = U.clone()
        U[absent] = outlier
        kept = select_answers(answers, U, Gate(price=-1.5), rule="max-variance", groups=4).keep.any(1)
        assert kept.view(-1, 4).sum(1).tolist() == [2, 2, 2]
        assert not kept[absent]


def test_groups_without_spread_are_dropped():
    advantage, _ = group_advantage(REWARDS.flatten(), 4)
    score = select_answers(answers_of(3, 4), advantage, Gate(price=-1.0), rule="group-spread", groups=4)
    assert score.keep.any(1).view(3, 4).sum(1).tolist() == [4, 4, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "max-variance"}, "rule 'max-variance' needs rows, and groups as the size of all of them"),
        ({"rule": "max-variance", "groups": 5}, "which divides the batch"),
        ({"rule": "max-variance", "groups": torch.arange(12)}, "groups as the size"),
        (
            {"rule": "max-variance", "groups": 4, "level": "token"},
            "at level 'token', got 'max-variance'",
        ),
        ({"rule": "idle-visits", "groups": 4}, "rule 'idle-visits' looks at what answers do not hold"),
        ({"rule": "off-policy-mask", "groups": 4, "log_prob": True}, "give weight 0 to what it drops"),
    ],
)
def test_what_a_step_cannot_score_is_refused(options, message):
    answers = answers_of(3, 4)
    if options.pop("log_prob", False):
        answers = Answers(answers.tokens, answers.attention_mask, answers.answer_mask, -torch.ones(12, 4))
    with pytest.raises(ValueError, match=message):
        select_answers(answers, torch.linspace(-1, 1, 12), Gate(rate=0.5), **{"level": "row", **options})
