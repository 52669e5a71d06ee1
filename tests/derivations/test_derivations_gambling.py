"""The gambling derivations: every step holds, and wrong formulas are caught."""

from __future__ import annotations

import importlib
from contextlib import suppress

import numpy as np
import pytest
import sympy as sp
from derived_claims import derived
from first_failure import first_failure
from scipy.special import ndtr

from kondo_theory.derivations import gambling_gaussian as gaussian
from kondo_theory.gambling.top_rate import top_rate_drift

CLAIMS = (
    "gambling-false-positives",
    "gambling-fixed-point",
    "gambling-dg-floor",
    "gambling-top-rate",
    "equal-noise",
    "noise-aware-gate",
    "gambling-transformer",
)


def module_of(claim):
    return importlib.import_module("kondo_theory.derivations." + claim.replace("-", "_"))


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_step_holds_and_is_written_down(claim):
    derivation = derived(claim)
    assert derivation.claim == claim
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert len(derivation.steps) >= 9
    for step in derivation.steps:
        assert step.latex.strip(), step.text
        assert step.kind != "argued" or len(step.argument) > 30
    assert derivation.counts["proved"] >= 4 * derivation.counts["argued"]
    assert derivation.counts["checked"] == 0
    assert module_of(claim).__all__ == ["derive"]
    assert derivation.latex().count("&=") == len(derivation.results)


x, r, m, s, u, t, odds, rho, tau, eta = (
    gaussian.x,
    gaussian.r,
    gaussian.m,
    gaussian.s,
    gaussian.u,
    gaussian.t,
    gaussian.odds,
    gaussian.rho,
    gaussian.tau,
    gaussian.eta,
)

MUTATIONS = [
    ("gambling-false-positives", "_probability", lambda: gaussian.upper_tail(-(1 - x) / r)),
    ("gambling-false-positives", "expected_reward", lambda: x),
    ("gambling-fixed-point", "_critical", lambda: sp.sqrt(sp.pi)),
    ("gambling-fixed-point", "_drift", lambda: x + gaussian.positive_part(1 - x)),
    ("gambling-fixed-point", "_small_noise_floor", lambda: r**2 * gaussian.density(1 / r)),
    ("gambling-fixed-point", "update_of_log_odds", lambda first, second: first - second),
    ("gambling-dg-floor", "_threshold", lambda: eta * m / r**2),
    ("gambling-dg-floor", "_tilted_mean", lambda: (2 * sp.pi * eta) ** 2 / sp.sin(2 * sp.pi * eta) ** 2),
    ("gambling-dg-floor", "_partial_fractions", lambda shift: sp.pi / sp.tan(sp.pi * shift)),
    ("gambling-dg-floor", "_warm_floor", lambda: sp.exp(-eta / r**2)),
    ("gambling-dg-floor", "_cubic", lambda: r**2 * gaussian.density(1 / r)),
    ("gambling-dg-floor", "_cold_floor", lambda: gaussian.density(1 / r) * r**3),
    ("gambling-dg-floor", "_large_noise_gap", lambda: 2 * eta / r**2),
    ("gambling-dg-floor", "sigmoid", lambda z: 1 / (1 + sp.exp(-2 * z))),
    ("gambling-top-rate", "_corner", lambda: 1 / gaussian.density(rho)),
    ("gambling-top-rate", "_tie", lambda: sp.log(1 - x) / sp.log(x)),
    ("gambling-top-rate", "_whole_drift", lambda share: 1 + share - r * gaussian.isoperimetric(share)),
    ("gambling-top-rate", "_floor", lambda: gaussian.positive_part(sp.Integer(1))),
    ("equal-noise", "_hard_mean", lambda mean: gaussian.positive_part(mean)),
    ("equal-noise", "_at_one", lambda: 1 - r * gaussian.isoperimetric(rho)),
    ("gambling-transformer", "_shut_out", lambda: 1 / gaussian.density(rho / s)),
    ("gambling-transformer", "_shut_out_abs", lambda: 1 / (sp.sqrt(2) * sp.erfinv(1 - 2 * rho / s))),
    ("gambling-transformer", "_entropy_weight", lambda: r**2 / (2 * eta)),
    ("gambling-transformer", "_soft_odds", lambda: sp.exp(-eta / r**2)),
    ("gambling-transformer", "_priced_floor", lambda: sp.Symbol("lambda", positive=True)),
    ("equal-noise", "_FLOOR_RATIOS", {3: sp.Rational(92, 100), 10: sp.Rational(174, 100)}),
]


@pytest.mark.parametrize(("claim", "name", "wrong"), MUTATIONS)
def test_negative_control_a_wrong_formula_is_caught(monkeypatch, claim, name, wrong):
    module = module_of(claim)
    monkeypatch.setattr(module, name, wrong)
    with suppress(ValueError, NotImplementedError, TypeError, IndexError):  # SymPy may find nothing to do with it
        assert first_failure(module)


def test_the_derivations_pass_where_they_stop_at_the_first_failing_step():
    assert first_failure(module_of("gambling-dg-floor")) is None


def test_the_examples_of_the_top_rate_lie_in_their_regions():
    """A drift is given only where the price lies on the atom, or the whole atom is kept, and it is the package's."""
    module, generator, seen = module_of("gambling-top-rate"), np.random.default_rng(3), set()
    for _ in range(40):
        percent, noise, rate = generator.integers([1, 5, 1], [100, 60, 100])
        r, share, kept = sp.Rational(int(noise), 20), float(percent) / 100, float(rate) / 100
        tie = share * np.log1p(-share) / np.log(share)
        beat = share * float(ndtr(-(tie + 1 - share) / float(r)))
        region = "gambles" if kept < beat else "whole" if kept > 1 - share + beat else "split"
        found = {
            "split": module._split_at(int(percent), r, sp.Rational(int(rate), 100)),
            "whole": module._whole_at(int(percent), r, sp.Rational(int(rate), 100)),
        }
        for name, value in found.items():
            assert (value is not sp.nan) == (name == region)
            if name == region:
                assert float(value) == pytest.approx(
                    float(top_rate_drift(share, float(r), kept)), rel=1e-9, abs=1e-12
                )
        seen.add(region)
    assert seen == {"split", "whole", "gambles"}
