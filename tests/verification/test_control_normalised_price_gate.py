"""normalised-price-gate: simulation and theory agree, and a wrong formula, divisor or selection contradicts it."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.gate import select
from kondo_theory.geometry.normalised import exact_moments, normalised_moments, price_moments
from simulations.verification.checks import Context
from simulations.verification.checks.bandits import normalised_price_gate as checks
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: learning curves have made-up worlds of their own, beside those of gates-under-adam."""
    claim = CLAIMS["normalised-price-gate"]
    return judge(replace(claim, rule=replace(claim.rule, criteria=())), True, rows, [])[0]


@pytest.fixture
def short(monkeypatch):
    """Two settings: a control needs one that fails."""
    monkeypatch.setattr(checks, "GRID", checks.GRID[:2])


def test_the_simulation_agrees():
    rows = checks.normalised_price_gate(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 50
    assert verdict(rows) == CLAIMS["normalised-price-gate"].success


@pytest.mark.control("normalised-price-gate")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda kept, size: exact_moments(kept),
        lambda kept, size: price_moments(kept),
        lambda kept, size: normalised_moments(kept),
    ],
    ids=["m in place of the mean", "no variate", "no noise of 1/K"],
)
def test_negative_control_a_wrong_formula_contradicts_the_claim(wrong):
    assert verdict(checks.normalised_price_gate(SMOKE, wrong)) == "contradicted"


@pytest.mark.control("normalised-price-gate")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda counts, rate, size: np.full(counts.shape, size),
        lambda counts, rate, size: (counts + 1) / rate,
    ],
    ids=["the batch", "one more"],
)
def test_negative_control_a_wrong_divisor_contradicts_the_claim(wrong):
    assert verdict(checks.normalised_price_gate(SMOKE, divisor=wrong)) == "contradicted"


@pytest.mark.control("normalised-price-gate")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda rate: lambda scores, rng: scores > np.quantile(scores, 1 - rate),
        lambda rate: lambda scores, rng: select(scores, min(1.0, 1.3 * rate), rng),
        lambda rate: lambda scores, rng: select(np.abs(scores), rate, rng),
    ],
    ids=["a price", "another rate", "by size"],
)
def test_negative_control_another_selection_contradicts_the_claim(wrong):
    assert verdict(checks.normalised_price_gate(SMOKE, best=wrong)) == "contradicted"
