"""The simulations of the gate's claims agree with the theory, and a wrong gate fails each of them."""

import numpy as np
import pytest
from scipy.special import expit

from kondo_theory.claims import CLAIMS
from kondo_theory.gate import gate_probability, select
from kondo_theory.geometry.quality_cost import frontier
from kondo_theory.geometry.symmetric import symmetric_arms
from simulations.bandits.estimates import cost_of_signal, of_means
from simulations.bandits.simulation import Gate
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.frontier import exact_k_or_price, quality_cost_frontier
from simulations.verification.checks.bandits.gate import gate_law, price_rate_duality
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(claim, rows):
    return judge(CLAIMS[claim], True, rows, [])[0]


@pytest.mark.parametrize(
    ("claim", "check"),
    [
        ("gate-law", gate_law),
        ("price-rate-duality", price_rate_duality),
        ("quality-cost-frontier", quality_cost_frontier),
        ("exact-k-or-price", exact_k_or_price),
    ],
)
def test_the_claim_holds_at_smoke(claim, check):
    rows = check(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 40
    assert all(row.within for row in rows), [row for row in rows if not row.within]
    assert verdict(claim, rows) == "holds in regime"


@pytest.mark.control("gate-law")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda chi, price, eta: gate_probability(chi, 0.0, eta),
        lambda chi, price, eta: gate_probability(chi, price, 1.1 * eta),
        lambda chi, price, eta: gate_probability(chi, price, 0.0),
        lambda chi, price, eta: gate_probability(chi, price, eta) ** 2,
        lambda chi, price, eta: expit((chi - price) / eta) if eta > 0 else (chi >= price).astype(float),
    ],
    ids=["no price", "too warm", "hard", "squared", "not strict"],
)
def test_negative_control_a_wrong_law(wrong):
    with np.errstate(divide="ignore", invalid="ignore"):
        assert verdict("gate-law", gate_law(SMOKE, wrong)) == "contradicted"


@pytest.mark.control("price-rate-duality")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda delight, rate, rng: select(-delight, rate, rng),
        lambda delight, rate, rng: rng.random(delight.shape) < rate,
        lambda delight, rate, rng: select(abs(delight), rate, rng),
        lambda delight, rate, rng: delight > np.quantile(delight, 1 - rate, axis=-1, keepdims=True, method="lower"),
        lambda delight, rate, rng: delight >= np.quantile(delight, 1 - rate, axis=-1, keepdims=True, method="lower"),
    ],
    ids=["worst first", "uniform", "absolute", "drops ties", "keeps all ties"],
)
def test_negative_control_a_wrong_selection(wrong):
    assert verdict("price-rate-duality", price_rate_duality(SMOKE, wrong)) == "contradicted"


@pytest.mark.control("quality-cost-frontier")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda price, eta: Gate("dg", temperature=eta or 1.0),
        lambda price, eta: Gate("zero-price"),
        lambda price, eta: Gate("price", price=0.0, temperature=eta),
        lambda price, eta: Gate("price", price=price, temperature=1.1 * eta),
    ],
    ids=["soft weights", "zero price", "no price", "too warm"],
)
def test_negative_control_a_wrong_gate_on_the_frontier(wrong):
    assert verdict("quality-cost-frontier", quality_cost_frontier(SMOKE, wrong)) == "contradicted"


@pytest.mark.control("exact-k-or-price")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda rate: Gate("zero-price"),
        lambda rate: Gate("pg"),
        lambda rate: Gate("rate", rate=min(1.0, rate + 0.05)),
        lambda rate: Gate("price", price=float(-np.log(1 / rate - 1)), temperature=1.0),
    ],
    ids=["zero price", "PG", "another rate", "independent draws"],
)
def test_negative_control_a_gate_that_is_not_exact(wrong):
    assert verdict("exact-k-or-price", exact_k_or_price(SMOKE, wrong)) == "contradicted"


def _price_path(n_arms, p, b, prices, temperature):
    path = frontier(*symmetric_arms(n_arms, p, b), prices, temperature)
    variance = path.moments.var_parallel + path.moments.var_perpendicular
    return path.backward_rate, cost_of_signal(path.backward_rate, path.moments.signal, variance)


def test_the_cost_of_signal_along_the_price_as_claimed():
    prices = np.linspace(-4, 4, 81)
    for n_arms, p, b in ((2, 0.3, 0.5), (10, 0.05, 0.1), (10, 0.7, 0.14), (1000, 0.9, 0.4)):
        for temperature in (0.2, 1.0, 3.0):
            _, cost = _price_path(n_arms, p, b, prices, temperature)
            assert np.all(np.diff(cost) <= 1e-12)
            assert np.all(cost >= 1)
    _, cost = _price_path(2, 0.3, 0.9, np.array([-3.0, -1.0]), 0.5)
    assert cost[1] > cost[0], "above b = 1/2 a higher price can buy less"


def test_pg_can_have_less_noise_per_backward_pass_than_zero_price():
    for n_arms, p, b, expected in ((10, 0.7, 0.14, 0.23), (2, 0.3, 0.7, 0.0)):
        rate, cost = _price_path(n_arms, p, b, np.array([-9.0, 0.0]), 0.0)
        noise = cost - rate
        np.testing.assert_allclose(noise, [expected, 1 - p], atol=0.005)
        assert noise[0] < noise[1]


def test_of_means_is_unbiased_to_first_order():
    rng = np.random.default_rng(0)
    x, y = rng.normal(2.0, 1.0, 10_000), rng.normal(1.0, 0.5, 10_000)
    ratio = of_means(lambda a, b: a / b, x, y)
    assert abs(ratio.value - 2.0) < 4 * ratio.standard_error
    np.testing.assert_allclose(ratio.standard_error, np.sqrt(1 + 4 * 0.25) / 100, rtol=0.2)
