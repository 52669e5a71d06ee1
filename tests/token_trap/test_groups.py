"""The mean of a group's answers as the baseline: approximate sums against exact ones, and stalls of row delight."""

import numpy as np
import pytest

from kondo_theory import token_trap as trap
from kondo_theory.token_trap import groups
from kondo_theory.token_trap.groups import group_drift, group_stall_point


def test_group_baselines():
    p = np.array([0.3, 0.75])
    exact = group_drift(p, 3, 5, 0.2, 4000, "token")
    np.testing.assert_allclose(exact, trap.drift(p, 3, 5, 0.2), rtol=0.03)
    # Of the derivation: the sum over T = 2 tokens is −3/1024.
    assert 2 * group_drift(0.75, 2, 2, 3 / 128, 2, "row") == pytest.approx(-3 / 1024, rel=1e-12)
    assert (group_drift(np.linspace(0.05, 0.98, 30), 10, 10, 0.03, 2, "row", "advantage") > 0).all()
    np.testing.assert_allclose(group_drift(p, 3, 5, 1.0, 4, "row"), 0.75 * p * (1 - p) / 3, rtol=1e-12)


P = np.array([0.003, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995])
LARGE = [(64, 100, 64, 0.03), (32, 1000, 128, 0.1), (200, 100, 8, 0.01), (16, 10, 1024, 0.03)]


def _both(monkeypatch, size, gate, rule):
    """The approximate sums and the exact ones, in units of PG's drift p(1 − p)/T."""
    n_tokens, vocab_size, group_size, rate = size
    arguments = (P, n_tokens, vocab_size, rate, group_size, gate, rule)
    found = group_drift(*arguments)
    monkeypatch.setattr(groups, "_EXACT_ATOMS", 10**9)
    return found / (P * (1 - P) / n_tokens), group_drift(*arguments) / (P * (1 - P) / n_tokens)


@pytest.mark.parametrize(("gate", "rule"), [("token", "delight"), ("row", "delight"), ("row", "abs-advantage")])
@pytest.mark.parametrize("size", LARGE)
def test_large_sums_are_close_to_exact_ones(monkeypatch, size, gate, rule):
    found, exact = _both(monkeypatch, size, gate, rule)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3)


def test_negative_control_few_values_of_the_others_are_not_close(monkeypatch):
    monkeypatch.setattr(groups, "_OTHERS", 32)
    found, exact = _both(monkeypatch, LARGE[0], "token", "delight")
    assert np.abs(found - exact).max() > 1e-3


def _lowest(group_size):
    """The lowest drift of row delight at M = T = 10 and 3 %, over PG's."""
    p = np.linspace(0.85, 0.95, 401)
    for _ in range(2):
        drift = group_drift(p, 10, 10, 0.03, group_size, "row") / (p * (1 - p) / 10)
        at = p[np.argmin(drift)]
        p = np.linspace(at - 1e-3, at + 1e-3, 101)
    return drift.min()


@pytest.mark.parametrize(("group_size", "stalls"), [(10, True), (16, True), (17, True), (18, False), (20, False)])
def test_groups_in_which_row_delight_stalls(group_size, stalls):
    assert bool(_lowest(group_size) < -1e-5) is stalls


STARTS = (0.15, 0.216, 0.25, 0.3, 0.45, 0.6, 0.84)


def _exact(p):
    return trap.drift(p, 10, 10, 0.1)


def _of_a_group(p):
    return group_drift(p, 10, 10, 0.1, 50)


@pytest.mark.parametrize(
    ("speed", "search", "starts"),
    [(_exact, trap.stall_point, STARTS), (_of_a_group, lambda *a, **k: group_stall_point(*a, 50, **k), STARTS[::3])],
)
def test_where_training_stops_depends_on_its_start(speed, search, starts):
    """At M = T = 10 and 10 % the drift with the exact mean is positive up to 0.216, and in stretches above it."""
    assert search(0.1, 10, 10) == pytest.approx(search(0.1, 10, 10, start=0.1), abs=1e-9)
    for start in starts:
        found = search(0.1, 10, 10, start=start)
        end = 0.999 if found is None else found
        between = speed(np.linspace(start, end, 32)[1:-1])
        assert (between > 0).all() if end > start else (between < 0).all(), start
    assert search(0.1, 10, 10, start=0.999) is None


def test_from_a_policy_that_is_nearly_right_a_large_vocabulary_falls_back():
    """At M = 32,000 and T = 512 the top 3 % of the tokens unlearn from any start up to 0.99."""
    found = trap.stall_point(0.03, 32_000, 512, start=0.99)
    assert found == pytest.approx(trap.stall_point(0.03, 32_000, 512, start=0.1), rel=1e-9)
    assert found < 0.01
    assert trap.stall_point(0.03, 32_000, 512, start=0.999) is None


@pytest.mark.parametrize(
    ("start", "message"),
    [(0.05, r"start must be in \[1/M, 1\) = \[0.1, 1\), got 0.05"), (1.0, "got 1.0"), (float("nan"), "start")],
)
def test_a_start_is_a_probability_from_one_in_m_up(start, message):
    for search in (
        lambda: trap.stall_point(0.1, 10, 10, start=start),
        lambda: group_stall_point(0.1, 10, 10, 8, start=start),
    ):
        with pytest.raises(ValueError, match=message):
            search()


def test_rows_that_are_far_too_long_are_refused():
    with pytest.raises(ValueError, match="n_tokens must be at most 1,000,000 with a group's mean, got 2,000,000"):
        group_drift(0.5, 2_000_000, 10, 0.1, 8)
