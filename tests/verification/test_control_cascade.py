"""cascade: simulation and theory agree, and a wrong window or gain contradicts the claim."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.claims.registry import SIMULATED
from kondo_theory.geometry import cascade as closed
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.decision_price import cascade
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 1, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on MNIST has a made-up world of its own."""
    return judge(replace(CLAIMS["cascade"], rule=SIMULATED), True, rows, [])[0]


def test_the_simulation_agrees():
    rows = cascade(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) == 15
    assert verdict(rows) == CLAIMS["cascade"].success, [row for row in rows if row.within is not True]


@pytest.mark.control("cascade")
@pytest.mark.parametrize(
    "wrong",
    [
        {"cascade_window": lambda e, d, tau: 1.1 * closed.cascade_window(e, d, tau)},
        {"cascade_window": lambda e, d, tau: closed.cascade_window(e, d, 1.1 * tau)},
        {"cascade_gain": lambda e, *law: closed.cascade_gain(1.1 * e, *law)},
        {"cascade_recall": lambda e, *law: closed.evaluated_share(e, *law)},
    ],
    ids=["wider", "more noise", "dearer", "a share"],
)
def test_negative_control_a_wrong_formula_contradicts_the_claim(wrong):
    formulas = SimpleNamespace(**{name: getattr(closed, name) for name in closed.__all__} | wrong)
    assert verdict(cascade(SMOKE, formulas)) == "contradicted"
