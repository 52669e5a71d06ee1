"""The setting ``Gate``: at a rate, at a price, hard and soft."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from kondo_theory import gate
from kondo_theory.gate import Gate


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


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_a_gate_that_is_not_calibrated_draws_at_the_batchs_quantile(as_array):
    """Worked out by hand: the price is the second largest of four, so the tied of them are kept half of the time."""
    chi = as_array(np.array([[3.0, 1.0, 1.0, -2.0], [0.0, 0.0, 0.0, 0.0]]))
    drawn = Gate(rate=0.25, temperature=0.5, calibrated=False)
    assert drawn.price_of(chi).tolist() == [1.0, 0.0]
    assert gate.quantile_price(chi, 0.25).tolist() == [1.0, 0.0]
    w = [[1 / (1 + math.exp(-4)), 0.5, 0.5, 1 / (1 + math.exp(6))], [0.5] * 4]
    for shift in (-1e-6, 1e-6):
        uniforms = as_array(np.array(w) + shift)
        assert_array_equal(np.asarray(drawn(chi, uniforms)), np.full((2, 4), shift < 0))
    cold = Gate(rate=0.25, temperature=0.0, calibrated=False)
    uniforms = as_array(np.array([[0.9, 0.1, 0.2, 0.3]] * 2))
    assert_array_equal(np.asarray(cold(chi, uniforms)), np.asarray(gate.select(chi, 0.25, uniforms)))
    assert repr(cold) == "Gate(rate=0.25, calibrated=False)"
    mask = as_array(np.array([[True, True, True, True], [True, True, False, False]]))
    assert drawn.price_of(chi, mask=mask).tolist() == [1.0, 0.0]


def test_the_default_gate_is_hard():
    chi = np.array([-1.0, -1e-300, 0.0, 1e-300, 1.0])
    assert Gate(price=0.0).temperature == 0
    assert_array_equal(Gate(price=0.0)(chi), [False, False, False, True, True])
    assert_array_equal(gate.gate_probability(chi, 0.0), [0, 0, 0, 1, 1])


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
        (
            {"rate": 0.1, "temperature": -1.0, "calibrated": False},
            "temperature must be finite and at least 0, got -1",
        ),
        ({"price": 0.5, "calibrated": False}, "^calibrated belongs to a rate, got False with price 0.5$"),
        ({"rate": 0.1, "calibrated": "no"}, "^calibrated must be True or False, got 'no'$"),
    ],
)
def test_gate_refuses_bad_settings(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Gate(**settings)


def test_the_gate_does_not_import_torch():
    code = "import sys, kondo_theory.gate; sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
