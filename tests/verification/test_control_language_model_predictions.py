"""Predictions on a language model are counted against runs: they come true, are reversed, or there are none."""

import pytest
from language_model_worlds import END, aligned, runs

from kondo_theory.claims import CLAIMS
from simulations.results.merging import MeasuredTables
from simulations.verification.checks import Context
from simulations.verification.checks.language_model import predictions
from simulations.verification.checks.language_model import runs as runs_of_a_claim
from simulations.verification.verify import judge

CLAIM = "language-model-token-trap"


@pytest.fixture(autouse=True)
def nothing_committed(monkeypatch):
    monkeypatch.setattr(runs_of_a_claim, "committed", lambda study: None)


def judged(tmp_path, end=END, seeds=2, **foreseen):
    tables = [
        runs(tmp_path / "runs.parquet", "learning", seeds, end),
        aligned(tmp_path / "frozen.parquet", **foreseen),
    ]
    found = predictions.token_trap(Context("quick", "cpu", 1, lambda _: None, MeasuredTables(tables)))
    return judge(CLAIMS[CLAIM], None, [], found), found


def test_what_was_foreseen_comes_true(tmp_path):
    (verdict, _), rows = judged(tmp_path)
    assert verdict == "holds in regime"
    found = {row.quantity: row for row in rows}
    assert found["share of predicted outcomes that came true"].seeds == 2 * 4, "four gates but PG on two tasks"
    alignment = found["alignment at the pretrained policy / that of PG, token gate(3 %), task reversal-3"]
    assert (alignment.high < 0, alignment.origin.endswith("predicted: falls, found: falls")) == (True, True)


@pytest.mark.control("language-model-token-trap")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"token_gate": 0.5, "seeds": 2}, "outcomes that are the reverse of the predicted ≤ 0"),
        ({"row_gate": 0.0}, "share of predicted outcomes that came true ≥ 0.9"),
        ({"end": END | {"token gate(3 %)": 0.4}}, "reward that token gate(3 %) gained, highest of the tasks ≤ 0.05"),
    ],
    ids=str,
)
def test_negative_control_each_criterion_of_the_predictions_can_be_missed(tmp_path, change, missed):
    (verdict, reason), _ = judged(tmp_path, **change)
    assert verdict == "contradicted"
    assert missed in reason.partition("missed: ")[2]


def test_orders_that_did_not_come_true_are_said_and_not_judged(tmp_path):
    (verdict, _), rows = judged(tmp_path, end=END | {"zero-price rows": 0.3}, row_gate=0.4)
    orders = next(row for row in rows if row.quantity == "share of predicted orders that came true")
    assert verdict == "holds in regime"
    assert orders.value < 0.8


def test_without_tables_or_with_one_seed_it_is_not_run(tmp_path, monkeypatch):
    assert judged(tmp_path, seeds=1)[0] == ("not run", "1 seed; the rule asks for 2")
    monkeypatch.setattr(predictions, "frozen_blocks", lambda: aligned(tmp_path / "f.parquet").frame.iloc[:0])
    empty = predictions.token_trap(Context("quick", "cpu", 1, lambda _: None, MeasuredTables()))
    assert judge(CLAIMS[CLAIM], None, [], empty)[0] == "not run"
