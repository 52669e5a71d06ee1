"""Floats of 16 bits and the ends of every number format: a score keeps its sign, a probability its digits."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from kondo_theory import gate
from kondo_theory.gate import Gate
from kondo_theory.screening import RULES

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


LIBRARIES = (np.asarray, torch.from_numpy)


# --- 16-bit floats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_small_products_of_16_bit_floats_keep_their_sign(dtype):
    advantage = torch.tensor([1e-4, -1e-4, 1e-7, 0.0]).to(dtype)
    surprisal = torch.tensor([1e-4, 1e-4, 1e-7, 1e-7]).to(dtype)
    if dtype == torch.float16:
        assert not (advantage * surprisal).any(), "their own products underflow"
    chi = gate.delight(advantage, surprisal)
    assert chi.dtype == torch.float32
    assert chi.sign().tolist() == [1, -1, 1, 0]
    assert Gate(price=0.0)(chi).tolist() == [True, False, True, False]
    assert_array_equal(chi.double().numpy(), (advantage.float() * surprisal.float()).double().numpy())


def test_small_products_of_16_bit_floats_in_numpy():
    chi = gate.delight(np.array([1e-4], np.float16), np.array([1e-4], np.float16))
    assert chi.dtype == np.float32
    assert Gate(price=0.0)(chi).tolist() == [True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, np.float32, np.float64], ids=str)
def test_no_product_underflows_to_zero(dtype):
    make = torch.tensor if isinstance(dtype, torch.dtype) else np.array
    tiny = float(torch.finfo(dtype).tiny if isinstance(dtype, torch.dtype) else np.finfo(dtype).tiny)
    chi = gate.delight(make([tiny, -tiny, 0.0, tiny], dtype=dtype), make([tiny, tiny, tiny, 0.0], dtype=dtype))
    assert Gate(price=0.0)(chi).tolist() == [True, False, False, False]
    assert (chi < 0).tolist() == [False, True, False, False]
    assert 0 < float(chi[0]) < tiny


@pytest.mark.parametrize("name", ["delight", "additive", "abs-advantage-entropy"])
def test_rules_saturate_instead_of_ruling_a_sample_in_or_out(name):
    largest = np.finfo(np.float32).max
    huge = np.array([largest, -largest, 1e-30], dtype=np.float32)
    beside = np.array([largest, largest, 1e-30], dtype=np.float32)
    for as_array in LIBRARIES:
        found = np.asarray(RULES[name](as_array(huge), as_array(beside), as_array(beside)))
        assert np.isfinite(found).all()
        assert found[2] > 0
    found = RULES["additive"](np.array([-largest, largest]), np.array([0.0, largest]), None, alpha=1.0)
    assert_array_equal(found, [-largest, largest])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_computes_16_bit_floats_wide(name, dtype):
    rng = np.random.default_rng(8)
    parts = [torch.from_numpy(values).to(dtype) for values in (rng.standard_normal(50), *rng.random((2, 50)))]
    parts[0][:10], parts[1][:10], parts[2][:10] = 1e-5, 1e-5, 1e-5
    found = RULES[name](*parts)
    assert found.dtype == torch.float32
    assert_array_equal(found.numpy(), RULES[name](*(part.float() for part in parts)).numpy())


def test_probabilities_of_16_bit_scores_do_not_round_to_a_certainty():
    chi = torch.tensor([7.0, -20.0], dtype=torch.bfloat16)
    found = gate.gate_probability(chi, 0.0, 1.0)
    assert found.dtype == torch.float32
    assert found[0] < 1
    assert found[0].bfloat16() == 1
    assert found[1] == pytest.approx(math.exp(-20), rel=1e-6)
    price = gate.gate_probability(torch.tensor([0.3], dtype=torch.float16), 0.3)
    assert price.tolist() == [1.0], "the float16 next to 0.3 is above it"
