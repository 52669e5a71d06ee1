"""What a gate keeps that keeps ties: against all batches of small sizes, at its limits, and what is refused."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from kondo_theory.token_trap.screening_ties import TIED_RULES, kept_with_ties, late_loss, share_with_ties


def brute(law, P, n, m, rule):
    """Every batch of points, ranked answer by answer."""
    kept = moving = 0.0
    for batch in product(range(len(law)), repeat=P * n):
        points = np.array(batch).reshape(P, n)
        distance = (n * points - points.sum(axis=1, keepdims=True)).ravel()
        score = TIED_RULES[rule](distance)
        keep = score >= np.sort(score)[-m]
        chance = np.prod(np.asarray(law)[list(batch)])
        kept += chance * keep.mean()
        moving += chance * (keep & (distance != 0)).mean()
    return kept, moving


@pytest.mark.parametrize("rule", TIED_RULES)
@pytest.mark.parametrize(("T", "P", "n", "m"), [(2, 2, 2, 2), (1, 2, 3, 2), (1, 3, 2, 4), (3, 1, 3, 2), (2, 1, 2, 1)])
def test_all_batches_give_the_same_shares(T, P, n, m, rule):
    law = np.random.default_rng(T + P).dirichlet(np.ones(T + 1))
    found = kept_with_ties(law, P, n, m, rule)
    assert (found.kept, found.moving) == pytest.approx(brute(law, P, n, m, rule), rel=1e-12)


def test_the_place_is_that_of_the_answer_with_the_kth_token():
    law = binom.pmf(range(4), 3, 0.7)  # 3 tokens, 12 answers: k = 4 is the first of the second answer
    for rate, m in ((1 / 36, 1), (3 / 36, 1), (4 / 36, 2), (1.0, 12)):
        found, expected = share_with_ties(0.7, 3, 4, 3, rate), kept_with_ties(law, 4, 3, m)
        assert (found.kept, found.moving) == pytest.approx((expected.kept, expected.moving), rel=1e-12), rate
    assert share_with_ties(0.7, 3, 4, 3, 1.0).kept == pytest.approx(1)


@pytest.mark.parametrize("rule", TIED_RULES)
@pytest.mark.parametrize(("T", "P", "n"), [(3, 3, 4), (3, 2, 3), (3, 2, 2), (1, 3, 2), (1, 1, 2), (2, 1, 3)])
def test_near_one_what_is_lost_has_the_slope_at_every_place(T, P, n, rule):
    off = 1e-7
    law = binom.pmf(range(T + 1), T, 1 - off)
    for m in range(1, P * n + 1):
        lost = (1 - kept_with_ties(law, P, n, m, rule).kept) / off
        assert lost == pytest.approx(late_loss(T, P, n, m, rule), rel=1e-4, abs=1e-3), m


def test_what_cannot_be_is_refused():
    for arguments, words in (
        ((0.5, 0, 2, 2, 0.1), "n_tokens must be"),
        ((0.5, 2, 2.5, 2, 0.1), "n_prompts must be an integer ≥ 1, got 2.5"),
        ((0.5, 2, 2, 1, 0.1), "n_answers must be"),
        ((1.0, 2, 2, 2, 0.1), "p must be"),
        ((0.5, 2, 2, 2, 0.0), "rate must be"),
        ((0.5, 2, 2, 2, 0.1, "delight"), "rule must be one of advantage, abs-advantage, uniform"),
    ):
        with pytest.raises(ValueError, match=words):
            share_with_ties(*arguments)
    with pytest.raises(ValueError, match="m must be at most the 4 answers, got 5"):
        kept_with_ties([0.5, 0.5], 2, 2, 5)
    with pytest.raises(ValueError, match="one distribution"):
        kept_with_ties([[0.5, 0.5]], 2, 2, 1)
