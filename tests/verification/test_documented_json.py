"""Every field of the JSON of ``kondo verify`` stands in docs/command-line.md, and nothing else does."""

import re
from pathlib import Path

from kondo_theory.claims import CLAIMS
from kondo_theory.derivations import gate_law
from simulations.results.sources import Source
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.outcomes import Broken, Outcome, Report

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def documented():
    """Return of each part of the JSON the fields that the page names, without what they may hold."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+) \|$", text.partition("| of | fields |")[2], re.MULTILINE)
    return {
        part: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", fields))) for part, fields in rows if "`" in fields
    }


def written():
    """Return of each part of the JSON the fields that it has."""
    claim = CLAIMS["mnist-quality"]
    measured = [
        Measured(each.quantity, 1.0, 0.0, 2.0, 30, None, "t", {}, (Source(),)) for each in claim.rule.criteria
    ]
    outcome = Outcome(
        claim, gate_law.derive().to_json(), [Simulated("x", 1.0, 1.0, 0.1)], measured, "fails", "because",
        broken=Broken("E", "m", "w", "t"),
    )  # fmt: skip
    report = Report("quick", "cpu", "c", {}, [outcome]).to_json()
    (entry,) = report["claims"]
    parts = {f"one of `{name}`": entry[name][0] for name in ("simulated", "measured", "tables", "criteria")}
    parts |= {f"`{name}`": entry[name] for name in ("derived", "rule", "broken")}
    parts |= {"the report": report, "a claim": entry, "one of `steps`": entry["derived"]["steps"][0]}
    return {part: set(fields) for part, fields in parts.items()}


def test_the_page_has_every_field():
    page, fields = documented(), written()
    assert {part: page.get(part) for part in fields} == fields


def test_negative_control_a_field_that_is_not_named_is_found(monkeypatch, tmp_path):
    sample = tmp_path / "page.md"
    sample.write_text(PAGE.read_text(encoding="utf-8").replace("`family`, ", ""), encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.PAGE", sample)
    assert written()["a claim"] - documented()["a claim"] == {"family"}
