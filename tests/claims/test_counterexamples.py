"""Counterexamples to statements that say too much: the claims' texts and regimes must leave them out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.special import ndtr

from kondo_theory import approximate, contexts, token_trap
from kondo_theory.claims import CLAIMS
from kondo_theory.geometry import alignment
from kondo_theory.geometry.exact_rate import finite_rate_value, smooth_rate_gap, variance_gap
from kondo_theory.geometry.learning import learning_time
from kondo_theory.geometry.quality_cost import frontier, rate_value
from kondo_theory.geometry.symmetric import pg_moments, symmetric_arms
from kondo_theory.moments import gradient_moments
from simulations.verification.checks import Context
from simulations.verification.checks.bandits import contexts as context_checks
from simulations.verification.checks.tokens import drifts as tokens
from simulations.verification.checks.tokens.examples import exactly_one, least_advantage, train_two_tokens

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def text(claim):
    return CLAIMS[claim].statement + " " + CLAIMS[claim].regime


# --- context-allocation


def cosine(method, p, n_arms, baseline=0.5):
    weights = contexts.context_weights(method, p, n_arms, baseline)
    return float(contexts.cosine_to_cross_entropy(weights, p, n_arms))


def test_dg_can_be_farther_than_pg_where_the_number_of_arms_varies():
    pair, n_arms = [0.5, 0.5], [2, 1000]
    assert all(p <= contexts.dg_closer_limit(n, 0.5) for p, n in zip(pair, n_arms, strict=True))
    assert cosine("pg", pair, n_arms) == pytest.approx(1.0, abs=1e-15)
    assert cosine("dg", pair, n_arms) == pytest.approx(0.978, abs=5e-4)
    assert cosine("dg", pair, [10, 10]) == pytest.approx(1.0, abs=1e-15)
    assert "With one K and one b ≤ η DG is at least as close" in text("context-allocation")
    assert contexts.dg_closer_limit(10, 0.5) == pytest.approx(0.924, abs=5e-4)
    assert "p_n ≤ 0.924 at K = 10" in text("context-allocation")


def test_all_p_near_one_is_a_limit_only():
    error, b, eta = np.array([0.00827, 0.00159]), 0.394, 0.589

    def gaps(scale, n_arms):
        e = error * scale
        dg = contexts.context_weights("dg", 1 - e, n_arms, b, temperature=eta, p_error=e)
        return [float(contexts.gap_to_cross_entropy(c, 1 - e, n_arms, p_error=e)) for c in (1 - e, dg)]

    assert gaps(1.0, 10)[1] < 0.5 * gaps(1.0, 10)[0]  # DG is still closer
    assert gaps(1e-3, 10)[1] > 1.5 * gaps(1e-3, 10)[0]
    assert "In the limit ε_n → 0" in text("context-allocation")


def halved(p, n_arms, baseline=0.5):
    """Half of the best price."""
    found = contexts.best_price(p, n_arms, baseline)
    return dataclasses.replace(found, price=found.price / 2)


@pytest.mark.parametrize("population", [context_checks.POPULATIONS[1], context_checks.MIXED_ARMS])
def test_the_simulation_of_context_allocation_refutes_half_of_the_best_price(population):
    for best, within in ((contexts.best_price, True), (halved, False)):
        rows = context_checks._against_others(population, contexts.context_weights, 2, best, 7, SMOKE)
        (count,) = [row for row in rows if row.quantity.startswith("sets closer")]
        assert count.within is within


def test_the_search_of_the_simulation_finds_the_best_set():
    population = context_checks.MIXED_ARMS
    blocks, _ = context_checks.simulate_gradients(population, 2, 0.5, 0.0, 20_000, 5, 2)
    found = context_checks._search(population, blocks)
    np.testing.assert_array_equal(found, contexts.best_price(population.p, population.n_arms, 0.5).kept)


# --- quality-cost-frontier


def cost_of_signal(n_arms, p, b, price, eta):
    found = frontier(*symmetric_arms(n_arms, p, b), price, eta)
    m = found.moments
    return float(found.backward_rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2)


def test_heating_at_price_zero_can_lower_the_cost_of_signal_above_half():
    costs = [cost_of_signal(2, 0.3, 0.9, 0.0, eta) for eta in (0.0, 0.05, 0.13, 1.0, 1000.0)]
    assert costs[0] == pytest.approx(1.0)
    assert max(costs) == pytest.approx(1.53, abs=0.005)
    assert costs[-1] == pytest.approx(1.19, abs=0.005)
    assert costs[0] < costs[1] < costs[2] > costs[3] > costs[4]
    heated = [cost_of_signal(2, 0.3, 0.5, 0.0, eta) for eta in (0.0, 0.05, 0.1, 1.0, 1000.0)]
    assert np.all(np.diff(heated) > 0)
    assert "for b ≤ 1/2 a higher price never raises c, and heating at price zero never lowers it" in text(
        "quality-cost-frontier"
    )


def test_pg_near_its_best_baseline_and_a_price_far_beyond():
    pg = pg_moments(0.7, 10, 0.14)
    assert float((pg.var_parallel + pg.var_perpendicular) / pg.signal**2) == pytest.approx(0.23, abs=0.005)
    ratios = []
    for price in (0.0, 2.0, 4.0, 6.0):  # χ₊ = 0.1, χ₋ = −0.5
        found = frontier(*symmetric_arms(10, 0.8, 0.3), price, 0.2)
        ratios.append(float(found.moments.var_perpendicular / found.backward_rate))
    assert ratios[0] > ratios[1] > ratios[2] > ratios[3]  # it still purifies
    assert ratios[1] - ratios[3] < 1e-3 * ratios[1]  # but next to nothing


# --- row-gate


def test_a_row_gate_can_stall_where_its_kept_advantage_vanishes():
    end = train_two_tokens((0.25, 0.25), exactly_one, 2_000, 4, 1)
    np.testing.assert_allclose(end.mean(axis=1), 0.5, atol=2e-3)  # the reward; by noise the two tokens part

    def rule(advantage, surprisal, entropy):
        return np.where(np.isclose(advantage, 0.5 - p), 0.0, -np.inf)

    for p in (0.3, 0.45, 0.499):
        found = token_trap.drift(p, 2, 4, 1.0, "row", rule=rule)
        assert found == pytest.approx(0.5 * p * (1 - p) * (1 - 2 * p) ** 2, rel=1e-9)
        assert 2 * p * (1 - p) > 0.4  # P(G = 1, A ≠ 0) stays away from 0 on the way
    assert "E[G·A²] stays away from 0" in text("row-gate")


def test_a_tokens_negative_drift_can_last_for_ever():
    p = np.array([0.25, 0.26])
    log_odds, drifts = np.log(p / (1 - p)), []
    for _ in range(100_000):  # the expected update, M = 4, learning rate 10
        p = 1 / (1 + np.exp(-log_odds))
        drifts.append((0.5 - p.mean()) * p * (1 - p) * (1 - 2 * p[::-1]))  # of the rows with one right
        log_odds = log_odds + 10 * 4 / 3 * drifts[-1]
    assert 0.5 < 2 * p.mean() < 1  # so these are the rows of least |A|
    assert p == pytest.approx([0.02, 0.98], abs=5e-3)
    assert np.all(np.array(drifts)[1_000:, 0] < 0)
    end = train_two_tokens((0.25, 0.26), least_advantage, 2_000, 4, 1)  # noise may swap the two
    np.testing.assert_allclose(np.sort(end, axis=1), [[0.06, 0.94]] * 4, atol=0.05)
    learned = train_two_tokens((0.25, 0.26), lambda n_right, mean: n_right >= 0, 2_000, 4, 1)
    assert learned.min() > 0.9


# --- token-trap


def test_stalls_return_above_the_critical_rate():
    (_, critical), (low, high) = token_trap.stalling_rates(10, 32)
    assert (low, high) == pytest.approx((0.685, 0.977), abs=5e-4)
    assert "0.685 < ρ < 0.977" in text("token-trap")
    assert token_trap.stall_point(critical + 0.01, 10, 32) is None
    assert token_trap.stall_point(0.9, 10, 32) == pytest.approx(0.586, abs=1e-3)


def test_the_stall_depends_on_the_start():
    stall = token_trap.stall_point(0.1, 10, 5)
    for run in tokens.STARTED:
        assert run.start < 0.9  # what counts as learned
        p = np.linspace(run.start, 0.999, 400)
        assert np.all(token_trap.drift(p, run.n_tokens, 10, run.gate.rate) > 0)
        assert token_trap.stall_point(run.gate.rate, 10, run.n_tokens) < run.start
    assert stall < 0.5
    assert "The stall depends on the start" in text("token-trap")


# --- backward-passes-to-align, approximate-delight, price-rate-duality, exact-k-or-price


def test_a_whole_sample_can_cost_more_than_the_logarithm():
    p, delta = 0.99, 0.5
    whole = math.ceil(math.log(delta) / math.log1p(-p))
    assert whole == 1
    assert (1 - p) ** whole <= delta
    assert p * whole > math.log(1 / delta)
    assert p * whole < math.log(1 / delta) + p
    assert float(alignment.backward_passes_to_align("zero-price", p, 5, 0.5, 0.9, 1 - delta)) == pytest.approx(0.99)
    assert "log(1/δ) + p" in text("backward-passes-to-align")


def test_the_weights_under_noise_at_baseline_zero():
    for tau in (0.3, 1.0, 4.0):
        additive = approximate.noisy_weights(0.3, 5, 0.0, tau)
        relative = approximate.noisy_weights(0.3, 5, 0.0, tau, "relative")
        assert additive[1] == 0.5
        assert relative[1] == 0.0
        assert ndtr(-1 / tau) > 1e-4  # which is what it would be for b > 0
        assert approximate.noisy_weights(0.3, 5, 0.01, tau, "relative")[1] == pytest.approx(ndtr(-1 / tau))
    assert "At b = 0 a wrong sample has χ = 0: w₋ = 1/2" in text("approximate-delight")


@pytest.mark.parametrize("size", [40, 160, 640])
def test_exactly_k_of_a_continuous_delight_falls_short_by_order_one_over_b(size):
    k = size // 4
    rank = np.arange(size - k + 1, size + 1)
    uniform = np.sum(rank / (size + 1)) / size  # order statistics
    exponential = np.sum([np.sum(1 / np.arange(size - i + 1, size + 1)) for i in rank]) / size
    for collected, value, density in (
        (uniform, 0.25 - 0.25**2 / 2, 1.0),
        (exponential, 0.25 * (1 - math.log(0.25)), 0.25),
    ):
        assert value - collected == pytest.approx(smooth_rate_gap(0.25, density, size), rel=1.5 / size)


def test_at_a_kink_the_gap_is_of_order_one_over_root_b():
    chi, mass = np.array([1.0, 0.0]), np.array([0.25, 0.75])
    gaps = [0.25 - float(finite_rate_value(chi, mass, size, size // 4)) for size in (400, 1600)]
    assert rate_value(chi, mass, 0.25).value == pytest.approx(0.25)
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.02)  # 4 in the smooth case


@pytest.mark.parametrize("bad", [{"rate": 0.0}, {"density": 0.0}, {"batch_size": 0.5}])
def test_the_smooth_gap_refuses_bad_arguments(bad):
    at = {"rate": 0.2, "density": 1.0, "batch_size": 10} | bad
    with pytest.raises(ValueError, match=rf"^{next(iter(bad))} must be"):
        smooth_rate_gap(**at)


def test_the_variance_gap_is_zero_on_a_surface_between_its_signs_and_refuses_the_kink():
    p, b = 0.5, 0.9
    zero = 2 * p - 2 * (1 - b) * (1 - p) / b
    assert p < zero < 1
    assert variance_gap(p, 10, b, zero) == pytest.approx(0.0, abs=1e-15)
    assert variance_gap(p, 10, b, zero - 0.05) < 0 < variance_gap(p, 10, b, zero + 0.05)
    with pytest.raises(ValueError, match=r"^rate must be other than p_correct"):
        variance_gap(0.3, 10, 0.5, 0.3)


def test_the_variance_gap_below_p_is_the_price_gates_variance():
    policy, advantage = symmetric_arms(10, 0.3, 0.4)
    keep = np.array([0.2 / 0.3, *[0.0] * 9])
    price = gradient_moments(policy, advantage, keep, keep)
    assert variance_gap(0.3, 10, 0.4, 0.2) == pytest.approx(float(price.var_parallel), rel=1e-12)


def test_at_baseline_zero_zero_price_never_spends_more_than_pg():
    for n_arms in (2, 10, 1000):
        spent = [
            float(
                learning_time("zero-price", n_arms, 1 - 1e-6, b, "backward")
                / learning_time("pg", n_arms, 1 - 1e-6, b)
            )
            for b in (0.0, 0.3)
        ]
        assert spent[0] < 1 < spent[1]
    assert "for b > 0 late it spends more than PG" in text("learning-time")
