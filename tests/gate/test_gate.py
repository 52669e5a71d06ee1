"""The gate against independent oracles: a sort written out, mpmath, SciPy, and NumPy against torch bit for bit."""

import math
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.optimize import brentq

from kondo_theory import gate
from kondo_theory.gate import Gate

RATES = (0.001, 0.03, 0.1, 0.5, 0.999, 1.0)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def sorted_mask(scores, n_kept, tie_breakers):
    """The plain definition: sort by score descending, then tie-breaker; keep the first k that are not −∞."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], tie_breakers[i]))
    mask = np.zeros(len(scores), dtype=bool)
    mask[[i for i in order[:n_kept] if scores[i] > -math.inf]] = True
    return mask


# --- delight ------------------------------------------------------------------------------------------------------


def test_delight_is_the_product():
    advantage = np.array([0.5, -0.5, 0.0, 1.0])
    surprisal = np.array([700.0, 700.0, 700.0, 0.0])
    assert_array_equal(gate.delight(advantage, surprisal), [350.0, -350.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_delight_of_700_nats_never_overflows(dtype):
    chi = gate.delight(torch.tensor([200.0, -200.0]).to(dtype), torch.tensor([700.0, 700.0]).to(dtype))
    assert chi.dtype == torch.promote_types(dtype, torch.float32)
    assert torch.isfinite(chi).all()
    assert chi[0] > 0 > chi[1]


def test_delight_stretches_axes_of_length_one_but_never_adds_axes():
    row_advantage, token_surprisal = np.ones((5, 1)), np.ones((5, 3))
    assert gate.delight(row_advantage, token_surprisal).shape == (5, 3)
    with pytest.raises(ValueError, match=r"same shape, got \(5,\) and \(5, 1\)"):
        gate.delight(np.ones(5), np.ones((5, 1)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_delight_refuses_values_that_are_not_finite(bad):
    with pytest.raises(ValueError, match=f"surprisal must be finite, got {bad}.*sample 1"):
        gate.delight(np.ones(3), np.array([1.0, bad, 1.0]))
    with pytest.raises(ValueError, match=f"advantage must be finite, got {bad}"):
        gate.delight(torch.tensor([bad]), torch.ones(1))


# --- gate probability ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1.0, 50.0])
def test_probability_against_mpmath_in_both_tails(temperature):
    chi = np.array([-700.0, -30.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 30.0, 700.0]) * temperature
    found = gate.gate_probability(chi, 0.25 * temperature, temperature)
    with mpmath.workdps(50):
        expected = [
            float(1 / (1 + mpmath.exp(-(mpmath.mpf(x) - mpmath.mpf(0.25 * temperature)) / mpmath.mpf(temperature))))
            for x in chi.tolist()
        ]
    # The argument itself carries a rounding error of about 700·2⁻⁵², which the exponential passes on.
    np.testing.assert_allclose(found, expected, rtol=700 * 2.0**-51)


def test_the_cold_limit_is_the_hard_gate_and_the_hot_limit_a_coin():
    chi = np.array([-2.0, -1e-6, 0.3, 1e-6, 5.0])
    assert_array_equal(gate.gate_probability(chi, 0.0, 1e-12), gate.gate_probability(chi, 0.0))
    np.testing.assert_allclose(gate.gate_probability(chi, 0.0, 1e12), 0.5, rtol=1e-11)


def test_zero_temperature_is_strict():
    assert_array_equal(gate.gate_probability(np.array([-1.0, 0.0, 0.0, 1.0]), 0.0), [0, 0, 0, 1])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_infinite_scores_are_settled_whatever_the_price(temperature):
    chi = np.array([-math.inf, 0.0, math.inf])
    assert_array_equal(gate.gate_probability(chi, 0.0, temperature)[[0, 2]], [0, 1])
    assert_array_equal(gate.gate_probability(chi[:2], -math.inf, temperature), [0, 1])
    assert_array_equal(gate.gate_probability(chi[:2], math.inf, temperature), [0, 0])


def test_probability_takes_one_price_a_batch():
    chi = np.arange(6.0).reshape(2, 3)
    assert_array_equal(gate.gate_probability(chi, np.array([[0.0], [4.0]])), [[0, 1, 1], [0, 0, 1]])
    with pytest.raises(ValueError, match="same shape"):
        gate.gate_probability(chi, np.array([0.0, 4.0]))


@pytest.mark.parametrize(("price", "temperature"), [(0.0, -1.0), (0.0, math.nan), (0.0, math.inf), (math.nan, 1.0)])
def test_probability_refuses_bad_settings(price, temperature):
    with pytest.raises(ValueError, match="must be"):
        gate.gate_probability(np.ones(2), price, temperature)


# --- rate and price -----------------------------------------------------------------------------------------------


@given(st.integers(1, 10**8), st.floats(1e-9, 1.0))
def test_kept_count_rounds_half_up(batch_size, rate):
    expected = math.floor(Fraction(rate * batch_size) + Fraction(1, 2))
    assert gate.kept_count(rate, batch_size) == min(batch_size, max(1, expected))


def test_kept_count_at_halves():
    assert [gate.kept_count(0.5, n) for n in (1, 2, 3, 5, 7)] == [1, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_quantile_price_keeps_exactly_k_without_ties(rate, size):
    chi = np.random.default_rng(0).normal(size=(3, size))
    price = gate.quantile_price(chi, rate, keepdims=True)
    n_kept = gate.kept_count(rate, size)
    assert_array_equal((chi > price).sum(-1), n_kept)
    expected = np.sort(chi, -1)[:, ::-1][:, n_kept] if n_kept < size else np.full(3, -math.inf)
    assert_array_equal(gate.quantile_price(chi, rate), expected)
    assert_array_equal(gate.quantile_price(torch.from_numpy(chi), rate).numpy(), expected)


def test_quantile_price_beyond_the_size_that_torch_quantile_refuses():
    size = 2**24 + 3
    chi = torch.arange(size, dtype=torch.float64).flip(0)
    with pytest.raises(RuntimeError, match="too large"):
        torch.quantile(chi, 0.5)
    assert gate.quantile_price(chi, 0.25, check=False) == size - gate.kept_count(0.25, size) - 1


@pytest.mark.parametrize("temperature", [1e-6, 0.05, 1.0, 100.0])
@pytest.mark.parametrize("rate", [0.001, 0.03, 0.5, 0.97])
def test_calibrated_price_against_brentq(rate, temperature):
    chi = np.random.default_rng(1).standard_exponential((2, 500)) - 0.4
    price = gate.calibrated_price(chi, rate, temperature, keepdims=True)
    achieved = gate.gate_probability(chi, price, temperature).mean(-1)
    np.testing.assert_allclose(achieved, rate, rtol=1e-9)
    for row, found in zip(chi, price[:, 0], strict=True):
        span = 50 * temperature + 50

        def excess(level, row=row):
            return gate.gate_probability(row, float(level), temperature).mean() - rate

        if temperature >= 0.05:  # colder, the mean is flat between scores and the root is not unique in rounding
            assert brentq(excess, -span * 10, span * 10, xtol=1e-13) == pytest.approx(found, rel=1e-9, abs=1e-9)


def test_calibrated_price_at_the_edges():
    chi = np.array([1.0, 2.0, -math.inf, -math.inf])
    assert gate.calibrated_price(chi, 1.0, 0.5) == -math.inf
    assert gate.calibrated_price(chi, 0.5, 0.5) == -math.inf  # even an open gate keeps no more than half
    assert math.isfinite(gate.calibrated_price(chi, 0.4, 0.5))
    assert gate.calibrated_price(np.array([math.inf, 0.0]), 0.5, 1.0) == math.inf
    assert gate.calibrated_price(chi, 0.25, 0.0) == gate.quantile_price(chi, 0.25)


# --- selection ----------------------------------------------------------------------------------------------------


@settings(max_examples=200, derandomize=True)
@given(
    st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0, math.inf]), min_size=1, max_size=30),
    st.integers(1, 30),
    st.integers(0, 2**32),
)
def test_selection_is_the_sorted_definition_in_numpy_and_torch(scores, n_kept, seed):
    n_kept = min(n_kept, len(scores))
    chi = np.array(scores)
    tie_breakers = np.random.default_rng(seed).random(len(scores))
    expected = sorted_mask(scores, n_kept, tie_breakers)
    for check in (True, False):
        assert_array_equal(gate.select_exactly(chi, n_kept, tie_breakers, check=check), expected)
        tensors = torch.from_numpy(chi), torch.from_numpy(tie_breakers)
        assert_array_equal(gate.select_exactly(tensors[0], n_kept, tensors[1], check=check).numpy(), expected)


def test_selections_refuse_nan_unless_told_not_to_look():
    chi, ties = np.array([0.0, math.nan, 1.0]), np.zeros(3)
    rng = np.random.default_rng(0)
    for call in (
        lambda **check: gate.select(chi, 0.5, rng, **check),
        lambda **check: gate.select_exactly(chi, 2, ties, **check),
        lambda **check: gate.quantile_price(chi, 0.5, **check),
        lambda **check: gate.calibrated_price(chi, 0.5, 0.0, **check),
    ):
        for check in ({}, {"check": True}):
            with pytest.raises(ValueError, match=r"^score must be a number, got nan \(sample 1"):
                call(**check)
        assert not np.isnan(call(check=False)).any()


@pytest.mark.parametrize("rate", [0.01, 0.5, 1.0])
def test_batches_of_one_keep_it(rate):
    for chi in (torch.zeros((3, 1)), np.zeros((3, 1))):
        generator = torch.Generator() if isinstance(chi, torch.Tensor) else np.random.default_rng(0)
        assert np.asarray(gate.select(chi, rate, generator)).tolist() == [[True]] * 3


def test_equal_tie_breakers_still_keep_exactly_k():
    mask = gate.select_exactly(np.zeros((2, 9)), 4, np.zeros((2, 9)))
    assert_array_equal(mask, [[True] * 4 + [False] * 5] * 2)


@pytest.mark.parametrize("rate", RATES)
def test_select_keeps_exactly_k_of_tied_batches(rate):
    rng = np.random.default_rng(2)
    chi = rng.integers(0, 3, size=(4, 5, 100)).astype(np.float32)
    mask = gate.select(chi, rate, rng)
    assert mask.dtype == np.bool_
    assert_array_equal(mask.sum(-1), gate.kept_count(rate, 100))
    # Nothing dropped beats anything kept.
    assert (np.where(mask, chi, np.inf).min(-1) >= np.where(mask, -np.inf, chi).max(-1)).all()


def keep_frequencies(select):
    """How often each of 8 tied samples is among the 3 kept, with its standard error, over 20,000 batches."""
    chi = np.tile(np.array([1.0] + [0.0] * 8), (20_000, 1))
    kept = select(chi)[:, 1:]
    assert_array_equal(kept.sum(-1), 3)
    p = 3 / 8
    return (kept.mean(0) - p) / math.sqrt(p * (1 - p) / len(chi))


def test_ties_are_broken_uniformly():
    rng = np.random.default_rng(3)
    assert np.abs(keep_frequencies(lambda chi: gate.select(chi, 4 / 9, rng))).max() < 4


def test_negative_control_ties_broken_by_position_are_noticed():
    in_order = np.tile(np.arange(9.0), (20_000, 1))
    assert np.abs(keep_frequencies(lambda chi: gate.select_exactly(chi, 4, in_order))).max() > 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_select_in_every_dtype_and_off_the_default_device(dtype):
    chi = torch.linspace(-3, 3, 600, dtype=torch.float64).reshape(3, 200).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):  # a tensor made on the default device would have no values and fail
        for check in (True, False):
            assert gate.select(chi, 0.03, generator, check=check).sum(-1).tolist() == [6, 6, 6]
        price = gate.calibrated_price(chi, 0.3, 0.5, keepdims=True)
        drawn = gate.sample_gate(gate.gate_probability(chi, price, 0.5), generator)
    assert drawn.device.type == "cpu"
    assert 0 < drawn.sum() < 600


def test_scores_of_minus_infinity_are_never_kept():
    chi = np.array([-math.inf, 1.0, -math.inf, 0.0])
    assert_array_equal(gate.select(chi, 1.0, np.random.default_rng(0)), [False, True, False, True])
    assert_array_equal(chi > gate.quantile_price(chi, 0.75), [False, True, False, True])


def test_sample_gate_frequencies():
    probability = np.broadcast_to(np.array([0.0, 0.03, 0.5, 1.0]), (40_000, 4))
    opened = gate.sample_gate(probability, np.random.default_rng(4)).mean(0)
    assert opened[0] == 0
    assert opened[3] == 1
    for share, p in zip(opened[1:3], (0.03, 0.5), strict=True):
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / 40_000)


def test_a_closed_gate_stays_closed_and_an_open_one_open_at_the_ends_of_what_is_drawn():
    class Lowest(np.random.Generator):
        def random(self, shape):
            return np.zeros(shape)

    lowest = Lowest(np.random.PCG64(0))
    assert gate.sample_gate(np.array([0.0, 5e-324, 1.0]), lowest).tolist() == [False, True, True]


# --- the setting --------------------------------------------------------------------------------------------------


def test_gate_settings():
    chi = np.random.default_rng(5).normal(size=(6, 1000))
    rng = np.random.default_rng(6)
    assert_array_equal(Gate(rate=0.03)(chi, rng).sum(-1), 30)
    assert_array_equal(Gate(price=0.0)(chi), chi > 0)
    assert_array_equal(Gate(price=0.7)(chi, check=False), chi > 0.7)
    soft = Gate(price=0.1, temperature=0.5)
    w = gate.gate_probability(chi, 0.1, 0.5)
    assert abs(soft(chi, rng).mean() - w.mean()) < 4 * math.sqrt((w * (1 - w)).sum()) / w.size
    assert abs(Gate(rate=0.2, temperature=0.5)(chi, rng).mean() - 0.2) < 4 * math.sqrt(0.2 * 0.8 / chi.size)


def test_a_gate_at_a_rate_keeps_exactly_k_of_tied_batches():
    """A price alone would keep all of the tied samples, or none."""
    tied = np.zeros((50, 20))
    for chi, generator in (
        (tied, lambda: np.random.default_rng(7)),
        (torch.from_numpy(tied), lambda: torch.Generator().manual_seed(7)),
    ):
        masks = np.asarray(Gate(rate=0.25)(chi, generator()))
        assert_array_equal(masks.sum(-1), 5)
        assert len(np.unique(masks, axis=0)) > 40, "at random"
        assert_array_equal(masks, np.asarray(gate.select(chi, 0.25, generator())))
        assert Gate(rate=1.0)(chi, generator()).all()


def test_the_default_gate_is_hard():
    chi = np.array([-1.0, -1e-300, 0.0, 1e-300, 1.0])
    assert Gate(price=0.0).temperature == 0
    assert_array_equal(Gate(price=0.0)(chi), [False, False, False, True, True])
    assert_array_equal(gate.gate_probability(chi, 0.0), [0, 0, 0, 1, 1])


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_probability_refuses_nan(temperature):
    for chi in (np.array([[0.0, 1.0], [math.nan, 2.0]]), torch.tensor([[0.0, 1.0], [math.nan, 2.0]])):
        with pytest.raises(ValueError, match=r"score must be a number, got nan \(sample 2 of the flattened batch\)"):
            gate.gate_probability(chi, 0.0, temperature)


def test_a_soft_gate_whose_price_is_out_of_range_refuses_it():
    chi = np.array([0.0, 1.0])
    with pytest.raises(FloatingPointError, match=r"opens 0\.97 of the batch"):
        Gate(rate=0.97, temperature=1e308)(chi, np.random.default_rng(0))
    assert Gate(rate=0.97, temperature=1e308)(chi, np.random.default_rng(0), check=False).shape == (2,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "either a rate or a price"),
        ({"rate": 0.1, "price": 0.0}, "either a rate or a price"),
        ({"rate": 0.0}, r"rate must be in \(0, 1\], got 0.0"),
        ({"rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"price": math.nan}, "^price must be a number, got nan$"),
        ({"price": 0.0, "temperature": -1.0}, "temperature must be finite and at least 0, got -1.0"),
    ],
)
def test_gate_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Gate(**settings)


@pytest.mark.parametrize(
    "call", [lambda x: gate.quantile_price(x, 0.5), lambda x: gate.calibrated_price(x, 0.5, 1.0)]
)
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.array([1.0, math.nan]), ValueError, "score must be a number, got nan"),
        (np.zeros((3, 0)), ValueError, r"at least one sample on its last axis, got shape \(3, 0\)"),
        (np.float64(1.0), ValueError, r"at least one sample on its last axis, got shape \(\)"),
        (np.zeros(3, dtype=np.int64), TypeError, "real floating dtype, got int64"),
        (torch.zeros(3, dtype=torch.int64), TypeError, "real floating dtype, got torch.int64"),
        ("text", TypeError, "array of real numbers, got str"),
    ],
)
def test_batches_are_checked(call, bad, error, message):
    with pytest.raises(error, match=message):
        call(bad)


def test_wrong_generators_are_named():
    with pytest.raises(TypeError, match=r"numpy.random.Generator for a NumPy array, got NoneType"):
        gate.select(np.zeros(3), 0.5)
    with pytest.raises(TypeError, match=r"torch.Generator on cpu or None for a tensor, got Generator"):
        gate.select(torch.zeros(3), 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="tie_breakers must have the shape of score"):
        gate.select_exactly(np.zeros(3), 1, np.zeros(2))
    with pytest.raises(ValueError, match="n_kept must be between 1 and the batch size 3, got 4"):
        gate.select_exactly(np.zeros(3), 4, np.zeros(3))
    with pytest.raises(ValueError, match=r"probability must be in \[0, 1\], got 1.5"):
        gate.sample_gate(np.array([0.5, 1.5]), np.random.default_rng(0))


def test_the_gate_does_not_import_torch():
    code = "import sys, kondo_theory.gate; sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- edges of the number formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_delight_saturates_in_every_dtype(dtype):
    large = np.sqrt(np.finfo(dtype).max) * np.ones(2, dtype) * 4
    chi = gate.delight(large * np.array([1, -1], dtype), large)
    assert_array_equal(chi, np.array([1, -1]) * np.finfo(dtype).max)


def test_temperatures_and_scores_at_the_edge_of_the_dtype_stay_numbers():
    chi = np.array([-3e38, -1.0, 0.0, 1.0, 3e38], dtype=np.float32)
    for array in (chi, torch.from_numpy(chi)):
        assert np.asarray(gate.gate_probability(array, 0.0, 1e-50)).tolist() == [0, 0, 0.5, 1, 1]
    huge = np.array([1e308, 1e308, 1.7e308])
    assert math.isfinite(gate.calibrated_price(huge, 0.5, 1.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_probabilities_have_the_dtype_of_the_scores(dtype, temperature):
    """Whatever the price's own; a price for the gate is float64 whatever the scores."""
    chi = np.array([[0.5, -0.5, math.inf]], dtype)
    for array, prices in ((chi, np.zeros((1, 1))), (torch.from_numpy(chi), torch.zeros((1, 1), dtype=torch.float64))):
        for price in (0.0, prices):
            assert gate.gate_probability(array, price, temperature).dtype == array.dtype
        assert gate.calibrated_price(array, 0.5, 0.5).dtype == prices.dtype


def test_numbers_and_lists_join_the_other_arguments_library():
    assert torch.equal(gate.delight(0.5, torch.ones(3)), torch.full((3,), 0.5))
    assert torch.equal(gate.delight(torch.ones(2), [1.0, 2.0]), torch.tensor([1.0, 2.0]))
    ties = gate.select_exactly(torch.zeros(2), 1, [0.9, 0.1])
    assert ties.tolist() == [False, True]
    assert torch.equal(gate.delight([1.0, 2.0], torch.ones(2)), torch.tensor([1.0, 2.0]))
    for mixed in ((np.ones(2), torch.ones(2)), (torch.ones(2), np.ones(2))):
        with pytest.raises(TypeError, match="of the other argument's library"):
            gate.delight(*mixed)
    with pytest.raises(TypeError, match="price must be of the other argument's library"):
        gate.gate_probability(torch.ones(2), np.zeros(2))


def test_tie_breakers_must_be_numbers():
    with pytest.raises(ValueError, match="tie_breakers must be numbers, got nan"):
        gate.select_exactly(np.zeros(3), 1, np.array([0.1, math.nan, 0.2]))
