"""The screened step on sequences: its gradient against the masked full batch, what it keeps, what it counts."""

import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import product

import pytest
import torch

from kondo_theory.gate import Gate, kept_count
from kondo_theory.screening import SAMPLE_RULES
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.sequence_scores import scores
from simulations.networks.sequence_step import SequenceStep, policy_gradient_loss
from simulations.networks.transformer import Architecture, Transformer

SMALL = Architecture(width=12, heads=3, layers=2, feed_forward=20)
EVERYTHING, NOTHING = Gate(price=-1e9), Gate(price=1e9)
GATES = (None, Gate(rate=0.03), Gate(rate=0.3), Gate(rate=1.0), Gate(price=0.0), Gate(price=0.1, temperature=0.5))
P, S = 4, 5  # prompts and answers to each


def make_policy(length=4, vocab_size=3, seed=0):
    """A policy with a random head (at the protocol's zero all surprisals are equal) and room for the whole answer."""
    policy = Transformer(vocab_size, 2 * length, SMALL, seed=seed)
    with torch.no_grad():
        policy.head.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(seed))
    return policy.to(torch.float64)


def make_step(gate, granularity="token", rule="delight", length=4, policy=None, optimizer=None):
    policy = policy or make_policy(length)
    optimizer = optimizer or torch.optim.SGD(policy.parameters(), lr=0.0)
    generators = {"generator": torch.Generator().manual_seed(2), "gate_generator": torch.Generator().manual_seed(3)}
    return SequenceStep(policy, optimizer, gate, granularity=granularity, rule=rule, **generators)


def make_batch(step, length=4):
    prompts = torch.randint(3, (P, length), generator=torch.Generator().manual_seed(1))
    rollout = step.sample(prompts, length, S)
    reward = (rollout.answers == rollout.prompts.flip(1)).double().mean(1)
    return rollout, reward - reward.view(P, S).mean(1).repeat_interleave(S)


def masked_gradient(policy, rollout, coefficient):
    """The reference: the whole batch, every position, dropped tokens multiplied by zero, divided by B·T."""
    policy.zero_grad()
    log_policy = policy(rollout.tokens)[:, rollout.prompts.shape[1] - 1 : -1].log_softmax(-1)
    log_prob = log_policy.gather(-1, rollout.answers[..., None]).squeeze(-1)
    (-(coefficient * log_prob).sum() / log_prob.numel()).backward()
    return [parameter.grad.clone() for parameter in policy.parameters()]


def distance(found, expected):
    difference = math.sqrt(sum(float((f - e).square().sum()) for f, e in zip(found, expected, strict=True)))
    return difference / max(math.sqrt(sum(float(e.square().sum()) for e in expected)), 1e-3)


def gradients(gate, granularity, length=4, keep_of=lambda keep: keep, scale=1.0):
    """The step's gradient with the mask changed by ``keep_of``, and the reference's with the mask as it was."""
    policy = make_policy(length)
    step = make_step(gate, granularity, policy=policy)
    rollout, advantage = make_batch(step, length)
    if length == 1:
        advantage = advantage + 0.1  # answers of one token often agree: leave no batch without an advantage
    selection = step.select(rollout, advantage)
    keep = selection.keep
    coefficient = advantage[:, None].expand_as(keep)
    step.update(rollout, coefficient, replace(selection, keep=keep_of(keep)))
    found = [scale * parameter.grad for parameter in policy.parameters()]
    return found, masked_gradient(policy, rollout, keep * coefficient), keep, step


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("granularity", ["token", "row"])
@pytest.mark.parametrize("gate", [*GATES, EVERYTHING, NOTHING], ids=str)
def test_the_gradient_is_that_of_the_masked_full_batch(gate, granularity, length):
    found, expected, keep, _ = gradients(gate, granularity, length)
    assert distance(found, expected) < 1e-10
    assert bool(keep.any()) == (gate != NOTHING)
    if gate in (None, EVERYTHING, Gate(rate=1.0)):
        assert keep.all()


def test_the_rows_are_cut_after_the_last_kept_token():
    """Tokens kept by hand: rows 1 and 7 up to their second token, and nothing else, go through the network."""
    step = make_step(None)
    rollout, advantage = make_batch(step)
    keep = torch.zeros(P * S, 4, dtype=torch.bool)
    keep[1, 0] = keep[7, 1] = keep[7, 0] = True
    coefficient = advantage[:, None].expand_as(keep)
    step.update(rollout, coefficient, replace(step.select(rollout, advantage), keep=keep))
    counts = step.counts
    assert (counts.backward_tokens, counts.backward_rows, counts.processed_tokens) == (3, 2, 2 * (4 + 2 - 1))
    assert counts.training_flops == 3 * SMALL.forward_flops(2, 5, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 20 * 4 / 6},  # divided by the number kept
        {"keep_of": lambda keep: keep & (keep.cumsum(1) < keep.sum(1, keepdim=True))},  # cut one kept token short
        {"keep_of": lambda keep: keep.any(1, keepdim=True).expand_as(keep)},  # all of a row with a kept token
    ],
    ids=["normalised", "cut short", "whole rows"],
)
def test_negative_control_a_wrong_gradient_is_noticed(wrong):
    found, expected, _, _ = gradients(Gate(rate=0.3), "token", **wrong)
    assert distance(found, expected) > 1e-2


@pytest.mark.parametrize("optimizer_type", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_an_empty_batch_steps_with_a_zero_gradient(optimizer_type):
    """Momentum goes on, exactly as for a batch in which every token is masked."""
    options = {"momentum": 0.9} if optimizer_type is torch.optim.SGD else {}
    results = []
    for mask_by_hand in (False, True):
        policy = make_policy()
        step = make_step(None, policy=policy, optimizer=optimizer_type(policy.parameters(), lr=0.1, **options))
        rollout, advantage = make_batch(step)
        coefficient = advantage[:, None].expand(P * S, 4)
        everything = step.select(rollout, advantage)
        assert everything.keep.all()
        step.update(rollout, coefficient, everything)
        masked = everything if mask_by_hand else replace(everything, keep=~everything.keep)
        step.update(rollout, coefficient * (not mask_by_hand), masked)
        results.append([parameter.detach().clone() for parameter in policy.parameters()])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-14)


def test_row_delight_is_advantage_times_the_surprisal_of_the_answer():
    """The answer's probability by enumeration: over all nine answers of two tokens it sums to one."""
    policy = make_policy(2)
    prompt = torch.tensor([[2, 0]])
    answers = torch.tensor(list(product(range(3), repeat=2)))
    tokens = torch.cat([prompt.expand(9, 2), answers], 1)
    with torch.no_grad():
        rollout = Rollout(tokens, policy(tokens[:, :-1], 2).log_softmax(-1))
    advantage = torch.linspace(-1, 1, 9, dtype=torch.float64)
    row = scores(rollout, advantage, "row")
    assert float((-scores(rollout, torch.ones_like(advantage), "row")).exp().sum()) == pytest.approx(1, abs=1e-12)
    assert torch.equal(row == 0, advantage == 0)
    token = scores(rollout, advantage, "token").view(9, 2)
    torch.testing.assert_close(row, token.sum(1), rtol=1e-12, atol=0)
    chance = policy(prompt, 1).detach().softmax(-1)[0, 0, answers[:, 0]]
    torch.testing.assert_close(token[:, 0], -advantage * chance.log(), rtol=1e-12, atol=0)


def test_entropy_is_that_of_the_policy_at_each_position():
    rollout = Rollout(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0.2, 0.3, 0.5]).log().expand(2, 2, 3))
    expected = 0.2 * math.log(5) + 0.3 * math.log(10 / 3) + 0.5 * math.log(2)
    ones = torch.ones(2)
    token, row = (scores(rollout, ones, level, "abs-advantage-entropy") for level in ("token", "row"))
    assert token.tolist() == pytest.approx([expected] * 4, rel=1e-6)
    assert row.tolist() == pytest.approx([2 * expected] * 2, rel=1e-6)


@pytest.mark.parametrize("rule", SAMPLE_RULES)
@pytest.mark.parametrize("granularity", ["token", "row"])
def test_every_rule_keeps_exactly_k(rule, granularity):
    step = make_step(Gate(rate=0.1), granularity, rule)
    rollout, advantage = make_batch(step)
    keep = step.select(rollout, advantage).keep
    units = P * S * (4 if granularity == "token" else 1)
    kept = keep.sum() if granularity == "token" else keep[:, 0].sum()
    assert kept == kept_count(0.1, units)
    if granularity == "row":
        assert torch.equal(keep, keep[:, :1].expand_as(keep))
    score = scores(rollout, advantage, granularity, rule)
    chosen = keep.reshape(-1) if granularity == "token" else keep[:, 0]
    assert score[chosen].min() >= score[~chosen].max()


def test_zero_price_keeps_the_tokens_of_better_than_average_rows():
    step = make_step(Gate(price=0.0))
    rollout, advantage = make_batch(step)
    keep = step.select(rollout, advantage).keep
    assert torch.equal(keep, (advantage > 0)[:, None].expand_as(keep))
    assert 0 < keep.sum() < keep.numel()


def test_screening_with_the_sampler_s_log_probabilities_is_exact_on_policy_and_renewed_off_it():
    masks = {}
    for moved in (False, True):
        for on_policy in (False, True):
            step = make_step(Gate(rate=0.3))
            rollout, advantage = make_batch(step)
            if moved:
                step.policy.head.weight.data.mul_(-1)
            masks[moved, on_policy] = step.select(rollout, advantage, on_policy=on_policy).keep
            renewed = 0 if on_policy else SMALL.forward_flops(P * S, 7, 4, 3)
            assert step.counts.screening_flops == renewed
    assert torch.equal(masks[False, False], masks[False, True])
    assert torch.equal(masks[True, True], masks[False, True]), "the sampler's own do not move with the policy"
    assert not torch.equal(masks[True, False], masks[True, True])


def test_what_a_batch_costs_is_counted():
    step = make_step(Gate(rate=0.1), "row")
    for _ in range(2):
        rollout, advantage = make_batch(step)
        step.update(rollout, advantage[:, None].expand(P * S, 4), step.select(rollout, advantage))
    counts = step.counts
    assert counts.optimizer_steps == 2
    assert (counts.forward_rows, counts.forward_tokens, counts.full_tokens) == (40, 160, 2 * 20 * 7)
    assert (counts.backward_rows, counts.backward_tokens, counts.processed_tokens) == (4, 16, 4 * 7)
    assert counts.logical_share == counts.physical_share == 0.1
    assert counts.sampling_flops == 2 * SMALL.sampling_flops(P, S, 4, 4, 3)
    assert counts.training_flops == 2 * 3 * SMALL.forward_flops(2, 7, 4, 3)
    assert all(seconds > 0 for seconds in step.seconds.values())


def test_a_scattered_token_costs_more_than_its_share():
    """Two tokens of 80, in two rows: logically 1/40, physically up to both whole rows of 20."""
    step = make_step(Gate(rate=2 / 80))
    rollout, advantage = make_batch(step)
    selection = step.select(rollout, advantage)
    keep = selection.keep
    step.update(rollout, advantage[:, None].expand_as(keep), selection)
    assert step.counts.logical_share == 1 / 40
    rows, length = int(keep.any(1).sum()), 1 + int(keep.any(0).nonzero().max())
    assert step.counts.processed_tokens == rows * (3 + length)
    assert step.counts.physical_share > step.counts.logical_share


def test_a_policy_of_nan_is_refused_before_it_does_harm():
    step = make_step(Gate(rate=0.3))
    rollout, advantage = make_batch(step)
    broken = Rollout(rollout.tokens, rollout.log_policy * math.nan)
    with pytest.raises(FloatingPointError, match="log-probabilities are not finite"):
        step.select(broken, advantage)
    before = [parameter.clone() for parameter in step.policy.parameters()]
    selection = step.select(rollout, advantage)
    with pytest.raises(FloatingPointError, match="the loss is inf"):
        step.update(rollout, torch.full((P * S, 4), math.inf), selection)
    for mine, reference in zip(step.policy.parameters(), before, strict=True):
        assert torch.equal(mine, reference)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, r, a: make_step(None, "column"), "granularity must be one of token, row, got 'column'"),
        (lambda s, r, a: make_step(None, rule="joy"), "rule must be one of delight, .*, got 'joy'"),
        (lambda s, r, a: s.select(r, a[:, None]), r"a value for each of the 20 rows, got \(20, 1\)"),
        (
            lambda s, r, a: s.update(r, a, s.select(r, a)),
            r"coefficient must have .* \(20, 4\), got \(20,\)",
        ),
        (
            lambda s, r, a: s.update(r, r.surprisal, s.select(r.part(slice(2), 4), a[:2])),
            r"keep .* got \(2, 4\)",
        ),
        (lambda s, r, a: s.backward(r, r.surprisal, s.select(r, a), scale=math.nan), "scale must be finite, got nan"),
    ],
)
def test_bad_input_is_refused(call, message):
    step = make_step(None)
    with pytest.raises(ValueError, match=message):
        call(step, *make_batch(step))


@pytest.mark.parametrize("granularity", ["token", "row"])
@pytest.mark.parametrize("gate", [None, Gate(rate=0.3), Gate(price=0.0), Gate(price=0.1, temperature=0.5), NOTHING])
def test_a_step_makes_no_tensor_on_the_default_device(gate, granularity):
    """Under a meta default device a tensor made without a device has no values, or cannot meet those that have."""
    results = []
    for elsewhere in (False, True):
        policy = make_policy()
        optimizer = torch.optim.Adam(policy.parameters(), lr=0.1, fused=True)
        step = make_step(gate, granularity, policy=policy, optimizer=optimizer)
        prompts = torch.randint(3, (P, 4), generator=torch.Generator().manual_seed(1))
        with torch.device("meta") if elsewhere else nullcontext():
            rollout = step.sample(prompts, 4, S)
            advantage = (rollout.answers == rollout.prompts.flip(1)).double().mean(1) - 0.3
            selection = step.select(rollout, advantage, on_policy=False)
            step.update(rollout, advantage[:, None].expand(P * S, 4), selection, policy_gradient_loss)
            greedy = sample(policy, prompts, 4, greedy=True)
        results.append([selection.keep, greedy.log_policy, *policy.parameters()])
    for plain, other in zip(*results, strict=True):
        assert torch.equal(plain, other)
