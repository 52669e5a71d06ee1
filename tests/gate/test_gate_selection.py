"""Which samples are kept: against a sort written out, NumPy against torch bit for bit, ties at random."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from kondo_theory import gate

RATES = (0.001, 0.03, 0.1, 0.5, 0.999, 1.0)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def sorted_mask(scores, n_kept, tie_breakers):
    """The plain definition: sort by score descending, then tie-breaker; keep the first k that are not −∞."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], tie_breakers[i]))
    mask = np.zeros(len(scores), dtype=bool)
    mask[[i for i in order[:n_kept] if scores[i] > -math.inf]] = True
    return mask


@settings(max_examples=200)
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


def test_tie_breakers_must_be_numbers():
    with pytest.raises(ValueError, match="tie_breakers must be numbers, got nan"):
        gate.select_exactly(np.zeros(3), 1, np.array([0.1, math.nan, 0.2]))
