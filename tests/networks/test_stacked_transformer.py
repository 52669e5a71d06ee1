"""Transformers side by side against each alone: logits of trees against those of rows, answers, refusals."""

import pytest
import torch

from simulations.networks.rollouts import sample
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer, tree
from simulations.networks.transformer import Architecture, Transformer

SMALL = Architecture(width=12, heads=3, layers=2, feed_forward=20)
CPU = torch.device("cpu")


@pytest.fixture
def policies():
    """Three policies with random heads: the protocol's head starts at zero, where every test would pass."""
    every = [Transformer(3, 7, SMALL, seed=seed).double() for seed in range(3)]
    for seed, policy in enumerate(every):
        for weight in (policy.head.weight, policy.final_norm.weight, policy.blocks[1].perceptron_norm.weight):
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(seed))
    return every


def drawn(*shape):
    return torch.randint(3, shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("n_answers", "length"), [(4, 5), (1, 5), (4, 2), (4, 1)])
def test_logits_of_trees_are_those_of_their_rows(policies, n_answers, length):
    prompts, answers = drawn(3, 2, 3), drawn(3, 2, n_answers, length)
    network = StackedTransformer(policies)
    found = network.answer_logits(prompts, answers)
    rows = torch.cat([prompts[:, :, None].expand(-1, -1, n_answers, -1), answers], -1).flatten(1, 2)
    for place, policy in enumerate(policies):
        expected = policy(rows[place, :, :-1], length).view(2, n_answers, length, 3)
        torch.testing.assert_close(found[place], expected, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(network.policy(place)(rows[place, :, :-1], length), expected.flatten(0, 1))


def test_an_answer_sees_its_own_tokens_alone():
    """Two answers of three tokens to a prompt of two: who sees whom, written out."""
    places = tree(2, 2, 3, torch.float32, CPU)
    assert places.place.tolist() == [0, 1, 2, 2, 3, 3]
    rows = ["x.....", "xx....", "xxx...", "xx.x..", "xxx.x.", "xx.x.x"]
    assert ["".join("x" if each == 0 else "." for each in row) for row in places.mask.tolist()] == rows


def test_answers_are_those_that_each_policy_draws_alone(policies):
    prompts, network = drawn(3, 4, 3), StackedTransformer(policies)
    generators = [torch.Generator().manual_seed(seed) for seed in (7, 8, 9)]
    found = sample_side_by_side(network, prompts, log_race((4, 6, 5, 3), network, generators))
    greedy = sample_side_by_side(network, prompts, torch.zeros(3, 4, 1, 5, 3, dtype=torch.float64))
    for place, policy in enumerate(policies):
        generator = torch.Generator().manual_seed(7 + place)
        alone = sample(policy, prompts[place], 5, n_answers=6, generator=generator)
        own = slice(24 * place, 24 * place + 24)
        assert torch.equal(found.tokens[own], alone.tokens)
        torch.testing.assert_close(found.log_policy[own], alone.log_policy, rtol=1e-11, atol=1e-12)
        alone = sample(policy, prompts[place], 5, greedy=True)
        assert torch.equal(greedy.tokens[4 * place : 4 * place + 4], alone.tokens)
    assert not torch.equal(found.tokens[:24], found.tokens[24:48])


@pytest.mark.parametrize("others", [[], [Transformer(2, 7, SMALL, seed=0)], [Transformer(3, 8, SMALL, seed=0)]])
def test_policies_of_several_shapes_or_none_are_refused(policies, others):
    with pytest.raises(ValueError, match="policies must be at least one and of one shape, got"):
        StackedTransformer([*(policies if others else []), *others])
