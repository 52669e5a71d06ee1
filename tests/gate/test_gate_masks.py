"""What is no sample (masked) and what is no number (NaN): none is kept, or lost, by mistake."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from kondo_theory import _domain, gate
from kondo_theory.gate import Gate
from kondo_theory.screening import RULES
from kondo_theory.training import group_advantage

GATES = (
    Gate(rate=0.3),
    Gate(rate=1.0),
    Gate(price=0.0),
    Gate(price=-math.inf),
    Gate(price=-5.0, temperature=0.5),
    Gate(rate=0.4, temperature=0.5),
    Gate(rate=0.4, temperature=0.5, calibrated=False),
)
LIBRARIES = (np.asarray, torch.from_numpy)


def generator(array, seed=0):
    return np.random.default_rng(seed) if isinstance(array, np.ndarray) else torch.Generator().manual_seed(seed)


def scores(shape=(4, 10), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# --- NaN ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("setting", GATES, ids=repr)
def test_a_nan_score_is_a_score_of_minus_infinity(setting, as_array):
    """It is never kept, the others are kept as beside −∞, and other batches of the stack do not notice."""
    chi = scores()
    bad = np.zeros(chi.shape, dtype=bool)
    bad[1, 3] = bad[2, :5] = bad[3] = True
    spoiled, ruled_out = np.where(bad, math.nan, chi), np.where(bad, -math.inf, chi)
    spoiled, ruled_out, whole = as_array(spoiled), as_array(ruled_out), as_array(chi)
    for seed in range(5):
        kept = np.asarray(setting(spoiled, generator(spoiled, seed), check=False))
        assert not kept[bad].any()
        assert_array_equal(kept, np.asarray(setting(ruled_out, generator(spoiled, seed), check=True)))
        assert_array_equal(kept[0], np.asarray(setting(whole, generator(spoiled, seed)))[0])
    with pytest.raises(ValueError, match=r"score must be a number, got nan \(sample 13"):
        setting(spoiled, generator(spoiled))


def test_a_rate_keeps_its_count_beside_a_nan():
    """Sorting puts NaN above everything: the price became NaN, and nothing was ever kept again."""
    chi = np.array([0.1, math.nan, 0.9, 0.5, -0.2, 0.3, 0.2, 0.7, 0.4, 0.6])
    for array in (chi, torch.from_numpy(chi)):
        assert np.flatnonzero(np.asarray(Gate(rate=0.3)(array, generator(array), check=False))).tolist() == [2, 7, 9]
        assert float(gate.quantile_price(array, 0.3, check=False)) == 0.5
        assert math.isfinite(gate.calibrated_price(array, 0.3, 1.0, check=False))


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_probability_of_a_nan_score_is_zero(temperature, as_array):
    chi = as_array(np.array([math.nan, 1.0, -1.0]))
    found = gate.gate_probability(chi, -math.inf, temperature, check=False)
    assert found.tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="score must be a number, got nan"):
        gate.gate_probability(chi, 0.0, temperature)
    prices = as_array(np.array([math.nan, math.nan, 0.0]))
    assert gate.gate_probability(as_array(np.ones(3)), prices, temperature, check=False).tolist()[:2] == [0, 0]
    with pytest.raises(ValueError, match="price must be a number, got nan"):
        gate.gate_probability(as_array(np.ones(3)), prices, temperature)
    assert not np.asarray(gate.sample_gate(chi * 0 + math.nan, generator(chi), check=False)).any()


@pytest.mark.parametrize("as_array", LIBRARIES)
def test_tie_breakers_of_nan_come_last(as_array):
    chi, ties = as_array(np.zeros(4)), as_array(np.array([math.nan, 0.9, math.nan, 0.1]))
    for n_kept, expected in ((1, [3]), (2, [1, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3])):
        found = gate.select_exactly(chi, n_kept, ties, check=False)
        assert np.flatnonzero(np.asarray(found)).tolist() == expected


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("name", sorted(RULES))
def test_no_rule_scores_a_sample_whose_numbers_are_nan(name, as_array):
    """Not even one that does not look at them: its gradient would be NaN."""
    rng = np.random.default_rng(1)
    advantage, surprisal, entropy = rng.standard_normal((2, 9)), rng.random((2, 9)), rng.random((2, 9))
    clean = RULES[name](advantage, surprisal, entropy)
    for part in range(3):
        parts = [advantage.copy(), surprisal.copy(), entropy.copy()]
        parts[part][0, 4] = math.nan
        found = np.asarray(RULES[name](*(as_array(one) for one in parts)))
        if part < 2 or "entropy" in name:
            assert math.isnan(found[0, 4])
            kept = np.asarray(gate.select(as_array(found), 1.0, generator(as_array(found)), check=False))
            assert not kept[0, 4]
        assert not np.isnan(np.delete(found.ravel(), 4)).any()
        assert_array_equal(found[1], clean[1])


def test_the_entropy_band_is_that_of_the_entropies_that_are_numbers():
    entropy = np.array([0.1, math.nan, 0.4, 0.2, math.nan, 0.3, 0.5])
    numbers = ~np.isnan(entropy)
    for array in (entropy, torch.from_numpy(entropy)):
        found = np.asarray(RULES["entropy-band"](array * 0 + 1, array, array))
        zeros = np.ones(5)
        assert_array_equal(found[numbers], RULES["entropy-band"](zeros, zeros, entropy[numbers]))
        assert np.isfinite(found).sum() == 3


def test_delight_without_check_saturates_infinities_and_passes_nan_on():
    advantage, surprisal = np.array([math.inf, -math.inf, math.inf, math.nan]), np.array([1.0, 1.0, 0.0, 1.0])
    largest = np.finfo(float).max
    for as_array in LIBRARIES:
        found = gate.delight(as_array(advantage), as_array(surprisal), check=False)
        assert_array_equal(np.asarray(found), [largest, -largest, math.nan, math.nan])


# --- masks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("padding", [7.0, -math.inf, math.inf, math.nan])
def test_a_masked_batch_is_the_batch_without_its_padding(padding, as_array):
    """At any rate, temperature and price, with the same random numbers, whatever stands in the padding."""
    rng = np.random.default_rng(2)
    chi = np.round(rng.standard_normal((6, 12)), 1)  # ties among them
    chi[2, :4] = -math.inf  # a rule's own: they stay in the base
    mask = rng.random((6, 12)) < np.array([1.0, 0.9, 0.8, 0.5, 0.2, 0.0])[:, None]
    padded, valid, ties = as_array(np.where(mask, chi, padding)), as_array(mask), rng.random(chi.shape)
    for rate in (0.05, 0.29, 0.5, 1.0):
        drawn = np.asarray(gate.select(padded, rate, generator(padded), mask=valid))
        quantile = np.asarray(gate.quantile_price(padded, rate, mask=valid))
        calibrated = np.asarray(gate.calibrated_price(padded, rate, 0.7, mask=valid))
        assert not drawn[~mask].any()
        for row in range(6):
            own = chi[row, mask[row]]
            if not own.size:
                assert quantile[row] == calibrated[row] == math.inf
                continue
            n_kept = gate.kept_count(rate, own.size)
            assert drawn[row].sum() == min(n_kept, np.isfinite(own).sum())
            assert quantile[row] == gate.quantile_price(own, rate)
            assert calibrated[row] == pytest.approx(float(gate.calibrated_price(own, rate, 0.7)), rel=1e-12)
            kept = gate.select_exactly(padded[row], n_kept, as_array(ties[row]), mask=valid[row])
            assert_array_equal(np.asarray(kept)[mask[row]], gate.select_exactly(own, n_kept, ties[row, mask[row]]))
    for temperature in (0.0, 0.7):
        found = np.asarray(gate.gate_probability(padded, 0.1, temperature, mask=valid))
        assert_array_equal(found[mask], gate.gate_probability(chi[mask], 0.1, temperature))
        assert not found[~mask].any()


def test_padding_counted_in_k_where_the_mask_does_not():
    """Half the batch is padding: a rate of one half keeps half of the other half."""
    chi = np.where(np.arange(20) < 10, np.arange(20.0), -math.inf)
    mask = np.isfinite(chi)
    rng = np.random.default_rng(3)
    assert gate.select(chi, 0.5, rng).sum() == 10, "padding marked −∞ stays in the base"
    assert gate.select(chi, 0.5, rng, mask=mask).sum() == 5
    assert Gate(rate=0.5)(chi, rng, mask=mask).sum() == 5
    half_invalid = np.array([0.3, 0.2, 0.1, -math.inf, -math.inf, -math.inf])
    assert gate.select(half_invalid, 0.5, rng).sum() == 3, "a rule's own −∞ stays in the base"


@pytest.mark.parametrize("as_array", LIBRARIES)
@pytest.mark.parametrize("setting", GATES, ids=repr)
def test_every_gate_takes_a_mask(setting, as_array):
    chi, mask = scores((5, 40), 4), np.random.default_rng(5).random((5, 40)) < 0.6
    mask[0], mask[1] = True, False
    padded = as_array(np.where(mask, chi, math.nan))
    kept = np.asarray(setting(padded, generator(padded), mask=as_array(mask)))
    assert not kept[~mask].any()
    assert not kept[1].any(), "a batch with no valid sample keeps none"
    assert kept[0].any()
    assert_array_equal(kept, np.asarray(setting(padded, generator(padded), check=False, mask=as_array(mask))))
    whole = as_array(chi)
    alone = setting(whole, generator(whole))
    assert_array_equal(np.asarray(alone), np.asarray(setting(whole, generator(whole), mask=whole == whole)))
    with pytest.raises(ValueError, match="score must be a number, got nan"):
        setting(padded, generator(padded), mask=as_array(np.ones_like(mask)))


def test_soft_gates_open_the_rate_of_the_valid_samples():
    rng = np.random.default_rng(6)
    chi, mask = rng.standard_normal((2_000, 30)), rng.random((2_000, 30)) < 0.4
    kept = Gate(rate=0.2, temperature=0.5)(chi, rng, mask=mask)
    share, error = kept.sum() / mask.sum(), math.sqrt(0.2 * 0.8 / mask.sum())
    assert abs(share - 0.2) < 4 * error
    unmasked = Gate(rate=0.2, temperature=0.5)(np.where(mask, chi, -math.inf), rng).sum() / mask.sum()
    assert abs(unmasked - 0.2) > 4 * error, "negative control: padding in the base"


def test_masks_stretch_to_the_scores():
    chi = scores((3, 4))
    rng = np.random.default_rng(7)
    for mask, expected in (
        (np.array([True, False, True, True]), [3, 3, 3]),
        (np.array([[True], [False], [True]]), [4, 0, 4]),
        ([True, True, False, False], [2, 2, 2]),
        (True, [4, 4, 4]),
    ):
        assert gate.select(chi, 1.0, rng, mask=mask).sum(-1).tolist() == expected
        if not isinstance(mask, bool):
            tensor = torch.as_tensor(mask)
            assert gate.select(torch.from_numpy(chi), 1.0, mask=tensor).sum(-1).tolist() == expected


CALLS = {
    "gate at a rate": lambda chi, mask: Gate(rate=0.5)(chi, generator(chi), mask=mask),
    "gate at a price": lambda chi, mask: Gate(price=0.0)(chi, mask=mask),
    "select": lambda chi, mask: gate.select(chi, 0.5, generator(chi), mask=mask),
    "select_exactly": lambda chi, mask: gate.select_exactly(chi, 1, chi * 0, mask=mask),
    "quantile_price": lambda chi, mask: gate.quantile_price(chi, 0.5, mask=mask),
    "calibrated_price": lambda chi, mask: gate.calibrated_price(chi, 0.5, 1.0, mask=mask),
    "gate_probability": lambda chi, mask: gate.gate_probability(chi, 0.0, mask=mask),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones(4), TypeError, "mask must be boolean, True where a sample is valid, got dtype float64"),
        (np.ones(4, dtype=int), TypeError, "mask must be boolean, .* got dtype int64"),
        ([1, 0, 1, 0], TypeError, "mask must be boolean, .* got dtype int64"),
        (np.ones(3, dtype=bool), ValueError, r"stretch to it, got \(3,\) and \(2, 4\)"),
        (np.ones((3, 2, 4), dtype=bool), ValueError, r"stretch to it, got \(3, 2, 4\) and \(2, 4\)"),
        (torch.ones(4, dtype=torch.bool), TypeError, "mask must be of the other argument's library, got Tensor"),
        (np.ma.masked_array(np.ones(4, dtype=bool)), TypeError, "mask must be a plain array, got MaskedArray"),
    ],
)
def test_wrong_masks_are_refused(name, mask, error, message):
    with pytest.raises(error, match=message):
        CALLS[name](np.zeros((2, 4)), mask)


MASKED = np.ma.masked_array([0.1, 0.2], mask=[False, True])
REFUSALS = {
    "delight": lambda: gate.delight(MASKED, np.ones(2)),
    "surprisal": lambda: gate.delight(np.ones(2), MASKED),
    "probability": lambda: gate.sample_gate(MASKED, np.random.default_rng(0)),
    "price": lambda: gate.gate_probability(np.ones(2), MASKED),
    "tie-breakers": lambda: gate.select_exactly(np.ones(2), 1, MASKED),
    "rule": lambda: RULES["surprisal"](np.ones(2), np.ones(2), MASKED),
    "reward": lambda: group_advantage(MASKED, 2),
    "groups": lambda: group_advantage(np.ones(2), np.ma.masked_array([1, 2])),
    "closed forms": lambda: _domain.real("policy", MASKED),
    **{name: lambda call=call: call(MASKED, None) for name, call in CALLS.items()},
}


@pytest.mark.parametrize("name", REFUSALS)
def test_arrays_with_a_mask_of_their_own_are_refused(name):
    with pytest.raises(
        TypeError, match="must be a plain array, got MaskedArray; a gate takes what is valid as its `mask`"
    ):
        REFUSALS[name]()


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
def test_masked_tensors_are_refused():
    masked = torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False]))
    with pytest.raises(TypeError, match="score must be a plain array, got MaskedTensor"):
        Gate(rate=0.5)(masked)
