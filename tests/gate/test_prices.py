"""How many samples a rate keeps, against exact fractions; the calibrated price, against the equation it solves."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kondo_theory import gate
from kondo_theory.gate import Gate, order
from kondo_theory.gate import prices as _prices
from kondo_theory.gate.prices import kept_counts
from simulations.gambling.gamble import Gamble
from simulations.tokens.simulation import TokenGate

# --- how many are kept --------------------------------------------------------------------------------------------


def exact_count(rate, batch_size):
    return min(batch_size, max(1, math.floor(rate * batch_size + Fraction(1, 2))))


def test_a_rate_is_the_decimal_that_it_prints_as():
    assert 0.29 * 50 < 14.5, "the product of floats falls short"
    assert gate.kept_count(0.29, 50) == 15
    assert math.floor(Fraction(0.29) * 50 + Fraction(1, 2)) == 14, "negative control: the float itself is below 0.29"
    assert gate.kept_count(math.nextafter(0.29, 0), 50) == 14
    assert gate.kept_count(math.nextafter(0.5, 0), 10**8 + 1) == 5 * 10**7


@pytest.mark.parametrize("rate", [np.float32(0.29), np.float16(0.29), np.float64(0.29), torch.tensor(0.29)], ids=repr)
def test_narrow_rates_are_decimals_too(rate):
    assert gate.kept_count(rate, 50) == 15
    chi = np.arange(50.0)
    assert gate.select(chi, rate, np.random.default_rng(0)).sum() == 15
    assert gate.quantile_price(chi, rate) == 34


def test_kept_count_is_exact_for_every_rate_of_four_digits():
    """All sizes to 3,000 for 10,000 rates, in integers; the scalar function where it is hard, at halves."""
    sizes = np.arange(1, 3_001)
    wrong_by_product = 0
    for numerator in range(1, 10_001):
        expected = np.clip((2 * numerator * sizes + 10_000) // 20_000, 1, sizes)
        assert_array_equal(kept_counts(numerator / 10_000, sizes), expected, err_msg=str(numerator))
        if numerator % 50 == 0:
            halves = sizes[(2 * numerator * sizes) % 20_000 == 10_000]
            found = [gate.kept_count(numerator / 10_000, int(size)) for size in halves]
            assert_array_equal(found, expected[halves - 1], err_msg=str(numerator))
            wrong_by_product += sum(np.floor(numerator / 10_000 * halves + 0.5) < expected[halves - 1])
    assert wrong_by_product > 100, "negative control: the product of floats"


@given(st.integers(1, 10**8), st.decimals(min_value="0.00000001", max_value=1, places=8))
def test_kept_count_of_random_decimals_in_both_libraries(batch_size, decimal):
    expected = exact_count(Fraction(decimal), batch_size)
    assert gate.kept_count(float(decimal), batch_size) == expected
    assert kept_counts(float(decimal), np.array([[batch_size]])) == expected
    assert kept_counts(float(decimal), torch.tensor([[batch_size]])) == expected


@given(st.integers(1, 2_000), st.integers(1, 2_000))
def test_a_rate_of_whole_numbers_keeps_what_their_fraction_does(numerator, batch_size):
    for denominator in (2 * batch_size, 3 * batch_size):
        if numerator <= denominator:
            expected = exact_count(Fraction(numerator, denominator), batch_size)
            assert gate.kept_count(numerator / denominator, batch_size) == expected


@given(st.integers(1, 3_000), st.integers(1, 3_000))
def test_a_rate_just_below_a_half_rounds_down(batch_size, kept):
    if kept < batch_size:
        half = (2 * kept + 1) / (2 * batch_size)
        assert gate.kept_count(half, batch_size) == kept + 1
        assert gate.kept_count(math.nextafter(half, 0), batch_size) == kept


def test_the_rates_of_the_experiments_keep_what_they_kept():
    for rate in (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        for size in (10, 20, 30, 40, 80, 100, 1_000, 2_000, 3_000, 4_000, 10_000, 60_000):
            assert gate.kept_count(rate, size) == min(size, max(1, math.floor(rate * size + 0.5))), (rate, size)


def test_the_simulations_keep_the_same_number():
    assert TokenGate("token", 0.29).code(10, 5).n_kept == 15
    assert TokenGate("row", 0.29).code(50, 5).n_kept == 15
    assert Gamble(1.0, "rate", rate=0.29).arguments(50)[1].n_kept == 15
    numbers = torch.linspace(0, 0.9, 50)
    assert Gate(rate=0.29)(numbers, numbers).sum() == 15


@pytest.mark.parametrize(("size", "message"), [(0, "got batch size 0"), (2.5, "must be whole, got 2.5")])
def test_kept_count_refuses_sizes(size, message):
    with pytest.raises(ValueError, match=message):
        gate.kept_count(0.5, size)
    with pytest.raises(ValueError, match="got batch size nan"):
        gate.kept_count(0.5, math.nan)


# --- the calibrated price -----------------------------------------------------------------------------------------


def mean_open(chi, price, temperature):
    return float(gate.gate_probability(chi, price, temperature).mean())


def searched(chi, rate, temperature, steps=200):
    """The search that this one replaces: safeguarded Newton steps on the price, stopped where they converged."""
    low, high = chi.min(), chi.max()
    offset = temperature * (math.log(rate) - math.log1p(-rate))
    low, high = low - offset, high - offset
    price = low / 2 + high / 2
    for _ in range(steps):
        opened = gate.gate_probability(chi - price, 0.0, temperature)
        excess = opened.mean() - rate
        low, high = (price if excess >= 0 else low), (price if excess <= 0 else high)
        if abs(excess) <= 1e-15 * rate or high - low <= 1e-15 * abs(price):
            return price, True
        newton = price + excess * temperature / max((opened * (1 - opened)).mean(), 1e-300)
        price = newton if low < newton < high else low / 2 + high / 2
    return price, False


@pytest.mark.parametrize("seed", range(40))
def test_the_price_is_that_of_the_search_it_replaces(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 300))
    chi = rng.standard_normal(size) * 10 ** rng.uniform(-3, 3)
    rate = float(rng.uniform(0.5 / size, 1 - 0.5 / size))
    temperature = float(np.ptp(chi) * 10 ** rng.uniform(-0.5, 2))
    expected, converged = searched(chi, rate, temperature)
    assert abs(mean_open(chi, expected, temperature) - rate) < 1e-12
    for array in (chi, torch.from_numpy(chi)):
        for check in (True, False):
            found = float(gate.calibrated_price(array, rate, temperature, check=check))
            assert abs(found - expected) <= 1e-12 * max(abs(expected), temperature), converged


EXTREMES = {
    "far apart": (np.array([-1e300, 0.1, 0.3, 1e300]), 0.4, 1e-3),
    "around zero": (np.array([-1e200, -1.0, 1.0, 1e200]), 0.6, 1e-3),
    "one outlier": (np.append(np.random.default_rng(0).standard_normal(50), 1e200), 0.3, 1e-9),
    "the range of floats": (np.array([-1.7e308, 0.0, 1e-300, 1.7e308]), 0.5, 1e-200),
    "tiny rate": (np.random.default_rng(1).standard_normal(10), 1e-200, 1.0),
    "rate next to one": (np.random.default_rng(2).standard_normal(10), 1 - 1e-15, 1.0),
    "cold": (np.random.default_rng(3).standard_normal(1000), 0.25, 1e-12),
    "hot": (np.random.default_rng(4).standard_normal(1000), 0.25, 1e12),
    "whole ρB": (np.array([0.0, 1.0, 5.0, 5.5]), 0.5, 0.1),
    "pairs": (np.repeat([0.0, 1e9], 50), 0.5, 1e-3),
    "whole but for rounding": (np.arange(100.0), 0.29, 1e-6),
}


@pytest.mark.parametrize("case", EXTREMES)
def test_the_price_solves_its_equation_at_the_extremes(case):
    chi, rate, temperature = EXTREMES[case]
    for array in (chi, torch.from_numpy(chi)):
        price = float(gate.calibrated_price(array, rate, temperature))
        assert mean_open(chi, price, temperature) == pytest.approx(rate, rel=1e-3 if case == "cold" else 1e-8)
        assert price == float(gate.calibrated_price(array, rate, temperature, check=False))


def test_the_search_that_it_replaces_ended_anywhere():
    with np.errstate(over="ignore", invalid="ignore"):
        for case in ("far apart", "around zero", "one outlier"):
            chi, rate, temperature = EXTREMES[case]
            price, converged = searched(chi, rate, temperature)
            assert not converged
            assert abs(mean_open(chi, price, temperature) / rate - 1) > 0.2, case


def test_between_far_scores_the_price_of_a_whole_number_is_in_the_middle():
    assert gate.calibrated_price(np.array([0.0, 1.0, 5.0, 6.0]), 0.5, 1e-3) == 3.0
    found = gate.calibrated_price(np.arange(100.0), 0.29, 1e-6)  # 0.29 · 100 falls short of 29
    assert found == pytest.approx(70.5, abs=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("score", [-3.0, 0.0, 1e5])
def test_one_finite_score_has_its_own_closed_form(rate, score):
    expected = score - 0.7 * math.log(rate / (1 - rate))
    assert gate.calibrated_price(np.array([score]), rate, 0.7) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    beside = np.array([score, -math.inf, math.inf, math.nan])
    alone = gate.calibrated_price(beside, (1 + rate) / 4, 0.7, check=False)
    assert alone == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_stacked_batches_of_different_kinds_do_not_touch_each_other():
    rng = np.random.default_rng(5)
    rows = [
        rng.standard_normal(8),
        np.full(8, -math.inf),
        np.full(8, math.inf),
        np.r_[rng.standard_normal(4) * 1e100, [math.inf] * 2, [-math.inf] * 2],
        np.zeros(8),
    ]
    stack = np.stack(rows).reshape(5, 1, 8)
    for array in (stack, torch.from_numpy(stack)):
        price = np.asarray(gate.calibrated_price(array, 0.4, 0.3))
        assert price.shape == (5, 1)
        assert_array_equal(price[:, 0], [float(gate.calibrated_price(row, 0.4, 0.3)) for row in rows])
    assert price[1] == -math.inf
    assert price[2] == math.inf


def test_a_price_beyond_the_range_is_refused_and_named():
    chi = np.array([[0.0, 1.0], [1.0, 2.0]])
    with pytest.raises(FloatingPointError, match=r"opens 0.97 of the batch .* nearest opens 0.85\d* \(batch 0"):
        gate.calibrated_price(chi, 0.97, 1e308)
    assert_array_equal(gate.calibrated_price(chi, 0.97, 1e308, check=False), [-np.finfo(float).max] * 2)


def test_what_a_price_beyond_the_range_opens_counts_what_is_always_open():
    """The first batch has a price; the second, with two of six scores +∞, needs it log 3 temperatures below zero."""
    chi = np.array([[0.0, 0, 0, 1, 1, 1], [math.inf, math.inf, 0, 0, 0, 0]])
    opened = (2 + 4 / (1 + math.exp(np.finfo(float).max / 1.7e308))) / 6
    message = rf"^no price .* opens 0\.5 of the batch .* nearest opens {opened:g} \(batch 1 of the stack\)$"
    for array in (chi, torch.from_numpy(chi)):
        with pytest.raises(FloatingPointError, match=message):
            gate.calibrated_price(array, 0.5, 1.7e308)


def test_the_nearest_price_is_that_of_scores_far_from_zero_too():
    opened = 1 / (1 + math.exp(np.finfo(float).max / 1e308 - 1))
    with pytest.raises(FloatingPointError, match=rf"opens 0\.3 of the batch .* nearest opens {opened:g} "):
        gate.calibrated_price(np.full(2, 1e308), 0.3, 1e308)


def test_at_temperature_zero_the_price_is_the_quantile_with_every_option():
    chi = np.random.default_rng(8).standard_normal((4, 10))
    mask = np.random.default_rng(9).random(chi.shape) < 0.6
    for options in ({}, {"keepdims": True}, {"keepdims": True, "mask": mask}, {"mask": mask, "check": False}):
        assert_array_equal(
            gate.calibrated_price(chi, 0.3, 0.0, **options), gate.quantile_price(chi, 0.3, **options), strict=True
        )


def test_a_batch_with_one_valid_sample_has_the_price_of_a_batch_of_one():
    chi, mask = np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([[True, False], [False, False]])
    assert gate.calibrated_price(chi, 1.0, 0.5, mask=mask).tolist() == [-math.inf, math.inf]
    assert gate.calibrated_price(chi, 0.5, 0.5, mask=mask)[0] == 3.0


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_the_kth_largest_by_every_way(as_array):
    """One rank for all or one for each batch; a rank beyond an end is that of the end."""
    values = np.random.default_rng(10).standard_normal((2, 3, 7))
    falling, array = np.sort(values)[..., ::-1], as_array(values)
    xp = _prices.api.array_namespace(array)
    for k in range(1, 8):
        assert_array_equal(np.asarray(order.kth_largest(xp, array, k)), falling[..., k - 1 : k])
    ranks = np.array([[[0], [3], [9]], [[1], [7], [8]]])
    expected = np.take_along_axis(falling, ranks.clip(1, 7) - 1, -1)
    assert_array_equal(np.asarray(order.kth_largest(xp, array, as_array(ranks))), expected)


def test_a_search_that_is_cut_short_is_refused(monkeypatch):
    chi = np.random.default_rng(6).standard_normal(100)
    monkeypatch.setattr(_prices, "_NEWTON_STEPS", 0)
    monkeypatch.setattr(_prices, "_BISECTIONS", 2)
    with pytest.raises(FloatingPointError, match=r"opens 0\.3 of the batch"):
        gate.calibrated_price(chi, 0.3, 1.0)


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=40),
    st.floats(1e-12, 1 - 1e-12),
    st.sampled_from([1e-3, 0.1, 1.0, 1e3]),
)
def test_any_price_solves_its_equation(scores, rate, temperature):
    chi = np.array(scores)
    price = float(gate.calibrated_price(chi, rate, temperature))  # refuses what does not
    opened = mean_open(chi, price, temperature)
    assert opened == pytest.approx(rate, rel=1e-6, abs=1e-9)  # the price is rounded, to 1e-14 of 50


def test_an_empty_stack_has_no_prices_and_keeps_nothing():
    for empty in (np.zeros((0, 5)), torch.zeros((0, 5))):
        assert tuple(gate.quantile_price(empty, 0.5).shape) == (0,)
        assert tuple(gate.calibrated_price(empty, 0.5, 1.0, keepdims=True).shape) == (0, 1)
        rng = np.random.default_rng(0) if isinstance(empty, np.ndarray) else None
        assert tuple(gate.select(empty, 0.5, rng).shape) == (0, 5)
        assert tuple(gate.select(empty, 0.5, rng, mask=empty == 0).shape) == (0, 5)


def test_layouts_do_not_matter():
    chi = np.random.default_rng(7).standard_normal((6, 10))
    for array in (np.asfortranarray(chi), chi[::-1][::-1], torch.from_numpy(chi).t().contiguous().t()):
        for call in (lambda x: gate.quantile_price(x, 0.3), lambda x: gate.calibrated_price(x, 0.3, 0.5)):
            assert_allclose(np.asarray(call(array)), call(chi), rtol=1e-13)
