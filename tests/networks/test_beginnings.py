"""The ways in which answers begin, read with their prompt: their tree written out, and answers drawn from it."""

from dataclasses import replace

import pytest
import torch

from simulations.networks.rollouts import sample
from simulations.networks.stacked_answers import rollouts
from simulations.networks.stacked_answers.beginnings import beginnings, common_depth
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer, Tree
from simulations.networks.transformer import Architecture, Transformer

SMALL = Architecture(width=12, heads=3, layers=2, feed_forward=20)
CPU = torch.device("cpu")


def test_two_tokens_of_two_behind_a_prompt_of_two():
    """Numbers 1 to 6 are 0, 1, 00, 01, 10, 11; who sees whom, written out."""
    begun = beginnings(2, 2, 2, torch.float32, CPU)
    assert begun.tokens.tolist() == [0, 1, 0, 1, 0, 1]
    assert begun.tree.place.tolist() == [0, 1, 2, 2, 3, 3, 3, 3]
    rows = ["x.......", "xx......", "xxx.....", "xx.x....", "xxx.x...", "xxx..x..", "xx.x..x.", "xx.x...x"]
    assert ["".join("x" if each == 0 else "." for each in row) for row in begun.tree.mask.tolist()] == rows


@pytest.mark.parametrize(
    ("vocab_size", "n_answers", "length", "depth"),
    [(2, 10, 10, 3), (2, 8, 10, 3), (2, 7, 10, 2), (2, 10, 3, 2), (2, 10, 1, 0), (11, 10, 10, 0), (1, 1, 5, 4)],
)
def test_beginnings_are_never_more_than_the_answers(vocab_size, n_answers, length, depth):
    assert common_depth(vocab_size, n_answers, length) == depth


def drawn(n_answers, vocab_size=2, length=4):
    """Two policies' answers side by side, those of each alone, and how many passes the first took."""
    policies = [Transformer(vocab_size, 2 + length, SMALL, seed=seed).double() for seed in (0, 1)]
    for seed, policy in enumerate(policies):
        torch.nn.init.normal_(policy.head.weight, generator=torch.Generator().manual_seed(seed))
    prompts = torch.randint(vocab_size, (2, 3, 3), generator=torch.Generator().manual_seed(2))
    network, passes = StackedTransformer(policies), []
    network.register_forward_hook(lambda *each: passes.append(each))
    race = log_race((3, n_answers, length, vocab_size), network, [torch.Generator().manual_seed(s) for s in (3, 4)])
    found = sample_side_by_side(network, prompts, race)
    alone = [
        sample(policy, some, length, n_answers=n_answers, generator=torch.Generator().manual_seed(3 + place))
        for place, (policy, some) in enumerate(zip(policies, prompts, strict=True))
    ]
    tokens, log_policy = (torch.cat([getattr(each, name) for each in alone]) for name in ("tokens", "log_policy"))
    return found, replace(found, tokens=tokens, log_policy=log_policy), len(passes)


@pytest.mark.parametrize(
    ("n_answers", "vocab_size", "passes"), [(1, 2, 4), (3, 2, 3), (5, 2, 2), (20, 2, 1), (4, 3, 3), (2, 1, 1)]
)
def test_answers_are_the_same_however_many_of_their_tokens_are_read_with_the_prompt(n_answers, vocab_size, passes):
    found, alone, taken = drawn(n_answers, vocab_size)
    assert torch.equal(found.tokens, alone.tokens)
    torch.testing.assert_close(found.log_policy, alone.log_policy, rtol=1e-11, atol=1e-12)
    assert taken == passes


def test_negative_control_a_beginning_that_sees_its_sister_is_noticed(monkeypatch):
    def wrong(*arguments):
        begun = beginnings(*arguments)
        mask = begun.tree.mask.clone()
        mask[4, 3] = 0.0  # beginning 1 sees beginning 0
        return replace(begun, tree=Tree(begun.tree.place, mask))

    monkeypatch.setattr(rollouts, "beginnings", wrong)
    found, alone, _ = drawn(3)
    assert (found.log_policy - alone.log_policy).abs().max() > 1e-3


def everything_seen(shared, n_own):
    return torch.cat([shared, shared.new_zeros(*shared.shape[:2], shared.shape[1] * n_own)], 2).unsqueeze(1)


def test_negative_control_answers_that_see_each_other_are_noticed(monkeypatch):
    monkeypatch.setattr(rollouts, "_seen", everything_seen)
    found, alone, _ = drawn(3)
    assert (found.log_policy - alone.log_policy).abs().max() > 1e-3


def test_nothing_waits_for_the_device():
    """Tensors on the meta device have no values to read."""
    policies = [Transformer(2, 6, SMALL, seed=seed) for seed in (0, 1)]
    network = StackedTransformer(policies).to("meta")
    prompts, race = torch.zeros(2, 3, 3, dtype=torch.int64, device="meta"), torch.zeros(2, 3, 4, 4, 2, device="meta")
    rollout = sample_side_by_side(network, prompts, race)
    assert rollout.tokens.shape == (24, 7)
    assert rollout.tokens.device.type == "meta"
