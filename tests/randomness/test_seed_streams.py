"""The random numbers of seeds side by side: of their own, resumed where they stood, and what is drawn by them."""

import torch

from simulations.mnist.config import MnistConfig
from simulations.randomness.seed_streams import SeedStreams, draw_actions

CPU = torch.device("cpu")
SEEDS = (0, 1, 2)


def test_actions_follow_the_policy():
    """Frequencies within 4 standard errors; a policy in another order is more than 4 away."""
    policy = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    n = 40_000
    uniforms = torch.rand(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = torch.bincount(draw_actions(policy.expand(n, -1), uniforms), minlength=4) / n
    error = (policy * (1 - policy) / n).sqrt()
    assert ((share - policy).abs() < 4 * error).all()
    assert ((share - policy.flip(0)).abs() > 4 * error).all()
    low = torch.tensor([[0.4, 0.3, 0.2]])  # rounding left a gap at the top
    assert draw_actions(low, torch.tensor([0.99])).tolist() == [2]
    assert draw_actions(torch.tensor([[0.0, 1.0]]), torch.tensor([0.0])).tolist() == [1], "no action of probability 0"


def test_streams_continue_where_they_stood():
    seeds = [MnistConfig("pg", seed=seed).streams() for seed in SEEDS]
    one, other = (SeedStreams(seeds, 1000, 3_000, CPU) for _ in range(2))  # three updates a block
    for _ in range(4):
        one.next()
    other.restore(one.state())
    for _ in range(5):
        for mine, theirs in zip(one.next(), other.next(), strict=True):
            assert torch.equal(mine, theirs)
    assert not torch.equal(one.next().images, one.next().images)


def test_streams_of_seeds_are_their_own():
    draws = SeedStreams([MnistConfig("pg", seed=seed).streams() for seed in SEEDS], 60_000, 100, CPU).next()
    for numbers in draws:
        assert not torch.equal(numbers[0], numbers[1])
    assert not torch.equal(draws.actions, draws.gate)
