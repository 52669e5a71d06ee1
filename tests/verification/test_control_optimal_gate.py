"""optimal-gate: simulation and theory agree, and a gate that is not the best contradicts the claim."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.geometry.optimal import best_unbiased_gate
from kondo_theory.screening import screen_context
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.optimal_gate import optimal_gate
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: learning curves have made-up worlds of their own, beside those of gates-under-adam."""
    claim = CLAIMS["optimal-gate"]
    return judge(replace(claim, rule=replace(claim.rule, criteria=())), True, rows, [])[0]


def test_the_simulation_agrees():
    rows = optimal_gate(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 40
    assert verdict(rows) == CLAIMS["optimal-gate"].success


@pytest.mark.control("optimal-gate")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda policy, advantage, rate: screen_context(policy, advantage, "delight", rate).keep,
        lambda policy, advantage, rate: screen_context(policy, advantage, "abs-advantage", rate).keep,
        lambda policy, advantage, rate: np.full(len(policy), rate),
    ],
    ids=["delight", "|advantage|", "at random"],
)
def test_negative_control_another_gate_is_no_cheaper(wrong):
    assert verdict(optimal_gate(SMOKE, wrong)) == "contradicted"


@pytest.mark.control("optimal-gate")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda policy, advantage, rate: np.full(len(policy), rate),
        lambda policy, advantage, rate: best_unbiased_gate(policy, advantage**2 * np.sign(advantage), rate),
    ],
    ids=["at random", "squared"],
)
def test_negative_control_another_unbiased_gate_has_more_noise(wrong):
    assert verdict(optimal_gate(SMOKE, unbiased=wrong)) == "contradicted"
