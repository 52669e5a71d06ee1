"""noise-aware-gate: simulation and theory agree; delight, zero price and wrong formulas contradict the claim."""

import pytest

from kondo_theory.claims import CLAIMS
from simulations.gambling.gamble import Gamble
from simulations.gambling.simulation import expected_drift, stable_points
from simulations.verification.checks import Context
from simulations.verification.checks.gambling.noise_aware import noise_aware_gate
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
