"""decision-price: simulation and theory agree, and a wrong price or gain contradicts the claim."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.claims.registry import SIMULATED
from kondo_theory.geometry import decision_price as closed
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.decision_price import decision_price
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 1, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on MNIST has a made-up world of its own."""
    return judge(replace(CLAIMS["decision-price"], rule=SIMULATED), True, rows, [])[0]


def test_the_simulation_agrees():
    rows = decision_price(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 20
    assert verdict(rows) == CLAIMS["decision-price"].success, [row for row in rows if row.within is not True]


@pytest.mark.control("decision-price")
@pytest.mark.parametrize(
    "wrong",
    [
        {"gaussian_price": lambda c, mu, sigma, tau: c},
        {"gaussian_price": lambda c, mu, sigma, tau: mu + (c - mu) * (1 + tau / sigma)},
        {"gaussian_gain": lambda price, c, mu, sigma, tau: closed.gaussian_gain(price, c, mu, sigma, 0.9 * tau)},
        {"two_point_price": lambda c, a, b, p, tau: (a + b) / 2},
    ],
    ids=["c itself", "deviations", "less noise", "the middle"],
)
def test_negative_control_a_wrong_formula_contradicts_the_claim(wrong):
    formulas = SimpleNamespace(**{name: getattr(closed, name) for name in closed.__all__} | wrong)
    assert verdict(decision_price(SMOKE, formulas)) == "contradicted"
