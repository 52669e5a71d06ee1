"""Measured criteria of stall-escape and autoregressive-rows can be missed; rows of optimal-gate are read right."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from reversal_worlds import curve_of, world

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.reversal.moments.gates import BEST, GATES
from simulations.reversal.moments.noise import STALLS
from simulations.reversal.moments.rows import PATHS, RATES
from simulations.reversal.studies import DEEP, SHALLOW, Setting
from simulations.verification.checks.reversal import row_gates, stalls
from simulations.verification.verify import judge

SEEDS = range(3)


def judged(claim, rows, **sizes):
    """The verdict by the criteria that these rows are of."""
    rule, here = CLAIMS[claim].rule, {row.quantity for row in rows}
    criteria = tuple(each for each in rule.criteria if each.quantity in here)
    assert criteria
    sized = [replace(row, sizes=row.sizes or sizes) for row in rows]
    return judge(replace(CLAIMS[claim], rule=replace(rule, criteria=criteria)), True, [], sized)


PREDICTED = {DEEP[0]: 0.465, DEEP[1]: 0.370}


@pytest.fixture(autouse=True)
def quick_predictions(monkeypatch):
    monkeypatch.setattr(stalls, "predicted_reward", lambda setting: PREDICTED.get(setting, 0.55))


def escapes(ends):
    """Curves that end at the predicted reward in the deep stalls and at 0.97 in the shallow ones, or at ``ends``."""

    def change(config, _):
        setting = Setting(config.vocab_size, config.length, config.rate)
        end = ends.get(setting, PREDICTED.get(setting, 0.97))
        return curve_of(config, end[config.seed] if isinstance(end, tuple) else end)

    return stalls.escape_rows(world("stall-escape", change))


def test_where_predictions_come_true_stalls_are_left_and_hold():
    rows = escapes({})
    assert judged("stall-escape", rows)[0] == "holds in regime"
    update = next(row for row in rows if row.quantity.startswith("update at which the reward is above 0.628, M = 5"))
    assert update.value == 300, "from 0.2 to 0.97 in 500 updates, evaluated every 50"
    found = world("stall-escape", lambda config, end: curve_of(config, 0.5))
    less = replace(found, frame=found.frame[found.frame["rate"] < 0.15])
    with pytest.raises(ResultError, match="lacks the token gate at M = 5, H = 10, ρ = 17 %"):
        stalls.escape_rows(less)


@pytest.mark.control("stall-escape")
@pytest.mark.parametrize(
    ("ends", "missed"),
    [
        ({DEEP[1]: 0.45}, "share of runs in deep stalls that hold, worst setting"),
        (
            {DEEP[0]: (0.465, 0.465, 0.465, 0.9, 0.9), DEEP[1]: (0.37,) * 4 + (0.3,)},
            "hold ≥ 0.8",
        ),
    ],
)
def test_negative_control_each_share_can_be_missed(ends, missed):
    verdict, reason = judged("stall-escape", escapes(ends))
    assert verdict == "contradicted"
    assert missed in reason


def test_what_was_predicted_and_missed_is_measured_all_the_same():
    ends = {SHALLOW[0]: (0.97, 0.97, 0.97, 0.6, 0.6), SHALLOW[1]: (0.97, 0.97, 0.97, 0.97, 0.7)}
    rows = {row.quantity: row.value for row in escapes(ends)}
    assert rows["share of runs in shallow stalls that get away"] == 0.7
    assert rows["share of runs in shallow stalls that get away, worst setting"] == 0.6
    assert rows["update at which the reward is above 0.721, M = 3, H = 6, ρ = 10 %"] == 350


def noises():
    rows = []
    for seed in SEEDS:
        for stall in STALLS:
            for level in stall.levels:
                row = {"vocab_size": stall.setting.vocab_size, "length": stall.setting.length, "seed": seed}
                row |= {"rate": stall.setting.rate, "level": level, "update": round(1_000 * level), "reward": level}
                row |= {"drift": 4e-4, "drift_error": 1e-4, "noise": 1e-5 * (1 + seed)}
                rows.append(row)
    return pd.DataFrame(rows)


def test_drift_and_noise_along_stalls_are_compared():
    frame = noises()
    at = frame["level"]
    frame.loc[at == 0.54, "drift_error"] = 3e-4
    frame.loc[at == 0.465, "drift"] = -2e-4
    frame.loc[(at == 0.57) & (frame["seed"] == 2), "drift"] = -1e-4
    rows = {row.quantity: row for row in stalls.noise_rows(frame, "test")}
    certain = rows["drift over its standard error, shallow stalls, lowest"]
    assert (certain.value, certain.low) == (pytest.approx(4 / 3), -1)
    ratio = rows["noise over drift, V/(s·L), shallow stalls, largest"]
    shallow = STALLS[0].rise - STALLS[0].reward  # the shorter of the two
    assert ratio.low == pytest.approx(1e-5 / (4e-4 * shallow))
    assert (ratio.value, ratio.high) == (pytest.approx(2e-5 / (4e-4 * shallow)), np.inf)
    assert rows["|drift| for each update, deep stall, last policy"].value == pytest.approx(2e-4)
    where = "M = 3, H = 6, ρ = 10 %, at 0.53"
    assert rows[f"drift of the reward for 1,000 updates, {where}"].value == pytest.approx(0.4)
    noise = rows[f"deviation of the reward's noise over 1,000 updates, {where}"]
    assert noise.value == pytest.approx(np.sqrt(0.02))
    assert noise.seeds == len(SEEDS)


def gates(change=lambda row: {}):
    rows = []
    for seed in SEEDS:
        for path in PATHS:
            idle = path is PATHS[2]
            for place, update in enumerate(path.updates):
                for gate in GATES:
                    for rate in RATES:
                        late = gate == "delight" and place == len(path.updates) - 1
                        row = {"label": path.config.label, "vocab_size": path.config.vocab_size, "seed": seed}
                        row |= {"length": path.config.length, "update": update, "reward": 0.5 + place / 10}
                        row |= {"gate": gate, "rate": rate, "place": place, "cost_error": 0.1, "drift_error": 0.1}
                        row |= {"slope": 0.2, "slope_error": 0.1, "margin": 1.0, "margin_error": 0.1}
                        row |= {"cost": 2.0 if gate == BEST else 20.0 if late else 10.0}
                        against = gate == "positive-surprisal"
                        row |= {"drift": 0.0 if idle and against else -1.0 if against and not place else 1.0}
                        rows.append(row | change(row))
    return pd.DataFrame(rows)


def balances(change=lambda row: {}):
    return judged("autoregressive-rows", row_gates.balance_rows(gates(change), "test"), seeds=3)


def test_where_predictions_come_true_the_row_condition_holds():
    assert balances()[0] == "holds in regime"


def idle(row):
    return "positive" in row["label"]


def pushed(row):
    return row["gate"] == "positive-surprisal" and row["place"] == 0 and row["vocab_size"] == 2 and not idle(row)


@pytest.mark.control("autoregressive-rows")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (
            lambda row: {"slope": 0.9 if row["place"] == 2 else 0.2},
            "1 − slope over its standard error, where row gates",
        ),
        (lambda row: {"margin": 0.1 if row["place"] == 2 else 1}, "margin over its standard error, where row gates"),
        (
            lambda row: {"drift": -1.0 if row["place"] == 2 else 1} if not idle(row) else {},
            "share of positive drifts",
        ),
        (lambda row: {"slope": 0.9} if idle(row) else {}, "1 − slope over its standard error, where one does not"),
        (lambda row: {"margin": 0.1} if idle(row) else {}, "margin over its standard error, where one does not"),
        (lambda row: {"drift": 0.5} if pushed(row) else {}, "drift along ∇J over its standard error, positive"),
        (lambda row: {"margin": 0.1} if pushed(row) else {}, "margin over its standard error, positive"),
    ],
)
def test_negative_control_each_criterion_of_the_row_condition_can_be_missed(change, missed):
    verdict, reason = balances(change)
    assert verdict == "contradicted"
    assert missed in reason


def test_costs_and_drifts_are_compared_at_each_policy():
    def change(row):
        late = row["gate"] == "delight" and row["place"] == 3
        return {"cost": 40.0, "drift": 0.1} if late else {}

    rows = {row.quantity: row for row in row_gates.cost_rows(gates(change), "test")}
    assert len(rows) == 1 + 2 * (2 + 4 * (2 + len(GATES) - 1))
    for task in ("M = 2, H = 10", "M = 10, H = 4"):
        assert rows[f"cost of signal, delight / |advantage|, first policy, {task}"].value == 1
        assert rows[f"cost of signal, delight / |advantage|, last policy, {task}"].value == 4
    where = "M = 10, H = 4, update 900"
    assert rows[f"drift along ∇J at ρ=0.03, delight / |advantage|, {where}"].value == pytest.approx(0.1)
    assert rows[f"cost of signal over the best found at ρ=0.03, delight, {where}"].value == 20
    assert rows[f"mean reward, {where}"].value == pytest.approx(0.8)


def test_costs_that_are_infinite_are_compared():
    def change(row):
        return {"cost": np.inf} if row["gate"] in ("uniform", "surprisal") else {}

    frame = gates(change)
    rows = {row.quantity: row for row in row_gates.cost_rows(frame, "test")}
    assert rows["cost of signal over the best found at ρ=0.03, uniform, M = 2, H = 10, update 100"].value == np.inf
    frame.loc[frame["gate"] == BEST, "cost"] = np.inf
    rows = {row.quantity: row for row in row_gates.cost_rows(frame, "test")}
    assert rows["cost of signal over the best found at ρ=0.03, uniform, M = 2, H = 10, update 100"].value == 1
