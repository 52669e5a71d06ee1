"""Rules on the answers of a group against brute force, and what registered rules say of themselves."""

from itertools import combinations

import numpy as np
import pytest
import torch

from kondo_theory.gate import select
from kondo_theory.screening import GROUP_RULES, RULES, SAMPLE_RULES, TOKEN_RULES, ScreeningRule, screen_context
from kondo_theory.token_trap import drift, stall_point

LIBRARIES = [np.asarray, torch.from_numpy]


def groups(size, n_groups=40):
    """Rewards of groups: normal, of few levels, with heavy tails, right or wrong."""
    rng = np.random.default_rng(size)
    shape = (n_groups, size)
    kinds = (rng.normal(size=shape), rng.integers(0, 4, shape) / 3, rng.pareto(0.7, shape), rng.integers(0, 2, shape))
    return np.concatenate([kind.astype(np.float64) for kind in kinds])


def largest_variance(rewards, n_kept):
    """Return the largest variance of any n_kept of the rewards: every subset is tried."""
    return max(np.var(rewards[list(chosen)]) for chosen in combinations(range(len(rewards)), n_kept))


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_the_top_k_by_max_variance_are_the_subset_of_largest_variance_for_every_k(size, as_array):
    rewards = groups(size, 20)
    advantage = rewards - rewards.mean(axis=1, keepdims=True)
    score = np.asarray(RULES["max-variance"](as_array(advantage), as_array(0 * advantage)))
    assert (np.sort(-score) == np.arange(size)).all(), "each place once: no tie is left to chance"
    for n_kept in range(2, size + 1):
        kept = [own[mine > -n_kept] for own, mine in zip(rewards, score, strict=True)]
        best = [largest_variance(own, n_kept) for own in rewards]
        np.testing.assert_allclose(np.var(kept, axis=1), best, rtol=1e-10, atol=1e-12)


def test_negative_control_the_largest_advantages_have_not_the_largest_variance():
    """The wrong variant: |advantage| keeps the few successes and failures of a group by size, not by spread."""
    rewards = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    advantage = rewards - rewards.mean()
    kept = select(RULES["abs-advantage"](advantage, advantage), 0.5, np.random.default_rng(0))
    assert np.var(rewards[kept]) == 3 / 16 < largest_variance(rewards, 4) == 1 / 4


@pytest.mark.parametrize("as_array", LIBRARIES)
def test_a_gate_at_a_rate_keeps_that_subset(as_array):
    rewards = groups(8, 10)
    advantage = as_array(rewards - rewards.mean(axis=1, keepdims=True))
    rng = np.random.default_rng(0) if as_array is np.asarray else torch.Generator().manual_seed(0)
    keep = np.asarray(select(RULES["max-variance"](advantage, advantage * 0), 0.5, rng))
    for own, mine in zip(rewards, keep, strict=True):
        assert mine.sum() == 4
        assert np.var(own[mine]) == pytest.approx(largest_variance(own, 4), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_max_variance_takes_ties_upwards_whatever_rounding_and_scale_say(scale):
    """Three right and three wrong, five kept: 3 right and 2 wrong, and 2 of each of the four."""
    advantage = np.array([1 - 0.3, -0.3, 1 - 0.3, -0.3, 1 - 0.3, -0.3]) * scale
    for dtype in (np.float32, np.float64):
        score = RULES["max-variance"](advantage.astype(dtype), np.zeros(6, dtype))
        assert [int((score[::2] > -k).sum()) for k in range(2, 7)] == [1, 2, 2, 3, 3]


def test_a_group_without_spread_is_dropped_and_nan_aside():
    advantage = np.array([[0.0, 0.0], [0.5, -0.5], [np.nan, 0.0], [np.nan, 0.5]])
    found = RULES["group-spread"](advantage, np.zeros((4, 2)))
    np.testing.assert_array_equal(found, [[-np.inf] * 2, [0, 0], [np.nan, -np.inf], [np.nan, 0]])


ROUNDED = [[0.1 + 0.2, 0.3], [1.0, 0.0], [0.7, 0.7]]


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [2.0**-90, 1.0, 2.0**90])
def test_what_rounding_leaves_is_no_spread(as_array, dtype, scale):
    """Sums that are equal but for rounding, and the mean of equal rewards, which is not theirs."""
    rewards = (np.array(ROUNDED, dtype=np.float64) * scale).astype(dtype)
    rewards[0, 0] = np.nextafter(rewards[0, 1], dtype(np.inf))
    rewards[2] -= np.spacing(rewards[2])  # as if the mean were an ulp more
    advantage = rewards - np.array([[0.3], [0.5], [0.7]]).astype(dtype) * dtype(scale)
    assert advantage[[0, 2]].any(axis=1).all(), "negative control: exact comparison sees a spread"
    score = np.asarray(RULES["group-spread"](as_array(advantage), as_array(advantage)))
    assert np.isneginf(score).all(axis=1).tolist() == [True, False, True]
    exact = np.asarray(RULES["group-spread"](as_array(advantage), as_array(advantage), tolerance=0.0))
    assert (exact == 0).all()


def test_a_small_spread_is_a_spread_and_a_tolerance_is_a_share():
    advantage = np.array([[0.5, -0.5], [1e-9, -1e-9], [0.1, -0.1]])
    assert (RULES["group-spread"](advantage, advantage) == 0).all()
    found = RULES["group-spread"](advantage, advantage, tolerance=0.2)
    assert (found[:, 0] == 0).tolist() == [True, False, False], "at most the share: 0.1 of 0.5 is none"
    assert (RULES["group-spread"](advantage[1:2], advantage[1:2]) == 0).all(), "one group has no other to compare"


def test_the_mask_drops_failures_alone_and_beyond_the_threshold_alone():
    """The definition: U < 0 and a mean of log π_old/π above δ, here a difference of mean surprisals."""
    advantage, now, sampler = np.array([1.0, -1.0, -1.0, -1.0]), np.array([3.0, 3.0, 1.5, 1.4]), np.ones(4)
    found = RULES["off-policy-mask"](advantage, now, sampler_surprisal=sampler, threshold=0.5)
    np.testing.assert_array_equal(np.isneginf(found), [False, True, False, False])
    unknown = RULES["off-policy-mask"](advantage, now, sampler_surprisal=np.full(4, np.nan))
    np.testing.assert_array_equal(np.isneginf(unknown), [False, True, True, True])


# What rules say of themselves -----------------------------------------------------------------------------------


def test_the_registry_is_its_parts_and_says_what_each_rule_scores():
    assert dict(RULES) == {**SAMPLE_RULES, **GROUP_RULES, **TOKEN_RULES}
    assert {rule.granularity for rule in SAMPLE_RULES.values()} == {"sample"}
    assert {rule.granularity for rule in TOKEN_RULES.values()} == {"token"}
    assert {name: rule.granularity for name, rule in GROUP_RULES.items()} == {
        "max-variance": "answer", "off-policy-mask": "answer", "group-spread": "prompt", "idle-visits": "prompt",
    }  # fmt: skip
    assert repr(RULES["delight"]) == "ScreeningRule(granularity='sample', inputs='advantage, surprisal')"


SPURIOUS = {"least_probability": 0.3, "entropy": 2.0}  # by which some of the random samples below are spurious
LIMITS = {"no-spurious": SPURIOUS, "delight-no-spurious": SPURIOUS}
BESIDE = {"off-policy-mask": {"sampler_surprisal": np.linspace(0, 1, 12)}, "idle-visits": {"n_idle": np.arange(12.0)}}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_looks_at_its_inputs_and_at_nothing_else(name):
    rng = np.random.default_rng(3)
    given = {
        "advantage": rng.normal(size=12), "surprisal": rng.random(12) * 3, "entropy": rng.random(12) * 3,
        "reference policy": None, "history": None,
    }  # fmt: skip
    beside, rule = BESIDE.get(name, {}), RULES[name]

    def score(**changed):
        values = {**given, **changed}
        more = {
            key: value + rng.integers(0, 3, 12) if changed.get("beside") else value for key, value in beside.items()
        }
        return rule(values["advantage"], values["surprisal"], values["entropy"], **more, **LIMITS.get(name, {}))

    for name_of in ("advantage", "surprisal", "entropy"):
        other = rng.normal(size=12) if name_of == "advantage" else rng.random(12) * 3
        if name == "group-spread" and name_of == "advantage":
            other = np.zeros(12)  # nothing less changes it
        assert (name_of in rule.inputs) == (not np.array_equal(score(**{name_of: other}), score()))
    assert bool({"reference policy", "history"} & set(rule.inputs)) == bool(beside)
    assert not beside or not np.array_equal(score(beside=True), score())


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_batch_is_one_whose_scores_change_with_the_others(name):
    rng = np.random.default_rng(4)
    parts = [rng.normal(size=12), rng.random(12), rng.random(12)]
    others = [part.copy() for part in parts]
    for part in others:
        part[1:] = 0.0
    beside = BESIDE.get(name, {})
    if name == "group-spread":
        parts[0][0] = others[0][0] = 0.0
    firsts = {float(RULES[name](*each, **beside)[0]) for each in (parts, others)}
    assert (len(firsts) > 1) == RULES[name].of_batch


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("advantage",), "answers"), "granularity must be one of sample, answer, token, prompt, got 'answers'"),
        ((("reward",),), "an input must be one of advantage, surprisal, entropy, .*, got 'reward'"),
    ],
)
def test_a_rule_that_says_something_unknown_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScreeningRule(abs, *arguments)


@pytest.mark.parametrize("rule", sorted(GROUP_RULES))
def test_what_ranks_groups_is_refused_where_samples_are_scored_one_by_one(rule):
    refused = [
        lambda: screen_context([0.5, 0.3, 0.2], [0.7, -0.3, 0.1], rule, 0.1),
        lambda: drift(0.5, 10, 4, 0.1, rule=rule),
        lambda: stall_point(0.1, 10, 4, rule=rule),
    ]
    for call in refused:
        with pytest.raises(ValueError, match=f"rule must score each sample by itself.*'{rule}' decides on"):
            call()


@pytest.mark.parametrize("name", sorted(RULES))
def test_an_input_that_a_rule_looks_at_is_asked_for(name):
    rule = RULES[name]
    given = {"advantage": np.ones(3), "surprisal": np.ones(3), "policy_entropy": np.ones(3)}
    for argument, value in (("advantage", "advantage"), ("surprisal", "surprisal"), ("policy_entropy", "entropy")):
        if value in rule.inputs:
            with pytest.raises(ValueError, match=f"rule .* looks at .*got None for {value}"):
                rule(**{**given, argument: None})


@pytest.mark.parametrize("name", ["no-spurious", "delight-no-spurious", "entropy", "abs-advantage-entropy"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_an_entropy_that_is_unknown_is_never_kept(name, library):
    score = RULES[name](*(library(np.array(each)) for each in ([1.0, 1.0], [7.0, 7.0], [np.nan, 2.0])))
    assert np.isnan(np.asarray(score)).tolist() == [True, False]
