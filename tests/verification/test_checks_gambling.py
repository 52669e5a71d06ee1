"""The gambling simulations agree with theory, and fail when fed a wrong gate or formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from kondo_theory.claims import CLAIMS
from simulations.gambling.gamble import Gamble, simulate_drift, simulate_learning
from simulations.gambling.kernels import GAMBLE_WEIGHT, SAFE_WEIGHT
from simulations.gambling.simulation import expected_drift
from simulations.verification import verify
from simulations.verification.checks import Context
from simulations.verification.checks.gambling import drifts as checks

SMOKE = Context("smoke", "cpu", 2, lambda _: None)
NAMES = ("gambling-false-positives", "gambling-fixed-point", "gambling-dg-floor", "gambling-top-rate", "equal-noise")


def judge(claim, rows):
    return verify.judge(CLAIMS[claim], True, rows, [])[0]


@pytest.mark.parametrize("claim", NAMES)
def test_the_simulation_agrees(claim):
    rows = getattr(checks, claim.replace("-", "_"))(SMOKE)
    assert judge(claim, rows) == "holds in regime", [row for row in rows if row.within is not True]


def sharper(x, gamble):
    """DG at half its temperature."""
    return expected_drift(x, replace(gamble, temperature=gamble.temperature / 2))


def linear(x, gamble):
    """Forget the tail of the gamble: E[GU] = rφ alone."""
    return x - gamble.noise_ratio * np.exp(-(((1 - x) / gamble.noise_ratio) ** 2) / 2) / np.sqrt(2 * np.pi)


def other_rate(x, gamble):
    return expected_drift(x, replace(gamble, rate=0.8 * gamble.rate))


CONTROLS = {
    "wrong sign in Φ((1−x)/r)": ("gambling-false-positives", {"probability": lambda x, r: ndtr((1 - x) / r)}),
    "PG for zero price, false positives": ("gambling-false-positives", {"gate": "pg"}),
    "critical ratio 2": ("gambling-fixed-point", {"critical": 2.0}),
    "critical ratio 3": ("gambling-fixed-point", {"critical": 3.0}),
    "DG for zero price": ("gambling-fixed-point", {"gate": "dg"}),
    "rφ for h": ("gambling-fixed-point", {"drift": linear}),
    "zero price for DG": ("gambling-dg-floor", {"gate": "zero-price"}),
    "half the temperature": ("gambling-dg-floor", {"drift": sharper}),
    "zero price for top-ρ": ("gambling-top-rate", {"gate": "zero-price"}),
    "another rate": ("gambling-top-rate", {"drift": other_rate}),
    "noise on one arm": ("equal-noise", {"noisy": False}),
    "zero price for DG, equal noise": ("equal-noise", {"dg_gate": "zero-price"}),
}


@pytest.mark.control(
    "gambling-false-positives", "gambling-fixed-point", "gambling-dg-floor", "gambling-top-rate", "equal-noise"
)
@pytest.mark.parametrize("control", CONTROLS)
def test_negative_control_a_wrong_gate_or_formula_fails_the_claim(control):
    claim, wrong = CONTROLS[control]
    rows = getattr(checks, claim.replace("-", "_"))(SMOKE, **wrong)
    assert judge(claim, rows) == "contradicted"


def test_results_do_not_depend_on_threads():
    gamble = Gamble(1.3, "rate", rate=0.2, equal_noise=True)
    assert np.array_equal(simulate_drift(gamble, 0.3, 200, 2, 9, 5, 1), simulate_drift(gamble, 0.3, 200, 2, 9, 5, 3))
    one, two = (simulate_learning(gamble, 0.3, 200, 1.0, 7, 2, 9, 5, threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("equal", [False, True])
def test_exactly_k_are_kept(equal):
    estimates = simulate_drift(Gamble(1.0, "rate", rate=0.13, equal_noise=equal), 0.3, 100, 50, 20, 3)
    kept = 0.7 * estimates[:, SAFE_WEIGHT] + 0.3 * estimates[:, GAMBLE_WEIGHT]
    assert kept == pytest.approx(0.13, abs=1e-12)
