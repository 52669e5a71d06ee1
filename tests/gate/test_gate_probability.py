"""Delight and the gate's probability, against mpmath in both tails and at their limits."""

import math

import mpmath
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from kondo_theory import gate

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_probability_refuses_nan(temperature):
    for chi in (np.array([[0.0, 1.0], [math.nan, 2.0]]), torch.tensor([[0.0, 1.0], [math.nan, 2.0]])):
        with pytest.raises(ValueError, match=r"score must be a number, got nan \(sample 2 of the flattened batch\)"):
            gate.gate_probability(chi, 0.0, temperature)
