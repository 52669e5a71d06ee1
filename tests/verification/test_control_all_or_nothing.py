"""all-or-nothing: simulation and theory agree; wrong formulas, and rewards that count parts, contradict the claim."""

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.all_or_nothing import all_or_nothing_drift, expected_update
from kondo_theory.token_trap.drifts import drift
from simulations.verification.checks import Context
from simulations.verification.checks.tokens.all_or_nothing import all_or_nothing
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["all-or-nothing"], True, rows, [])[0]


def test_the_simulation_agrees():
    rows = all_or_nothing(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 25
    assert verdict(rows) == CLAIMS["all-or-nothing"].success


@pytest.mark.control("all-or-nothing")
@pytest.mark.parametrize(
    "wrong",
    [
        {"formula": lambda *point: 1.05 * all_or_nothing_drift(*point)},
        {"formula": lambda p, T, M, rate, S: all_or_nothing_drift(p, T, M, rate)},
        {"formula": lambda p, T, M, rate, S: drift(p, T, M, rate)},
        {"enumerated": lambda policies, rate, paid=None: expected_update(policies, rate)},
        {"enumerated": lambda policies, rate, paid=None: expected_update(policies, 1.0, paid)},
        {"pay": lambda words: (words == 0).mean(axis=-1)},
        {"pay": lambda words: 1.0 * (words[..., 0] == 0)},
    ],
    ids=["5 % high", "no group", "reward of parts", "one right answer", "no gate", "parts paid", "first word paid"],
)
def test_negative_control_what_is_wrong_contradicts_the_claim(wrong):
    assert verdict(all_or_nothing(SMOKE, **wrong)) == "contradicted"
