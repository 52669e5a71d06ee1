"""answer-rules: simulation and theory agree, and another rule or another mean contradicts the claim."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import RULES, answer_signal
from simulations.bandits.groups.subsets import OBJECTIVES, best_subset
from simulations.verification.checks import Context
from simulations.verification.checks.groups import answer_rules as check
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 1, lambda _: None)


ALL = check.SETTINGS


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two of the settings, at one size."""
    chosen = (ALL[0], ALL[3])
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


def test_rewards_with_a_heavy_tail_are_decided_at_preset_smoke(monkeypatch):
    monkeypatch.setattr(check, "SETTINGS", ALL[4:])
    rows = check.answer_rules(SMOKE, objectives={})
    assert {row.parameters["reward"] for row in rows} == {"heavy tail", "fractions"}
    assert [row for row in rows if row.within is not True] == []
    monkeypatch.setattr(check, "SETTINGS", (replace(ALL[4], smoke=2_500),))
    assert verdict(check.answer_rules(SMOKE, objectives={})) == "undecided", "negative control: too few draws"


# The rules as their sources define them: every subset is tried ---------------------------------------------------


def test_each_rule_is_simulated_without_its_scores_at_one_point():
    rows = [row for row in check.answer_rules(SMOKE) if row.parameters["S"] == check.SMALL[1]]
    assert {row.parameters["rule"] for row in rows} == {*check.COMPARED, "price zero"}
    assert set(OBJECTIVES) == set(check.COMPARED)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_the_best_subset_is_worth_as_much_as_what_the_scores_keep(name):
    rng = np.random.default_rng(0)
    reward = rng.choice([0.0, 0.25, 0.5, 1.0], size=(200, 5), p=[0.4, 0.3, 0.2, 0.1])
    U = np.where(np.ptp(reward, axis=1, keepdims=True) > 0, reward - reward.mean(axis=1, keepdims=True), 0.0)
    for k in (2, 3):
        keep = best_subset(OBJECTIVES[name], k)(reward, rng)
        assert (keep.sum(axis=1) == np.minimum(k, np.count_nonzero(np.abs(U) > 1e-12, axis=1))).all()
        assert not (keep & (np.abs(U) < 1e-12)).any()
        score = np.where(np.abs(U) < 1e-12, -np.inf, RULES[name](U, np.ones_like(U)))
        by_score = (np.argsort(np.argsort(-score, axis=1), axis=1) < k) & np.isfinite(score)
        mine, theirs = (np.sort(np.where(each, reward, -1.0), axis=1) for each in (keep, by_score))
        if name in ("advantage", "max-variance"):  # by the others answers of several rewards tie
            np.testing.assert_array_equal(mine, theirs)
        if name == "abs-advantage":
            np.testing.assert_allclose((keep * abs(U)).sum(axis=1), (by_score * abs(U)).sum(axis=1), atol=1e-12)


@pytest.mark.control("answer-rules")
@pytest.mark.parametrize("name", ["advantage", "abs-advantage", "max-variance", "uniform", "group-spread"])
def test_negative_control_the_best_subset_of_another_rule_is_not_predicted(name):
    wrong = {name: OBJECTIVES["advantage" if name != "advantage" else "abs-advantage"]}
    rows = check.answer_rules(SMOKE, objectives=wrong)
    assert verdict(rows) == "contradicted"
    assert {row.parameters["rule"] for row in rows if row.within is False} == {name}
