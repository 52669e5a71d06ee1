"""Both sides of the row gate's condition on token reversal: no run changes, and what is read is a plain loop's."""

import contextlib
import io

import numpy as np
import pytest
from tiny_runs import TINY

from simulations.reversal.config import ReversalConfig
from simulations.reversal.diagnostics import row_sides
from simulations.reversal.training import ReversalRun, run_one


def tiny(**changes):
    return ReversalConfig("row-gate", **({"rate": 0.2} | TINY | {"eval_every": 3} | changes))


def test_reading_the_sides_changes_no_run():
    found = row_sides.run_with_sides(tiny(), 6, 3)
    curve, _ = run_one(tiny(), row_sides.torch.device("cpu"))
    assert [window.update for window in found] == [3, 6]
    np.testing.assert_allclose([window.reward for window in found], curve["train_reward"][1:], rtol=0, atol=1e-6)


def test_the_drift_by_a_plain_loop_over_answers_and_tokens():
    """With the network asked anew, prefix by prefix."""
    run = ReversalRun(tiny(vocab_size=3), row_sides.torch.device("cpu"))
    rollout, coefficient, selection, _ = run.screened_batch()
    B, H = rollout.answers.shape
    total, reward = 0.0, []
    for b in range(B):
        with row_sides.torch.no_grad():
            policy = run.step.policy(rollout.tokens[b : b + 1, :-1]).log_softmax(-1).exp()[0, H - 1 :]
        wanted = rollout.prompts[b].flip(0)
        hits = rollout.answers[b] == wanted
        reward.append(hits.double().mean().item())
        for t in range(H):
            push = float(hits[t]) - policy[t, wanted[t]].item()
            total += float(selection.keep[b, t]) * float(coefficient.view(B, -1)[b, 0]) * push / B
    found = row_sides._window(1, [row_sides._read(rollout, coefficient, selection)], 4)
    assert selection.keep.any()
    assert found.balance.drift == pytest.approx(total, abs=1e-6)
    assert found.reward == pytest.approx(np.mean(reward))


@pytest.mark.parametrize(
    "config", [ReversalConfig("token-gate", rate=0.2, **TINY), tiny(reward="exact")], ids=["token gate", "exact"]
)
def test_what_the_condition_does_not_speak_of_is_refused(config):
    with pytest.raises(ValueError, match=r"^method must be row-gate with the reward fraction, got"):
        row_sides.run_with_sides(config, 3, 3)


def test_every_set_is_printed(monkeypatch):
    monkeypatch.setattr(row_sides, "SETS", {"tiny": tiny()})
    monkeypatch.setattr(row_sides, "UPDATES", 4)
    monkeypatch.setattr(row_sides, "WINDOW", 4)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        row_sides.main(1)
    name, line = told.getvalue().splitlines()
    assert name == "tiny"
    assert line.startswith("  to update 4: reward 0.")
    assert "condition met in" in line


def test_a_number_of_seeds_that_is_none_is_refused(capsys):
    assert row_sides._seeds([]) == 2
    with pytest.raises(SystemExit) as caught:
        row_sides._seeds(["0"])
    assert caught.value.code == 2
    assert "seeds must be at least 1, got 0" in capsys.readouterr().err
