"""Costs against counted passes, survival of rows against enumeration."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest

from kondo_theory import cost
from kondo_theory.cost import (
    activation_memory,
    break_even_rate,
    expected_prefix,
    implied_sample_ratio,
    speedup,
    step_cost,
    surviving_rows,
    surviving_rows_exact,
    token_share,
)


def test_costs_of_a_counted_step():
    batch, kept, c, s = 200, 7, 3.0, 0.25
    rate = kept / batch
    assert step_cost(rate, c, "full") * batch == pytest.approx(batch * (1 + c))
    assert step_cost(rate, c, "logical") * batch == pytest.approx(batch + kept * c)
    assert step_cost(rate, c, "kept-activations") * batch == pytest.approx(batch + kept * c)
    assert step_cost(rate, c, screening_cost=s) * batch == pytest.approx(batch * s + kept * (1 + c))
    assert step_cost(rate, c, acting_cost=2.0) == pytest.approx(2 + step_cost(rate, c))
    assert activation_memory([0.1, 1.0]) == pytest.approx([0.1, 1.0])
    assert activation_memory([0.1, 1.0], "kept-activations") == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("c", [0.0, 0.5, 2.0, 16.0])
@pytest.mark.parametrize("s", [0.0, 0.1, 1.0, 2.0])
def test_break_even_is_where_physical_meets_full(c, s):
    rate = float(break_even_rate(c, s))
    assert rate == max(0.0, 1 - s / (1 + c)) or rate == pytest.approx(1 - s / (1 + c))
    grid = np.linspace(0, 1, 101)
    cheaper = step_cost(grid, c, screening_cost=s) < step_cost(grid, c, "full") - 1e-12
    assert np.array_equal(cheaper, grid < rate - 1e-12)


def test_speedup_its_limits_and_the_published_numbers():
    assert speedup(2.0, 1.0, 0.03, 0.0, "logical") == pytest.approx(2.0)
    assert speedup(2.0, 1.0, 0.03, 1e12) == pytest.approx(2 / 0.03)
    assert speedup(1.0, math.inf, 0.03, 2.0) == 0.0
    assert speedup(1.0, 1.0, 0.0, 1.0, screening_cost=0.0) == math.inf
    ratios = [implied_sample_ratio(v, cost.PUBLISHED_RATE, c) for c, v in cost.PUBLISHED_SPEEDUPS.items()]
    assert ratios == pytest.approx([1.344, 1.3778], abs=1e-4)
    for c, value in cost.PUBLISHED_SPEEDUPS.items():
        ratio = implied_sample_ratio(value, 0.03, c, "physical")
        assert speedup(ratio, 1.0, 0.03, c) == pytest.approx(value)


def enumerate_patterns(rate, n_tokens, correlation, clustering):
    """Survival and prefix over all keep patterns; the Beta law by quadrature, the chain by its transitions."""
    survive = prefix = 0.0
    for pattern in itertools.product((0, 1), repeat=n_tokens):
        kept = sum(pattern)
        if correlation == 0:
            mass = rate**kept * (1 - rate) ** (n_tokens - kept)
        elif clustering == "run":
            mass = rate if pattern[0] else 1 - rate
            for before, now in itertools.pairwise(pattern):
                mass *= correlation * (before == now) + (1 - correlation) * (rate if now else 1 - rate)
        else:
            size = 1 / correlation - 1
            shape = (rate * size, (1 - rate) * size)
            mass = float(mpmath.beta(shape[0] + kept, shape[1] + n_tokens - kept) / mpmath.beta(*shape))
        survive += mass * any(pattern)
        prefix += mass * max((t + 1 for t in range(n_tokens) if pattern[t]), default=0)
    return survive, prefix


@pytest.mark.parametrize("n_tokens", [1, 2, 7])
@pytest.mark.parametrize("rate", [1e-3, 0.2, 0.9])
@pytest.mark.parametrize(("correlation", "clustering"), [(0.0, "row"), (0.3, "row"), (0.0, "run"), (0.6, "run")])
def test_survival_and_prefix_against_enumeration(rate, n_tokens, correlation, clustering):
    survive, prefix = enumerate_patterns(rate, n_tokens, correlation, clustering)
    assert surviving_rows(rate, n_tokens, correlation, clustering) == pytest.approx(survive, rel=1e-10)
    assert expected_prefix(rate, n_tokens, correlation, clustering) == pytest.approx(prefix, rel=1e-10)
    share = token_share(rate, n_tokens, 5, correlation, clustering)
    assert share == pytest.approx((5 * survive + prefix) / (5 + n_tokens), rel=1e-10)


@pytest.mark.parametrize("rate", [1e-12, 1e-6, 1e-3, 9e-3, 1.1e-2, 0.3, 0.999999])
@pytest.mark.parametrize("n_tokens", [1, 2, 100, 100_000])
def test_the_closed_forms_are_stable(rate, n_tokens):
    with mpmath.workdps(60):
        q = 1 - mpmath.mpf(rate)
        survive = 1 - q**n_tokens
        prefix = n_tokens - q * survive / mpmath.mpf(rate)
    assert surviving_rows(rate, n_tokens) == pytest.approx(float(survive), rel=1e-12)
    assert expected_prefix(rate, n_tokens) == pytest.approx(float(prefix), rel=1e-12)


def test_ends_order_and_shapes():
    assert surviving_rows(0.03, 10) == pytest.approx(0.26257587)
    for clustering in cost.CLUSTERINGS:
        assert surviving_rows(0.2, 9, 1.0, clustering) == pytest.approx(0.2)
        assert expected_prefix(0.2, 9, 1.0, clustering) == pytest.approx(1.8)
        for r in (0.0, 0.4, 1.0):
            assert surviving_rows([0.0, 1.0], 9, r, clustering) == pytest.approx([0.0, 1.0])
            assert expected_prefix([0.0, 1.0], 9, r, clustering) == pytest.approx([0.0, 9.0])
        r = np.linspace(0, 1, 21)
        assert np.all(np.diff(surviving_rows(0.1, 20, r, clustering)) < 0)
        assert np.all(np.diff(expected_prefix(0.1, 20, r, clustering)) < 0)
    assert surviving_rows(np.full((3, 1), 0.1), np.array([1, 2])).shape == (3, 2)


def test_exactly_k_against_enumeration():
    rows, tokens, kept = 3, 2, 2
    sets = list(itertools.combinations(range(rows * tokens), kept))
    survive = np.mean([len({place // tokens for place in chosen}) / rows for chosen in sets])
    assert surviving_rows_exact(rows, tokens, kept) == pytest.approx(survive, rel=1e-12)
    assert surviving_rows_exact(rows, tokens, kept) > surviving_rows(kept / (rows * tokens), tokens)
    assert surviving_rows_exact(rows, tokens, 0) == 0.0
    assert surviving_rows_exact(rows, tokens, 5) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_cost(1.5, 1.0), r"rate must be in \[0, 1\], got 1.5"),
        (lambda: step_cost(0.5, -1.0), r"backward_cost must be in \[0, inf\), got -1.0"),
        (lambda: step_cost(0.5, 1.0, "wishful"), "accounting must be one of full, logical, physical"),
        (lambda: activation_memory(0.5, "logical"), "accounting must be one of full, physical, kept-activations"),
        (lambda: speedup(0.0, 1.0, 0.5, 1.0), r"n_reference must be in \(0, inf\], got 0.0"),
        (lambda: surviving_rows(0.5, 1.5), "n_tokens must be an integer ≥ 1, got 1.5"),
        (lambda: surviving_rows(0.5, 3, 1.5), r"correlation must be in \[0, 1\], got 1.5"),
        (lambda: surviving_rows(0.5, 3, 0.5, "block"), "clustering must be one of row, run, got 'block'"),
        (lambda: surviving_rows_exact(2, 2, 5), r"n_kept must be an integer in \[0, 4\], got 5.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
