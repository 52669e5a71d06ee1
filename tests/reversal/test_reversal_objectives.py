"""Rewards by hand, group advantages, and the losses of PPO and PMPO against formulas worked out apart."""

import pytest
import torch

from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_step import policy_gradient_loss
from simulations.reversal.objectives import (
    BASELINES,
    REWARDS,
    advantage_of,
    error_columns,
    group_advantage,
    pmpo_coefficient,
    pmpo_loss,
    points,
    ppo_loss,
    wrong_answers,
)

PROMPT = torch.tensor([[0, 1, 2, 3]])  # to be answered 3, 2, 1, 0


@pytest.mark.parametrize(
    ("answer", "fraction", "prefix", "exact", "bag"),
    [
        ([3, 2, 1, 0], 4, 4, 4, 4),
        ([0, 2, 1, 0], 3, 0, 0, 3),
        ([3, 2, 1, 1], 3, 3, 0, 3),
        ([3, 0, 1, 0], 3, 1, 0, 3),
        ([0, 1, 2, 3], 0, 0, 0, 4),
        ([1, 1, 1, 1], 1, 0, 0, 1),
    ],
)
def test_rewards_by_hand(answer, fraction, prefix, exact, bag):
    expected = {"fraction": fraction, "prefix": prefix, "exact": exact, "bag": bag}
    assert set(expected) == set(REWARDS)
    for reward, value in expected.items():
        assert points(PROMPT, torch.tensor([answer]), reward).tolist() == [value]


def test_bad_rewards_are_refused():
    with pytest.raises(ValueError, match="reward must be one of fraction, prefix, exact, bag, got 'joy'"):
        points(PROMPT, PROMPT, "joy")
    with pytest.raises(ValueError, match=r"as long as prompts, \(1, 4\), got \(1, 3\)"):
        points(PROMPT, PROMPT[:, :3], "exact")


def test_advantages_sum_to_zero_over_each_group_and_vanish_where_all_are_equal():
    point = torch.randint(11, (50, 10), generator=torch.Generator().manual_seed(0))
    point[7] = 3
    advantage = group_advantage(point.view(-1), 10, 10, torch.float32).view(50, 10)
    assert advantage.sum(1).abs().max() < 1e-6
    assert torch.equal(advantage[7], torch.zeros(10))
    expected = point.double() / 10 - (point.double() / 10).mean(1, keepdim=True)
    torch.testing.assert_close(advantage.double(), expected, rtol=0, atol=1e-6)


def test_baselines_by_hand():
    """Two batches of two prompts, two answers each, of H = 2."""
    point = torch.tensor([2, 0, 1, 1, 2, 2, 0, 2])
    expected = {
        "mean": [0.5, -0.5, 0, 0, 0, 0, -0.5, 0.5],
        "leave-one-out": [1, -1, 0, 0, 0, 0, -1, 1],
        "batch-mean": [0.5, -0.5, 0, 0, 0.25, 0.25, -0.75, 0.25],
    }
    assert set(expected) == set(BASELINES)
    for baseline, values in expected.items():
        assert advantage_of(point, baseline, 2, 4, 2, torch.float64).tolist() == values


def test_errors_are_one_minus_each_reward():
    answers = torch.tensor([[3, 2, 1, 0], [3, 0, 1, 0], [3, 2, 1, 1], [0, 1, 2, 3]])
    prompts = PROMPT.expand(4, -1)
    *wrong, n_tokens, n_answers = wrong_answers(prompts, answers).tolist()
    found = {reward: error_columns(reward, "", wrong, n_tokens, n_answers) for reward in REWARDS}
    of = {"fraction": "token_error", "prefix": "prefix_error", "exact": "sequence_error", "bag": "bag_error"}
    for reward, column in of.items():
        assert found[reward][column] == 1 - points(prompts, answers, reward).double().mean() / 4
    assert set(found["exact"]) == {"token_error", "sequence_error"}


def test_negative_control_rewards_averaged_as_fractions_leave_phantom_winners():
    """Why points are whole numbers: ten float32 rewards of 0.3 do not have the mean 0.3."""
    reward = torch.full((10,), 3 / 10)
    assert (reward - reward.sum() / 10).abs().max() > 0


def make_rollout(n=6, vocab_size=3, seed=0):
    """Answers of two tokens under one table of logits (2, M) for all rows, and another table for the learner."""
    generator = torch.Generator().manual_seed(seed)
    sampler, learner = torch.randn(2, 2, vocab_size, generator=generator, dtype=torch.float64)
    answers = torch.randint(vocab_size, (n, 2), generator=generator)
    log_policy = sampler.log_softmax(-1).expand(n, 2, vocab_size)
    advantage = torch.tensor([0.5, -0.2, 0.0, 0.1, -0.4, 0.0], dtype=torch.float64)
    return Rollout(torch.cat([answers, answers], 1), log_policy), sampler, learner, advantage


def gradient(loss, rollout, logits, coefficient):
    """Gradient of the loss, per answer token, with respect to the table of logits (2, M)."""
    logits = logits.clone().requires_grad_()
    log_policy = logits.log_softmax(-1).expand_as(rollout.log_policy)
    total = loss(log_policy, rollout, coefficient[:, None].expand(len(coefficient), 2))
    (total / rollout.answers.numel()).backward()
    return logits.grad


def one_hot(rollout):
    return torch.nn.functional.one_hot(rollout.answers, 3).double()


def test_the_policy_gradient_against_the_score():
    rollout, _, learner, advantage = make_rollout()
    score = one_hot(rollout) - learner.softmax(-1)
    expected = -(advantage[:, None, None] * score).sum(0) / 12
    torch.testing.assert_close(gradient(policy_gradient_loss, rollout, learner, advantage), expected)


def test_ppo_starts_with_the_policy_gradient():
    rollout, sampler, _, advantage = make_rollout()
    ppo, plain = (gradient(loss, rollout, sampler, advantage) for loss in (ppo_loss(0.2), policy_gradient_loss))
    torch.testing.assert_close(ppo, plain, rtol=1e-12, atol=1e-14)


def test_ppo_weighs_by_the_ratio_and_stops_where_it_is_clipped():
    rollout, sampler, learner, advantage = make_rollout()
    probability = [
        table.softmax(-1).expand(6, 2, 3).gather(-1, rollout.answers[..., None])[..., 0]
        for table in (learner, sampler)
    ]
    ratio, U = probability[0] / probability[1], advantage[:, None]
    stopped = ((ratio > 1.2) & (U > 0)) | ((ratio < 0.8) & (U < 0))
    assert 0 < stopped.sum() < stopped.numel()
    score = one_hot(rollout) - learner.softmax(-1)
    expected = -((U * ratio * ~stopped)[..., None] * score).sum(0) / 12
    torch.testing.assert_close(gradient(ppo_loss(0.2), rollout, learner, advantage), expected)
    assert (gradient(ppo_loss(0.9), rollout, learner, advantage) - expected).abs().max() > 1e-3, "negative control"


def test_ppo_with_a_divergence_adds_its_gradient_and_none_at_the_sampler():
    """Of β·KL(sampler ‖ π) it is β(π − sampler), in the mean over the answer's two places."""
    rollout, sampler, learner, advantage = make_rollout()
    found = gradient(ppo_loss(0.2, 0.7), rollout, learner, advantage)
    expected = gradient(ppo_loss(0.2), rollout, learner, advantage)
    expected = expected + 0.7 * (learner.softmax(-1) - sampler.softmax(-1)) / 2
    torch.testing.assert_close(found, expected)
    at_the_sampler = [gradient(ppo_loss(0.2, divergence), rollout, sampler, advantage) for divergence in (0.7, 0.0)]
    torch.testing.assert_close(*at_the_sampler)


def pmpo_written_out(rollout, sampler, learner, advantage, alpha, beta):
    """The gradient of −α·mean₊ log π + (1 − α)·mean₋ log π + β·KL(sampler ‖ π), whose last part is β(π − sampler)."""
    score = one_hot(rollout) - learner.softmax(-1)
    preferred, rejected = (score[rows].sum(0) / (2 * rows.sum()) for rows in (advantage > 0, advantage < 0))
    divergence = (learner.softmax(-1) - sampler.softmax(-1)) / 2  # a mean over the answer's two places
    return -alpha * preferred + (1 - alpha) * rejected + beta * divergence


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.1), (0.8, 0.0), (0.0, 2.0), (1.0, 0.3)])
def test_pmpo_against_its_gradient_written_out(alpha, beta):
    rollout, sampler, learner, advantage = make_rollout()
    found = gradient(pmpo_loss(beta), rollout, learner, pmpo_coefficient(advantage, alpha))
    torch.testing.assert_close(found, pmpo_written_out(rollout, sampler, learner, advantage, alpha, beta))
    wrong = pmpo_written_out(rollout, sampler, learner, advantage, alpha, beta + 0.5)
    assert (found - wrong).abs().max() > 1e-3, "negative control"


def test_pmpo_against_autograd_of_its_definition():
    rollout, sampler, learner, advantage = make_rollout()
    logits = learner.clone().requires_grad_()
    log_prob = logits.log_softmax(-1).expand(6, 2, 3).gather(-1, rollout.answers[..., None])[..., 0]
    policy, reference = (torch.distributions.Categorical(logits=table) for table in (logits, sampler))
    divergence = torch.distributions.kl_divergence(reference, policy).mean()
    objective = 0.7 * log_prob[advantage > 0].mean() - 0.3 * log_prob[advantage < 0].mean() - 0.1 * divergence
    (-objective).backward()
    found = gradient(pmpo_loss(0.1), rollout, learner, pmpo_coefficient(advantage, 0.7))
    torch.testing.assert_close(found, logits.grad)


def test_pmpo_ignores_the_size_of_the_advantage_and_a_side_without_rows():
    _, _, _, advantage = make_rollout()
    assert torch.equal(pmpo_coefficient(advantage, 0.5), pmpo_coefficient(advantage.sign(), 0.5))
    assert pmpo_coefficient(advantage, 0.5).tolist() == pytest.approx([0.75 * 2, -0.75 * 2, 0, 1.5, -1.5, 0])
    assert pmpo_coefficient(advantage.abs(), 0.25).tolist() == pytest.approx([0.375, 0.375, 0, 0.375, 0.375, 0])
    assert pmpo_coefficient(torch.zeros(3), 0.5).tolist() == [0, 0, 0]
