"""noise-aware-gate: simulation and theory agree; delight, zero price and wrong formulas contradict the claim."""

from dataclasses import replace

import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from simulations.gambling.gamble import Gamble
from simulations.gambling.simulation import expected_drift, stable_points
from simulations.results.table_sizes import sizes_of_runs
from simulations.verification.checks import Context
from simulations.verification.checks.gambling.noise_aware import noise_aware_gate
from simulations.verification.checks.mnist.gamble import gamble_rows
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on MNIST has a made-up world of its own."""
    return judge(CLAIMS["equal-noise"], True, rows, [])[0]


def test_the_simulation_agrees():
    rows = noise_aware_gate(SMOKE)
    assert verdict(rows) == "holds in regime", [row for row in rows if row.within is not True]


def pg(x, gamble):
    return 1.0


WRONG = {
    "delight for |advantage|": {"instead": {"extremes": "rate"}},
    "zero price for a second draw": {"instead": {"second-draw": "zero-price"}},
    "zero price for a margin": {"instead": {"margin": "zero-price"}},
    "PG for every gate": {"drift": pg},
}


@pytest.mark.control("noise-aware-gate")
@pytest.mark.parametrize("wrong", WRONG)
def test_negative_control_a_wrong_gate_or_formula_contradicts_the_claim(wrong):
    assert CLAIMS["noise-aware-gate"].derived
    assert verdict(noise_aware_gate(SMOKE, **WRONG[wrong])) == "contradicted"


@pytest.mark.parametrize("gate", ["extremes", "margin", "second-draw"])
def test_equal_noise_has_no_closed_form_here(gate):
    gamble = Gamble(1.0, gate, rate=0.1, equal_noise=True)
    for ask in (lambda: expected_drift(0.3, gamble), lambda: stable_points(gamble)):
        with pytest.raises(ValueError, match=f"equal_noise must be False with gate {gate}"):
            ask()


# What is measured on MNIST: test error and share of gambles of every contender, in a made-up world.
DELIGHT, DRAW, SIZE = "DG-K(3 %)", "DG-K(3 %), second draw", "abs-advantage(3 %)"
ENDS = {
    DELIGHT: (0.9, 0.99),
    DRAW: (0.06, 0.004),
    SIZE: (0.9, 0.0),
    f"{DELIGHT}, value baseline": (0.9, 0.8),
    f"{SIZE}, value baseline": (0.08, 0.006),
}


def measured(updates=3_000, **change):
    ends = ENDS | change
    table = pd.DataFrame(
        [
            {"label": label, "seed": seed, "update": update, "test_error": error, "gambles": gambles}
            for label, (error, gambles) in ends.items()
            for seed in range(3)
            for update in (updates - 100, updates)
        ]
    )
    rows = [replace(row, sizes=sizes_of_runs(table)) for row in gamble_rows(table, "test")]
    return judge(CLAIMS["noise-aware-gate"], True, [], rows)


def test_in_a_world_where_it_comes_true_the_measured_claim_holds():
    assert measured()[0] == "holds in regime"
    assert measured(updates=1_000)[0] == "not run"


@pytest.mark.control("noise-aware-gate")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({DELIGHT: (0.9, 0.3)}, "gambles at the end, DG-K(3 %) (percent)"),
        ({SIZE: (0.9, 0.2)}, "gambles at the end, abs-advantage(3 %) (percent)"),
        ({DRAW: (0.06, 0.2)}, "gambles at the end, DG-K(3 %), second draw (percent)"),
        ({DRAW: (0.7, 0.004)}, "final test error, DG-K(3 %) − DG-K(3 %), second draw"),
        ({f"{SIZE}, value baseline": (0.9, 0.0)}, "final test error, DG-K(3 %) − abs-advantage(3 %), value baseline"),
    ],
)
def test_negative_control_each_criterion_can_be_missed(change, missed):
    found, reason = measured(**change)
    assert found == "contradicted"
    assert missed in reason
