"""The price of least expected cost against integrals by quadrature and a search over prices."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from kondo_theory.approximate import noisy_keep
from kondo_theory.geometry.decision_price import (
    gaussian_gain,
    gaussian_price,
    gaussian_regret,
    two_point_gain,
    two_point_price,
)

LAWS = [(0.5, 0.0, 1.0, 0.7), (-0.3, 0.2, 0.4, 1.1), (1.0, 0.0, 2.0, 0.1)]


@pytest.mark.parametrize("law", LAWS)
def test_the_gain_is_its_integral_over_noisy_keeps(law):
    c, mu, sigma, tau = law
    for price in (-0.4, c, 1.3):

        def paid(x, price=price):
            return (x - c) * norm.pdf(x, mu, sigma) * float(noisy_keep(x, tau, price=price))

        expected = quad(paid, mu - 9 * sigma, mu + 9 * sigma, epsabs=1e-12, limit=200)[0]
        assert gaussian_gain(price, *law) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_no_price_gains_more_and_the_regret_is_what_is_lost(law):
    c, mu, sigma, _ = law
    price = gaussian_price(*law)
    found = minimize_scalar(
        lambda at: -gaussian_gain(at, *law), bounds=(price - 3, price + 3), method="bounded", options={"xatol": 1e-9}
    )
    assert price == pytest.approx(found.x, abs=1e-5)
    exact = gaussian_gain(c, c, mu, sigma, 0.0)
    assert gaussian_regret(price, *law) == pytest.approx(exact - gaussian_gain(price, *law))
    assert gaussian_regret(c, c, mu, sigma, 0.0) == pytest.approx(0, abs=1e-15)


def test_two_delights_against_a_search():
    at = (0.1, 0.6, -0.4, 0.3, 0.5)
    found = minimize_scalar(lambda price: -two_point_gain(price, *at), bounds=(-2, 3), method="bounded")
    assert two_point_price(*at) == pytest.approx(found.x, abs=1e-4)
    assert two_point_price(0.0, 1.0, -1.0, 0.5, 3.0) == 0.0, "even odds and stakes: the middle"


def test_a_raw_price_can_be_worse_than_keeping_nothing():
    law = (1.0, 0.0, 1.0, 1.0)
    assert gaussian_price(*law) == 2.0
    assert gaussian_gain(2.0, *law) == pytest.approx(0.0251, abs=5e-5)
    assert gaussian_gain(1.0, *law) == pytest.approx(-0.0201, abs=5e-5)


def test_only_the_place_where_the_posterior_crosses_the_cost_has_to_be_calibrated():
    """Any rising map of the scores that leaves that place alone decides the same."""
    rng = np.random.default_rng(0)
    chi = rng.normal(size=5_000)
    score = chi + rng.normal(size=5_000)
    price = gaussian_price(0.4, 0.0, 1.0, 1.0)
    mapped = price + np.sinh(3 * (score - price))
    assert np.array_equal(score > price, mapped > price)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_price(0.0, 0.0, 0.0, 1.0), r"deviation must be in \(0, inf\), got 0\.0"),
        (lambda: gaussian_gain(np.inf, 0.0, 0.0, 1.0, 1.0), "price must be finite"),
        (lambda: two_point_price(2.0, 1.0, 0.0, 0.5, 1.0), "cost must be between low and high, got 2.0"),
        (lambda: two_point_gain(0.0, 0.5, 1.0, 0.0, 0.5, 0.0), "noise must be positive"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
