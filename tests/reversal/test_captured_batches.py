"""Token reversal by recorded batches: the same policies, curves, counts and alarms as batch by batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import TINY
from waiting import Waits

from simulations.errors import ReportedError
from simulations.networks.captured import WARM_UP
from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side.captured import CapturedSeeds
from simulations.reversal.side_by_side.seeds import ReversalSeeds, trained
from simulations.reversal.times import Batches, measure

CPU = torch.device("cpu")
DEVICES = [CPU, *([torch.device("cuda")] if torch.cuda.is_available() else [])]
SIZES = TINY | {"updates": 10, "eval_every": 5}
FIXED = [
    ReversalConfig("pg", **SIZES),
    ReversalConfig("row-gate", rate=0.3, rule="positive-surprisal", **SIZES),
    ReversalConfig("ppo", **SIZES),
]
CHANGING = [ReversalConfig("token-gate", rate=0.1, **SIZES), ReversalConfig("row-gate", price=0.0, **SIZES)]


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def side_by_side(config, device=CPU, kinds=(ReversalSeeds, CapturedSeeds)):
    return [kind([replace(config, seed=seed) for seed in (0, 3)], device) for kind in kinds]


def differ(one, other):
    pairs = zip(one.step.network.parameters(), other.step.network.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("config", [*FIXED, *CHANGING], ids=lambda config: config.label)
def test_recorded_batches_are_the_batches(config, device):
    plain, captured = side_by_side(config, device)
    for _ in range(WARM_UP + 4):
        plain.train_batch()
        captured.train_batch()
        assert differ(plain, captured) < 1e-10
    assert captured._first.recorded
    assert bool(captured.padded_sizes) == (config in CHANGING)
    plain.evaluate()
    captured.evaluate()
    assert plain.rows == captured.rows


def test_a_replay_reads_nothing():
    _, captured = side_by_side(FIXED[1])
    for _ in range(WARM_UP + 1):
        captured.train_batch()
    with Waits() as waits:
        captured.train_batch()
    assert captured._first.recorded
    assert waits.seen == []


@pytest.mark.usefixtures("_double")
def test_seeds_go_on_from_a_state_to_the_same_curves():
    config = FIXED[1]
    plain, first = side_by_side(config)
    curves = [curve for curve, _ in trained(plain)]
    first.evaluate()
    for _ in range(config.eval_every):
        first.train_batch()
    first.evaluate()
    state = first.state()
    first.restore(state)  # what was recorded is of other tensors from here on
    assert not first._first.recorded
    while first.update < config.updates:
        first.train_batch()
    first.evaluate()
    for curve, rows in zip(curves, first.rows, strict=True):
        np.testing.assert_allclose(curve.to_numpy(float), [list(row.values()) for row in rows], rtol=1e-9)


@pytest.mark.parametrize("kind", [ReversalSeeds, CapturedSeeds])
def test_a_policy_that_is_no_number_ends_the_runs_with_its_seed_and_batch(kind):
    (seeds,) = side_by_side(FIXED[1], kinds=(kind,))
    train_batch = seeds.train_batch

    def broken():
        if seeds.update == 2:
            with torch.no_grad():
                seeds.step.network.stacked.head.weight[1].fill_(torch.nan)
        train_batch()

    seeds.train_batch = broken
    with pytest.raises(ReportedError, match=r"seed 3.* after update 2: the policy"):
        trained(seeds)


def test_answers_that_a_second_pass_does_not_agree_with_end_the_runs():
    _, captured = side_by_side(FIXED[0])
    captured.train_batch()
    learn = captured._learn

    def apart(*size):
        with torch.no_grad():
            captured.step.network.stacked.head.weight[:, 0, 0].add_(1.0)  # normalised activations sum to zero
        return learn(*size)

    captured._learn = apart
    captured.train_batch()
    with pytest.raises(ValueError, match="must be those that they sampled with"):
        captured.evaluate()


def test_recorded_updates_are_timed_beside_the_others():
    methods = ReversalConfig("pg", **TINY), ReversalConfig("row-gate", rate=0.25, **TINY)
    found = measure(Batches(4, 2, 1), CPU, methods, captured=True)
    assert found["label"].tolist() == ["PG", "row gate(25 %)", "PG, captured", "row gate(25 %), captured"]
    assert found["backward_tokens"].tolist() == [48, 12, 48, 12]
    seconds = np.array(found["seconds"].tolist())
    assert (seconds[2:, :, 2] > 0).all()
