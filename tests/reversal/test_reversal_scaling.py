"""The search for the largest size that is solved: bisection, resuming, real trainings, refusals."""

import json
import math
from dataclasses import replace

import pytest
import torch
from scaling_searches import EVERY, SCALE, longest, table_of

from simulations.errors import ReportedError
from simulations.networks.transformer import Architecture
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal import scaling as reversal_scaling
from simulations.reversal.config import ReversalConfig
from simulations.reversal.search import Attempt, Attempts, largest


def test_what_the_smallest_sizes_say_need_not_be_in_order():
    solved = {2, 3, 4, 5, 6}
    assert largest(lambda n: n in solved, 100) == 6
    assert largest(lambda n: n in {4}, 100) == 4
    assert largest(lambda n: n in {3}, 100) == 0
    assert largest(lambda n: n in {2, 3}, 3) == 3


@pytest.mark.parametrize("most", [1, 2, 7, 8, 100])
def test_bisection_finds_the_largest_size(most):
    for limit in range(most + 2):
        asked = []

        def solved(n, limit=limit, asked=asked):
            asked.append(n)
            return n <= limit

        assert largest(solved, most) == min(limit, most)
        assert len(asked) == len(set(asked))
        assert max(asked) <= most
        assert len(asked) <= 2 * math.log2(max(2, min(limit, most))) + 3


def test_the_scaling_measurement_goes_on_from_every_run(tmp_path):
    asked, stop_at = [], 0

    def counted(config, spent, budget):
        asked.append((config, spent, budget))
        if len(asked) == stop_at:
            raise KeyboardInterrupt
        return longest(config, spent, budget)

    whole = table_of(counted, SCALE)
    needed = len(asked)
    assert len(whole) == 2 * len(EVERY) * 2 * (3 + 1)
    asked.clear()
    stop_at = 50
    with pytest.raises(KeyboardInterrupt):
        table_of(counted, SCALE, tmp_path)
    assert sum(len(json.loads(path.read_text())) for path in tmp_path.glob("*.json")) <= 49
    again = table_of(counted, SCALE, tmp_path)
    assert again == whole
    assert len(asked) == needed + 1, "only the one that was interrupted is asked twice"


def test_one_run_answers_for_every_budget_that_it_has_seen():
    asked = []

    def trainer(config, spent, budget):
        asked.append((spent, budget))
        return Attempt(solved=config.length < 5, forward_rows=2_000, backward_rows=60)

    attempts = Attempts(trainer)
    short, long = ReversalConfig("pg", length=4), ReversalConfig("pg", length=5)
    for config, solved in ((short, True), (long, False)):
        asked.clear()
        assert attempts.solved(config, "forward_rows", 2_000) is solved
        assert attempts.solved(config, "forward_rows", 1_999) is False
        assert attempts.solved(config, "backward_rows", 60) is solved
        assert attempts.solved(config, "backward_rows", 59) is False
        assert asked == [("forward_rows", 2_000)]
    assert attempts.solved(short, "forward_rows", 10**6) is True
    assert asked == [("forward_rows", 2_000)]
    attempts.solved(long, "backward_rows", 61)
    assert asked[1:] == [("backward_rows", 61)], "an unsolved run that was too short is trained again, for longer"


def test_the_real_solver_trains_to_the_target_or_spends_the_budget():
    network = Architecture(width=32, heads=4, layers=2, feed_forward=32)
    easy = ReversalConfig(
        "pg", length=1, learning_rate=3e-3, eval_every=10, eval_prompts=200, network=network, answers=4, prompts=4
    )
    cpu = torch.device("cpu")
    solved = reversal_scaling.train_to_target(easy, "forward_rows", 16 * 200, cpu)
    assert solved.solved
    assert solved.forward_rows == solved.backward_rows < 16 * 200
    assert solved.forward_rows % (16 * 10) == 0, "an evaluation saw it"
    assert reversal_scaling.train_to_target(easy, "forward_rows", 16, cpu) == Attempt(False, 16, 16)
    gated = replace(easy, method="row-gate", rate=0.25)
    with torch.device("meta"):  # a tensor made without a device would have no values
        found = reversal_scaling.train_to_target(gated, "backward_rows", 4 * 300, cpu)
    assert found.solved
    assert found.backward_rows * 4 == found.forward_rows


def test_a_killed_training_of_the_search_goes_on_to_the_same_end(tmp_path, monkeypatch):
    network = Architecture(width=16, heads=2, layers=1, feed_forward=16)
    config = ReversalConfig(
        "pg", length=2, learning_rate=3e-3, eval_every=5, eval_prompts=50, network=network, answers=4, prompts=4
    )
    cpu, file = torch.device("cpu"), CheckpointFile(tmp_path / "search.pt", seconds=0)
    whole = reversal_scaling.train_to_target(config, "forward_rows", 16 * 100, cpu)
    real, calls = reversal_scaling.ReversalRun.train_batch, []

    def dies(run):
        calls.append(run.update)
        if len(calls) == 23:
            raise KeyboardInterrupt
        real(run)

    monkeypatch.setattr(reversal_scaling.ReversalRun, "train_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        reversal_scaling.train_to_target(config, "forward_rows", 16 * 100, cpu, file)
    assert reversal_scaling.train_to_target(config, "forward_rows", 16 * 100, cpu, file) == whole
    assert calls[23] == 20, "from the last evaluation on"
    other = replace(config, length=1)  # its checkpoint is that of another run
    fresh = reversal_scaling.train_to_target(other, "forward_rows", 16 * 20, cpu)
    assert reversal_scaling.train_to_target(other, "forward_rows", 16 * 20, cpu, file) == fresh


def test_a_search_that_diverges_says_where():
    network = Architecture(width=16, heads=2, layers=1, feed_forward=16)
    wild = ReversalConfig("pg", length=2, learning_rate=1e38, network=network, eval_prompts=50)
    with pytest.raises(ReportedError, match=r"PG, seed 0, .*diverged after update \d+: .*none was saved.*1e\+38"):
        reversal_scaling.train_to_target(wild, "forward_rows", 10**4, torch.device("cpu"))


def test_a_damaged_record_of_runs_is_one_line(tmp_path):
    (tmp_path / "search.json").write_text('{"a": {"solved": tr')
    with pytest.raises(ReportedError, match=r"search\.json is damaged: remove it to run its search afresh"):
        Attempts(longest, tmp_path / "search.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forward_rows": (0,)}, "budgets, seeds and most must be at least 1"),
        ({"seeds": 0}, "budgets, seeds and most must be at least 1"),
        ({"backward_rows": (20, 10)}, r"budgets must rise, got backward_rows \(20, 10\)"),
    ],
)
def test_bad_scales_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        reversal_scaling.Scale(**{"forward_rows": (10,), "backward_rows": (10,)} | change)
