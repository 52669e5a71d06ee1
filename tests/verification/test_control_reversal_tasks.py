"""reversal-tasks: in a world of the published order the claim holds, and each part of it can be missed."""

import math

import numpy as np
import pytest
from reversal_worlds import curve_of, world

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.reversal.readings.tasks import CELLS, TaskErrors, flip_distance
from simulations.reversal.tables import Curves, with_shared
from simulations.verification.checks.reversal.tasks import order_rows, task_rows
from simulations.verification.verify import judge

CLAIM = CLAIMS["reversal-tasks"]
ORDER = {"pg": 0.5, "ppo": 0.7, "pmpo": 0.75, "row-gate": 0.8, "token-gate": 0.9, "dg": 0.95}
"""The reward that each method ends at, in the published order."""


def published(**others):
    """A world in which a method ends at its place in the order, but for those that others(config) says."""

    def change(config, _):
        key = config.method.replace("-", "_")
        end = others[key](config) if key in others else ORDER[config.method]
        found = curve_of(config, end + 0.001 * config.seed)
        return found.assign(prefix_error=found["token_error"], bag_error=found["token_error"], multiset_error=0.5)

    return with_shared(world("tasks", change), "tasks", lambda study: world(study, change))


def verdict(found):
    return judge(CLAIM, None, [], order_rows(found))


def test_in_a_world_of_the_published_order_the_claim_holds():
    rows = task_rows(published())
    assert judge(CLAIM, None, [], rows)[0] == "holds in regime"
    values = {row.quantity: row.value for row in rows}
    assert len(values) == len(rows) == 9 + 4 * (5 * 6 + 2)
    assert values["a task less its flip, in standard errors"] == pytest.approx(0, abs=1.5)
    assert values["updates to 1 % token error, PG, flip by bag"] == math.inf


BREAKS = {
    "DG makes fewer errors than PG, of 6 cells": {"dg": lambda c: 0.4 if c.task == "copy" else 0.95},
    "zero price makes fewer errors than PG, of 6 cells": {
        "token_gate": lambda c: 0.4 if c.task == "flip" and c.reward == "bag" else 0.9
    },
    "PMPO makes fewer errors than PG, of 6 cells": {"pmpo": lambda c: 0.45 if c.task == "reverse-flip" else 0.75},
    "DG and zero price make fewer errors than PMPO, of 6 cells": {
        "pmpo": lambda c: 0.92 if c.task == "flip" and c.reward == "prefix" else 0.75
    },
    "PPO makes fewer errors than PG, of 2 cells": {"ppo": lambda c: 0.4 if c.reward == "bag" else 0.7},
    "DG and zero price make fewer errors than PPO, of 2 cells": {
        "ppo": lambda c: 0.96 if c.reward == "prefix" else 0.7
    },
    "-3 ≤ a task less its flip": {"row_gate": lambda c: 0.6 if "flip" in c.task else 0.8},
}


@pytest.mark.control("reversal-tasks")
@pytest.mark.parametrize("missed", BREAKS)
def test_negative_control_one_cell_out_of_order_fails_the_claim(missed):
    found, reason = verdict(published(**BREAKS[missed]))
    assert found == "fails"
    assert missed in reason


def test_fewer_updates_or_seeds_are_not_run():
    whole = published().frame
    short = Curves(whole[whole["update"] <= 500].assign(updates=500))
    assert verdict(short)[0] == "not run"
    assert verdict(Curves(whole[whole["seed"] == 0]))[0] == "not run"


def test_a_method_that_is_lacking_is_named():
    frame = published().frame
    with pytest.raises(ResultError, match="lack PMPO on copy by prefix, which reversal-tasks compares"):
        order_rows(Curves(frame[frame["label"] != "PMPO, copy task"]))


def test_errors_are_those_of_the_reward():
    frame = published().frame
    by_bag = frame["reward"] == "bag"
    frame = frame.assign(bag_error=np.where(by_bag, 0.25, np.nan), multiset_error=np.where(by_bag, 0.125, np.nan))
    errors = TaskErrors.of(frame)
    for cell in CELLS:
        expected = (0.25, 0.125) if cell[1] == "bag" else (pytest.approx(0.05, abs=1e-3), 1 - 0.95**10)
        found = [float(np.median(errors.final(cell, "DG", column))) for column in ("error", "whole")]
        assert found[0] == expected[0]
        assert found[1] == pytest.approx(expected[1], abs=0.01)


def test_a_distance_in_standard_errors_by_hand():
    near, far = np.array([1.0, 3.0]), np.array([4.0, 6.0])  # means 2 and 5, variance of each mean 1
    assert flip_distance([(far, near)]) == pytest.approx(3 / math.sqrt(2))
    assert flip_distance([(far, near)] * 2) == pytest.approx(6 / 2)
    assert flip_distance([(near, far), (far, near)]) == 0
    assert flip_distance([(near[:1].repeat(2), far[:1].repeat(2))]) == -math.inf
    assert flip_distance([(near[:1].repeat(2), near[:1].repeat(2))]) == 0
    assert math.isnan(flip_distance([(near[:1], far)]))


def test_the_distance_of_samples_of_one_law_is_of_order_one():
    """Spread over the seeds that there are: two a sample, 15 pairs."""
    rng = np.random.default_rng(0)
    found = [flip_distance([(rng.normal(size=2), rng.normal(size=2)) for _ in range(15)]) for _ in range(400)]
    assert 0.9 < np.std(found) < 1.25
    assert np.mean(np.abs(found) > 3) < 0.02
