"""answer-rules: simulation and theory agree, and another rule or another mean contradicts the claim."""

from dataclasses import replace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import RULES, answer_signal
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.groups import answer_rules as check
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 1, lambda _: None)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two of the settings, at one size."""
    chosen = (check.SETTINGS[0], check.SETTINGS[3])
    monkeypatch.setattr(check, "SETTINGS", tuple(replace(each, sizes=each.sizes[:1]) for each in chosen))


def verdict(rows):
    return judge(CLAIMS["answer-rules"], True, rows, [])[0]


def test_the_simulation_agrees_for_every_rule_that_looks_at_advantages_alone():
    rows = check.answer_rules(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 40
    assert verdict(rows) == CLAIMS["answer-rules"].success
    assert {row.parameters["rule"] for row in rows} == {*check.COMPARED, "price zero"}
    assert {"max-variance", "abs-advantage", "advantage", "uniform", "group-spread"} <= set(check.COMPARED)


@pytest.mark.control("answer-rules")
@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("max-variance", RULES["abs-advantage"]),
        ("max-variance", RULES["advantage"]),
        ("abs-advantage", RULES["max-variance"]),
        ("uniform", RULES["advantage"]),
    ],
    ids=["|advantage| for variance", "best-of for variance", "variance for |advantage|", "best-of for chance"],
)
def test_negative_control_another_rule_is_not_predicted(rule, wrong):
    assert verdict(check.answer_rules(SMOKE, rules={rule: wrong})) == "contradicted"


def other_mean(rule, reward, probability, group_size, n_kept, mean):
    return answer_signal(rule, reward, probability, group_size, n_kept, "group" if mean == "kept" else "kept")


def known_mean(rule, reward, probability, group_size, n_kept, mean):
    """As if the group's mean were that of all answers: no factor 1 − 1/G."""
    found = answer_signal(rule, reward, probability, group_size, n_kept, mean)
    return replace(found, signal=found.signal * (group_size / (group_size - 1)))


@pytest.mark.control("answer-rules")
@pytest.mark.parametrize("wrong", [other_mean, known_mean])
def test_negative_control_another_mean_is_seen(wrong):
    assert verdict(check.answer_rules(SMOKE, wrong)) == "contradicted"
