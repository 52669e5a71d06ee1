"""How long a stall lasts: diffusion by enumeration, the integral by linear systems, barriers near critical rates."""

from itertools import product
from math import factorial

import numpy as np
import pytest
from scipy.special import expit, logit

from kondo_theory.token_trap import critical_rate, drift, stall_point
from kondo_theory.token_trap.stall_escape import barrier, diffusion, escape_time, passage_time, unstable_point
from simulations.randomness.streams import replicate_states
from simulations.tokens import together
from simulations.tokens.escapes import Escape, escape_steps, held_at, held_escape_time, mean_time


def batches(p, T, M, B, k):
    """Every batch's mean pull and its probability, all tokens listed one by one and ranked: no atoms, no price."""
    rows = range(T + 1)
    mass = [factorial(T) / factorial(n) / factorial(T - n) * p**n * (1 - p) ** (T - n) for n in rows]
    found = []
    for counts in product(range(B + 1), repeat=T + 1):
        if sum(counts) != B:
            continue
        tokens = []
        for n, count in zip(rows, counts, strict=True):
            A = n / T - p
            tokens += [(-A * np.log(p), A * (1 - p))] * (n * count)
            tokens += [(A * np.log((M - 1) / (1 - p)), -A * p)] * ((T - n) * count)
        tokens.sort(key=lambda token: -token[0])
        chance = factorial(B) * np.prod([m**c / factorial(c) for m, c in zip(mass, counts, strict=True)])
        found.append((sum(pull for _, pull in tokens[:k]) / (B * T), chance))
    return np.array(found).T


def test_the_diffusion_is_the_variance_over_all_batches():
    p, T, M, B, k = 0.4, 2, 1_000, 50, 32
    pull, chance = batches(p, T, M, B, k)
    mean = chance @ pull
    assert chance.sum() == pytest.approx(1)
    assert mean == pytest.approx(drift(p, T, M, 0.32), rel=0.02)  # of 1/B
    assert B * (chance @ (pull - mean) ** 2) == pytest.approx(diffusion(p, T, M, 0.32), rel=0.06)


def test_negative_control_a_gate_by_a_price_has_another_diffusion():
    """Without the influence of exactly k the same place has a third of the variance or less."""
    p, T, M = 0.55, 3, 10
    v, step = 3 * p**2 * (1 - p), p * (2 / 3 - p) / 3
    assert diffusion(p, T, M, 0.17) > 3 * v * (1 - v) * step**2


def test_no_diffusion_where_all_that_is_kept_is_alike():
    assert diffusion(0.6, 3, 10, 0.09) == 0
    assert barrier(0.09, 10, 3) == np.inf
    assert escape_time(0.09, 10, 3, 100, 1.0) == np.inf


def birth_and_death(x, speed, variance, start, end):
    """The mean time by a Markov chain on a grid (Kushner's): a linear system, and no integral."""
    step = x[1] - x[0]
    spread = np.maximum(variance, np.abs(speed) * step) / (2 * step**2)
    up, down = (spread + sign * speed / (2 * step) for sign in (1, -1))
    down[0] = 0
    matrix = np.diag(up + down) - np.diag(up[:-1], 1) - np.diag(down[1:], -1)
    return float(np.interp(start, x, np.linalg.solve(matrix, np.ones(x.size))))


@pytest.mark.parametrize(("M", "T", "rate", "B", "h"), [(2, 5, 0.129, 400, 10.0), (5, 5, 0.2, 400, 4.0)])
def test_the_time_is_that_of_a_chain_on_a_grid(M, T, rate, B, h):
    start, end = stall_point(rate, M, T), (1 + unstable_point(rate, M, T)) / 2
    step = (logit(end) - logit(start) + 1) / 1_500
    x = logit(unstable_point(rate, M, T)) + step * (np.arange(-1_500, 1_500) + 0.5)  # the drift may jump there
    x = x[(x > logit(start) - 1) & (x < logit(end))]
    p, stretch = expit(x), M / (M - 1)
    speed = h * stretch * drift(p, T, M, rate)
    variance = (h * stretch) ** 2 / B * diffusion(p, T, M, rate)
    found = birth_and_death(x, speed, variance, logit(start), logit(end))
    assert found == pytest.approx(escape_time(rate, M, T, B, h), rel=0.015)


def test_the_time_without_noise_or_drift():
    x = np.linspace(0, 1, 101)
    assert passage_time(x, np.full(100, 0.5), np.zeros(100), 0.2) == pytest.approx(0.8 / 0.5)
    assert passage_time(x, np.zeros(100), np.full(100, 2.0), 0.0) == pytest.approx(0.5)  # (b² − a²)/V
    assert passage_time(x, np.zeros(100), np.full(100, 2.0), 0.5) == pytest.approx(0.375)
    assert passage_time(x, np.full(100, -0.5), np.zeros(100), 0.2) == np.inf
    assert passage_time(x, np.full(100, 1e-7), np.full(100, 2.0), 0.0) == pytest.approx(0.5, rel=1e-6)


def exponent(M, T, rate_c):
    """The power of ρ_c − ρ by which the barrier falls."""
    gaps = np.array([2e-3, 1e-3])
    high, low = np.log(barrier(rate_c - gaps, M, T))
    return (high - low) / np.log(2)


@pytest.mark.parametrize(("M", "T", "power"), [(10, 3, 1.5), (10, 4, 1.5), (2, 5, 1.5), (5, 5, 2.0)])
def test_the_barrier_falls_by_its_power(M, T, power):
    assert exponent(M, T, critical_rate(M, T)) == pytest.approx(power, abs=0.06)


def test_negative_control_another_critical_rate_gives_another_power():
    assert abs(exponent(10, 3, critical_rate(10, 3) - 5e-4) - 1.5) > 0.06


def test_the_logarithm_of_the_time_grows_by_the_barrier():
    S = barrier(0.129, 2, 5)
    times = np.log(escape_time(0.129, 2, 5, np.array([6_000, 7_000]), 10.0))
    assert (times[1] - times[0]) / 100 == pytest.approx(S, rel=0.05)


def test_nothing_stalls():
    assert unstable_point(0.5, 2, 3) is None
    assert barrier(0.5, 2, 3) == 0
    with pytest.raises(ValueError, match=r"start and end must be given where nothing stalls: rate 0.5, M = 2, T = 3"):
        escape_time(0.5, 2, 3, 100, 1.0)
    assert escape_time(0.5, 2, 3, 1e6, 1.0, 0.5, 0.9) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": 0.3}, "end must be above the start, 0.705"),
        ({"batch_size": 0}, r"batch_size must be in \(0, inf\), got 0"),
        ({"learning_rate": -1.0}, r"learning_rate must be in \(0, inf\), got -1"),
    ],
)
def test_bad_input_is_refused(change, message):
    sizes = {"rate": 0.129, "vocab_size": 2, "n_tokens": 5, "batch_size": 400, "learning_rate": 10.0}
    with pytest.raises(ValueError, match=message):
        escape_time(**{**sizes, **change})


def test_passage_time_refuses_what_is_no_grid():
    with pytest.raises(ValueError, match=r"edges must be \(n \+ 1,\), speed and variance \(n,\)"):
        passage_time([0.0, 1.0], [1.0, 1.0], [1.0, 1.0], 0.0)
    with pytest.raises(ValueError, match="edges must be ascending"):
        passage_time([1.0, 0.0], [1.0], [1.0], 0.0)
    with pytest.raises(ValueError, match="variance must be at least 0"):
        passage_time([0.0, 1.0], [1.0], [-1.0], 0.0)
    with pytest.raises(ValueError, match="start must be in the cells"):
        passage_time([0.0, 1.0], [1.0], [1.0], 7.0)


RUN = Escape(2, 5, 200, 128, 8.0, stall_point(0.128, 2, 5), 0.8)


def test_counted_batches_have_the_drift_of_those_that_are_drawn_token_by_token():
    moves = together.together_moves(replicate_states(3, 4), 0.72, 5, 2, 400, 258.0, 3_000).ravel()
    error = moves.std() / np.sqrt(moves.size)
    assert moves.mean() == pytest.approx(float(drift(0.72, 5, 2, 0.129)), abs=4 * error)
    assert 400 * moves.var() == pytest.approx(float(diffusion(0.72, 5, 2, 0.129)), rel=4 * np.sqrt(2 / moves.size))


def test_free_tokens_leave_long_before_those_that_move_together():
    """Ties at the price: at learning rate 8 no exponential is left of the time."""
    free, _ = mean_time(escape_steps(RUN, 20, 5), 1_000_000)
    bound = np.log(escape_time(RUN.rate, 2, 5, 200, 8.0, end=0.8))
    assert free < bound - 4
    held = held_at(RUN, np.linspace(logit(RUN.start) - 0.5, logit(0.8), 9), 800, 2, 7)
    assert np.log(held_escape_time(RUN, held)) == pytest.approx(free, abs=0.6)


def test_runs_that_have_not_left_are_counted():
    assert mean_time(np.array([10, -1]), 30) == (np.log(40.0), 1.0)
    assert mean_time(np.array([-1, -1]), 30) == (np.inf, np.inf)


def test_the_smooth_critical_rate_of_four_tokens_is_that_of_small_vocabularies():
    """Beyond M = 11 other tokens stall at higher rates, at a smaller p."""
    np.testing.assert_allclose(critical_rate([3, 11], 4), 4 / 27, rtol=1e-9)
    assert critical_rate(12, 4) > 0.2
