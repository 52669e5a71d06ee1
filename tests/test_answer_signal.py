"""Signal of what rules keep of groups of answers: every sequence and every subset gone through, and limits."""

from itertools import combinations, product

import numpy as np
import pytest

from kondo_theory.gate import select
from kondo_theory.screening import RULES, answer_signal, kept_signal

BINARY, FRACTIONS = ([0.0, 1.0], [0.7, 0.3]), ([0.0, 0.5, 2.0], [0.5, 0.3, 0.2])


def tops(score, n_kept):
    """All sets of k of the largest scores, one for each way to break ties; those of −∞ left out."""
    eligible = [i for i in range(len(score)) if score[i] > -np.inf]
    k = min(n_kept, len(eligible))
    sets = list(combinations(eligible, k))
    worst = sorted(score[eligible])[len(eligible) - k :] if k else []
    return [each for each in sets if np.allclose(sorted(score[list(each)]), worst)]


def brute_force(rule, reward, probability, size, n_kept, mean):
    """Return E Σ U(R − r̄), E ΣU² and E n over all sequences of answers and all ways to break ties."""
    reward, total, true_mean = np.array(reward), np.zeros(3), np.dot(reward, probability)
    for drawn in product(range(len(reward)), repeat=size):
        R, chance = reward[list(drawn)], np.prod(np.array(probability)[list(drawn)])
        U = R - R.mean() if np.ptp(R) > 0 else np.zeros(size)
        score = np.where(U == 0, -np.inf, RULES[rule](U, np.ones(size), np.ones(size)))
        sets = [tuple(np.flatnonzero(score > 0))] if n_kept is None else tops(score, n_kept)
        for kept in map(list, sets):
            own = R[kept] - (R.mean() if mean == "group" else R[kept].mean() if kept else 0.0)
            found = np.array([np.sum(own * (R[kept] - true_mean)), np.sum(own**2), len(kept)])
            total += chance / len(sets) * found
    return total


@pytest.mark.parametrize("mean", ["group", "kept"])
@pytest.mark.parametrize(("law", "size"), [(BINARY, 5), (FRACTIONS, 3)])
@pytest.mark.parametrize(
    ("rule", "n_kept"),
    [("max-variance", 2), ("max-variance", 3), ("abs-advantage", 2), ("advantage", 3), ("uniform", 2),
     ("group-spread", 3), ("advantage", None), ("delight", 2)],
)  # fmt: skip
def test_against_every_sequence_and_subset(rule, n_kept, law, size, mean):
    found = answer_signal(rule, *law, size, n_kept, mean)
    expected = brute_force(rule, *law, size, n_kept, mean)
    np.testing.assert_allclose([found.signal, found.square, found.n_kept], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("mean", ["group", "kept"])
def test_large_groups_buy_what_their_closed_forms_say(p, mean):
    """Of 150 answers two are kept; f differs from p by a few hundredths."""
    shares = {"abs-advantage": float(p < 0.5), "advantage": 1.0, "max-variance": 0.5}
    for rule, x in shares.items():
        found = answer_signal(rule, [0.0, 1.0], [1 - p, p], 150, 2, mean)
        assert found.per_backward == pytest.approx(kept_signal(x, p, p, mean), abs=0.01)


@pytest.mark.parametrize("size", [2, 8, 16])
def test_all_answers_kept_fall_short_of_a_known_mean_by_one_over_the_group(size):
    reward, probability = np.array([0.0, 1.0, 4.0, 16.0]), np.array([0.5, 0.3, 0.15, 0.05])
    variance = probability @ reward**2 - (probability @ reward) ** 2
    for mean in ("group", "kept"):
        found = answer_signal("uniform", reward, probability, size, size, mean)
        assert found.signal / size == pytest.approx((1 - 1 / size) * variance, rel=1e-12)
        assert found.square == pytest.approx(found.signal, rel=1e-12)


def test_the_best_rule_depends_on_the_mean_that_is_subtracted():
    """G = 16, k = 4, p = 0.3: backward passes to a signal as large as the noise."""
    at = ([0.0, 1.0], [0.7, 0.3], 16, 4)
    costs = {(rule, mean): answer_signal(rule, *at, mean).cost
             for rule in ("max-variance", "abs-advantage", "uniform") for mean in ("group", "kept")}  # fmt: skip
    assert min(costs, key=costs.get) == ("abs-advantage", "group")
    assert max(costs, key=costs.get) == ("abs-advantage", "kept"), "its answers earn all the same: nothing is left"
    assert costs["abs-advantage", "group"] == pytest.approx(2.375, abs=1e-3)
    assert costs["max-variance", "kept"] == pytest.approx(4.023, abs=1e-3)
    assert costs["abs-advantage", "kept"] > 16


def test_in_small_groups_the_mean_of_the_kept_leaves_the_largest_advantages_nearly_all():
    at = ([0.0, 1.0], [0.9, 0.1], 8, 4, "kept")
    advantage, variance = (answer_signal(rule, *at).per_backward for rule in ("abs-advantage", "max-variance"))
    assert 0.95 < advantage / variance < 1


def test_pass_rates_broadcast_and_nothing_is_kept_of_a_certain_one():
    rates = np.array([0.0, 0.2, 0.9, 1.0])
    found = answer_signal("max-variance", [0.0, 1.0], np.stack([1 - rates, rates], axis=-1), 8, 4)
    assert found.per_backward.shape == (4,)
    assert found.n_kept[[0, 3]].tolist() == [0, 0]
    assert found.per_backward[[0, 3]].tolist() == [0, 0]
    assert np.isinf(found.cost[[0, 3]]).all()
    alone = answer_signal("max-variance", [0.0, 1.0], [0.8, 0.2], 8, 4)
    assert found.signal[1] == alone.signal


def test_a_function_is_a_rule_too_and_two_draws_agree():
    found = answer_signal(lambda U, surprisal, entropy: -U, *BINARY, 6, 2)
    rng = np.random.default_rng(0)
    R = (rng.random((40_000, 6)) < 0.3).astype(float)
    U = R - R.mean(axis=1, keepdims=True)
    keep = select(np.where(U == 0, -np.inf, -U), 2 / 6, rng)
    drawn = np.sum(keep * U * (R - 0.3), axis=1)
    assert drawn.mean() == pytest.approx(found.signal, abs=4 * drawn.std() / 200)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: answer_signal("luck", *BINARY, 4, 2), "rule must be one of delight, .* got 'luck'"),
        (lambda: answer_signal("advantage", *BINARY, 1, 1), r"group_size must be an integer ≥ 2, got 1\.0"),
        (lambda: answer_signal("advantage", *BINARY, 4.5, 1), r"group_size must be an integer ≥ 2, got 4\.5"),
        (lambda: answer_signal("advantage", *BINARY, 4, 5), r"n_kept must be an integer in \[1, 4\], got 5\.0"),
        (lambda: answer_signal("advantage", *BINARY, 4, 2, "median"), "mean must be one of group, kept"),
        (
            lambda: answer_signal("advantage", [0.0, 1.0, 2.0], [0.5, 0.5], 4, 2),
            "reward must have one value for each",
        ),
        (lambda: answer_signal("advantage", [0.0, 1.0], [0.5, 0.4], 4, 2), "the sum of probability must be 1"),
        (lambda: answer_signal("advantage", range(9), np.ones(9) / 9, 32, 2), "at most 100000 different groups"),
        (lambda: kept_signal(1.2, 0.5, 0.5), r"kept_share must be in \[0, 1\], got 1\.2"),
        (lambda: kept_signal(0.2, 0.5, 0.5, "median"), "mean must be one of group, kept"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
