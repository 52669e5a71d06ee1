"""Positions that differ: the mean field against that of equal ones and enumeration, and what rules do there."""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from kondo_theory import token_trap as trap
from kondo_theory.screening import RULES, SAMPLE_RULES, TOKEN_RULES
from kondo_theory.token_trap.positions import (
    Positions,
    masked_share,
    open_rest_point,
    percentile_drifts,
    position_drifts,
    weighted_share,
)

ALL_SPURIOUS = partial(RULES["delight-no-spurious"], least_probability=0.1, entropy=np.inf)


@pytest.mark.parametrize("rule", ["delight", "surprisal", "abs-advantage", "positive-surprisal", "entropy-band"])
def test_equal_positions_are_the_mean_field_of_the_token_trap(rule):
    for p, rate in ((0.2, 0.03), (0.6, 0.3), (0.95, 0.9)):
        expected = trap.drift(p, 6, 10, rate, rule=rule)
        for kinds in ([Positions(6, p)], [Positions(2, p), Positions(4, p)]):
            np.testing.assert_allclose(position_drifts(kinds, 10, rate, rule), expected, rtol=1e-10, atol=1e-15)


def enumerated(p, free, M, rate, rule):
    """Every answer of positions of unequal p, its tokens one by one, kept from the top until the rate is full."""
    T = len(p) + free
    tokens = []
    for row in product((1, 0), repeat=len(p)):
        mass = np.prod(np.where(row, p, 1 - np.array(p)))
        A = np.mean(row) - np.mean(p)
        for t, right in enumerate(row):
            level = -np.log(p[t]) if right else np.log((M - 1) / (1 - p[t]))
            H = -p[t] * np.log(p[t]) - (1 - p[t]) * np.log((1 - p[t]) / (M - 1))
            tokens.append((mass / T, A, level, H, t, A * (right - p[t])))
        tokens += [(mass / T, A, np.log(M), np.log(M), -1, 0.0)] * free
    mass, A, level, H, place, pull = (np.array(part) for part in zip(*tokens, strict=True))
    score = RULES[rule](A, level, H)
    found, room = np.zeros(len(p)), rate
    for value in np.unique(np.round(score, 10))[::-1]:
        tied = np.round(score, 10) == value
        share = min(1.0, room / mass[tied].sum())
        room -= share * mass[tied].sum()
        for t in range(len(p)):
            found[t] += T * share * (mass * pull)[tied & (place == t)].sum()
    return found


@pytest.mark.parametrize("rule", ["delight", "abs-advantage-entropy", "weighted-advantage", "probability", "entropy"])
def test_unequal_positions_are_their_enumeration(rule):
    kinds = [Positions(2, 0.35), Positions(2, 0.9), Positions(1, judged=False)]
    for rate in (0.07, 0.3, 0.8):
        expected = enumerated([0.35, 0.35, 0.9, 0.9], 1, 7, rate, rule)
        found = position_drifts(kinds, 7, rate, rule)
        np.testing.assert_allclose(found, [expected[0], expected[2], 0], rtol=1e-8, atol=1e-14)


def test_all_kept_is_the_policy_gradient():
    kinds = [Positions(3, 0.4), Positions(2, 0.9), Positions(4, judged=False)]
    for found in (position_drifts(kinds, 5, 1.0), percentile_drifts(kinds, 5, 0.0)):
        np.testing.assert_allclose(found, [0.24 / 5, 0.09 / 5, 0])


def test_weights_of_all_tokens_never_stall_and_their_ranking_does():
    """The same weights, απ + 1 − α: on the advantages, and as the order in which tokens are kept."""
    p = np.linspace(0.11, 0.99, 40)
    assert np.all(weighted_share(p, 10, 0.5) > 0.5)
    assert open_rest_point(10, 0, 10, 0.03, "weighted-advantage") == pytest.approx(0.7, abs=1e-6)
    assert open_rest_point(5, 0, 10, 0.03, "weighted-advantage") == pytest.approx(0.6, abs=1e-6)


def test_what_starves_beside_free_positions():
    assert open_rest_point(4, 6, 10, 0.6, "entropy") == pytest.approx(0.1, abs=1e-5)
    assert position_drifts([Positions(4, 0.3), Positions(6, judged=False)], 10, 0.65, "entropy")[0] > 0
    assert open_rest_point(4, 6, 10, 0.1, "abs-advantage-entropy") == pytest.approx(0.924, abs=5e-4)
    for rule in ("surprisal", "abs-advantage", "positive-advantage", "probability"):
        assert position_drifts([Positions(4, 0.95), Positions(6, judged=False)], 10, 0.1, rule)[0] > 0


def test_by_entropy_open_positions_keep_all_of_the_drift_where_others_are_learnt():
    found = position_drifts([Positions(2, 0.5), Positions(8, 0.99)], 10, 0.2, "entropy")
    np.testing.assert_allclose(found, [0.25 / 10, 0])
    band = position_drifts([Positions(2, 0.5), Positions(8, 0.99)], 10, 0.2, "entropy-band")
    np.testing.assert_allclose(band, [0, 0.25 * 0.0099 / 10], rtol=1e-6)  # the open ones are above the band


def test_delight_forgets_what_the_mask_would_have_kept():
    """The learnt position of STAPO's tokens: with them, without them, and delight among the rest."""
    learnt, kinds = 1 - 1e-9, [Positions(4, 0.5), Positions(6, 1 - 1e-9)]
    pg = learnt * (1 - learnt) / 10
    lucky = masked_share(0.5, 4)
    assert lucky == 1 / 16
    for rule in ("delight", "positive-surprisal"):
        assert position_drifts(kinds, 100, 0.1, rule)[1] / pg == pytest.approx(-lucky, abs=1e-6)
    rest = partial(RULES["no-spurious"], least_probability=0.1, entropy=1.0)
    assert position_drifts(kinds, 100, 1.0, rest)[1] / pg == pytest.approx(1 + lucky, abs=1e-6)
    assert np.all(position_drifts(kinds, 100, 0.1, ALL_SPURIOUS) >= 0)


def test_delight_stalls_and_its_mask_frees_it_where_it_applies():
    stall = open_rest_point(10, 0, 10, 0.1)
    assert stall == pytest.approx(trap.stall_point(0.1, 10, 10), abs=1e-8)
    assert open_rest_point(10, 0, 10, 0.1, ALL_SPURIOUS) is None
    narrow = partial(RULES["delight-no-spurious"], least_probability=0.002, entropy=1.0)
    assert open_rest_point(10, 0, 10, 0.1, narrow) == pytest.approx(stall, abs=1e-8), "no token is that improbable"


def test_delight_without_spurious_tokens_starves_beside_free_positions_and_sends_none_back():
    rest = open_rest_point(4, 6, 10, 0.1, ALL_SPURIOUS)
    assert rest == pytest.approx(0.3889, abs=1e-4)
    for p in (0.2, 0.38, 0.4, 0.7, 0.95):
        drift = position_drifts([Positions(4, p), Positions(6, judged=False)], 10, 0.1, ALL_SPURIOUS)[0]
        assert drift > 1e-4 if p < rest else abs(drift) < 1e-12


@pytest.mark.parametrize("M", [3, 5, 10, 20, 100])
def test_a_token_of_the_least_probability_is_not_below_it(M):
    advantage, surprisal, entropy = np.array([0.3, 0.3]), np.log([M, M * 1.001]), np.full(2, 1.0)
    score = RULES["no-spurious"](advantage, surprisal, entropy, least_probability=1 / M, entropy=np.inf)
    assert score.tolist() == [0, -np.inf]


def test_a_gate_of_the_advantage_alone_can_send_a_position_back_where_positions_differ():
    """Answers with one right token of three, p = (0.7, 0.2, 0.2): enumerated; the largest |A| and A > 0 do not."""
    p = np.array([0.7, 0.2, 0.2])
    rows = np.array(list(product([0, 1], repeat=3)))
    mass = np.prod(np.where(rows, p, 1 - p), axis=1)
    A = rows.mean(axis=1) - p.mean()

    def drifts(keep):
        return (mass * A * keep) @ (rows - p)

    assert drifts(np.abs(A) < 0.1).round(5).tolist() == [-0.00224, 0.00203, 0.00203]
    assert np.all(drifts(A > 0) > 0)
    assert np.all(drifts(np.abs(A) > 0.1) > 0)


def test_by_its_own_loss_selective_backprop_stalls():
    """The policy gradient's loss is the delight. By surprisal, the loss of a label, it never stalls."""
    p = [*np.linspace(0.101, 0.99, 30), 0.55 + 1e-6]  # an atom changes its place at 0.55

    def lowest(power, rule="delight"):
        return min(percentile_drifts([Positions(10, float(x))], 10, power, rule)[0] / (x * (1 - x)) for x in p)

    assert lowest(4.25) > 0 > lowest(4.3)
    assert lowest(50.0, "surprisal") > 0


def documented():
    """The rows of the table in docs/rules.md: rule, and its columns alike, learnt and free."""
    text = (
        (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8").partition("## Which stall")[2]
    )
    rows = [line.split("|")[1:5] for line in text.splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip().replace("−", "-") for cell in cells[1:]] for cells in rows}


def test_the_documented_table_is_what_is_computed():
    table = documented()
    assert table.keys() == {*SAMPLE_RULES, *TOKEN_RULES}
    spurious = {"least_probability": 0.1, "entropy": np.inf}
    learnt = 1 - 1e-9
    for name, (alike, forgotten, free) in table.items():
        rule = partial(RULES[name], **spurious) if name.endswith("no-spurious") else RULES[name]
        found = position_drifts([Positions(4, 0.5), Positions(6, learnt)], 10, 0.1, rule)[1] / (learnt * (1 - learnt))
        assert 10 * found == pytest.approx(float(forgotten), abs=6e-4), name
        for cell, kinds in ((alike, (10, 0)), (free, (4, 6))):
            others = [Positions(6, judged=False)] if kinds[1] else []

            def up(p, n=kinds[0], others=others, rule=rule):
                return position_drifts([Positions(n, p), *others], 10, 0.1, rule)[0] > 1e-12 * p * (1 - p)

            if cell == "–":
                assert all(map(up, (0.101, 0.3, 0.55, 0.801, 0.97))), name
            else:
                at = 0.1 if cell == "1/M" else float(cell)
                assert not up(at + 1e-3), name
                assert cell == "1/M" or up(at - 1e-3), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: position_drifts([Positions(2, judged=False)], 5, 0.1), "must have a judged position"),
        (lambda: position_drifts([Positions(2)], 5, 0.1, "max-variance"), "rule must score each sample by itself"),
        (lambda: position_drifts([Positions(2)], 5, 0.1, RULES["max-variance"]), "rule must look at one token, or"),
        (lambda: position_drifts([Positions(2)], 5, 0.0), r"rate must be in \(0, 1\], got 0\.0"),
        (lambda: position_drifts([Positions(2)], 1, 0.5), "vocab_size must be an integer ≥ 2, got 1"),
        (lambda: percentile_drifts([Positions(2)], 5, -1.0), r"power must be in \[0, inf\), got -1\.0"),
        (lambda: Positions(2, 1.0), r"p must be in \(0, 1\), got 1\.0"),
        (lambda: open_rest_point(2, 0.5, 5, 0.1), "n_free must be an integer ≥ 0, got 0.5"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
