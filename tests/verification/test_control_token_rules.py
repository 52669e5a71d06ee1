"""token-rules: simulation and theory agree; wrong drifts, rest points and rules contradict the claim."""

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.positions import open_rest_point, percentile_drifts, position_drifts
from simulations.verification.checks import Context
from simulations.verification.checks.tokens import token_rules as checks
from simulations.verification.verify import judge

POINTS = checks.POINTS
SMOKE = Context("smoke", "cpu", 1, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["token-rules"], True, rows, [])[0]


def failed(rows):
    return {row.quantity.split()[0] for row in rows if row.within is False}


@pytest.fixture
def short(monkeypatch):
    """Fewer points: a control needs one that fails."""
    monkeypatch.setattr(checks, "POINTS", checks.POINTS[2:7])
    monkeypatch.setattr(checks, "ENDS", checks.ENDS[:1])


def test_the_simulation_agrees():
    rows = checks.token_rules(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 25
    assert verdict(rows) == CLAIMS["token-rules"].success, [row for row in rows if row.within is not True]


def alike(kinds, vocab_size, rate, rule):
    """Take every position for one of the mean p."""
    judged = [kind for kind in kinds if kind.judged]
    mean = sum(kind.count * kind.p for kind in judged) / sum(kind.count for kind in judged)
    kinds = [type(kind)(kind.count, mean if kind.judged else kind.p, kind.judged) for kind in kinds]
    return position_drifts(kinds, vocab_size, rate, rule)


def never_negative(kinds, vocab_size, rate, rule):
    return abs(position_drifts(kinds, vocab_size, rate, rule))


@pytest.mark.control("token-rules")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("wrong", [alike, never_negative])
def test_negative_control_a_wrong_drift_contradicts_the_claim(wrong):
    rows = checks.token_rules(SMOKE, wrong)
    assert verdict(rows) == "contradicted"
    assert failed(rows) == {"drift"}


@pytest.mark.control("token-rules")
@pytest.mark.usefixtures("short")
def test_negative_control_a_wrong_percentile_contradicts_the_claim():
    rows = checks.token_rules(
        SMOKE, percentile=lambda kinds, M, power, rule: percentile_drifts(kinds, M, 0.9 * power)
    )
    assert verdict(rows) == "contradicted"


@pytest.mark.control("token-rules")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong", [lambda *at: None, lambda *at: 1.02 * open_rest_point(*at)], ids=["none", "2 % high"]
)
def test_negative_control_a_wrong_rest_point_contradicts_the_claim(wrong):
    rows = checks.token_rules(SMOKE, rest=wrong)
    assert verdict(rows) == "contradicted"
    assert failed(rows) == {"end"}


@pytest.mark.control("token-rules")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("rule", ["abs-advantage", "probability"])
def test_negative_control_another_rule_contradicts_the_claim(rule):
    rows = checks.token_rules(SMOKE, rule=rule)
    assert verdict(rows) == "contradicted"
    assert failed(rows) == {"drift", "end"}


@pytest.mark.control("token-rules")
def test_negative_control_a_mask_beside_free_positions_that_leaves_the_drift_of_all_is_seen(monkeypatch):
    monkeypatch.setattr(
        checks, "POINTS", [point for point in checks.POINTS if point[1:] == (10, 1.0, "no-spurious")][1:]
    )
    monkeypatch.setattr(checks, "PERCENTILES", ())
    monkeypatch.setattr(checks, "ENDS", ())
    (row,) = checks.token_rules(SMOKE)
    assert row.parameters["free"] == 6
    assert verdict([row]) == CLAIMS["token-rules"].success
    assert verdict(checks.token_rules(SMOKE, lambda *at: position_drifts(*at[:3], "uniform"))) == "contradicted"
