"""The seconds of an update: every method once a round, resumed, and what the claim reads of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from simulations import reversal_times
from simulations.checks.reversal_cost import seconds_rows
from simulations.cli import main
from simulations.errors import ResultError
from simulations.results import load, with_seconds
from simulations.reversal_config import ReversalConfig
from simulations.reversal_times import BATCHES, METHODS, Batches, measure
from simulations.transformer import Architecture

SMALL = {"length": 3, "answers": 3, "network": Architecture(8, 2, 1, 8)}
TINY = (ReversalConfig("pg", **SMALL), ReversalConfig("row-gate", rate=0.2, **SMALL))


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["experiment", "reversal", "--study", "step-times", *map(str, arguments)])
    found = capsys.readouterr()
    return ended.value.code, found.out, found.err


def test_every_method_is_timed_in_every_round_and_counted():
    found = measure(Batches(5, 4, 1), torch.device("cpu"), TINY)
    assert found["label"].tolist() == ["PG", "row gate(20 %)"]
    assert found["answers"].tolist() == [15, 15]
    seconds = np.array(found["seconds"].tolist())
    assert seconds.shape == (2, 4, len(reversal_times.PARTS))
    assert (seconds[..., [0, 2]] > 0).all()
    assert (seconds[..., -1] >= seconds[..., :-1].sum(-1)).all(), "the total has what is between the phases too"
    assert found["backward_tokens"].tolist() == [45, 9], "a fifth of 15 answers, whole"
    assert found["processed_tokens"].tolist() == [15 * 5, 3 * 5]


def test_sizes_hold_the_protocols_batch_and_every_method():
    assert {batches.prompts for batches in BATCHES["quick"]} == {10} < {b.prompts for b in BATCHES["paper"]}
    assert {"PG", "row gate(3 %)", "token gate(3 %)", "PPO"} < {config.label for config in METHODS}


def test_a_table_is_written_resumed_and_read_back(capsys, tmp_path, monkeypatch):
    calls = []

    def interrupted(batches, device):
        calls.append(batches.prompts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(batches, device, TINY)

    monkeypatch.setattr(reversal_times, "BATCHES", {"smoke": (Batches(2, 2), Batches(3, 2))})
    monkeypatch.setattr(reversal_times, "code_version", lambda function: "code")
    monkeypatch.setattr(reversal_times, "measure", interrupted)
    out = tmp_path / "times.parquet"
    arguments = ("--preset", "smoke", "--device", "cpu", "--out", out)
    assert run(capsys, *arguments)[0] == 130
    assert not out.exists()
    assert run(capsys, *arguments)[0] == 0
    assert calls == [2, 3, 3], "the first size is timed once"
    table = load(out, kind=reversal_times.KIND)
    assert table.frame["answers"].tolist() == [6, 6, 9, 9]
    assert np.array(with_seconds(table)["seconds"].tolist()).shape == (4, 2, 4)
    assert (table.sidecar["clock"], table.config["preset"]) == ("CPU seconds", "smoke")
    assert not out.with_suffix(".partial").exists()
    assert run(capsys, *arguments)[0] == 2, "nothing is overwritten silently"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "3"), "a study has settings of its own, got --study step-times with --seeds"),
        (("--only", "PG"), "a study has settings of its own, got --study step-times with --only"),
        (("--out", "x.csv"), "the table must be named *.parquet, got x.csv"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def times(gated):
    """Three rounds on a machine that slows down: PG takes 4, 8 and 16 s, half of it training."""
    full = [[s / 2, 0.0, s / 2, s] for s in (4.0, 8.0, 16.0)]
    ours = [[s / 2, 0.0, gated * s / 2, (1 + gated) * s / 2] for s in (4.0, 8.0, 16.0)]
    return pd.DataFrame({"answers": 100, "label": ["PG", "row gate(3 %)"], "seconds": [full, ours]})


def test_a_ratio_is_taken_within_a_round():
    rows = {row.quantity: row for row in seconds_rows(times(0.1), "cpu", "test")}
    step = rows["seconds of an update, sampling included, row gate(3 %) / PG, 100 answers, cpu"]
    assert (step.value, step.low, step.high, step.seeds) == pytest.approx((0.55, 0.55, 0.55, 3))
    training = rows["seconds of training alone, row gate(3 %) / PG, 100 answers, cpu"]
    assert (training.value, training.low, training.high) == pytest.approx((0.1, 0.1, 0.1))
    assert len(rows) == 2
    with pytest.raises(ResultError, match="test: lacks PG, which reversal-physical-cost compares with"):
        seconds_rows(times(0.1).iloc[1:], "cpu", "test")
