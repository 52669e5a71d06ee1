"""Drift and noise of the reward from copies of one policy: the copies are the run's own, and both are unbiased."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import CPU, tiny

from simulations.networks.stacked_answers.rollouts import log_race
from simulations.reversal.config import ReversalConfig
from simulations.reversal.moments import noise
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.studies import DEEP, SHALLOW

GATE = tiny(ReversalConfig("token-gate", rate=0.3, vocab_size=3))


@pytest.fixture(scope="module")
def run():
    run = ReversalSeeds([GATE], CPU)
    for _ in range(4):
        run.train_batch()
    return run


def parameters(run):
    return torch.cat([each.detach().flatten(1) for each in run.step.network.stacked.parameters()], 1)


def trained(run, updates=3):
    for _ in range(updates):
        run.train_batch()
    return parameters(run)


def test_copies_go_on_from_the_run_each_by_its_own_stream_whoever_is_beside(run):
    together, alone = noise.copies_of(run, range(50, 53)), noise.copies_of(run, range(51, 52))
    assert torch.equal(parameters(together), parameters(run).expand(3, -1))
    assert together.update == 4
    ends, own = trained(together), trained(alone)
    torch.testing.assert_close(ends[1], own[0], rtol=0, atol=1e-5)
    assert not torch.allclose(ends[0], ends[1], rtol=0, atol=1e-4)


def test_negative_control_copies_without_the_optimizers_state_take_other_steps(run):
    whole, fresh = noise.copies_of(run, range(50, 51)), noise.copies_of(run, range(50, 51))
    fresh.step.optimizer.state.clear()
    assert not torch.allclose(trained(whole, 1), trained(fresh, 1), rtol=0, atol=1e-4)


def test_drift_and_noise_are_those_of_the_copies_without_the_prompts_own():
    R, P, steps, repeats = 40, 30, 10, 60
    generator = torch.Generator().manual_seed(0)
    found, naive = [], []
    for _ in range(repeats):
        copies, prompts, rest = (
            torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((R, 1), (1, P), (R, P))
        )
        gained = 0.5 + 0.2 * copies + 0.3 * prompts + rest
        found.append(noise.gains(gained, steps))
        naive.append(float(gained.mean(1).var()) / steps)
    drift, variance = (np.array([getattr(each, name) for each in found]) for name in ("drift", "noise"))
    error = variance.std() / np.sqrt(repeats)
    assert abs(drift.mean() - 0.05) < 4 * drift.std() / np.sqrt(repeats)
    assert abs(variance.mean() - 0.2**2 / steps) < 4 * error
    assert np.mean(naive) - 0.2**2 / steps > 4 * error, "negative control: the variance of the means is too large"
    assert 0.7 < np.mean([each.drift_error for each in found]) / drift.std() < 1.4
    assert 0.7 < np.mean([each.noise_error for each in found]) / variance.std() < 1.4


@pytest.mark.parametrize("shape", [(2, 9), (5, 3)])
def test_too_few_copies_or_prompts_are_refused(shape):
    with pytest.raises(ValueError, match=r"at least 3 copies and 4 prompts, got \d and \d"):
        noise.gains(torch.zeros(shape), 1)


def test_the_mean_probability_of_the_right_tokens_has_the_mean_of_the_reward(run):
    n = 4_000
    generator = torch.Generator().manual_seed(1)
    prompts = torch.randint(3, (n, 3), generator=generator)
    (race,) = log_race((n, 1, 3, 3), run.step.network, [generator])
    with torch.no_grad():
        run.step.network.stacked.head.weight.normal_(generator=generator)
    share = noise.right_share(run.step.network, prompts, race)[0].numpy()
    rollout = noise.sample_side_by_side(run.step.network, prompts[None], race[None])
    reward = (rollout.answers == prompts.flip(1)).double().mean(1).numpy()
    gap = share - reward
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(n)
    assert share.var() < reward.var()
    assert abs(share.mean() - 1 / 3) > 4 * share.std() / np.sqrt(n), "a policy that is not uniform"


def test_a_level_that_is_not_reached_is_measured_at_the_end():
    stall = noise.Stall(replace(DEEP[0], vocab_size=3, length=3), 0.5, 0.7, (0.01, 0.9, 0.95))
    changes = {name: value for name, value in vars(GATE).items() if name in ("prompts", "answers", "network")}
    size = noise.NoiseSize(1, 3, 1, 2, 8, 25, changes)
    table = noise.measure(stall, 0, size, CPU)
    assert table["reached"].tolist() == [True, False]
    assert table["update"].tolist() == [20, 25]
    assert np.isfinite(table[["reward", "drift", "drift_error", "noise", "noise_error"]].to_numpy()).all()


def test_every_stall_is_where_the_mean_field_says():
    from kondo_theory.token_trap.groups import group_drift

    assert [stall.setting for stall in noise.STALLS] == [*SHALLOW, DEEP[0]]
    for stall in noise.STALLS:
        task = stall.setting
        near = np.array([stall.reward - 0.004, stall.reward + 0.001, stall.rise - 0.002, stall.rise + 0.003])
        before, after, below, above = group_drift(near, task.length, task.vocab_size, task.rate, 10)
        assert before > 0 > after
        assert below < 0 < above
