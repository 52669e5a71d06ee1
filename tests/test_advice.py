"""The advice for one setting against the theory that it asks, and its words."""

import numpy as np
import pytest
from scipy import stats

import kondo_theory as kt
from kondo_theory import cost, token_trap
from kondo_theory.advice import ASSUMPTIONS
from kondo_theory.claims import CLAIMS


def by_gate(advice):
    return {option.gate: option for option in advice.options}


def test_stalls_and_costs_are_those_of_the_theory():
    advice = kt.advise(10, 10, rate=0.1, start=0.3, backward_cost=2, screening_cost=1, prompt_tokens=5)
    found = by_gate(advice)
    assert found["top tokens by delight"].stalls_at == token_trap.stall_point(0.1, 10, 10, start=0.3)
    share = cost.token_share(0.1, 10, 5)
    assert found["top tokens by delight"].cost == pytest.approx((1 + 3 * share) / 3)
    assert found["whole answers by delight"].cost == pytest.approx((1 + 3 * 0.1) / 3)
    lucky = 1 - stats.binom.cdf(3, 10, 0.3)
    assert found["tokens at zero price"].cost == pytest.approx((1 + 3 * lucky) / 3)
    assert found["DG, every token weighted, η = 1"].cost == 1
    assert advice.stalls


def test_a_group_has_its_own_stalls():
    found = by_gate(kt.advise(10, 10, group_size=8))
    groups = token_trap.groups
    assert found["top tokens by delight"].stalls_at == groups.group_stall_point(0.03, 10, 10, 8)
    assert found["whole answers by delight"].stalls_at == groups.group_stall_point(0.03, 10, 10, 8, "row")
    assert by_gate(kt.advise(10, 10))["whole answers by delight"].stalls_at is None


@pytest.mark.parametrize("group_size", [None, 4])
@pytest.mark.parametrize(("vocab_size", "n_tokens"), [(2, 2), (10, 10), (100, 4)])
def test_what_is_recommended_has_no_negative_drift(vocab_size, n_tokens, group_size):
    """The word "no" is a theorem; here it is looked at, with the stalling gate as the negative control."""
    advice = kt.advise(vocab_size, n_tokens, group_size=group_size)
    p = np.linspace(1 / vocab_size, 0.98, 60)[1:]

    def lowest(rule, gate):
        if group_size is None:
            return token_trap.drift(p, n_tokens, vocab_size, 0.03, gate, rule=rule).min()
        return token_trap.groups.group_drift(p, n_tokens, vocab_size, 0.03, group_size, gate, rule).min()

    assert advice.recommended.gate == "whole answers by |advantage|"
    assert lowest("abs-advantage", "row") > 0
    assert lowest("abs-advantage", "token") > 0
    assert (lowest("delight", "token") < 0) == advice.stalls


def test_one_token_an_answer_needs_no_other_gate():
    advice = kt.advise(10, 1)
    assert advice.recommended.gate == "top answers by delight"
    assert not advice.stalls


def test_the_text_names_what_it_says():
    advice = kt.advise(10, 10, group_size=8, start=0.5)
    text = str(advice)
    assert max(map(len, text.splitlines())) <= 118
    assert "falls back to" in text
    assert all(" ".join(ASSUMPTIONS[name].split()) in " ".join(text.split()) for name in advice.rests_on)
    assert {claim for option in advice.options for claim in option.claims} <= CLAIMS.keys()
    assert repr(advice) == "Advice(stalls=True, recommended='whole answers by |advantage|')"
    assert advice.to_json()["options"][0]["gate"] == "top tokens by delight"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0.0}, r"rate must be in \(0, 1\], got 0.0"),
        ({"start": 0.01}, r"start must be in \[1/M, 1\) = \[0.1, 1\), got 0.01"),
        ({"group_size": 1}, "group_size must be an integer ≥ 2, got 1"),
        ({"prompt_tokens": -1}, "prompt_tokens must be an integer ≥ 0, got -1"),
        ({"backward_cost": -1.0}, "backward_cost"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        kt.advise(10, 10, **arguments)
