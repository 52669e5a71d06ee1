"""Predictions on a language model are counted against runs: they come true, are reversed, or there are none."""

from dataclasses import replace

import pandas as pd
import pytest
from language_model_worlds import END, aligned, runs

from kondo_theory.claims import CLAIMS
from simulations.results.merging import MeasuredTables
from simulations.verification.checks import Context
from simulations.verification.checks.language_model import predictions
from simulations.verification.checks.language_model import runs as runs_of_a_claim
from simulations.verification.verify import judge

CLAIM = "language-model-token-trap"
TOKENS = predictions.TOKENS


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


def test_other_tasks_are_counted_apart_and_not_judged(tmp_path):
    """On a task of study tasks the token gate learns, where it was to fall."""
    frozen, other = (
        aligned(tmp_path / "frozen.parquet"),
        runs(tmp_path / "tasks.parquet", "tasks", 2, END | {TOKENS: 0.6}),
    )
    digits = frozen.frame[frozen.frame["task"] == "spelling"].assign(task="digits")
    frozen = replace(frozen, frame=pd.concat([frozen.frame, digits], ignore_index=True))
    tables = [runs(tmp_path / "runs.parquet", "learning", 2), frozen, other]
    rows = predictions.token_trap(Context("quick", "cpu", 1, lambda _: None, MeasuredTables(tables)))
    found = {row.quantity: row for row in rows}
    assert judge(CLAIMS[CLAIM], None, [], rows)[0] == "holds in regime"
    assert found["outcomes that are the reverse of the predicted"].value == 0
    assert found["outcomes that are the reverse of the predicted, other tasks"].value == 1
    assert found["reward that token gate(3 %) gained, task digits"].value == pytest.approx(0.4, abs=0.02)
    assert found["alignment at the pretrained policy / that of PG, token gate(3 %), task digits"].high < 0


def test_without_tables_or_with_one_seed_it_is_not_run(tmp_path, monkeypatch):
    assert judged(tmp_path, seeds=1)[0] == ("not run", "1 seed; the rule asks for 2")
    monkeypatch.setattr(predictions, "frozen_blocks", lambda: aligned(tmp_path / "f.parquet").frame.iloc[:0])
    empty = predictions.token_trap(Context("quick", "cpu", 1, lambda _: None, MeasuredTables()))
    assert judge(CLAIMS[CLAIM], None, [], empty)[0] == "not run"
