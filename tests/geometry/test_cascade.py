"""The cascade against a search over windows, its limits, and an example."""

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from kondo_theory.geometry.cascade import (
    cascade_gain,
    cascade_recall,
    cascade_window,
    evaluated_share,
    posterior_deviation,
)
from kondo_theory.geometry.decision_price import gaussian_gain, gaussian_price

LAW = (0.05, 1.0, 0.0, 1.0, 1.0)


OFF = np.linspace(-6, 5, 4_401)  # calibrated scores over the cost
XI = np.linspace(-8, 8, 1_601)


def gain_of(low, high, law):
    """The gain of any window [low, high] of calibrated scores over the cost, summed over a grid of these."""
    e, c, mu, d, tau = law
    v, spread = posterior_deviation(d, tau), d**2 / np.hypot(d, tau)
    exact = np.maximum(OFF[:, None] + v * XI, 0) @ norm.pdf(XI) * (XI[1] - XI[0])
    value = np.where((low < OFF) & (high > OFF), exact - e, np.maximum(OFF, 0))
    return value @ norm.pdf(OFF, mu - c, spread) * (OFF[1] - OFF[0])


def test_no_other_window_gains_more():
    w = cascade_window(LAW[0], *LAW[3:])
    best = cascade_gain(*LAW)
    assert best == pytest.approx(gain_of(-w, w, LAW), abs=1e-5)
    for low, high in ((-0.9 * w, w), (-w, 0.9 * w), (-1.1 * w, w), (-w, 1.1 * w), (-w + 0.1, w + 0.1)):
        assert gain_of(low, high, LAW) < best


def test_what_a_window_buys():
    alone = gaussian_gain(gaussian_price(*LAW[1:]), *LAW[1:])
    assert (cascade_gain(*LAW), alone) == pytest.approx((0.057, 0.025), abs=5e-4)
    assert evaluated_share(*LAW) == pytest.approx(0.36, abs=5e-3)
    assert cascade_recall(*LAW) == pytest.approx(0.83, abs=5e-3)
    assert cascade_recall(1.0, *LAW[1:]) == pytest.approx(0.33, abs=5e-3)


@pytest.mark.parametrize(
    "law", [(0.1, 4, 0, 0.1, 0.05), (0.1, 1, 0, 0.5, 0.4), (0.02, 9, 0, 0.2, 1.0), (0.3, -2, 1, 0.4, 0.7)]
)
def test_recall_from_the_delight_of_what_should_be_kept(law):
    """From χ above c to its calibrated score, in 30 digits, also where no sample of this world is above c."""
    evaluation, c, mu, d, tau = law
    window = float(cascade_window(evaluation, d, tau))
    with mpmath.workdps(30):
        shrink = mpmath.mpf(d) ** 2 / (mpmath.mpf(d) ** 2 + mpmath.mpf(tau) ** 2)  # E[m | χ] = μ + shrink·(χ − μ)
        spread = mpmath.mpf(d) * mpmath.sqrt(shrink * (1 - shrink))
        start, step = mpmath.mpf(c - mu), mpmath.mpf(d)

        def kept(x):
            return mpmath.npdf(x, 0, d) * mpmath.ncdf((mu + shrink * x - c + window) / spread)

        points = [start + i * step / 4 for i in range(60)]
        exact = mpmath.quad(kept, points) / mpmath.ncdf(-start / d)
    assert cascade_recall(*law) == pytest.approx(float(exact), abs=1e-9)


def test_the_limits():
    v = posterior_deviation(1.0, 1.0)
    assert cascade_window(v / np.sqrt(2 * np.pi), 1.0, 1.0) == 0
    assert cascade_gain(1.0, *LAW[1:]) == gaussian_gain(gaussian_price(*LAW[1:]), *LAW[1:])
    free = cascade_gain(1e-9, *LAW[1:])
    assert free == pytest.approx(gaussian_gain(1.0, 1.0, 0.0, 1.0, 0.0), abs=1e-7), "for nothing: the exact price"
    assert cascade_recall(1e-9, *LAW[1:]) == pytest.approx(1, abs=1e-6)
    assert (cascade_window(0.1, 1.0, 0.0), cascade_recall(0.1, 1.0, 0.0, 1.0, 0.0)) == (0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cascade_window(0.0, 1.0, 1.0), r"evaluation must be in \(0, inf\), got 0\.0"),
        (lambda: posterior_deviation(0.0, 1.0), r"deviation must be in \(0, inf\), got 0\.0"),
        (lambda: evaluated_share(0.1, 0.0, 0.0, 1.0, -1.0), r"noise must be in \[0, inf\), got -1\.0"),
        (lambda: cascade_gain(0.1, np.nan, 0.0, 1.0, 1.0), "cost must be finite"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
