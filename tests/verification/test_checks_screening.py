"""The simulations of the screening claims agree with the theory, and a wrong rule or formula fails each of them."""

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.gate import select
from kondo_theory.geometry.exact_rate import kept_successes
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import RULES, SAMPLE_RULES, additive_odds_limit, additive_threshold, kept_at_rate
from simulations.bandits.kept_batches import claimed_order
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.composition import LARGE, LARGE_RATES, SETTINGS, screening_at_rate
from simulations.verification.checks.bandits.screening import additive_never_fixed, additive_threshold_turn
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(claim, rows):
    return judge(CLAIMS[claim], True, rows, [])[0]


@pytest.mark.parametrize(
    ("claim", "check"),
    [
        ("additive-threshold", additive_threshold_turn),
        ("additive-never-fixed", additive_never_fixed),
        ("screening-at-rate", screening_at_rate),
    ],
)
def test_the_claim_holds_at_smoke(claim, check):
    rows = check(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 15
    assert all(row.within for row in rows), [row for row in rows if not row.within]
    assert verdict(claim, rows) == "holds in regime"


WRONG_RULES = {
    "swapped": lambda U, ell, H, alpha=0.5: (1 - alpha) * U + alpha * ell,
    "delight": lambda U, ell, H, alpha=0.5: U * ell,
    "square": lambda U, ell, H, alpha=0.5: alpha * U + (1 - alpha) * ell**2,
    "advantage": lambda U, ell, H, alpha=0.5: 1.0 * U,
}


@pytest.mark.control("additive-threshold", "additive-never-fixed")
@pytest.mark.parametrize("wrong", WRONG_RULES)
@pytest.mark.parametrize(
    ("claim", "check"),
    [("additive-threshold", additive_threshold_turn), ("additive-never-fixed", additive_never_fixed)],
)
def test_negative_control_a_wrong_rule(claim, check, wrong):
    assert verdict(claim, check(SMOKE, WRONG_RULES[wrong])) == "contradicted"


@pytest.mark.control("additive-threshold")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, n_arms, gap: additive_threshold(p, n_arms),
        lambda p, n_arms, gap: 0.99 * additive_threshold(p, n_arms, gap),
        lambda p, n_arms, gap: additive_threshold(p, n_arms + 1, gap),
    ],
    ids=["no gap", "1 % low", "K + 1"],
)
def test_negative_control_a_wrong_threshold(wrong):
    assert verdict("additive-threshold", additive_threshold_turn(SMOKE, threshold=wrong)) == "contradicted"


@pytest.mark.control("additive-never-fixed")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda alpha, n_arms, gap: additive_odds_limit(alpha, n_arms),
        lambda alpha, n_arms, gap: alpha * gap / (1 - alpha) - np.log(n_arms),
        lambda alpha, n_arms, gap: alpha * gap - np.log(n_arms - 1),
    ],
    ids=["no gap", "K", "no 1 − α"],
)
def test_negative_control_a_wrong_odds_limit(wrong):
    assert verdict("additive-never-fixed", additive_never_fixed(SMOKE, limit=wrong)) == "contradicted"


@pytest.mark.control("screening-at-rate")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda scores, rate, rng: select(np.zeros_like(scores), rate, rng),
        lambda scores, rate, rng: select(-scores, rate, rng),
        lambda scores, rate, rng: scores >= np.quantile(scores, 1 - rate, axis=-1, keepdims=True, method="lower"),
    ],
    ids=["uniform", "worst first", "keeps all ties"],
)
def test_negative_control_a_wrong_selection(wrong):
    assert verdict("screening-at-rate", screening_at_rate(SMOKE, wrong)) == "contradicted"


@pytest.mark.parametrize("at", SETTINGS, ids=str)
@pytest.mark.parametrize("rule", SAMPLE_RULES)
def test_the_large_batch_has_reached_the_limit(rule, at):
    """The extrapolation from the large batch: the exact finite mean differs from what the theory fills by < 1e-8."""
    policy, advantage = symmetric_arms(at.n_arms, at.p, at.baseline)
    surprisal = -np.log(policy)
    scores = RULES[rule](advantage, surprisal, np.full_like(policy, policy @ surprisal), **at.parameters(rule))
    for rate in LARGE_RATES:
        keep = kept_at_rate(policy, scores, rate)
        finite = kept_successes(at.p, LARGE, rate * LARGE, claimed_order(rule, at))
        np.testing.assert_allclose(finite.mean / LARGE, policy[0] * keep[0], atol=1e-8)
        np.testing.assert_allclose(finite.mean_failures / LARGE, policy[1:] @ keep[1:], atol=1e-8)
