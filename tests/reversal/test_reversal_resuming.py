"""Killed runs of token reversal go on to the same bytes; one that diverged names its last good checkpoint."""

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, checkpoint_at, tiny

from simulations.errors import ReportedError
from simulations.reversal import training as reversal
from simulations.reversal.config import ReversalConfig


class KilledError(Exception):
    pass


@pytest.mark.parametrize(
    "config",
    [ReversalConfig("dg"), ReversalConfig("token-gate", price=0.01, temperature=0.1), ReversalConfig("ppo")],
    ids=lambda config: config.label,
)
def test_a_killed_run_goes_on_to_the_same_bytes(config, tmp_path, monkeypatch):
    config, checkpoint = tiny(config, updates=9), checkpoint_at(tmp_path / "run.pt")
    whole, plain_timings = reversal.run_one(config, CPU)
    train = reversal.ReversalRun.train_batch

    def killed_at_seven(self):
        if self.update == 7:
            raise KilledError
        train(self)

    with monkeypatch.context() as patch:
        patch.setattr(reversal.ReversalRun, "train_batch", killed_at_seven)
        with pytest.raises(KilledError):
            reversal.run_one(config, CPU, checkpoint)
    assert checkpoint.load()["update"] == 6
    resumed, timings = reversal.run_one(config, CPU, checkpoint)
    pd.testing.assert_frame_equal(whole, resumed, check_exact=True)
    assert timings["update"].tolist() == plain_timings["update"].tolist() == [0, 3, 6, 9]
    assert (timings.diff().iloc[1:][["sampling", "training", "evaluation"]] > 0).all(axis=None)
    with monkeypatch.context() as patch:
        patch.setattr(reversal.ReversalRun, "train_batch", None)  # a finished run trains no more
        again, _ = reversal.run_one(config, CPU, checkpoint)
    pd.testing.assert_frame_equal(whole, again, check_exact=True)


@pytest.mark.parametrize("stream", ["prompts", "actions", "gate", "evaluation"])
def test_negative_control_a_lost_generator_state_changes_the_resumed_curve(stream, tmp_path):
    config = tiny(ReversalConfig("token-gate", price=0.0, temperature=1.0), updates=12)
    whole, _ = reversal.run_one(config, CPU)
    half = reversal.ReversalRun(config, CPU)
    half.evaluate()
    for _ in range(6):
        half.train_batch()
        if half.update % 3 == 0:
            half.evaluate()
    checkpoint, state = checkpoint_at(tmp_path / "run.pt"), half.state()
    checkpoint.save(state)
    pd.testing.assert_frame_equal(whole, reversal.run_one(config, CPU, checkpoint)[0], check_exact=True)
    state["generators"][stream] = torch.Generator().manual_seed(99).get_state()
    checkpoint.save(state)
    assert not whole.equals(reversal.run_one(config, CPU, checkpoint)[0])


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    checkpoint = checkpoint_at(tmp_path / "run.pt")
    reversal.run_one(tiny(ReversalConfig("pg")), CPU, checkpoint)
    with pytest.raises(ReportedError, match="another run, which differs in learning_rate, seed"):
        reversal.run_one(tiny(ReversalConfig("pg"), seed=3, learning_rate=1.0), CPU, checkpoint)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:200])
    with pytest.raises(ReportedError, match="is damaged"):
        reversal.run_one(tiny(ReversalConfig("pg")), CPU, checkpoint)


@pytest.mark.parametrize(
    "method", [ReversalConfig("pg"), ReversalConfig("token-gate", rate=0.1), ReversalConfig("ppo")]
)
def test_a_diverged_run_stops_and_names_its_last_good_checkpoint(method, tmp_path):
    config = tiny(method, learning_rate=1e38, eval_every=1, updates=20)
    message = rf"{method.label.split('(')[0]}.* 1e\+38 diverged after update \d+: .*(not finite|loss is nan)"
    with pytest.raises(
        ReportedError, match=message + r".*last good checkpoint: none was saved; ReversalConfig\(method="
    ):
        reversal.run_one(config, CPU)
    good = checkpoint_at(tmp_path / "run.pt")
    run = reversal.ReversalRun(config, CPU)
    run.evaluate()
    good.save(run.state())
    with pytest.raises(ReportedError, match=message + r".*last good checkpoint: .*run\.pt, of update \d"):
        reversal.run_one(config, CPU, good)
    assert all(parameter.isfinite().all() for parameter in good.load()["policy"].values())
