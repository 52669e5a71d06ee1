"""Group advantages against a slow reference in exact fractions, and exactly zero where a group has no spread."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kondo_theory import training
from kondo_theory.advantage import group_advantage
from kondo_theory.gate import Gate, delight


def reference(rewards, ids, baseline, scale):
    """The definition, one group at a time, in fractions."""
    advantage, zero_spread = [], []
    for reward, name in zip(rewards, ids, strict=True):
        group = [Fraction(other) for other, its in zip(rewards, ids, strict=True) if its == name]
        n, mean = len(group), sum(group) / len(group)
        equal = min(group) == max(group)
        zero_spread.append(equal)
        if equal:
            advantage.append(0.0)
            continue
        found = Fraction(reward) - mean
        if baseline == "leave-one-out":
            found = Fraction(reward) - (sum(group) - Fraction(reward)) / (n - 1)
        deviation = math.sqrt(sum((other - mean) ** 2 for other in group) / n) if scale == "group" else 1
        advantage.append(float(found) / deviation)
    return np.array(advantage), np.array(zero_spread)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.1 + 0.2, -2.5, 1e3]), st.integers(-2, 2)), min_size=1),
    st.sampled_from(["mean", "leave-one-out"]),
    st.sampled_from([None, "group"]),
)
def test_groups_of_any_size_in_any_order_against_the_reference(answers, baseline, scale):
    rewards, ids = np.array([reward for reward, _ in answers]), np.array([name for _, name in answers])
    expected, equal = reference(rewards.tolist(), ids.tolist(), baseline, scale)
    for as_array in (np.asarray, torch.from_numpy):
        for check in (True, False):
            found, zero_spread = group_advantage(
                as_array(rewards), as_array(ids), baseline=baseline, scale=scale, check=check
            )
            assert_array_equal(np.asarray(zero_spread), equal)
            assert_array_equal(np.asarray(found)[equal], 0.0)
            # The mean of a group is rounded: absolute to its spread.
            assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("baseline", ["mean", "leave-one-out"])
@pytest.mark.parametrize("scale", [None, "group"])
@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_a_size_is_groups_of_neighbours(baseline, scale, as_array):
    rewards = np.random.default_rng(0).integers(0, 3, (5, 12)) / 7
    ids = np.arange(60).reshape(5, 12) // 4
    by_size = group_advantage(as_array(rewards), 4, baseline=baseline, scale=scale)
    by_id = group_advantage(as_array(rewards), as_array(ids), baseline=baseline, scale=scale)
    expected, equal = reference(rewards.ravel().tolist(), ids.ravel().tolist(), baseline, scale)
    for found, zero_spread in (by_size, by_id):
        assert tuple(found.shape) == tuple(zero_spread.shape) == (5, 12)
        assert_allclose(np.asarray(found).ravel(), expected, rtol=1e-12, atol=1e-14)
        assert_array_equal(np.asarray(zero_spread).ravel(), equal)


def test_a_permutation_of_the_answers_permutes_their_advantages():
    rng = np.random.default_rng(1)
    rewards, ids = rng.random(40), rng.integers(0, 7, 40) * 10**12 - 5
    order = rng.permutation(40)
    for baseline in ("mean", "leave-one-out"):
        found, equal = group_advantage(rewards, ids, baseline=baseline)
        permuted, permuted_equal = group_advantage(rewards[order], ids[order], baseline=baseline)
        assert_allclose(permuted, found[order], rtol=0, atol=1e-15)
        assert_array_equal(permuted_equal, equal[order])


def test_leave_one_out_is_n_over_n_minus_one_of_the_mean():
    rewards = np.random.default_rng(2).random((30, 6))
    found, _ = group_advantage(rewards, 6, baseline="leave-one-out")
    assert_allclose(found, group_advantage(rewards, 6)[0] * 6 / 5, rtol=0, atol=1e-15)


def test_scaled_groups_have_unit_variance_however_small_their_spread():
    rewards = np.random.default_rng(3).random((8, 10)) * 10.0 ** np.arange(-200, 200, 50)[:, None]
    found, _ = group_advantage(rewards, 10, scale="group")
    assert_allclose((found**2).mean(1), 1, rtol=1e-12)
    assert_allclose(found.sum(1), 0, atol=1e-12)


# --- no spread ----------------------------------------------------------------------------------------------------

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def test_the_mean_of_equal_rewards_leaves_noise_that_a_zero_price_keeps():
    rewards = np.full(10, 0.7, dtype=np.float32)
    for array in (rewards, torch.from_numpy(rewards)):
        surprisal = array / array
        assert Gate(price=0.0)(delight(array - array.mean(), surprisal)).all(), "negative control"
        advantage, zero_spread = group_advantage(array, 10)
        assert advantage.dtype == array.dtype
        assert_array_equal(np.asarray(advantage), np.zeros(10))
        assert zero_spread.all()
        assert not Gate(price=0.0)(delight(advantage, surprisal)).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [2, 3, 7, 10, 100])
def test_equal_rewards_have_advantage_zero(dtype, size):
    values = torch.tensor([0.1, 0.2, 1 / 3, 0.7, -1e-7, 123.4]).to(dtype)
    rewards = values.repeat_interleave(size)
    for groups in (size, torch.arange(len(values)).repeat_interleave(size)):
        for baseline in ("mean", "leave-one-out"):
            for scale in (None, "group"):
                advantage, zero_spread = group_advantage(rewards, groups, baseline=baseline, scale=scale)
                assert advantage.dtype == torch.promote_types(dtype, torch.float32)
                assert not advantage.any()
                assert zero_spread.all()


def test_rewards_that_differ_by_rounding_alone_are_different():
    advantage, zero_spread = group_advantage(np.array([0.1 + 0.2, 0.3, 0.3, 0.3]), 2)
    assert advantage[0] > 0 > advantage[1]
    assert_array_equal(advantage[2:], 0)
    assert_array_equal(zero_spread, [False, False, True, True])


@pytest.mark.parametrize("groups", [2, np.arange(8) // 2], ids=["size", "ids"])
@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("scale", [None, "group"])
def test_a_tolerance_makes_them_equal_relative_to_the_rewards_of_their_group(groups, as_array, scale):
    rewards = np.array([0.1 + 0.2, 0.3, 1e-20, 3e-20, -(0.1 + 0.2) * 1e9, -0.3e9, 1e9, 1e9 - 1])
    for tolerance, expected in ((1e-12, [True, False, True, False]), (1e-8, [True, False, True, True])):
        own = as_array(groups) if isinstance(groups, np.ndarray) else groups
        advantage, zero_spread = group_advantage(as_array(rewards), own, scale=scale, tolerance=tolerance)
        assert_array_equal(np.asarray(zero_spread)[::2], expected)
        assert_array_equal((np.asarray(advantage) == 0)[::2], expected)


@pytest.mark.parametrize("baseline", ["mean", "leave-one-out"])
def test_a_group_of_one_has_no_spread(baseline):
    for groups, n_alone in ((1, 3), (np.array([4, 9, 4]), 1)):
        advantage, zero_spread = group_advantage(np.array([1.0, 2.0, 3.0]), groups, baseline=baseline, scale="group")
        assert zero_spread.sum() == n_alone
        assert_array_equal(advantage[zero_spread], 0)


def test_large_offsets_do_not_swallow_the_spread():
    """Neither a large common reward nor a large neighbour group costs a small spread its digits."""
    rewards = np.array([2.0**52, 2.0**52 + 1, 1e-9, 3e-9])
    advantage, _ = group_advantage(rewards, 2)
    assert_allclose(advantage, [-0.5, 0.5, -1e-9, 1e-9], rtol=1e-15)
    assert_allclose(group_advantage(rewards, [0, 0, 1, 1])[0], advantage)
    whole = np.array([2**53, 2**53 + 1, 2**53, 2**53])
    advantage, zero_spread = group_advantage(whole, 2)
    assert_array_equal(advantage, [-0.5, 0.5, 0, 0])
    assert_array_equal(zero_spread, [False, False, True, True])


@pytest.mark.parametrize(
    ("rewards", "dtype"),
    [
        (np.array([True, False, False, False]), np.float64),
        (np.array([1, 0, 0, 0], dtype=np.int8), np.float64),
        (np.array([1, 0, 0, 0], dtype=np.uint8), np.float64),
        (np.array([1, 0, 0, 0], dtype=np.uint64), np.float64),
        ([1, 0, 0, 0], np.float64),
        ([1.0, 0.0, 0.0, 0.0], np.float64),
        (np.array([1, 0, 0, 0], dtype=np.float16), np.float32),
        (torch.tensor([True, False, False, False]), torch.float32),
        (torch.tensor([1, 0, 0, 0]), torch.float32),
        (torch.tensor([1, 0, 0, 0], dtype=torch.uint8), torch.float32),
    ],
    ids=repr,
)
def test_integers_and_booleans_are_rewards_too(rewards, dtype):
    advantage, zero_spread = group_advantage(rewards, 2)
    assert advantage.dtype == dtype
    assert advantage.tolist() == [0.5, -0.5, 0, 0]
    assert zero_spread.tolist() == [False, False, True, True]


def test_small_integers_do_not_wrap():
    advantage, _ = group_advantage(np.array([-128, 127], dtype=np.int8), 2)
    assert advantage.tolist() == [-127.5, 127.5]


def test_large_unsigned_integers_do_not_wrap():
    advantage, _ = group_advantage(np.array([2**63, 0], dtype=np.uint64), 2)
    assert advantage.tolist() == [2.0**62, -(2.0**62)]


@pytest.mark.parametrize("baseline", ["mean", "leave-one-out"])
def test_groups_are_computed_wide_and_rounded_once(baseline):
    """Integers beyond what the answer's float32 holds, and float16 rewards whose difference it does not."""
    whole = [0, 0, 2**24 + 1, 2**25 + 3, 7]
    expected, _ = reference(whole, [0] * 5, baseline, None)
    found, _ = group_advantage(torch.tensor(whole), 5, baseline=baseline)
    assert_array_equal(found.numpy(), expected.astype(np.float32))
    ends = torch.tensor([-6e4, 6e4], dtype=torch.float16)
    assert group_advantage(ends, 2)[0].tolist() == ends.tolist()


def test_lists_of_ids_go_to_the_device_of_the_rewards():
    rewards = torch.tensor([1.0, 0.0, 3.0])
    with torch.device("meta"):  # ids made on the default device would have no values
        advantage, zero_spread = group_advantage(rewards, [5, 5, 9])
    assert advantage.tolist() == [0.5, -0.5, 0.0]
    assert zero_spread.tolist() == [False, False, True]


def test_no_gradient_flows():
    rewards = torch.tensor([1.0, 2.0], requires_grad=True)
    advantage, _ = group_advantage(rewards, 2)
    assert not advantage.requires_grad


def test_the_training_module_offers_it():
    assert training.group_advantage is group_advantage


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("groups", [3, [0, 0, 0, 1, 1, 1]])
@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_rewards_that_are_not_finite(bad, groups, as_array):
    for group in ([1.0, bad, 1.0], [bad] * 3):
        rewards = as_array(np.array([*group, 0.0, 1.0, 2.0]))
        with pytest.raises(ValueError, match=f"reward must be finite, got {bad}"):
            group_advantage(rewards, groups)
        for scale in (None, "group"):
            advantage, zero_spread = group_advantage(rewards, groups, scale=scale, check=False)
            assert np.isnan(np.asarray(advantage)[:3]).all(), "no gate keeps it"
            assert np.isfinite(np.asarray(advantage)[3:]).all()
            assert not np.asarray(zero_spread).any()


@pytest.mark.parametrize("rewards", [np.array([-1.7e308, 1.7e308]), np.array([-(2**63), 2**63 - 1])], ids=repr)
def test_a_spread_beyond_the_range_is_refused(rewards):
    with pytest.raises(ValueError, match="a reward must be of a group whose spread is within range"):
        group_advantage(rewards, 2)
    assert np.isnan(group_advantage(rewards, 2, check=False)[0]).all()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones(6), 4), {}, ValueError, "groups must divide the 6 answers of the last axis, got 4"),
        ((np.ones(6), 0), {}, ValueError, "groups must divide the 6 answers of the last axis, got 0"),
        ((np.ones((2, 3)), 2), {}, ValueError, "groups must divide the 3 answers"),
        ((np.ones(6), True), {}, TypeError, "a size or an integer for each answer, got dtype bool"),
        ((np.ones(6), 2.0), {}, TypeError, "a size or an integer for each answer, got dtype float64"),
        ((np.ones(3), np.ones(3)), {}, TypeError, "a size or an integer for each answer, got dtype float64"),
        ((np.ones(3), ["a", "b", "c"]), {}, TypeError, "a size or an integer for each answer, got dtype <U1"),
        ((torch.ones(3), ["a", "b", "c"]), {}, TypeError, "a size or an integer for each answer, got dtype <U1"),
        ((torch.ones(3), [0.0, 1.0, 2.0]), {}, TypeError, "a size or an integer for each answer, got dtype float64"),
        ((np.ones(3), [0, 1]), {}, ValueError, r"a number for each answer, shape \(3,\), got \(2,\)"),
        ((np.ones(3), torch.ones(3).long()), {}, TypeError, "groups must be of the library of reward, got Tensor"),
        ((torch.ones(3), np.ones(3, int)), {}, TypeError, "groups must be of the library of reward, got ndarray"),
        ((np.ones(0), 1), {}, ValueError, r"reward must hold at least one answer, got shape \(0,\)"),
        ((1.0, 1), {}, ValueError, r"reward must hold at least one answer, got shape \(\)"),
        ((np.ones(2) * 1j, 2), {}, TypeError, "reward must have a real dtype, got complex128"),
        ((["a", "b"], 2), {}, TypeError, "reward must "),
        ((np.ones(2), 2), {"tolerance": 1.0}, ValueError, r"tolerance must be in \[0, 1\), got 1.0"),
        ((np.ones(2), 2), {"baseline": "median"}, ValueError, "baseline must be one of mean, leave-one-out"),
        ((np.ones(2), 2), {"scale": "batch"}, ValueError, "scale must be None or 'group', got 'batch'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        group_advantage(*arguments, **options)
