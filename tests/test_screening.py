"""Screening rules in both libraries, and the additive threshold."""

import math
import re

import mpmath as mp
import numpy as np
import pytest
import torch

from kondo_theory.gate import delight, select
from kondo_theory.screening import (
    RULES,
    additive_odds_limit,
    additive_threshold,
    expected_wait,
    idle_probability,
    kept_at_rate,
    kept_signal,
    rules,
    screen_context,
    visit_probability,
    visit_share,
)

ADVANTAGE = np.array([0.5, -1.0, 0.0, 2.0, -0.25])
SURPRISAL = np.array([0.1, 3.0, 1.0, 0.5, 2.0])
ENTROPY = np.array([0.2, 1.0, 0.6, 0.4, 0.8])


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("delight", {}, ADVANTAGE * SURPRISAL),
        ("advantage", {}, ADVANTAGE),
        ("abs-advantage", {}, np.abs(ADVANTAGE)),
        ("surprisal", {}, SURPRISAL),
        ("additive", {}, (ADVANTAGE + SURPRISAL) / 2),
        ("additive", {"alpha": 0.75}, 0.75 * ADVANTAGE + 0.25 * SURPRISAL),
        ("additive", {"alpha": 1.0}, ADVANTAGE),
        ("uniform", {}, np.zeros(5)),
        ("abs-advantage-entropy", {}, np.abs(ADVANTAGE) * ENTROPY),
        ("entropy-band", {}, [-np.inf, -np.inf, 0, 0, 0]),
        ("entropy-band", {"low": 0.0, "high": 0.3}, [0, -np.inf, -np.inf, 0, -np.inf]),
        ("positive-surprisal", {}, [0.1, -np.inf, -np.inf, 0.5, -np.inf]),
        ("entropy", {}, ENTROPY),
        ("max-variance", {}, [-3, -1, -4, 0, -2]),  # means: 0.25, then 2, 0.5, 0.25; a tie goes up
        ("off-policy-mask", {}, np.zeros(5)),
        ("off-policy-mask", {"sampler_surprisal": SURPRISAL - 0.6}, [0, -np.inf, 0, 0, -np.inf]),
        ("off-policy-mask", {"sampler_surprisal": SURPRISAL - 0.6, "threshold": 0.7}, np.zeros(5)),
        ("group-spread", {}, np.zeros(5)),
        ("idle-visits", {}, np.zeros(5)),
        ("idle-visits", {"n_idle": np.arange(5.0)}, -np.arange(5.0)),
        ("positive-advantage", {}, [0, -np.inf, -np.inf, 0, -np.inf]),
        ("probability", {}, -SURPRISAL),
        ("weighted-advantage", {}, np.abs(ADVANTAGE) * (np.exp(-SURPRISAL) + 1) / 2),
        ("weighted-advantage", {"alpha": 1.0}, np.abs(ADVANTAGE) * np.exp(-SURPRISAL)),
        ("no-spurious", {}, np.zeros(5)),
        ("no-spurious", {"least_probability": 0.7}, [0, 0, 0, -np.inf, 0]),  # e^−0.5 < 0.7 < e^−0.1
        ("no-spurious", {"least_probability": 1.0, "entropy": 0.4}, [-np.inf, 0, 0, 0, 0]),  # strictly below both
        ("delight-no-spurious", {"least_probability": 0.7}, [0.05, -3.0, 0, -np.inf, -0.5]),
    ],
)
def test_scores(name, parameters, expected):
    found = RULES[name](ADVANTAGE, SURPRISAL, ENTROPY, **parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    tensors = (torch.from_numpy(x) for x in (ADVANTAGE, SURPRISAL, ENTROPY))
    arrays = {key: torch.from_numpy(x) if isinstance(x, np.ndarray) else x for key, x in parameters.items()}
    same = RULES[name](*tensors, **arrays)
    assert isinstance(same, torch.Tensor)
    np.testing.assert_array_equal(same.numpy(), found)


def test_every_rule_has_a_row_above_and_cannot_be_replaced():
    marks = test_scores.pytestmark[0].args[1]
    assert {row[0] for row in marks} == set(RULES)
    with pytest.raises(TypeError):
        RULES["delight"] = RULES["uniform"]
    np.testing.assert_array_equal(RULES["delight"](ADVANTAGE, SURPRISAL, ENTROPY), delight(ADVANTAGE, SURPRISAL))


def test_entropy_band_takes_quantiles_of_each_batch():
    rng = np.random.default_rng(0)
    entropy = rng.random((3, 1001))
    kept = RULES["entropy-band"](np.ones_like(entropy), entropy, entropy, low=0.1, high=0.4) == 0
    low, high = np.quantile(entropy, [0.1, 0.4], axis=-1, keepdims=True)
    np.testing.assert_array_equal(kept, (entropy >= low) & (entropy <= high))


def test_the_default_entropy_band_is_the_middle_half():
    entropy = np.random.default_rng(5).permutation(np.arange(101.0))
    kept = RULES["entropy-band"](np.ones(101), entropy, entropy) == 0
    assert sorted(entropy[kept]) == list(range(25, 76))
    low = RULES["entropy-band"](np.ones(101), entropy, entropy, low=0.1) == 0
    assert sorted(entropy[low]) == list(range(10, 76))
    high = RULES["entropy-band"](np.ones(101), entropy, entropy, high=0.9) == 0
    assert sorted(entropy[high]) == list(range(25, 91))


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 7, 12, 100])
def test_the_band_is_numpys_interpolated_quantiles(size, dtype, as_array):
    """In the dtype of the entropies, which the quantiles are compared with."""
    entropy = np.sort(np.random.default_rng(size).random((3, size)).astype(dtype), axis=-1)
    ordered, known = as_array(entropy), as_array(np.full((3, 1), size))
    xp = rules.api.array_namespace(ordered)
    for level in (0.0, 0.1, 0.25, 0.7, 1.0):
        found = rules._quantile(xp, ordered, known, level)
        assert found.dtype == ordered.dtype
        np.testing.assert_allclose(
            np.asarray(found), np.quantile(entropy, level, axis=-1, keepdims=True), rtol=4 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_bands_at_their_ends(as_array):
    entropy = as_array(np.array([0.3, 0.1, 0.2, np.nan]))
    band = RULES["entropy-band"]
    for limits, expected in (((0.5, 0.5), [2]), ((0.0, 1.0), [0, 1, 2]), ((1.0, 1.0), [0]), ((0.0, 0.0), [1])):
        score = np.asarray(band(entropy, entropy, entropy, low=limits[0], high=limits[1]))
        assert np.flatnonzero(score == 0).tolist() == expected
    for one in (entropy[:1], as_array(np.array([np.nan, 0.3]))):
        score = np.asarray(band(one * 0 + 1, one * 0 + 1, one))
        assert np.flatnonzero(score == 0).tolist() == [len(score) - 1], "the one entropy known is the band"


def test_positive_surprisal_keeps_the_positives_alone_when_they_are_too_few():
    rng = np.random.default_rng(1)
    advantage = np.where(np.arange(100) < 3, 0.5, -0.5)
    score = RULES["positive-surprisal"](advantage, rng.random(100), None)
    np.testing.assert_array_equal(np.flatnonzero(select(score, 0.1, rng)), [0, 1, 2])
    uniform = RULES["uniform"](advantage, advantage, None)
    assert select(uniform, 0.1, rng).sum() == 10


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("additive", {"alpha": 1.5}, ValueError, r"alpha must be in \[0, 1\], got 1\.5"),
        ("entropy-band", {"low": 0.6, "high": 0.4}, ValueError, "got low 0.6 and high 0.4"),
        ("entropy-band", {"high": 1.5}, ValueError, "0 ≤ low ≤ high ≤ 1, got low 0.25 and high 1.5"),
        ("off-policy-mask", {"threshold": -1.0}, ValueError, r"threshold must be in \[0, inf\), got -1\.0"),
        ("entropy-band", {"low": -0.5}, ValueError, "0 ≤ low ≤ high ≤ 1, got low -0.5 and high 0.75"),
        ("weighted-advantage", {"alpha": -0.1}, ValueError, r"alpha must be in \[0, 1\], got -0\.1"),
        ("no-spurious", {"least_probability": 2.0}, ValueError, r"least_probability must be in \[0, 1\], got 2\.0"),
        ("delight-no-spurious", {"entropy": -1.0}, ValueError, r"entropy must be in \[0, inf\], got -1\.0"),
        ("delight", {"alpha": 0.5}, TypeError, "^rule 'delight' has the parameters none, got alpha$"),
        ("additive", {"beta": 1, "alpha": 1}, TypeError, "^rule 'additive' has the parameters alpha, got beta$"),
        (
            "no-spurious",
            {"foo": 2},
            TypeError,
            "parameters least_probability, entropy, got foo",
        ),
        ("group-spread", {"tolerance": 1.0}, ValueError, r"tolerance must be in \[0, 1\), got 1\.0"),
        ("off-policy-mask", {"threshold": np.ones(5)}, TypeError, "threshold must be a scalar, got an array"),
        ("idle-visits", {"n_idle": -1.0}, ValueError, "n_idle must be a whole number .* at least 0, got -1.0"),
        ("idle-visits", {"n_idle": 1.5}, ValueError, "n_idle must be a whole number .* at least 0, got 1.5"),
        ("idle-visits", {"n_idle": math.nan}, ValueError, "n_idle must be a whole number .* got nan"),
        ("idle-visits", {"n_idle": np.arange(3)}, ValueError, r"shapes must be the same or .* n_idle \(3,\)"),
        ("off-policy-mask", {"sampler_surprisal": np.ones(3)}, ValueError, r"got .* sampler_surprisal \(3,\)"),
    ],
)
def test_parameters_are_refused(name, parameters, error, message):
    with pytest.raises(error, match=message):
        RULES[name](ADVANTAGE, SURPRISAL, ENTROPY, **parameters)


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("name", RULES)
def test_shapes_that_do_not_fit_are_named_and_an_empty_batch_has_no_scores(name, as_array):
    three, four = as_array(np.ones(3)), as_array(np.ones(4))
    with pytest.raises(ValueError, match=r"stretch to one, got advantage \(3,\), surprisal \(4,\)") as caught:
        RULES[name](three, four, four)
    assert "\n" not in str(caught.value)
    for shape in ((0,), (3, 0), (0, 3)):
        empty = as_array(np.ones(shape))
        assert tuple(RULES[name](empty, empty, empty).shape) == shape
    one = as_array(np.array(0.5))
    if RULES[name].of_batch:
        with pytest.raises(ValueError, match=r"advantage must have the batch as its last axis, got the scalar 0\.5"):
            RULES[name](one, one, one)
    else:
        assert RULES[name](one, one, one).shape == ()


def test_visits_are_whole_numbers_of_any_dtype():
    for counts in (np.arange(3), np.arange(3.0), [0, 1, 2], torch.arange(3).numpy()):
        np.testing.assert_array_equal(RULES["idle-visits"](np.ones(3), np.ones(3), n_idle=counts), [0, -1, -2])
    found = RULES["idle-visits"](torch.ones(3), torch.ones(3), n_idle=torch.arange(3))
    assert found.tolist() == [0, -1, -2]


TWO, THREE = np.full(2, 0.5), np.full(3, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: screen_context(np.full(3, 1 / 3), [1.0, 0.0], "delight", 0.1),
            r"policy \(3,\), advantage \(2,",
        ),
        (lambda: kept_at_rate(np.full(3, 1 / 3), TWO, 0.1), r"policy \(3,\), score \(2,\)"),
        (lambda: kept_at_rate(np.full((2, 2), 0.5), np.ones((2, 2)), THREE), r"rate \(3, 1\)"),
        (lambda: additive_threshold(TWO, 3, np.ones(3)), r"p_correct \(2,\), reward_gap \(3,\)"),
        (lambda: additive_odds_limit(TWO, 3, np.ones(3)), r"alpha \(2,\), reward_gap \(3,\)"),
        (lambda: kept_signal(TWO, THREE, 0.5), r"kept_share \(2,\), group_share \(3,\)"),
        (lambda: idle_probability(TWO, np.ones(3)), r"pass_rate \(2,\), group_size \(3,\)"),
        (lambda: visit_probability(np.ones(2), THREE), r"n_idle \(2,\), exploration \(3,\)"),
        (lambda: visit_share(TWO, THREE), r"idle \(2,\), exploration \(3,\)"),
        (lambda: expected_wait(np.ones(2), THREE), r"n_epochs \(2,\), exploration \(3,\)"),
    ],
)
def test_arguments_that_do_not_stretch_to_one_shape_are_named(call, message):
    with pytest.raises(ValueError, match=f"shapes must be the same or stretch to one, got .*{message}"):
        call()


@pytest.mark.parametrize("rule", [3, None, ("delight",)])
def test_what_is_neither_a_name_nor_a_function_is_refused(rule):
    with pytest.raises(TypeError, match=f"rule must be a name or a function of scores, got {re.escape(repr(rule))}"):
        screen_context([0.5, 0.5], [0.5, -0.5], rule, 0.1)


# The additive threshold -----------------------------------------------------------------------------------------


def test_threshold_matches_many_digits():
    with mp.workdps(60):
        for n_arms in (2, 3, 100, 10_000):
            for p in (1 / n_arms * (1 + 1e-10), 0.6, 1 - 1e-6, 1 - 1e-12):
                if p * n_arms <= 1:
                    continue
                exact = mp.log(mp.mpf(p) * (n_arms - 1) / (1 - mp.mpf(p)))
                for gap in (0.1, 1.0, 7.0):
                    truth = exact / (gap + exact)
                    assert abs(additive_threshold(p, n_arms, gap) - truth) <= 1e-12 * truth, (n_arms, p, gap)


def test_threshold_at_an_error_that_only_p_error_holds():
    expected = np.log(9e20)
    assert additive_threshold(1.0, 10, 2.0, p_error=1e-20) == pytest.approx(expected / (2 + expected), rel=1e-14)


def test_threshold_separates_the_rankings():
    """Just below α* a rare failure outranks a common success, just above it does not, and delight never does."""
    p, n_arms, gap = np.array([0.2, 0.5, 0.9, 0.999]), 10, 1.0
    threshold = additive_threshold(p, n_arms, gap)
    success, failure = -np.log(p), -np.log((1 - p) / (n_arms - 1))
    for baseline in (0.1, 0.5, 0.9):
        up, down = np.full_like(p, gap - baseline), np.full_like(p, -baseline)
        for alpha, failure_first in ((threshold - 1e-9, True), (threshold + 1e-9, False)):
            for k, a in enumerate(alpha):
                first = RULES["additive"](up[k], success[k], None, alpha=float(a))
                assert (RULES["additive"](down[k], failure[k], None, alpha=float(a)) > first) == failure_first
        assert np.all(RULES["delight"](down, failure, None) < 0)
        assert np.all(RULES["delight"](up, success, None) > 0)


def test_odds_limit_is_the_inverse_of_the_threshold():
    n_arms, gap = 10, 1.0
    for alpha in (0.0, 0.3, 0.7, 0.9):
        log_odds = additive_odds_limit(alpha, n_arms, gap)
        p = 1 / (1 + np.exp(-log_odds))
        if alpha == 0:
            assert p == pytest.approx(1 / n_arms)  # surprisal alone fails from the uniform policy on
            continue
        assert additive_threshold(p, n_arms, gap, p_error=1 / (1 + np.exp(log_odds))) == pytest.approx(
            alpha, rel=1e-12
        )
        assert additive_threshold(min(1 - (1 - p) / 2, 1 - 1e-13), n_arms, gap) > alpha  # inconsistent beyond
    assert additive_odds_limit(0.999, 10) == pytest.approx(999 - np.log(9))  # e^997: it is the advantage rule


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: additive_threshold(0.1, 10), r"p_correct must be above 1/n_arms, got 0\.1"),
        (lambda: additive_threshold(1.0, 10), r"p_correct must be in \(0, 1\), got 1\.0"),
        (lambda: additive_threshold(0.5, 1), "n_arms must be an integer ≥ 2, got 1"),
        (lambda: additive_threshold(0.5, 5, 0.0), r"reward_gap must be in \(0, inf\), got 0\.0"),
        (lambda: additive_odds_limit(1.0, 5), r"alpha must be in \[0, 1\), got 1\.0"),
        (lambda: kept_at_rate([0.5, 0.5], [1, 2], 0.0), r"rate must be in \(0, 1\], got 0\.0"),
        (lambda: kept_at_rate([0.5, 0.5], [1, np.nan], 0.5), "score must be a number, got nan"),
        (lambda: screen_context([0.5, 0.5], [1, 0], "luck", 0.5), "rule must be one of delight, .* got 'luck'"),
        (lambda: screen_context([0.5, 0.5], [1, 1], "delight", 0.5), "advantage must vary over the arms played"),
    ],
)
def test_domains_are_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
