"""The cascade against a search over windows and sums in many digits, its limits, and an example."""

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


LAWS = [(0.1, 4, 0, 0.1, 0.05), (0.1, 1, 0, 0.5, 0.4), (0.02, 9, 0, 0.2, 1.0), (0.3, -2, 1, 0.4, 0.7)]
USELESS = [(0.5, 1, 0, 1, 300), (0.05, 0.02, 0, 1, 1e3), (0.05, -0.3, 0, 1, 1e4), (1e-3, 1e4, 0, 1, 100)]  # scores
RARE = [(0.05, 1e6, 0, 1, 1), (0.01, 2e3, 0, 1, 1e-3), (0.015, 0.77, 0.04, 0.07, 2e-4), (1e-3, 0.5, 0, 1, 1e-6)]


@pytest.mark.parametrize("law", [*LAWS, *USELESS, *RARE])
def test_recall_from_the_delight_of_what_should_be_kept(law):
    """From χ above c to its calibrated score, in 30 digits, also where no sample of this world is above c."""
    evaluation, c, mu, d, tau = law
    window = float(cascade_window(evaluation, d, tau))
    with mpmath.workdps(30):
        shrink = mpmath.mpf(d) ** 2 / (mpmath.mpf(d) ** 2 + mpmath.mpf(tau) ** 2)  # E[m | χ] = μ + shrink·(χ − μ)
        spread = mpmath.mpf(d) * mpmath.sqrt(shrink * (1 - shrink))
        start, step = mpmath.mpf(c) - mpmath.mpf(mu), mpmath.mpf(d) / max(1, (c - mu) / d)

        def kept(x):
            return mpmath.npdf(x, 0, d) * mpmath.ncdf((start * (shrink - 1) + shrink * (x - start) + window) / spread)

        turn = start - ((shrink - 1) * start + window) / shrink  # half of what has this delight is kept
        points = [start + i * step * 0.75 for i in range(40)] + [turn + i * spread for i in range(-8, 9)]
        exact = mpmath.quad(kept, sorted(x for x in points if x >= start)) / mpmath.ncdf(-start / d)
    assert cascade_recall(*law) == pytest.approx(float(exact), abs=1e-9)


@pytest.mark.parametrize("law", [*LAWS, *USELESS, *RARE])
def test_gain_and_share_from_all_scores(law):
    """The value of each calibrated score times its density, in 30 digits."""
    window = float(cascade_window(law[0], *law[3:]))
    e, c, mu, d, tau = (mpmath.mpf(x) for x in law)
    with mpmath.workdps(30):
        v, spread, centre = d * tau / mpmath.hypot(d, tau), d**2 / mpmath.hypot(d, tau), mu - c

        def value(at):
            exact = v * mpmath.npdf(at / v) + at * mpmath.ncdf(at / v)
            return (exact - e if abs(at) < window else max(at, 0)) * mpmath.npdf(at, centre, spread)

        ends = [-window, window, 0, *(i * v for i in range(-8, 9)), *(centre + i * spread for i in range(-12, 13))]
        inside = [x for x in sorted(set(ends)) if abs(x - centre) <= 12 * spread]
        gain = mpmath.quad(value, inside)
        share = mpmath.ncdf(window, centre, spread) - mpmath.ncdf(-window, centre, spread)
    assert cascade_gain(*law) == pytest.approx(float(gain), rel=1e-9, abs=1e-12 * law[3])
    assert evaluated_share(*law) == pytest.approx(float(share), rel=1e-9, abs=1e-300)


LARGE, SMALL = 1e300, 1e-300


def test_numbers_of_any_size_have_an_answer():
    for law, gain, share, recall in (
        ((0.05, LARGE, 0, 1, 1), 0, 0, 0),
        ((0.05, -LARGE, LARGE, 1, 1), 2 * LARGE, 0, 1),
        ((0.05, 0, 0, LARGE, LARGE), LARGE / np.sqrt(2 * np.pi), 1, 1),
        ((0.05, 1, 0, SMALL, LARGE), 0, 0, 0),
        ((0.05, 1, 0, LARGE, SMALL), LARGE / np.sqrt(2 * np.pi), 0, 1),
        ((0.05 * SMALL, SMALL, 0, SMALL, SMALL), cascade_gain(*LAW) * SMALL, evaluated_share(*LAW), None),
        ((0.05, 1e200, 0, 1, 1e-200), 0, 0, norm.cdf(-1) + np.exp(-0.5) / 2),  # χ − c and the noise in one unit
    ):
        found = cascade_gain(*law), evaluated_share(*law), cascade_recall(*law)
        expected = gain, share, cascade_recall(*LAW) if recall is None else recall
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-15 * min(1, law[3])), law
    assert posterior_deviation(LARGE, LARGE) == pytest.approx(LARGE / np.sqrt(2))
    assert cascade_window(5e-324, 1.0, 1.0) == pytest.approx(38 / np.sqrt(2), rel=0.01)
    for function in (cascade_gain, cascade_recall, evaluated_share):
        with pytest.raises(ValueError, match=r"^\(mean − cost\)/deviation must be finite, got -inf$"):
            function(0.05, LARGE, 0.0, SMALL, 1.0)
    with pytest.raises(ValueError, match=r"^the gain must be finite, got inf$"):
        cascade_gain(0.05, -1.7e308, 0.0, 1.7e308, 1.0)


def test_the_limits():
    v = posterior_deviation(1.0, 1.0)
    assert cascade_window(v / np.sqrt(2 * np.pi), 1.0, 1.0) == 0
    alone = gaussian_gain(gaussian_price(*LAW[1:]), *LAW[1:])
    assert cascade_gain(1.0, *LAW[1:]) == pytest.approx(alone, rel=1e-14)
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


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda two, three: posterior_deviation(two, three), r"deviation \(2,\), noise \(3,\)"),
        (lambda two, three: cascade_window(0.1, two, three), r"deviation \(2,\), noise \(3,\)"),
        (lambda two, three: cascade_window(two, three, 1.0), r"evaluation \(2,\), deviation \(3,\)"),
        (lambda two, three: evaluated_share(two, three, 0.0, 1.0, 1.0), r"evaluation \(2,\), cost \(3,\)"),
        (lambda two, three: evaluated_share(0.1, two, three, 1.0, 1.0), r"cost \(2,\), mean \(3,\)"),
        (lambda two, three: cascade_gain(0.1, two, three, 1.0, 1.0), r"cost \(2,\), mean \(3,\)"),
        (lambda two, three: cascade_recall(0.1, 1.0, two, 1.0, three), r"mean \(2,\), noise \(3,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, names):
    with pytest.raises(ValueError, match=f"shapes must be the same or stretch to one, got {names}"):
        call(np.ones(2), np.ones(3))
