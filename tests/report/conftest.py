"""One page for all tests, and one tab of one browser that has it open.

The page has every claim and every verdict, text that must be escaped, and a few figures. The browser is the system's
own Chromium; where there is none the tests that need it skip and say so.
"""

import math
import shutil
from dataclasses import replace
from functools import cache

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.derivations import gate_law
from simulations.report import page
from simulations.report.explorers import explorers, tokens
from simulations.report.wording import VERDICTS
from simulations.results.sources import Source
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.outcomes import Outcome, Report

HOSTILE = """<script>alert("1 & 2")</script> 'x' </style>"""
DRAWN = ("gate-law", "additive-threshold", "additive-never-fixed")
FRONT = "gate-law"


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
    """Figures of three claims alone are drawn, and once, and the token trap has a small grid: all take a minute."""
    figures_of = page.figures_of
    draw_pictures = page.draw_pictures
    draw = cache(lambda names: draw_pictures(names, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "figures_of", lambda claim: figures_of(claim) if claim in DRAWN else [])
        patch.setattr(page, "FRONT", FRONT)
        patch.setattr(tokens, "VOCABULARIES", (2, 10))
        patch.setattr(tokens, "TOKENS", (2, 10, 30))
        patch.setattr(tokens, "RATES", (0.03, 0.1))
        patch.setattr(page, "draw_pictures", lambda names, own: draw(tuple(names)))
        explorers.cache_clear()  # whoever made a page before had other grids
        yield
    explorers.cache_clear()


@pytest.fixture(scope="session")
def path(document, few_figures, tmp_path_factory):
    return page.write_report(document, tmp_path_factory.mktemp("report") / "new")


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser tests")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: no browser tests")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_page(browser, path):
    """A function that opens the page in a tab of its own; at the end no tab has said or asked for anything else."""
    said, asked = [], []

    def check():
        assert said == [], "the console is silent"
        assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}, "nothing else is asked for"

    def opened(**options):
        tab = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        check()
        return tab

    yield opened
    check()


@pytest.fixture(scope="session")
def shared_tab(open_page):
    return open_page(reduced_motion="reduce")


@pytest.fixture
def tab(shared_tab):
    """The tab that tests share, as it was when it was opened."""
    yield shared_tab
    shared_tab.evaluate("document.querySelectorAll('.explorer input').forEach(i => { i.value = i.defaultValue; "
                        "i.dispatchEvent(new Event('input')); })")  # fmt: skip
    shared_tab.click("button[type=reset]")
    shared_tab.set_viewport_size({"width": 1280, "height": 900})
