"""One page for all tests: every claim and every verdict, text that must be escaped, and a few figures."""

import math
from dataclasses import replace
from functools import cache

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.derivations import gate_law
from simulations.report import page
from simulations.report.wording import VERDICTS
from simulations.results.sources import Source
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.outcomes import Outcome, Report

HOSTILE = """<script>alert("1 & 2")</script> 'x' </style>"""
DRAWN = ("gate-law", "additive-threshold", "additive-never-fixed")


def outcome(claim, verdict):
    """What a claim may look like: many simulated rows, measured ones for its criteria, infinities, tables."""
    source = Source(
        "a.parquet", "paper", "2026-01-02T03:04:05", "cuda: y", "abc-dirty", f"kondo experiment {HOSTILE}"
    )
    rows = [Simulated(f"{HOSTILE} at K={k}", 0.5, 0.5 + 1e-4 * k, 1e-3) for k in range(20)]
    measured = [Measured(c.quantity, math.inf, -1.5, math.inf, 4, c.published, "t", {"seeds": 4}, (source,))
                for c in claim.rule.criteria]  # fmt: skip
    derived = gate_law.derive().to_json() if claim.id == "gate-law" else None
    return Outcome(claim, derived, rows, measured, verdict, f"because {HOSTILE}", 1.5)


@pytest.fixture(scope="session")
def document():
    """The JSON of a report on every claim; verdicts in turn, so that each occurs."""
    outcomes = [outcome(claim, list(VERDICTS)[i % len(VERDICTS)]) for i, claim in enumerate(CLAIMS.values())]
    outcomes[0] = replace(outcomes[0], claim=replace(outcomes[0].claim, statement=HOSTILE, formulas={}))
    versions = {"python": "3.11", "numpy": "2.0"}
    return Report("smoke", "cpu: x", "a" * 40, versions, outcomes, list(CLAIMS), "2026-01-02T03:04:05", "").to_json()


@pytest.fixture(scope="session")
def few_figures():
    """Only the figures of three claims are drawn, and once: all of them take half a minute."""
    figures_of = page.figures_of
    draw_pictures = page.draw_pictures
    draw = cache(lambda names: draw_pictures(names, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "figures_of", lambda claim: figures_of(claim) if claim in DRAWN else [])
        patch.setattr(page, "draw_pictures", lambda names, own: draw(tuple(names)))
        yield


@pytest.fixture(scope="session")
def path(document, few_figures, tmp_path_factory):
    return page.write_report(document, tmp_path_factory.mktemp("report") / "new")
