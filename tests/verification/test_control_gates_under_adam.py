"""gates-under-adam: simulation and theory agree; descent, signs and other gates contradict; what is measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.geometry.adam import adam_step
from simulations.results.table_sizes import sizes_of_paths, sizes_of_runs
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.updates.gates_under_adam import gates_under_adam
from simulations.verification.checks.mnist.steps import cost_rows, curve_rows, gain_rows, order_rows
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on MNIST has made-up worlds of its own."""
    return judge(CLAIMS["equal-noise"], True, rows, [])[0]


def test_the_simulation_agrees():
    rows = gates_under_adam(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 60
    assert verdict(rows) == "holds in regime", [row for row in rows if row.within is not True]


WRONG = {
    "descent": {"formula": lambda mean, variance: np.asarray(mean) / np.linalg.norm(mean)},
    "signs": {"formula": lambda mean, variance: np.sign(mean)},
    "twice the noise": {"formula": lambda mean, variance: adam_step(mean, 2 * np.asarray(variance))},
    "no gate": {"change": lambda bandit: replace(bandit, keep=np.ones_like(bandit.keep), n_kept=None)},
    "the other divisor": {"change": lambda bandit: replace(bandit, by_the_kept=not bandit.by_the_kept)},
    "one sample more": {"change": lambda bandit: replace(bandit, batch_size=bandit.batch_size + 5)},
}


@pytest.mark.control("gates-under-adam")
@pytest.mark.parametrize("wrong", WRONG)
def test_negative_control_a_wrong_formula_or_gate_contradicts_the_claim(wrong):
    assert verdict(gates_under_adam(SMOKE, **WRONG[wrong])) == "contradicted"


# Gains on MNIST in a made-up world: what is predicted of six methods by Adam and by descent, and what they gain.
PREDICTED = {"A": (6.0, 1.0), "B": (5.0, 2.0), "C": (4.0, 6.0), "D": (3.0, 5.0), "E": (2.0, 4.0), "F": (1.0, 3.0)}


def measured(gains=lambda rate, progress: progress, targets=(0.5, 0.8, 0.9, 0.95)):
    rows = [
        {"seed": seed, "target": target, "label": label, "direction": "PG", "learning_rate": rate}
        | {"path": "path", "progress": progress, "descent": descent, "gain": gains(rate, progress)}
        | {"standard_error": 0.1}
        for seed in range(3)
        for target in targets
        for label, (progress, descent) in PREDICTED.items()
        for rate in (0.0, 1e-4, 1e-3)
    ]
    table = pd.DataFrame(rows)
    found = [replace(row, sizes=sizes_of_paths(table)) for row in gain_rows(table, "test")]
    return judge(CLAIMS["gates-under-adam"], True, [], found)


def test_in_a_world_where_it_comes_true_the_measured_claim_holds():
    assert measured()[0] == "holds in regime"
    assert measured(targets=(0.5, 0.8))[0] == "not run"


@pytest.mark.control("gates-under-adam")
@pytest.mark.parametrize(
    ("gains", "missed"),
    [
        (lambda rate, progress: 0.9 * progress, "Adam / predicted, median of all methods"),
        (lambda rate, progress: 1.1 * progress, "Adam / predicted, median of all methods"),
        (lambda rate, progress: progress + 0.5 * (progress == 6), "standard errors, largest of all methods"),
        (lambda rate, progress: (progress - 3.2) ** 2 if rate == 1e-4 else progress, "learning rate 0.0001, lowest"),
        (lambda rate, progress: (progress - 3.2) ** 2 if rate == 1e-3 else progress, "learning rate 0.001, lowest"),
        (lambda rate, progress: -progress if rate == 1e-4 else progress, "Adam's prediction − descent's, lowest"),
    ],
)
def test_negative_control_each_criterion_can_be_missed(gains, missed):
    found, reason = measured(gains)
    assert found == "contradicted"
    assert missed in reason


CURVES = {"DG-K(3 %)": (700, 0.06), "price(3 %)": (700, 0.06), "price(3 %), by the kept": (750, 0.07)}
CURVES |= {"last-layer(3 %)": (600, 0.2)}


def curves(claim, **change):
    """The verdict on curves that are at 15 % error at first and, from an update on, at their last error."""
    pairs = {
        "normalised-price-gate": (("price(3 %), by the kept", "price(3 %)"), ("DG-K(3 %)", "price(3 %)")),
        "optimal-gate": (("last-layer(3 %)", "DG-K(3 %)"),),
    }[claim]
    rows = [
        {"label": label, "seed": seed, "update": update, "test_error": last if update >= at else 0.5}
        for label, (at, last) in (CURVES | change).items()
        for seed in range(10)
        for update in range(50, 1_501, 50)
    ]
    table = pd.DataFrame(rows)
    found = [replace(row, sizes=sizes_of_runs(table)) for row in curve_rows(table, pairs, "test")]
    return judge(CLAIMS[claim], True, [], found)


@pytest.mark.parametrize("claim", ["normalised-price-gate", "optimal-gate"])
def test_in_a_world_where_they_come_true_the_learning_curves_agree(claim):
    assert curves(claim)[0] == "holds in regime"


@pytest.mark.parametrize(
    ("claim", "change", "missed"),
    [
        ("normalised-price-gate", {"price(3 %), by the kept": (500, 0.07)}, "updates to 10 % error"),
        ("normalised-price-gate", {"price(3 %), by the kept": (750, 0.06)}, "by the kept − price(3 %)"),
        ("normalised-price-gate", {"DG-K(3 %)": (700, 0.07)}, "final test error, DG-K(3 %) − price(3 %)"),
        ("optimal-gate", {"last-layer(3 %)": (600, 0.05)}, "final test error, last-layer(3 %)"),
    ],
)
@pytest.mark.control("normalised-price-gate")
@pytest.mark.control("optimal-gate")
def test_negative_control_each_criterion_of_the_curves_can_be_missed(claim, change, missed):
    found, reason = curves(claim, **change)
    assert found == "contradicted"
    assert missed in reason


def test_the_order_of_curves_and_costs_are_read_by_method():
    predicted = pd.DataFrame(
        [
            {"seed": seed, "target": target, "label": label, "direction": direction, "progress": gain}
            for seed in range(2)
            for target in (0.8, 0.9, 0.95)
            for direction in ("PG", "cross-entropy")
            for label, gain in (("PG", 1.0), ("DG", 2.0), ("zero-price", 3.0), ("other", 9.0))
        ]
    )
    runs = pd.DataFrame(
        [
            {"label": label, "seed": 0, "update": update, "test_error": 0.01}
            for label, update in (("PG", 300), ("DG", 200), ("zero-price", 100))
        ]
    )
    assert {row.value for row in order_rows(predicted, runs, "test")} == {1.0}
    costs = pd.DataFrame(
        [
            {"seed": 0, "target": 0.5, "direction": "PG", "rate": 0.03, "gate": gate, "cost": cost}
            for gate, cost in (("delight", 6.0), ("best", 2.0))
        ]
    )
    assert [row.value for row in cost_rows(costs, "test")] == [3.0]
