"""autoregressive-rows: simulation and theory agree; forgotten prefixes, gates and sharing contradict the claim."""

from dataclasses import replace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.autoregressive_rows import enumerated_balance, tied_stall_point
from simulations.verification.checks import Context
from simulations.verification.checks.tokens import autoregressive_rows as checks
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on token reversal has made-up worlds of its own."""
    claim = CLAIMS["autoregressive-rows"]
    return judge(replace(claim, rule=replace(claim.rule, criteria=())), True, rows, [])[0]


def failed(rows):
    return {row.quantity.split(",")[0] for row in rows if row.within is False}


@pytest.fixture
def short(monkeypatch):
    """Fewer points and runs: a control needs one that fails."""
    monkeypatch.setattr(checks, "POINTS", [checks.POINTS[3], checks.POINTS[6]])
    monkeypatch.setattr(checks, "STALLED", checks.STALLED[1:2])
    for name in ("FREE", "TABULAR"):
        monkeypatch.setattr(checks, name, getattr(checks, name)[:1])


def test_the_simulation_agrees():
    rows = checks.autoregressive_rows(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 30
    assert verdict(rows) == CLAIMS["autoregressive-rows"].success


def independent(policies, rate, rule, group_size):
    """Forget that prefixes promise: the drift of independent tokens, T·E[G·A²]."""
    found = enumerated_balance(policies, rate, rule, group_size)
    return replace(found, drift=found.reward_side / len(policies))


def without_own_reward(policies, rate, rule, group_size):
    """Take the exact mean for a group's."""
    return enumerated_balance(policies, rate, rule)


@pytest.mark.control("autoregressive-rows")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("wrong", [independent, without_own_reward])
def test_negative_control_a_wrong_balance_contradicts_the_claim(wrong):
    rows = checks.autoregressive_rows(SMOKE, wrong)
    assert verdict(rows) == "contradicted"
    assert "drift" in failed(rows)


@pytest.mark.control("autoregressive-rows")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong",
    [lambda u, v, rate: None, lambda u, v, rate: 1.02 * tied_stall_point(u, v, rate)],
    ids=["no stall", "2 % high"],
)
def test_negative_control_a_wrong_stall_contradicts_the_claim(wrong):
    rows = checks.autoregressive_rows(SMOKE, stall=wrong)
    assert verdict(rows) == "contradicted"
    assert failed(rows) == {"reward at the end"}


@pytest.mark.control("autoregressive-rows")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("changes", [{"rule": "advantage"}, {"shared": False}], ids=["advantage", "tabular"])
def test_negative_control_another_gate_or_untied_logits_do_not_stall(changes):
    rows = checks.autoregressive_rows(SMOKE, **changes)
    assert verdict(rows) == "contradicted"
    assert "reward at the end" in failed(rows)
