"""The explorers in headless Chromium: every slider moves what is drawn, to what the closed forms say there."""

import numpy as np
import pytest
from scipy.special import expit

from kondo_theory import gambling, token_trap
from kondo_theory.gambling.top_rate import top_rate_drift
from kondo_theory.geometry import cosine_gap, dg_weights, pg_moments, symmetric_moments, zero_price_moments

STORED = 1e-6
"""Relative precision of 32-bit floats, with room."""


def geometry(x, p_correct, n_arms, baseline):
    p = expit(x)
    dg = symmetric_moments(p, n_arms, baseline, *dg_weights(p, n_arms, baseline, 1.0))
    found = [pg_moments(p, n_arms, baseline), dg, zero_price_moments(p, n_arms, baseline)]
    methods = ("pg", "dg", "zero-price")
    return [
        [each.signal for each in found],
        [np.sqrt(each.var_perpendicular) for each in found],
        [1 - cosine_gap(method, p, n_arms, baseline, 100) for method in methods],
    ]


def gamble(x, noise_ratio, temperature, rate):
    share = expit(x)
    return [[
        gambling.drift(share, noise_ratio),
        gambling.drift(share, noise_ratio, "dg", temperature),
        top_rate_drift(share, noise_ratio, rate),
        np.ones_like(share),
    ]]  # fmt: skip


def trap(x, vocab_size, n_tokens, rate):
    p = expit(x)
    full = token_trap.drift(p, n_tokens, vocab_size, 1.0)
    return [[token_trap.drift(p, n_tokens, vocab_size, rate, gate) / full for gate in ("token", "row")]]


EXPLORERS = {
    "geometry": (geometry, {"p_correct": 30, "n_arms": 5, "baseline": 8}),
    "gambling": (gamble, {"noise_ratio": 2, "temperature": 1, "rate": 6}),
    "tokens": (trap, {"vocab_size": 0, "n_tokens": 2, "rate": 1}),
}
DRAWN = "name => document.getElementById(`explore-${name}`).plots.map(plot => [...plot.data].map(row => [...row]))"


def drawn(tab, name):
    """What the plots of an explorer draw: x, and a list of curves, for each panel."""
    found = tab.evaluate(DRAWN, name)
    return [(np.array(x), [np.array(curve, dtype=float) for curve in curves]) for x, *curves in found]


def settings(tab, name):
    """The values that the sliders say, as numbers."""
    found = {}
    for label in tab.locator(f"#explore-{name} .sliders label").all():
        said = label.locator("output").inner_text().replace(",", "")
        share = said.removesuffix("\xa0%")
        found[label.locator("input").get_attribute("name")] = float(share) / (100 if share != said else 1)
    return found


def move(tab, name, slider, position):
    """Set a slider as a user does."""
    tab.locator(f"#explore-{name} input[name={slider}]").fill(str(position))


@pytest.mark.parametrize(("name", "slider"), [(name, slider) for name in EXPLORERS for slider in EXPLORERS[name][1]])
def test_a_slider_draws_the_closed_forms(tab, name, slider):
    closed_forms, positions = EXPLORERS[name]
    before, said = drawn(tab, name), tab.inner_text(f"#explore-{name} tbody")
    move(tab, name, slider, positions[slider])
    after, given = drawn(tab, name), settings(tab, name)
    for (x, curves), expected in zip(after, closed_forms(after[0][0], **given), strict=True):
        for curve, values in zip(curves, expected, strict=True):
            assert curve.shape == x.shape
            np.testing.assert_allclose(curve, values, rtol=STORED, atol=1e-7)
    assert tab.inner_text(f"#explore-{name} tbody") != said, "and the table says so"
    if slider != "p_correct":  # a place on the axis: its curves stay
        old = np.concatenate([curve for _, curves in before for curve in curves])
        new = np.concatenate([curve for _, curves in after for curve in curves])
        assert np.abs(old - new).max() > 0.01, "negative control: another setting is another curve"


def test_what_is_said_is_what_is_drawn(tab):
    move(tab, "geometry", "p_correct", 20)
    at = [[f"{curve[20]:.3g}" for curve in curves] for _, curves in drawn(tab, "geometry")]
    rows = tab.locator("#explore-geometry tbody tr").all()
    said = [[float(cell) for cell in row.locator("td").all_inner_texts()] for row in rows]
    np.testing.assert_allclose(said, np.array(at, dtype=float).T, rtol=2e-3)


def test_a_stall_is_said_with_its_reward_and_what_to_use(tab):
    stall = token_trap.stall_point(0.03, 10, 10)
    text = tab.inner_text("#explore-tokens tbody")
    assert f"yes, at a mean reward of {stall:.3f}" in text
    assert "tokens at zero price, or at this rate whole answers" in text
    move(tab, "tokens", "n_tokens", 0)
    assert token_trap.stall_point(0.03, 10, 2) is None
    assert "no: it learns" in tab.inner_text("#explore-tokens tbody")


def test_sliders_are_reached_and_moved_by_keys(tab):
    slider = tab.locator("#explore-gambling input[name=noise_ratio]")
    slider.focus()
    before = settings(tab, "gambling")["noise_ratio"]
    tab.keyboard.press("ArrowRight")
    assert settings(tab, "gambling")["noise_ratio"] > before
    assert slider.get_attribute("aria-valuetext") == tab.inner_text("#explore-gambling label:first-child output")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.name") == "temperature"


def test_dark_plots_have_other_colours(tab):
    pixels = "document.querySelector('#explore-gambling canvas').toDataURL()"
    light = tab.evaluate(pixels)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(f"light => {pixels} !== light", arg=light)
    tab.emulate_media(color_scheme="light")
    tab.wait_for_function(f"light => {pixels} === light", arg=light)
