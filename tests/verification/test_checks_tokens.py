"""The simulations of the token claims: they agree, and wrong gates and formulas fail."""

import numpy as np
import pytest

from kondo_theory import token_trap as trap
from kondo_theory.claims import CLAIMS
from kondo_theory.gate import select
from kondo_theory.screening import SAMPLE_RULES
from simulations.randomness.streams import replicate_states
from simulations.tokens import kernels, ranking
from simulations.tokens.simulation import TokenGate, TokenTask, simulate_drift
from simulations.verification.checks import Context
from simulations.verification.checks.tokens import drifts as checks
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(claim, rows):
    return judge(CLAIMS[claim], True, rows, [])[0]


@pytest.mark.parametrize("claim", ["token-trap", "row-gate", "token-dg", "token-screening"])
def test_simulation_and_theory_agree(claim):
    rows = getattr(checks, claim.replace("-", "_"))(SMOKE)
    assert verdict(claim, rows) == "holds in regime", [row for row in rows if row.within is not True]


def forgets_wrong_tokens(p, n_tokens, vocab_size, rate=None, gate="token", temperature=1.0, rule="delight"):
    """The drift of the kept right tokens alone."""
    return trap.drift(p, n_tokens, vocab_size, rate, gate, temperature, rule) + 0.1 * p * (1 - p)


@pytest.fixture
def short(monkeypatch):
    """Fewer runs: a control needs one that fails."""
    for name, runs in (
        ("STALLED", slice(2, 4)),
        ("FREE", slice(1)),
        ("DG_STALLED", slice(1, 2)),
        ("DG_FREE", slice(3, 4)),
    ):
        monkeypatch.setattr(checks, name, getattr(checks, name)[runs])


@pytest.mark.control("token-trap", "row-gate", "token-dg", "token-screening")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("claim", ["token-trap", "row-gate", "token-dg", "token-screening"])
def test_negative_control_a_wrong_formula_fails(claim):
    rows = getattr(checks, claim.replace("-", "_"))(SMOKE, drift=forgets_wrong_tokens)
    assert verdict(claim, rows) == "contradicted"


@pytest.mark.control("token-trap", "row-gate", "token-dg")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("claim", "wrong"), [("token-trap", "row"), ("row-gate", "token"), ("token-dg", "zero-price")]
)
def test_negative_control_a_wrong_gate_fails(claim, wrong):
    rows = getattr(checks, claim.replace("-", "_"))(SMOKE, gate=wrong)
    assert verdict(claim, rows) == "contradicted"
    kinds = {row.quantity.split(",")[0].split()[0] for row in rows if row.within is False}
    assert {"drift/(p(1−p))"} <= kinds, "the drifts alone would have caught it"
    assert {"share", "end"} & kinds, "and so would training"


@pytest.mark.control("token-screening")
@pytest.mark.parametrize("rule", ["delight", "surprisal"])
def test_negative_control_a_wrong_rule_fails(rule):
    rows = checks.token_screening(SMOKE, rule=rule)
    assert verdict("token-screening", rows) == "contradicted"
    failed = {row.quantity.split(",")[0].split("/")[0].split()[0] for row in rows if row.within is False}
    assert failed == {"drift", "end", "share"}


def test_scores_are_those_of_the_package():
    rng = np.random.default_rng(0)
    advantage, surprisal, entropy = rng.normal(size=60), rng.exponential(size=60), np.repeat(rng.random(6), 10)
    low, high = (ranking.entropy_quantile(entropy[::10].copy(), 10, level) for level in (0.25, 0.75))
    for name, code in ranking.RULE_CODES.items():
        found = [
            ranking.score(code, a, s, h, (low, high)) for a, s, h in zip(advantage, surprisal, entropy, strict=True)
        ]
        np.testing.assert_allclose(found, SAMPLE_RULES[name](advantage, surprisal, entropy), rtol=1e-12, err_msg=name)
    assert set(ranking.RULE_CODES) == set(SAMPLE_RULES)


def test_the_kept_set_is_that_of_the_package():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=200)
    kept = ranking.keep_top(scores, np.ones(200), 17.0)
    np.testing.assert_array_equal(kept == 1, select(scores, 17 / 200, rng))
    tied = ranking.keep_top(np.array([1.0, 0.0, 0.0, -np.inf]), np.array([2.0, 3.0, 1.0, 5.0]), 4.0)
    np.testing.assert_allclose(tied, [2.0, 1.5, 0.5, 0.0])
    assert ranking.keep_top(np.array([-np.inf, 1.0]), np.ones(2), 2.0).tolist() == [0.0, 1.0]


def test_one_batch_against_a_plain_loop():
    """The kernel's gradient of one batch, from the arms it drew, computed token by token."""
    n_tokens, vocab_size, batch_size, kept = 4, 3, 50, 30
    logits = np.random.default_rng(2).normal(size=(n_tokens, vocab_size))
    rows, gate = kernels.Rows(batch_size, True), kernels.Gate(kernels.TOKEN, ranking.DELIGHT, 1.0, float(kept))
    found = kernels.token_drifts(replicate_states(5, 1), logits, rows, gate, 1)
    policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scratch = kernels._new_scratch(logits, batch_size)
    scratch.policy[:] = policy
    kernels._draw_rows(replicate_states(5, 1)[0], scratch)
    arms = scratch.arms
    reward = (arms == 0).mean(axis=1)
    advantage = np.repeat((reward - reward.mean())[:, None], n_tokens, axis=1)
    chosen = policy[np.arange(n_tokens), arms]
    delight = -advantage * np.log(chosen)
    price = np.sort(delight.ravel())[-kept]
    tied = np.isclose(delight, price, rtol=1e-10, atol=1e-14)
    above = (delight > price) & ~tied
    weight = above + tied * (kept - above.sum()) / tied.sum()
    expected = (weight * advantage * ((arms == 0) - policy[:, 0])).sum(axis=0) / batch_size
    np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-13)


def test_results_do_not_depend_on_the_number_of_threads():
    task, gate = TokenTask(5, 3, 100, 0.4), TokenGate("token", 0.2)
    one, two = (simulate_drift(task, gate, 2, 8, 3, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_ranking_within_the_batch_has_no_bias_to_speak_of_at_the_size_of_the_checks():
    """It can be large in small batches: at B = 20 this drift, positive in the limit, is negative."""
    predicted = trap.drift(0.5, 5, 10, 0.1)
    task, gate = TokenTask(10, 5, checks.DRIFT_BATCH, 0.5), TokenGate("token", 0.1)
    found = simulate_drift(task, gate, 10, 16, 4, 2)
    assert found.mean() == pytest.approx(predicted, abs=4 * found.std() / 4, rel=0.01)
    assert simulate_drift(TokenTask(10, 5, 20, 0.5), gate, 2_000, 16, 4).mean() < 0 < predicted


@pytest.mark.parametrize(
    ("arguments", "name"), [(("soft",), "gate"), (("token", 0.0), "rate"), (("token", 1, "x"), "rule")]
)
def test_unknown_gates_are_refused(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        TokenGate(*arguments)
