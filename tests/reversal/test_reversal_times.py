"""The seconds of an update: every method once a round, resumed, and what the claim reads of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from paper_figs import tables
from simulations.cli.main import main
from simulations.errors import ResultError
from simulations.networks.transformer import Architecture
from simulations.results.merging import MeasuredTables
from simulations.results.tables import load, save, with_seconds
from simulations.reversal import times as reversal_times
from simulations.reversal.config import ReversalConfig
from simulations.reversal.tables import STEP_TIMES, step_times
from simulations.reversal.times import BATCHES, Batches, chosen_batches, measure
from simulations.verification.checks import Context
from simulations.verification.checks.reversal.cost import physical_cost, seconds_rows

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


def test_sizes_hold_the_protocols_batch():
    assert {batches.prompts for batches in BATCHES["quick"]} == {10} < {b.prompts for b in BATCHES["paper"]}


def test_a_table_is_written_resumed_and_read_back(capsys, tmp_path, monkeypatch):
    calls = []

    def interrupted(batches, device):
        calls.append(batches.prompts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(batches, device, TINY)

    monkeypatch.setattr(reversal_times, "BATCHES", {"smoke": (Batches(2, 2), Batches(3, 2))})
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    monkeypatch.setattr(reversal_times, "measure", interrupted)
    out = tmp_path / "times.parquet"
    arguments = ("--preset", "smoke", "--device", "cpu", "--out", out)
    assert run(capsys, *arguments)[0] == 130
    assert not out.exists()
    assert run(capsys, *arguments)[0] == 0
    assert calls == [2, 3, 3], "the first size is timed once"
    table = load(out, kind=STEP_TIMES)
    assert table.frame["answers"].tolist() == [6, 6, 9, 9]
    assert np.array(with_seconds(table)["seconds"].tolist()).shape == (4, 2, 4)
    assert (table.sidecar["clock"], table.config["preset"]) == ("CPU seconds", "smoke")
    assert not out.with_suffix(".partial").exists()
    before = out.read_bytes()
    assert run(capsys, *arguments)[0] == 0, "finished: there is nothing to do"
    assert (calls, out.read_bytes()) == ([2, 3, 3], before)


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


def test_a_cpu_is_spared_the_largest_batch_of_a_gpu():
    assert [b.rows for b in chosen_batches("paper", "cpu")] == [100, 1_000, 10_000]
    assert [b.rows for b in chosen_batches("paper", "cuda")] == [100, 1_000, 10_000, 100_000]


def test_a_size_that_does_not_fit_is_left_out_and_named(capsys, tmp_path, monkeypatch):
    def small_memory(batches, device):
        if batches.prompts > most:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return measure(batches, device, TINY)

    monkeypatch.setattr(reversal_times, "BATCHES", {"smoke": (Batches(2, 2), Batches(3, 2))})
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    monkeypatch.setattr(reversal_times, "measure", small_memory)
    arguments = ("--preset", "smoke", "--device", "cpu", "--out", tmp_path / "times.parquet")
    most = 2
    code, _, err = run(capsys, *arguments)
    assert code == 0
    assert "30 answers a batch do not fit into the device's memory: left out" in err
    table = load(tmp_path / "times.parquet")
    assert (table.frame["answers"].unique().tolist(), table.sidecar["left_out"]) == ([6], [30])
    most = 0
    code, _, err = run(capsys, *arguments, "--overwrite")
    assert code != 0
    assert err.splitlines()[-1].startswith("kondo: no size of preset smoke fits into the memory of cpu")
    assert load(tmp_path / "times.parquet").frame["answers"].unique().tolist() == [6], "nothing was replaced"


def timed(directory, name, device, date, seconds):
    frame, sidecar = times(0.1), {"device": device, "date": date, "seconds": seconds}
    return save(
        frame.drop(columns="seconds"), directory / name, kind=STEP_TIMES, config={"preset": "quick"}, sidecar=sidecar
    )


def test_a_user_s_own_seconds_replace_those_of_the_same_device_and_no_others(tmp_path):
    """A GPU of another name stands beside the committed one, and the CPU's rows stay."""
    full = [[1.0, 0.0, 1.0, 2.0]] * 3
    timed(tmp_path, "1.parquet", "cuda: A100, TF32 off", "2026-01-02", [full, [[0.25, 0.0, 0.25, 0.5]] * 3])
    context = Context("quick", "cpu", 1, print, MeasuredTables.read(tmp_path))
    quantity = "seconds of an update, sampling included, row gate(3 %) / PG, 100 answers, "
    rows = {row.quantity.removeprefix(quantity): row for row in physical_cost(context) if quantity in row.quantity}
    assert set(rows) == {"CPU", "NVIDIA H200", "A100"}
    assert (rows["A100"].value, rows["A100"].origin[:9]) == (0.25, "1.parquet")
    assert rows["CPU"].sources[0].table == "reversal-step-times-paper.parquet"
    with tables.results_from(tmp_path):
        assert set(tables.step_times()) == set(rows)
    timed(tmp_path, "0.parquet", "cuda: A100, TF32 off", "2026-01-01", [full, [[0.5, 0.0, 0.5, 1.0]] * 3])
    with pytest.raises(
        ResultError, match=r"0\.parquet and .*1\.parquet are equally large tables of reversal-step-times"
    ):
        step_times(MeasuredTables.read(tmp_path).parts(STEP_TIMES))


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
