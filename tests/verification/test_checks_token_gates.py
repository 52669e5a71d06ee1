"""What is measured of gates on tokens beside whole answers: where it is read, signs, ratios, tables without them."""

import numpy as np
import pandas as pd
import pytest

from kondo_theory.token_trap import drift
from simulations.reversal.moments.rows import PATHS, RATES
from simulations.reversal.moments.tokens import named
from simulations.verification.checks.reversal.token_gates import (
    FALLS,
    INSIDE,
    RATE,
    token_balance_rows,
    token_cost_rows,
)

REWARDS = {(2, 10): (0.52, 0.8, 0.92, 0.99), (10, 4): (0.1, 0.35, 0.6, 0.85)}
"""One policy inside the limits for each task: 0.8 and 0.6."""


def frame(change=lambda row: {}):
    rows = []
    for seed in range(3):
        for path in PATHS:
            config = path.config
            for place, update in enumerate(path.updates):
                for rate in RATES:
                    for rule in ("delight", "advantage", "abs-advantage"):
                        for tokens in (False, True):
                            row = {"label": config.label, "vocab_size": config.vocab_size, "length": config.length}
                            row |= {"seed": seed, "update": update, "rate": rate, "place": place, "tokens": tokens}
                            row |= {"reward": REWARDS[config.vocab_size, config.length][place]}
                            row |= {"gate": named(rule) if tokens else rule, "rule": rule, "balance_error": 0.1}
                            row |= {"cost": 30.0 if tokens else 10.0, "drift": 0.5 if tokens else 2.0}
                            row |= {"balance": -1.0 if tokens else 1.0 + place}
                            rows.append(row | change(row))
    return pd.DataFrame(rows)


def read(rows):
    return {row.quantity: row for row in rows}


def test_the_limits_are_where_the_mean_field_falls():
    for (M, H), (low, high) in FALLS.items():
        signs = np.sign(drift([low - 0.02, low + 0.02, high - 0.02, high + 0.02], H, M, rate=RATE))
        assert list(signs) == [1, -1, -1, 1]


def test_sums_of_drifts_are_read_inside_the_limits():
    where = "over its standard error"
    tokens = f"sum of the right logits' drifts {where}, tokens, where the mean field falls, highest"
    answers = f"sum of the right logits' drifts {where}, answers, where the mean field falls, lowest of three rules"
    found = read(token_balance_rows(frame(), "test"))
    assert (found[tokens].value, found[answers].value) == (pytest.approx(-10), pytest.approx(20))
    changed = frame(lambda row: {"balance": 0.3} if row["place"] == 2 and row["tokens"] else {})
    assert read(token_balance_rows(changed, "test"))[tokens].value == pytest.approx(3), "at M = 10, reward 0.6"
    outside = frame(lambda row: {"balance": 0.3} if row["place"] == 3 and row["tokens"] else {})
    assert read(token_balance_rows(outside, "test"))[tokens].value == pytest.approx(-10)
    near = frame(lambda row: {"reward": FALLS[row["vocab_size"], row["length"]][0] + INSIDE / 2})
    assert not {tokens, answers} & set(read(token_balance_rows(near, "test")))
    assert len(found) == 2 + 8


def test_costs_and_drifts_are_those_of_tokens_over_answers():
    idle = PATHS[2].config.label
    found = read(token_cost_rows(frame(lambda row: {"cost": 1.0} if row["label"] == idle else {}), "test"))
    assert len(found) == 2 * 2 * 8 * 2
    place = "M = 10, H = 4, update 500"
    assert found[f"cost of signal at ρ=0.12, tokens / answers, abs-advantage, {place}"].value == pytest.approx(3)
    assert found[f"drift along ∇J at ρ=0.03, tokens / answers, delight, {place}"].value == pytest.approx(0.25)


def test_a_table_without_gates_on_tokens_has_no_such_rows():
    without = frame()
    without = without[~without["tokens"]]
    assert token_balance_rows(without, "test") == token_cost_rows(without, "test") == []
