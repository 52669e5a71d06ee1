"""The registry, its two halves, the verdicts, and the exit codes."""

import importlib
import json
import math
from dataclasses import replace
from typing import get_args

import pytest

from kondo_theory.claims import CLAIMS, SOURCES, Claim, Criterion, DecisionRule, Verdict, get_claims
from simulations.bandits.simulation import Gate
from simulations.results.sources import Source
from simulations.verification import verify
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.geometry import zero_price_geometry
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.evidence_json import criteria_json

SMOKE = Context("smoke", "cpu", 1, lambda _: None)
AGREES, DISAGREES = Simulated("a", 1.0, 1.001, 0.001), Simulated("b", 1.0, 1.1, 0.001)
NOISY = Simulated("c", 1.0, 1.0, 0.1)
RULE = DecisionRule("median", "straddles", (Criterion("gap", high=1.0),), {"updates": 3_000, "seeds": 5})
MEASURED_CLAIM = Claim("x", "s", "KG", "r", RULE, derived=False)


def measured(low, high, quantity="gap", seeds=5, updates=3_000):
    return Measured(quantity, (low + high) / 2, low, high, seeds, None, "test", {"updates": updates, "seeds": 10})


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
    verdict, _ = verify.judge(MEASURED_CLAIM, None, [], [measured(low, high)])
    assert verdict == {"holds": "holds in regime"}.get(expected, expected)


def test_a_strict_criterion_excludes_its_edge():
    strict = Criterion("gap", high=0.0, strict=True)
    assert [strict.judge(-1, high) for high in (-0.1, 0.0, 0.1)] == ["holds", "undecided", "undecided"]
    assert strict.judge(0.0, 0.0) == "fails"
    assert (str(strict), str(Criterion("gap", low=2))) == ("gap < 0", "gap ≥ 2")


def test_our_own_theory_comes_first():
    claim = CLAIMS["zero-price-geometry"]
    assert verify.judge(claim, True, [AGREES], [])[0] == "holds in regime"
    assert verify.judge(claim, False, [AGREES], []) == ("contradicted", "a step of the derivation failed")
    assert verify.judge(claim, True, [AGREES, DISAGREES], [])[0] == "contradicted"
    assert verify.judge(claim, True, [AGREES, NOISY], [])[0] == "undecided"


@pytest.mark.parametrize(
    ("seeds", "updates", "reason"),
    [
        (4, 300, "300 updates and 4 seeds; the rule asks for 3,000 and 5"),
        (5, 2_999, "2,999 updates; the rule asks for 3,000"),
        (1, 3_000, "1 seed; the rule asks for 5"),
    ],
)
def test_what_is_measured_at_smaller_sizes_than_the_rule_asks_for_is_not_run(seeds, updates, reason):
    for ends in ((0, 0.5), (2, 3), (0.5, 2)):
        row = measured(*ends, seeds=seeds, updates=updates)
        assert verify.judge(MEASURED_CLAIM, None, [], [row]) == ("not run", reason)
        # A small measurement can lack what the rule demands.
        assert verify.judge(MEASURED_CLAIM, None, [], [replace(row, quantity="other")]) == ("not run", reason)


def test_a_missing_measurement_of_the_size_asked_for_is_a_bug():
    with pytest.raises(RuntimeError, match="x demands a quantity that its measurement lacks: gap"):
        verify.judge(MEASURED_CLAIM, None, [], [measured(0, 0.5, "other")])


def test_a_criterion_can_ask_for_other_sizes_than_the_rule():
    costly = Criterion("costly", high=1.0, judged_from={"seeds": 2})
    rule = replace(RULE, criteria=(*RULE.criteria, costly))
    claim = replace(MEASURED_CLAIM, rule=rule)
    rows = [measured(0, 0.5), measured(0, 0.5, "costly", seeds=2, updates=10)]
    assert verify.judge(claim, None, [], rows)[0] == "holds in regime"
    few = [rows[0], replace(rows[1], seeds=1)]
    assert verify.judge(claim, None, [], few) == ("not run", "1 seed; the rule asks for 2")
    found = criteria_json(claim, few)
    assert [(entry["judgement"], entry["judged_from"]) for entry in found] == [
        ("holds", {"updates": 3_000, "seeds": 5}), (None, {"seeds": 2}),
    ]  # fmt: skip
    assert rule.not_run == "below 3,000 updates or 5 seeds (1 of 2 criteria); below 2 seeds (1 of 2 criteria)"


@pytest.mark.parametrize(("source", "verdict"), [("KG", "fails"), ("DG, here", "fails"), ("here", "contradicted")])
def test_what_is_missed_fails_a_published_claim_and_contradicts_ours(source, verdict):
    claim = replace(MEASURED_CLAIM, source=source)
    assert verify.judge(claim, None, [], [measured(1.1, 1.2)])[0] == verdict
    assert verify.judge(claim, None, [], [measured(0.9, 1.2)])[0] == "undecided"


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("holds", 0),
        ("holds in regime", 0),
        ("fails", 0),  # a published claim that does not hold is a result
        ("not comparable", 0),
        ("not run", 0),
        ("undecided", 1),
        ("contradicted", 1),
        ("broken", 1),
    ],
)
def test_exit_codes(verdict, code):
    assert verdict in get_args(Verdict)
    outcomes = [verify.Outcome(MEASURED_CLAIM, None, [], [], found, "") for found in ("holds", verdict, "fails")]
    assert verify.Report("smoke", "cpu", "c", {}, outcomes).exit_code == code


def test_every_verdict_has_an_exit_code_above():
    (mark,) = test_exit_codes.pytestmark
    assert {verdict for verdict, _ in mark.args[1]} == set(get_args(Verdict))


def test_the_simulation_agrees_with_the_closed_form():
    rows = zero_price_geometry(SMOKE)
    assert len(rows) > 100
    assert all(row.within for row in rows), [row for row in rows if not row.within]


@pytest.mark.control("zero-price-geometry")
@pytest.mark.parametrize(
    "wrong", [Gate("pg"), Gate("dg"), Gate("price", price=0.1, temperature=0.0), Gate("rate", rate=0.5)], ids=str
)
def test_negative_control_a_wrong_gate_fails_the_claim(wrong):
    rows = zero_price_geometry(SMOKE, wrong)
    assert verify.judge(CLAIMS["zero-price-geometry"], True, rows, [])[0] == "contradicted"


def test_the_report_has_the_stated_schema(tmp_path):
    report = verify.verify("smoke", device="cpu", claims=["forward-efficiency"], workers=1).to_json()
    assert list(report) == [
        "schema", "preset", "device", "commit", "date", "versions", "complete", "chosen", "exit_code", "sources",
        "claims",
    ]  # fmt: skip
    assert (report["schema"], report["complete"], report["exit_code"]) == (2, True, 0)
    (entry,) = report["claims"]
    assert list(entry) == [
        "id", "family", "statement", "source", "published", "regime", "derived", "simulated", "measured", "tables",
        "criteria", "rule", "verdict", "reason", "broken", "seconds", "command",
    ]  # fmt: skip
    assert entry["derived"]["ok"] is True
    assert entry["derived"]["proved"] == len(entry["derived"]["steps"]) > 5
    assert entry["verdict"] == "holds in regime"
    assert entry["command"] == "kondo verify --claim forward-efficiency --preset smoke --device cpu"
    json.dumps(report, allow_nan=False)


def test_the_entry_of_a_measured_claim_says_all_that_judged_it():
    costly = Criterion("costly", high=1.0, why="dear", published=0.5, judged_from={"seeds": 9})
    claim = replace(MEASURED_CLAIM, rule=replace(RULE, criteria=(*RULE.criteria, costly)))
    sources = (Source("a.parquet", "paper", "2026-01-02T03:04:05", "cpu: x", "abc", "kondo experiment mnist"),)
    sources += (Source("b.parquet", None, "2026-01-03", "cpu: x", None, None),)
    rows = [replace(measured(0, math.inf), sources=sources), measured(0, 0.5, "costly")]
    entry = verify.Outcome(claim, None, [], rows, "not run", "because").to_json()
    assert entry["measured"][0] == {
        "quantity": "gap", "value": None, "low": 0, "high": None, "seeds": 5, "published": None, "origin": "test",
        "updates": 3_000, "sizes": {"updates": 3_000, "seeds": 5}, "table": "a.parquet, b.parquet", "preset": "paper",
        "date": "2026-01-02T03:04:05, 2026-01-03", "device": "cpu: x", "commit": "abc",
        "command": "kondo experiment mnist", "not_finite": {"value": "inf", "high": "inf"}, "parameters": {},
    }  # fmt: skip
    assert [table["table"] for table in entry["tables"]] == ["a.parquet", "b.parquet"]
    gap, dear = entry["criteria"]
    assert gap == {
        "quantity": "gap", "low": None, "high": 1.0, "published": None, "why": "", "strict": False,
        "judged_from": {"updates": 3_000, "seeds": 5}, "text": "gap ≤ 1", "judgement": "undecided",
        "not_finite": {"low": "-inf"},
    }  # fmt: skip
    assert (dear["judgement"], dear["why"], dear["published"]) == (None, "dear", 0.5)
    assert entry["rule"]["judged_from"] == {"updates": 3_000, "seeds": 5}
    assert (entry["published"], entry["rule"]["beforehand"], entry["rule"]["not_comparable"]) == (True, True, None)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"claim must be one of .*, got 'nope'$"):
        get_claims(["nope"])
    with pytest.raises(ValueError, match=r"got 'Token-Trab'; did you mean 'token-trap'\?$"):
        get_claims(["Token-Trab"])
    with pytest.raises(ValueError, match="preset must be one of smoke, quick, paper, got 'huge'"):
        verify.verify("huge")
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, got 'tpu'"):
        verify.verify("smoke", device="tpu")
