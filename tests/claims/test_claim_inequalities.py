"""Random search for a counterexample to every inequality that a claim states; see falsification/."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from falsification import REFUTED, STATEMENTS

from kondo_theory.claims import CLAIMS

POINTS = 60
# A point of these solves for all rest points or stalling rates. A long search takes 100 times as many of each.
SLOW = {"token-trap": 12, "equal-noise": 12, "gambling-top-rate": 12, "gambling-dg-floor": 30}


def margins(claim, statement, draw, factor=1):
    """Yield the smallest margin at each of n points; every statement has a stream of its own."""
    seed = zlib.crc32(f"{claim}: {statement}".encode())
    rng = np.random.default_rng(seed)
    yield from (np.min(draw(rng)) for _ in range(factor * SLOW.get(claim, POINTS)))


@pytest.mark.parametrize(("claim", "statement"), STATEMENTS)
def test_no_random_point_refutes_the_claim(claim, statement):
    found = np.array(list(margins(claim, statement, STATEMENTS[claim, statement])))
    assert np.all(found >= 0), f"{claim}: {statement}: fails at point {int(np.argmin(found))} by {-found.min():.3g}"


@pytest.mark.parametrize(("claim", "statement"), REFUTED)
def test_negative_control_the_search_refutes_what_is_false(claim, statement):
    points = margins(claim, statement, REFUTED[claim, statement])  # one is enough
    assert any(margin < 0 for margin in points), f"{claim}: {statement}"


def test_every_claim_with_a_derivation_is_searched():
    """The exceptions state identities alone, which their simulations and closed forms hold."""
    searched = {claim for claim, _ in STATEMENTS}
    identities = {"baseline-dependence", "additive-never-fixed"}
    unsearched = {claim.id for claim in CLAIMS.values() if claim.derived} - searched
    wrong = ", ".join(sorted(unsearched ^ identities))
    assert not wrong, f"{wrong}: state its inequality in tests/falsification/, or name it above"
