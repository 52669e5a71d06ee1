"""Token reversal: protocol, what each method counts and weighs, and that it learns."""

import math

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, EVERY_METHOD, run, tiny

from simulations.networks.rollouts import Rollout
from simulations.networks.transformer import Architecture
from simulations.reversal import training as reversal
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig


@pytest.mark.parametrize("config", EVERY_METHOD, ids=lambda config: config.label)
def test_every_method_runs_counts_and_makes_no_tensor_on_the_default_device(config):
    """Under a meta default device a tensor made without a device has no values: the curve would differ."""
    plain = run(config)
    with torch.device("meta"):
        elsewhere = run(config)
    pd.testing.assert_frame_equal(plain, elsewhere, check_exact=True)
    last = plain.iloc[-1]
    assert plain["update"].tolist() == [0, 3, 6]
    assert (last["forward_rows"], last["forward_tokens"], last["full_tokens"]) == (72, 216, 360)
    assert last["optimizer_steps"] == 6 * config.passes
    assert last["processed_tokens"] <= last["full_tokens"] * config.passes
    assert last["screening_flops"] == 0
    if config.rate is not None and config.rule != "positive-surprisal":
        units = 36 if config.method == "token-gate" else 12
        kept = max(1, math.floor(config.rate * units + 0.5)) * (36 // units)
        assert last["backward_tokens"] == 6 * kept
    if config.gate is None:
        assert last["backward_tokens"] == 216 * config.passes
        assert last["processed_tokens"] == 360 * config.passes


def test_methods_share_their_streams():
    """Differences between methods are paired: same initialisation, same first batch, same first answers."""
    first = [run(config, updates=1, eval_every=1) for config in QUALITY_METHODS]
    assert len({curve["token_error"].iloc[0] for curve in first}) == 1
    assert len({curve["train_reward"].iloc[1] for curve in first}) == 1
    assert len({run(QUALITY_METHODS[0], seed=seed)["train_reward"].iloc[1] for seed in range(4)}) > 1


def test_the_untrained_policy_is_right_half_of_the_time():
    """At M = 2, within 4 standard errors of 10,000 × 3 tokens; an error of 0.52 would be rejected."""
    error = run(QUALITY_METHODS[0], eval_prompts=10_000)["token_error"].iloc[0]
    standard_error = math.sqrt(0.25 / 30_000)
    assert abs(error - 0.5) < 4 * standard_error
    assert abs(error - 0.52) > 4 * standard_error


@pytest.mark.parametrize(("rate", "same"), [(None, True), (0.3, False)])
def test_the_first_epoch_of_ppo_has_the_gradient_of_the_policy_gradient(rate, same):
    """And a token gate, as the negative control, has not."""
    other = ReversalConfig("pg") if rate is None else ReversalConfig("token-gate", rate=rate)
    gradients = []
    for config in (ReversalConfig("ppo", epochs=1), other):
        state = reversal.ReversalRun(tiny(config, learning_rate=1e-2), CPU)
        torch.nn.init.normal_(state.step.policy.head.weight, generator=torch.Generator().manual_seed(0))
        state.train_batch()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in state.step.policy.parameters()]))
    assert (float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-5) == same


def test_the_delightful_policy_gradient_weighs_each_token_by_its_delight():
    """σ(χ/η) by hand: surprisals log 4 and log 2 at advantages 1 and −1/2, η = 2."""
    policy = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log().expand(2, 2, 2)
    rollout = Rollout(torch.zeros(2, 4, dtype=torch.int64), policy)
    advantage = torch.tensor([1.0, -0.5])
    weights = [[1 / (1 + 4 ** (-u / 2)), 1 / (1 + 2 ** (-u / 2))] for u in (1.0, -0.5)]
    coefficient, _ = reversal.objective(ReversalConfig("dg", temperature=2.0), rollout, advantage)
    torch.testing.assert_close(coefficient, advantage[:, None] * torch.tensor(weights))
    plain, _ = reversal.objective(ReversalConfig("pg"), rollout, advantage)
    assert plain.tolist() == [[1.0, 1.0], [-0.5, -0.5]]
    signs, _ = reversal.objective(ReversalConfig("pmpo", alpha=0.25), rollout, advantage)
    assert signs.tolist() == [[0.5, 0.5], [-1.5, -1.5]]


def test_errors_are_counted_by_token_and_by_sequence_sampled_and_greedily(monkeypatch):
    """Sampled: every fourth answer has its last token wrong; greedy: every second has all three wrong."""

    def answers_with_known_errors(policy, prompts, length, *, generator, greedy, ranks):
        answer = prompts.flip(1)
        if greedy:
            answer[::2] = 1 - answer[::2]
        else:
            answer[::4, -1] = 1 - answer[::4, -1]
        return Rollout(torch.cat([prompts, answer], 1), torch.zeros(len(prompts), length, 2))

    monkeypatch.setattr(reversal, "sample", answers_with_known_errors)
    row = run(ReversalConfig("pg"), updates=1).iloc[0]
    assert row["token_error"] == 5 / 60
    assert row["sequence_error"] == 5 / 20
    assert row["greedy_token_error"] == row["greedy_sequence_error"] == 10 / 20


LEARNING = {
    "length": 2,
    "updates": 120,
    "eval_every": 120,
    "learning_rate": 3e-3,
    "eval_prompts": 200,
    "network": Architecture(width=32, heads=4, layers=2, feed_forward=32),
}


@pytest.mark.parametrize(
    "config",
    [*QUALITY_METHODS[:4], ReversalConfig("ppo", epochs=2), ReversalConfig("pmpo", epochs=2)],
    ids=lambda config: config.label,
)
def test_every_method_learns(config):
    curve = run(config, **LEARNING)
    assert curve["token_error"].iloc[0] > 0.3
    assert curve["token_error"].iloc[-1] < 0.1


def test_negative_control_a_closed_gate_does_not_learn():
    curve = run(ReversalConfig("token-gate", price=1e9), **LEARNING)
    assert curve["token_error"].iloc[-1] > 0.3
    assert curve["backward_tokens"].iloc[-1] == curve["training_flops"].iloc[-1] == 0


def test_a_vocabulary_of_one_is_trivially_solved():
    for config in EVERY_METHOD:
        curve = run(config, vocab_size=1)
        errors = ["token_error", "sequence_error", "greedy_token_error", "greedy_sequence_error"]
        assert (curve[errors] == 0).all(axis=None), config.label
        assert (curve["train_reward"].iloc[1:] == 1).all()


def test_one_token_answers_work():
    for config in QUALITY_METHODS:
        assert run(config, length=1)["full_tokens"].iloc[-1] == 6 * 12
