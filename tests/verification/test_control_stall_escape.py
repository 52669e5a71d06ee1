"""stall-escape: simulation and theory agree, and a wrong formula or gate contradicts the claim."""

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.stall_escape import stall_escape as closed_form
from simulations.verification.checks import Context
from simulations.verification.checks.tokens.stall_escape import stall_escape
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["stall-escape"], True, rows, [])[0]


def test_the_simulation_agrees():
    assert verdict(stall_escape(SMOKE)) == CLAIMS["stall-escape"].success


@pytest.mark.control("stall-escape")
@pytest.mark.parametrize("wrong", [lambda p: 1.05 * closed_form(p)], ids=["5 % high"])  # FILL IN: more, gates too
def test_negative_control_a_wrong_formula_contradicts_the_claim(wrong):
    assert verdict(stall_escape(SMOKE, wrong)) == "contradicted"
