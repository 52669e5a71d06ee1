"""Closed forms of ``cascade``."""

from __future__ import annotations

from closed_forms import ClosedForm
from kondo_theory.geometry.cascade import cascade_window, posterior_deviation

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _noise(v):
    """Return a deviation and a noise whose posterior deviation is v."""
    return 2 * v, 2 * v / 3**0.5


def _edge(u, v):
    """Return the cost whose window ends at u: found from the window, by halving."""
    low, high = 1e-12 * v, 0.4 * v
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if cascade_window(middle, *_noise(v)) > u * v else (low, middle)
    return low


def _most(v):
    """Return the largest cost at which there is a window."""
    low, high = 0.1 * v, v
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cascade_window(middle, *_noise(v)) > 0 else (low, middle)
    return low


CLOSED_FORMS = {
    "cascade": {
        "variance": ClosedForm(
            lambda rng: {"d": rng.uniform(0.1, 3), "tau": rng.uniform(0.1, 3)},
            lambda d, tau: posterior_deviation(d, tau) ** 2,
        ),
        "worth": ClosedForm(lambda rng: {"u": rng.uniform(0.2, 2.5), "v": rng.uniform(0.1, 3)}, _edge, 1e-8),
        "most": ClosedForm(lambda rng: {"v": rng.uniform(0.1, 3)}, _most),
    },
}

QUOTED = {
    "cascade": {
        "s = χ + τξ": "the score, a definition",
        "v·L(u)": "the name of the result worth",
        "v²": "the name of the result variance",
        "v·L(w/v) = e": "the window, argued from the result worth",
        "d²)": "the law's variance",
        "e = 0.05, c = 1, μ = 0, d = τ = 1": "an example's setting",
        "0.057": "an example, computed in test_what_a_window_buys",
        "0.025": "an example, computed in test_what_a_window_buys",
        "0.36": "an example, computed in test_what_a_window_buys",
        "0.33": "an example, computed in test_what_a_window_buys",
        "0.83": "an example, computed in test_what_a_window_buys",
        "DG-K(3 %)": "a method that was measured",
        "the top 3 %": "a setting of the measurement",
        "bfloat16 and int8": "what was measured",
        "0.05 to 4 %": "measured, in the table mnist-cascade",
        "30,000": "a setting of the measurement",
        "the top 900": "measured, in the table mnist-cascade",
        "14": "measured, in the table mnist-cascade",
        "3·10⁻⁵": "measured, in the table mnist-cascade",
        "a tenth": "of a prediction",
        "width 16": "a setting of the measurement",
        "27 points": "measured, in the table mnist-cascade",
    },
}
