"""The registry, its two halves, the verdicts, and the exit codes."""

import importlib
import json
import math

import pytest

from kondo_theory.claims import CLAIMS, SOURCES, Claim, Criterion, DecisionRule, get_claims
from simulations import verify
from simulations.bandits import Gate
from simulations.checks import Context
from simulations.checks.geometry import zero_price_geometry
from simulations.statistics import Measured, Simulated

SMOKE = Context("smoke", "cpu", 1, lambda _: None)
AGREES, DISAGREES = Simulated("a", 1.0, 1.001, 0.001), Simulated("b", 1.0, 1.1, 0.001)
NOISY = Simulated("c", 1.0, 1.0, 0.1)
MEASURED_CLAIM = Claim(
    "x", "s", "KG", "r", DecisionRule("median", "straddles", (Criterion("gap", high=1.0),), "quick"), derived=False
)


def measured(low, high, quantity="gap"):
    return Measured(quantity, (low + high) / 2, low, high, 5, None, "test")


def test_every_claim_has_both_halves():
    assert set(CLAIMS) == set(verify.CHECKS)
    for claim in CLAIMS.values():
        check = verify.CHECKS[claim.id]
        assert claim.source.split()[0].rstrip(",;") in SOURCES
        assert claim.derived == (check.simulate is not None), "a derived claim is simulated, and nothing else is"
        assert bool(claim.rule.criteria) == (check.measure is not None)
        for name in filter(None, (check.simulate, check.measure)):
            assert callable(verify.load_function(name))
        if claim.derivation_module:
            assert callable(importlib.import_module(claim.derivation_module).derive)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.9, "holds"),
        (0.9, 1.1, "undecided"),
        (1.1, 1.2, "fails"),
        (-math.inf, 1.0, "holds"),
        (0.0, math.inf, "undecided"),
    ],
)
def test_a_criterion_is_judged_by_the_whole_interval(low, high, expected):
    assert Criterion("gap", high=1.0).judge(low, high) == expected
    verdict, _ = verify.judge(MEASURED_CLAIM, None, [], [measured(low, high)], "quick")
    assert verdict == {"holds": "holds in regime"}.get(expected, expected)


def test_a_strict_criterion_excludes_its_edge():
    strict = Criterion("gap", high=0.0, strict=True)
    assert [strict.judge(-1, high) for high in (-0.1, 0.0, 0.1)] == ["holds", "undecided", "undecided"]
    assert strict.judge(0.0, 0.0) == "fails"
    assert (str(strict), str(Criterion("gap", low=2))) == ("gap < 0", "gap ≥ 2")


def test_our_own_theory_comes_first():
    claim = CLAIMS["zero-price-geometry"]
    assert verify.judge(claim, True, [AGREES], [], "smoke")[0] == "holds in regime"
    assert verify.judge(claim, False, [AGREES], [], "smoke") == ("fails", "a step of the derivation failed")
    assert verify.judge(claim, True, [AGREES, DISAGREES], [], "smoke")[0] == "fails"
    assert verify.judge(claim, True, [AGREES, NOISY], [], "smoke")[0] == "undecided"


def test_too_small_a_preset_is_not_run_and_a_missing_measurement_is_a_bug():
    assert verify.judge(MEASURED_CLAIM, None, [], [measured(0, 0.5)], "smoke")[0] == "not run"
    with pytest.raises(RuntimeError, match="x demands a quantity that its measurement lacks: gap"):
        verify.judge(MEASURED_CLAIM, None, [], [measured(0, 0.5, "other")], "quick")


@pytest.mark.parametrize(
    ("derived", "rows", "verdict", "code"),
    [
        (True, [AGREES], "holds in regime", 0),
        (None, [], "fails", 0),  # a published claim that does not hold is a result
        (None, [], "not run", 0),
        (True, [DISAGREES], "fails", 1),
        (True, [NOISY], "undecided", 1),
        (False, [AGREES], "fails", 1),
        (None, [], "undecided", 1),
    ],
)
def test_exit_codes(derived, rows, verdict, code):
    outcome = verify.Outcome(MEASURED_CLAIM, derived, rows, [], verdict, "")
    assert verify.Report("smoke", "cpu", "c", {}, [outcome]).exit_code == code


def test_the_simulation_agrees_with_the_closed_form():
    rows = zero_price_geometry(SMOKE)
    assert len(rows) > 100
    assert all(row.within for row in rows), [row for row in rows if not row.within]


@pytest.mark.parametrize(
    "wrong", [Gate("pg"), Gate("dg"), Gate("price", price=0.1, temperature=0.0), Gate("rate", rate=0.5)], ids=str
)
def test_negative_control_a_wrong_gate_fails_the_claim(wrong):
    rows = zero_price_geometry(SMOKE, wrong)
    assert verify.judge(CLAIMS["zero-price-geometry"], True, rows, [], "smoke")[0] == "fails"


def test_the_report_has_the_stated_schema(tmp_path):
    report = verify.verify("smoke", device="cpu", claims=["zero-price-geometry"], workers=1).to_json()
    assert list(report) == ["preset", "device", "commit", "versions", "claims"]
    (entry,) = report["claims"]
    assert list(entry) == [
        "id", "statement", "source", "regime", "derived", "simulated", "measured", "verdict", "reason",
    ]  # fmt: skip
    assert entry["derived"] == {"ok": True}
    assert entry["verdict"] == "holds in regime"
    json.dumps(report, allow_nan=False)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"claim must be one of .*, got 'nope'"):
        get_claims(["nope"])
    with pytest.raises(ValueError, match="preset must be one of smoke, quick, paper, got 'huge'"):
        verify.verify("huge")
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, got 'tpu'"):
        verify.verify("smoke", device="tpu")
