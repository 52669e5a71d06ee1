"""The derivations of the token claims: every step holds, and their results agree with the code that computes them."""

from functools import partial

import numpy as np
import pytest
import sympy as sp
from derived_claims import derived
from first_failure import first_failure

from kondo_theory import token_trap as trap
from kondo_theory.derivations import row_gate, token_dg, token_moments, token_rules, token_screening
from kondo_theory.derivations import token_trap as derived_trap
from kondo_theory.screening import RULES, additive_odds_limit
from kondo_theory.token_trap.groups import group_stall_point
from simulations.verification.checks.tokens.examples import EXAMPLES, PREDICTED


@pytest.mark.parametrize(
    "claim",
    [
        "token-trap",
        "row-gate",
        "token-dg",
        "token-screening",
        "autoregressive-rows",
        "stall-escape",
        "token-rules",
        "screening-ties",
    ],
)
def test_every_step_holds(claim):
    derivation = derived(claim)
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert derivation.latex().startswith("\\begin{align*}")


def test_the_enumerated_mean_field_is_the_code():
    chance = sp.Rational(2, 5)
    found = derived_trap.mean_field(3, lambda right, n: sp.Integer(n == 2), chance)  # only with two right neighbours
    probability = 0.4
    expected = probability * (1 - probability) * probability**2 * (0.6 - (2 / 3 - 0.4))
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_the_counterexamples_are_those_that_are_sampled():
    assert {name: float(value) for name, value in row_gate.COUNTEREXAMPLES.items()} == pytest.approx(PREDICTED)
    for name, build in EXAMPLES.items():
        mass, value = build()
        assert mass.sum() == pytest.approx(1)
        assert mass @ value == pytest.approx(PREDICTED[name], rel=1e-12)


def test_the_delight_of_a_row_is_its_advantage_times_its_surprisal():
    chances, vocab_size = (sp.Rational(3, 5), sp.Rational(1, 10)), 50
    p = np.array([0.6, 0.1])
    for row in ((0, 0), (0, 1), (1, 0), (1, 1)):
        found = row_gate._row_delight(row, chances, vocab_size)
        tokens = np.where(row, p, (1 - p) / (vocab_size - 1))
        assert float(found) == pytest.approx((np.mean(row) - p.mean()) * -np.log(tokens).sum(), rel=1e-12)


def test_results_agree_with_the_closed_forms():
    critical = derived("token-trap").results["two_token_critical_rate"]
    assert trap.critical_rate(1000, 2) == pytest.approx(float(critical), abs=1e-9)


def test_the_shares_of_each_rule_are_the_code():
    results = derived("token-screening").results
    p, rho, T = (sp.Symbol(name, positive=True) for name in ("p", "rho", "T"))
    at = {p: sp.Rational(99, 100), rho: sp.Rational(1, 10), T: 10}
    full = 0.99 * 0.01 / 10
    for rule, name in (
        ("delight", "delight"),
        ("advantage", "delight"),
        ("positive-surprisal", "delight"),
        ("abs-advantage", "abs_advantage"),
        ("abs-advantage-entropy", "abs_advantage"),
        ("surprisal", "surprisal"),
    ):
        expected = float(results[f"late_share_{name}"].subs(at))
        for vocab_size in (2, 50):
            assert trap.drift(0.99, 10, vocab_size, 0.1, rule=rule) / full == pytest.approx(expected, rel=1e-9), rule
            row = trap.drift(0.99, 10, vocab_size, 0.1, "row", rule=rule) / full
            if rule != "surprisal":  # the most surprising rows are not those that hold the most surprising tokens
                assert row == pytest.approx(expected, rel=1e-9), rule
    early = float(results["surprisal_drift"].subs({p: sp.Rational(3, 5), rho: sp.Rational(1, 10), T: 10}))
    assert trap.drift(0.6, 10, 5, 0.1, rule="surprisal") == pytest.approx(early, rel=1e-9)


def test_an_additive_rule_stalls_where_proposition_2_says_with_a_gap_of_one_token():
    stall = derived("token-screening").results["additive_stall"]
    M, T, alpha = (sp.Symbol(name, positive=True) for name in ("M", "T", "alpha"))
    for vocab_size, n_tokens, weight in ((2, 10, 0.5), (5, 6, 0.5), (3, 8, 0.8)):
        expected = float(stall.subs({M: vocab_size, T: n_tokens, alpha: weight}))
        rule = partial(RULES["additive"], alpha=weight)
        assert trap.stall_point(1e-9, vocab_size, n_tokens, rule=rule) == pytest.approx(expected, abs=1e-9)
        log_odds = additive_odds_limit(weight, vocab_size, 1 / n_tokens)
        assert expected == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-12)


def test_rules_that_never_stall_and_rules_that_do():
    for vocab_size, n_tokens in ((2, 10), (10, 4), (50, 12)):
        for rule in ("advantage", "abs-advantage", "abs-advantage-entropy", "surprisal", "uniform", "entropy-band"):
            for rate in (0.01, 0.1, 0.6):
                assert trap.stall_point(rate, vocab_size, n_tokens, rule=rule) is None, rule
        found = trap.stall_point(0.03, vocab_size, n_tokens, rule="positive-surprisal")
        assert found == pytest.approx(1 / vocab_size, abs=1e-9)
    for rule in ("advantage", "abs-advantage"):
        for rate in (0.03, 0.6, 0.95):  # at the last two the price is below zero
            for size in (2, 4):
                assert group_stall_point(rate, 5, 6, size, "token", rule) is None
                assert group_stall_point(rate, 2, 2, size, "row", rule) is None
    assert group_stall_point(0.03, 2, 10, 10, rule="positive-surprisal") == pytest.approx(0.5, abs=1e-4)


def test_where_the_conditions_of_the_stalling_rules_end():
    rare = 999 / 1000 * (1 - (1 - 1 / 1000) ** 9)  # wrong tokens with A > 0, just above p = 1/M
    at_once, later = (trap.stall_point(rate, 1000, 10, rule="positive-surprisal") for rate in (rare, 1.1 * rare))
    assert at_once == pytest.approx(1 / 1000, abs=1e-9)
    assert later > 1.01 / 1000
    for vocab_size, n_tokens in ((2, 1), (2, 2)):
        assert trap.stall_point(0.03, vocab_size, n_tokens, rule="positive-surprisal") is None
    for vocab_size, n_tokens, weight in ((2, 2, 0.5), (2, 10, 0.97), (10, 2, 0.9), (2, 10, 0.0), (2, 10, 1.0)):
        rule = partial(RULES["additive"], alpha=weight)
        assert trap.stall_point(1e-9, vocab_size, n_tokens, rule=rule) is None


def test_negative_control_a_wrong_threshold_is_caught():
    assert not derived_trap._never_leads(5, 2, limit=150)
    assert not derived_trap._never_leads(2, 48, limit=150)


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (token_dg, "_critical_at", lambda q: q * (1 - q) * sp.log((token_dg.M - 1) * q / (1 - q)) / 4),
        (token_dg, "_critical_at", lambda q: q * (1 - q) * sp.log(token_dg.M * q / (1 - q)) / 2),
        (token_dg, "_crossing", lambda: sp.Integer(2634)),
        (token_dg, "_EDGE", sp.Rational(47, 10)),
        (token_dg, "_EDGE", sp.Rational(49, 10)),
        (token_dg, "advantage", lambda right: token_moments.neighbours / token_moments.T - token_moments.p),
        (token_screening, "best_advantage", lambda right: 1 - token_moments.p),
        (token_screening, "all_right", lambda: token_moments.p**token_moments.T),
        (token_screening, "drift", lambda right, wrong: token_moments.p * (right - wrong)),
        (token_rules, "_blind", lambda right=token_rules.w_right, wrong=token_rules.w_wrong: right + wrong),
        (token_rules, "_excess", lambda: token_rules.n * token_moments.p),
        (token_rules, "_late_stall", lambda: (token_moments.T - 1) / (2 * token_moments.T)),
        (token_rules, "best_advantage", lambda right: 1 - token_moments.p / 2),
        (token_screening, "_two_answers", lambda: (sp.Rational(-1, 64), sp.Integer(1))),
    ],
)
def test_negative_control_a_wrong_formula_is_caught(monkeypatch, module, name, wrong):
    monkeypatch.setattr(module, name, wrong)
    assert first_failure(module)


def test_the_vocabulary_at_which_long_rows_stall_in_closed_form():
    assert trap.critical_temperature(2633) < 1 < trap.critical_temperature(2634)
    assert 2633 < float(token_dg._crossing()) < 2634


def test_the_window_of_temperatures_at_finite_length():
    """The lower end falls like 1/T², from above: an earlier statement had "at most about 4.8/T²"."""
    assert trap.stalling_temperatures(10, 13) == ()
    assert trap.stalling_temperatures(10, 14) != ()
    scaled = [trap.stalling_temperatures(100, T)[0][0] * T**2 for T in (32, 64, 128)]
    assert scaled == sorted(scaled, reverse=True)
    assert scaled[0] == pytest.approx(5.77, abs=0.01)
    assert 4.8 < scaled[-1] < 5.1
    generator = np.random.default_rng(5)
    for _ in range(6):
        vocab_size, n_tokens = int(np.exp(generator.uniform(1, 9))), int(generator.integers(20, 40))
        windows = trap.stalling_temperatures(vocab_size, n_tokens)
        assert len(windows) <= 1
        for low, high in windows:
            assert low * n_tokens**2 > 4.8
            assert high < trap.critical_temperature(vocab_size)


def test_additive_rules_at_high_rates():
    """Rates near 1 learn, but how near depends on M and T: an earlier statement had "high rates learn"."""
    for weight in (0.3, 0.6, 0.9):
        rule = partial(RULES["additive"], alpha=weight)
        assert trap.stall_point(0.95, 100, 60, rule=rule) is not None
        assert trap.stall_point(0.99, 100, 60, rule=rule) is None


def test_rules_that_never_stall_at_random_sizes_and_rates():
    generator = np.random.default_rng(7)
    for _ in range(60):
        vocab_size, n_tokens = int(np.exp(generator.uniform(0.7, 8))), int(generator.integers(1, 40))
        rate, p = float(np.exp(generator.uniform(-7, 0))), generator.uniform(1 / vocab_size, 1, 50)
        for rule in ("advantage", "abs-advantage", "surprisal"):
            assert trap.drift(p, n_tokens, vocab_size, rate, rule=rule).min() > -1e-15
