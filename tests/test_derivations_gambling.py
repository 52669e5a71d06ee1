"""The gambling derivations: every step holds, wrong formulas are caught, results agree with the closed forms."""

from __future__ import annotations

import importlib
from functools import cache

import pytest
import sympy as sp

from kondo_theory import gambling, gambling_equal_noise, gambling_top_rate
from kondo_theory.derivations import gambling_gaussian
from kondo_theory.derivations.gambling_gaussian import eta, m, r, rho, x

CLAIMS = (
    "gambling-false-positives",
    "gambling-fixed-point",
    "gambling-dg-floor",
    "gambling-top-rate",
    "equal-noise",
)


def module_of(claim):
    return importlib.import_module("kondo_theory.derivations." + claim.replace("-", "_"))


@cache
def derived(claim):
    return module_of(claim).derive()


def number(expression, **values):
    names = {str(symbol): symbol for symbol in expression.free_symbols}
    return float(expression.subs({names[name]: sp.Float(value, 30) for name, value in values.items()}).evalf(25))


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_step_holds_and_is_written_down(claim):
    derivation = derived(claim)
    assert derivation.claim == claim
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert len(derivation.steps) >= 9
    for step in derivation.steps:
        assert step.latex.strip(), step.text
        assert step.method == "sympy" or len(step.method) > 30
    assert module_of(claim).__all__ == ["derive"]
    assert derivation.latex().count("&=") == len(derivation.results)


MUTATIONS = [
    ("gambling-false-positives", "_probability", lambda: gambling_gaussian.upper_tail(-(1 - x) / r)),
    ("gambling-fixed-point", "_critical", lambda: sp.Integer(2)),
    ("gambling-fixed-point", "_drift", lambda: x + gambling_gaussian.positive_part(1 - x)),
    ("gambling-fixed-point", "positive_part", lambda gap=m, noise=r: noise * gambling_gaussian.density(gap / noise)),
    ("gambling-dg-floor", "_threshold", lambda: eta * m / r**2),
    ("gambling-dg-floor", "_small_noise_factor", lambda: (2 * sp.pi * eta) ** 2 / sp.sin(2 * sp.pi * eta) ** 2),
    ("gambling-dg-floor", "_gate_slope", lambda z: 1 / (1 + sp.exp(-z))),
    ("gambling-top-rate", "_corner", lambda: 1 / gambling_gaussian.density(rho)),
    ("gambling-top-rate", "_split_drift", lambda share, noise, rate: share - noise),
    ("equal-noise", "_hard_mean", lambda mean: gambling_gaussian.positive_part(mean)),
    ("equal-noise", "_isoperimetric", lambda share: sp.Integer(0) * share),
]


@pytest.mark.parametrize(("claim", "name", "wrong"), MUTATIONS)
def test_negative_control_a_wrong_formula_is_caught(monkeypatch, claim, name, wrong):
    monkeypatch.setattr(module_of(claim), name, wrong)
    assert not module_of(claim).derive().ok


def test_results_agree_with_the_closed_forms():
    found = derived("gambling-false-positives").results["probability"]
    assert number(found, x=0.3, r=0.8) == pytest.approx(
        float(gambling.false_positive_probability(0.3, 0.8)), rel=1e-13
    )
    fixed = derived("gambling-fixed-point").results
    assert number(fixed["drift"], x=0.3, r=0.8) == pytest.approx(float(gambling.drift(0.3, 0.8)), rel=1e-12)
    assert float(fixed["critical_noise_ratio"]) == pytest.approx(gambling.CRITICAL_NOISE_RATIO, rel=1e-15)
    corner = derived("gambling-top-rate").results["corner_noise_ratio"]
    assert number(corner, rho=0.1) == pytest.approx(float(gambling_top_rate.corner_noise_ratio(0.1)), rel=1e-13)
    equal = derived("equal-noise").results
    assert number(equal["zero_price_drift"], x=0.3, r=0.8) == pytest.approx(
        float(gambling_equal_noise.equal_noise_drift(0.3, 0.8)), rel=1e-12
    )
    assert number(equal["top_rate_drift_at_zero"], rho=0.1, r=1.5) == pytest.approx(
        float(gambling_equal_noise.equal_noise_top_rate_drift(1e-300, 1.5, 0.1)), abs=2e-3
    )
