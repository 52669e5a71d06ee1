"""cascade and decision-price on MNIST: in a Gaussian world the criteria are met, and each can be missed."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from simulations.mnist.cascade import study
from simulations.mnist.cascade.summary import costs_of, forward_passes
from simulations.mnist.cascade.windows import predicted
from simulations.results.table_sizes import sizes_of_runs
from simulations.verification.checks.mnist.cascade import price_rows, window_rows
from simulations.verification.verify import judge

ROWS = {"cascade": window_rows, "decision-price": price_rows}
BFLOAT16, INT8, SMALL = (contender.label for contender in study.CONTENDERS)


@pytest.fixture(scope="module")
def world():
    """Gaussian delight, Gaussian error and what windows do on average, five seeds at two policies that are alike."""
    rng, parts = np.random.default_rng(4), []
    with pytest.MonkeyPatch.context() as patch:
        for contender, noise in zip(study.CONTENDERS, (0.05, 0.05, 0.8), strict=True):
            patch.setattr(study, "found", lambda chi, score, *window, noise=noise: predicted(chi, noise, *window))
            for seed in range(5):
                chi = 1 + rng.normal(size=10_000)
                score = chi + noise * rng.normal(size=len(chi))
                place = {"label": contender.label, "score_cost": 0.5, "seed": seed}
                parts += [place | row for row in study.rows_of(chi, score, 0.47)]
    table = pd.DataFrame(parts)
    return pd.concat([table.assign(update=update) for update in (500, 3_000)], ignore_index=True)


def verdict(claim, table):
    rows = [replace(row, sizes=sizes_of_runs(table)) for row in ROWS[claim](table, "test")]
    return judge(CLAIMS[claim], True, [], rows)


@pytest.mark.parametrize("claim", ROWS)
def test_in_a_gaussian_world_the_measured_criteria_are_met(world, claim):
    assert verdict(claim, world)[0] == "holds in regime"
    assert verdict(claim, world[world["update"] == 500])[0] == "not run"
    quantities = [row.quantity for row in ROWS[claim](world, "test")]
    assert len(set(quantities)) == len(quantities)


def spoilt(world, label, chosen, column, change):
    table = world.copy()
    where = (table["label"] == label) & chosen(table)
    table.loc[where, column] = change(table.loc[where, column])
    return table


WRONG = {
    "recall": ("cascade", BFLOAT16, lambda t: t["width"] == 1.5, "recall", lambda x: x - 0.05, "recall within"),
    "share": ("cascade", INT8, lambda t: t["width"] == 2.0, "evaluated", lambda x: x + 0.01, "evaluated share"),
    "price": ("decision-price", SMALL, lambda t: t["offset"] != 0, "wasted", lambda x: x + 1, "at the cost itself"),
}


@pytest.mark.control("cascade", "decision-price")
@pytest.mark.parametrize("wrong", WRONG)
def test_negative_control_each_criterion_can_be_missed(world, wrong):
    claim, label, chosen, column, change, missed = WRONG[wrong]
    found, reason = verdict(claim, spoilt(world, label, chosen, column, change))
    assert found == "contradicted"
    assert missed in reason


def test_costs_and_forward_passes_by_hand():
    grid = pd.DataFrame(
        {
            "seed": 0, "update": 1, "choice": "grid", "offset": 0.0, "width": study.WIDTHS[:3], "score_cost": 0.5,
            "evaluated": (0.0, 0.1, 0.4), "missed": (0.2, 0.05, 0.0), "wasted": (0.1, 0.0, 0.0),
            "recall": (0.5, 0.991, 1.0),
            "predicted_evaluated": (0.0, 0.1, 0.4), "predicted_missed": (0.2, 0.1, 0.0),
            "predicted_wasted": (0.1, 0.1, 0.0), "predicted_recall": (0.5, 0.6, 0.7),
        }
    )  # fmt: skip
    window = grid.iloc[[1]].assign(choice="window", evaluation=0.3, evaluated=0.2, missed=0.0, wasted=0.1)
    (found,) = costs_of(pd.concat([grid, window])).to_dict("records")
    assert found == {
        "seed": 0, "update": 1, "evaluation": 0.3, "least": pytest.approx(0.08), "best_width": study.WIDTHS[1],
        "gaussian_error": pytest.approx(0.12), "closed_form": pytest.approx(0.16),
    }  # fmt: skip
    assert forward_passes(grid).tolist() == [0.6]
    assert forward_passes(grid, "predicted_").tolist() == [math.inf]
