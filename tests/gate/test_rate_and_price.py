"""The price of a rate: the quantile that keeps exactly k, the calibrated one against a root finder."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.optimize import brentq

from kondo_theory import gate

RATES = (0.001, 0.03, 0.1, 0.5, 0.999, 1.0)


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


@pytest.mark.parametrize("scores", [[-math.inf] * 3, [math.inf] * 3, [math.inf, math.inf, -math.inf, -math.inf]])
@pytest.mark.parametrize("as_array", [np.asarray, torch.tensor])
def test_infinite_scores_alone_leave_nothing_to_solve(scores, as_array):
    """Without a warning: the infinite prices of all that is kept for certain, or of nothing."""
    always = scores.count(math.inf) / len(scores)
    for rate in (0.25, 0.5, 1.0):
        expected = math.inf if always > rate else -math.inf
        assert float(gate.calibrated_price(as_array(scores), rate, 0.5)) == expected


class OtherArray:
    """An array of a third library, as far as the array standard's mark tells."""

    def __array_namespace__(self, api_version=None):
        return np


@pytest.mark.parametrize(
    "call", [lambda x: gate.quantile_price(x, 0.5), lambda x: gate.calibrated_price(x, 0.5, 1.0)]
)
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.array([1.0, math.nan]), ValueError, "score must be a number, got nan"),
        (np.zeros((3, 0)), ValueError, r"at least one sample on its last axis, got shape \(3, 0\)"),
        (np.float64(1.0), ValueError, r"at least one sample on its last axis, got shape \(\)"),
        (OtherArray(), TypeError, "score must be a NumPy array or a torch tensor, got OtherArray"),
        (np.zeros(3, dtype=np.int64), TypeError, "real floating dtype, got int64"),
        (torch.zeros(3, dtype=torch.int64), TypeError, "real floating dtype, got torch.int64"),
        ("text", TypeError, "array of real numbers, got str"),
    ],
)
def test_batches_are_checked(call, bad, error, message):
    with pytest.raises(error, match=message):
        call(bad)


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_batches_side_by_side_may_have_a_rate_each_at_a_temperature(as_array):
    chi, rates = np.random.default_rng(0).normal(size=(3, 40)), (0.03, 0.5, 1.0)
    found = gate.calibrated_price(as_array(chi), as_array(np.array(rates)[:, None]), 0.5)
    expected = [
        float(gate.calibrated_price(as_array(each), rate, 0.5)) for each, rate in zip(chi, rates, strict=True)
    ]
    assert [float(each) for each in found] == expected
    for rate in (np.float32(0.29), torch.tensor(0.29)):
        narrow = gate.calibrated_price(as_array(chi), rate, 0.5)
        assert_array_equal(narrow, gate.calibrated_price(as_array(chi), 0.29, 0.5), "one number is a decimal")
