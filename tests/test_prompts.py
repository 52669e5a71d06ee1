"""Prompts skipped by their history: against the stationary law of their Markov chain, and its moments by hand."""

from fractions import Fraction

import numpy as np
import pytest

from kondo_theory.screening import expected_wait, idle_probability, visit_probability, visit_share


def stationary_share(q, xi, longest, n_states):
    """Return the share of epochs with a visit from the chain of idle visits in a row, cut at so many."""
    chance = visit_probability(np.arange(n_states), xi, longest)
    chain = np.diag(1 - chance)
    chain[:, 0] += chance * (1 - q)
    for z in range(n_states):
        chain[z, min(z + 1, n_states - 1)] += chance[z] * q
    law = np.linalg.lstsq(
        np.vstack([chain.T - np.eye(n_states), np.ones(n_states)]), np.append(np.zeros(n_states), 1.0), rcond=None
    )[0]
    return law @ chance


@pytest.mark.parametrize(("q", "xi"), [(0.2, 0.5), (0.5, 0.5), (0.9, 0.5), (0.0, 0.3), (1.0, 0.6), (0.6, 1.0)])
@pytest.mark.parametrize("longest", [0, 1, 4])
def test_the_share_of_visits_is_that_of_the_stationary_chain(q, xi, longest):
    """With the cap states beyond it are alike."""
    assert visit_share(q, xi, longest) == pytest.approx(stationary_share(q, xi, longest, longest + 2), rel=1e-9)


def test_without_a_cap_too_and_beyond_the_exploration_probability_nothing_is_left():
    assert visit_share(0.1, 0.9) == pytest.approx(stationary_share(0.1, 0.9, np.inf, 20), rel=1e-9)
    np.testing.assert_array_equal(visit_share([0.5, 0.7, 1.0], 0.5), 0.0)
    assert visit_share(0.5, 0.5, 1_000) == pytest.approx(1 / 501), "slowly"
    np.testing.assert_array_equal(visit_share([0.0, 0.5, 1.0], 1.0), 1.0)


@pytest.mark.parametrize("off", [-9e-10, 9e-10, 1e-7, 1e-15])
def test_near_the_exploration_probability_no_digits_are_lost(off):
    """In exact fractions: q/ξ is so near to one that a sum of a thousand of its powers feels it."""
    q, xi, longest = 0.5 * (1 + off), 0.5, 1_000
    ratio = Fraction(q) / Fraction(xi)
    below = longest if ratio == 1 else (1 - ratio**longest) / (1 - ratio)
    share = 1 / ((1 - Fraction(q)) * below + ratio**longest)
    assert visit_share(q, xi, longest) == pytest.approx(float(share), rel=1e-13)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_idle_groups(size):
    p = np.array([0.0, 0.3, 1.0])
    found = idle_probability(p, size)
    assert found.tolist() == pytest.approx([1, 1 if size == 1 else 0.3**size + 0.7**size, 1])


@pytest.mark.parametrize(("n_epochs", "xi"), [(0, 0.5), (1, 0.5), (30, 0.5), (30, 0.9)])
def test_the_wait_is_that_of_the_law_of_visits(n_epochs, xi):
    """The law of the number of visits is carried forward, epoch by epoch."""
    law = np.zeros(n_epochs + 1)
    law[0] = 1.0
    chance = visit_probability(np.arange(n_epochs + 1), xi)
    for _ in range(n_epochs):
        law = law * (1 - chance) + np.append(0.0, (law * chance)[:-1])
    assert law @ (1 / chance) == pytest.approx(expected_wait(n_epochs, xi), rel=1e-12)
    assert law @ np.arange(n_epochs + 1) <= np.log(expected_wait(n_epochs, xi)) / np.log(1 / xi) + 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: idle_probability(1.2, 8), r"pass_rate must be in \[0, 1\], got 1\.2"),
        (lambda: idle_probability(0.2, 2.5), r"group_size must be an integer ≥ 1, got 2\.5"),
        (lambda: visit_share(0.2, 0.0), r"exploration must be in \(0, 1\], got 0\.0"),
        (lambda: visit_share(-0.2, 0.5), r"idle must be in \[0, 1\], got -0\.2"),
        (lambda: visit_share(0.2, 0.5, 1.5), r"longest must be an integer ≥ 0 or ∞, got 1\.5"),
        (lambda: visit_probability(-1, 0.5), r"n_idle must be an integer ≥ 0, got -1\.0"),
        (lambda: expected_wait(2.5, 0.5), r"n_epochs must be an integer ≥ 0, got 2\.5"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("exploration", "longest"), [(0.5, 3), (0.5, 1000), (0.1, 400), (1e-300, 2)])
def test_a_prompt_that_is_always_idle_is_visited_with_the_least_probability(exploration, longest):
    assert visit_share(1.0, exploration, longest) == exploration**longest
