"""Reprs: one line, short, with the name of the class and the essentials, however much is inside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy as sp

import kondo_theory as kt
from kondo_theory.contexts import best_price
from kondo_theory.derivations.proof import Proof
from kondo_theory.gambling.roots import RestPoint
from kondo_theory.geometry import frontier, pg_moments, rate_value
from kondo_theory.geometry.exact_rate import kept_successes
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.screening import answer_signal
from kondo_theory.token_trap.rows import token_atoms
from kondo_theory.words import one_line
from simulations.results import Table
from simulations.results.sources import Source
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.outcomes import Broken, Outcome, Report

LONG = "a statement <b>in bold</b> & more, " * 40
MANY = np.linspace(0.1, 0.9, 5000)
POLICY, ADVANTAGE = np.array([0.5, 0.3, 0.2]), np.array([1.0, 0.0, -0.5])


def proof():
    found = Proof("gate-law", LONG, ["x > 0"])
    found.define("A step.", "x")
    found.check("It is so.", sp.Integer(2) > 1)
    return found


CLAIM = kt.CLAIMS["reversal-quality"]
SIMULATED = Simulated(f"drift at p = 0.3, {LONG}", 0.25, 0.26, 0.01)
MEASURED = Measured("gap", 1.5, 1.0, 2.0, 10, 1.25, LONG, sources=(Source("a.parquet", command=LONG),))
OUTCOME = Outcome(CLAIM, None, [SIMULATED] * 500, [MEASURED], "holds", LONG)
REPORT = Report("quick", "cpu: <name>", "0123456789abcdef", {}, [OUTCOME] * 3, ["a"] * 5, "2026-01-01", LONG)
TABLE = Table(
    pd.DataFrame({"label": ["<script>", "PG"] * 500, "value": np.arange(1000.0)}),
    "a kind of <i>table</i>",
    {"preset": "quick", "x": LONG},
    {"date": "2026-01-01", "device": "cpu: <name>", "commit": "0123456789abcdef"},
    Path("somewhere/frontier.parquet"),
)

SHOWN = [
    (kt.Gate(rate=0.03), "Gate(rate=0.03)"),
    (kt.Gate(price=0.0), "Gate(price=0.0)"),
    (kt.Gate(price=-1.5, temperature=0.5), "Gate(price=-1.5, temperature=0.5)"),
    (pg_moments(0.3, 10, 0.2), "GradientMoments(signal=0.2214, perpendicular_bias=0, var_parallel=0.05833,"),
    (pg_moments(MANY, 10, 0.2), "GradientMoments(signal=(5000,), perpendicular_bias=(5000,), var_parallel="),
    (frontier(POLICY, ADVANTAGE, MANY), "Frontier(price=(5000,) in [0.1, 0.9], temperature="),
    (rate_value([1.0, 0.0], [0.5, 0.5], 0.3), "RateValue(value=0.3, price_low=1, price_high=1)"),
    (kt.screen_context(POLICY, ADVANTAGE, "delight", 0.1), "Screened(keep=(3,) in [0, 0.2], backward_rate=0.1,"),
    (answer_signal("max-variance", [0.0, 1.0], [0.7, 0.3], 8, 2), "AnswerSignal("),
    (kt.RULES["max-variance"], "ScreeningRule(granularity='answer', inputs='advantage')"),
    (best_price(MANY, 10), "BestPrice(price=0.1014, rate=0.4102, cosine=0.8827, gap=0.1173, kept=(5000,))"),
    (kept_successes(MANY, 10, 2), "KeptSuccesses(mean=(5000,) in ["),
    (SymmetricContext.of(0.3, 10, 0.2), "SymmetricContext(p=0.3, error=0.7, n_arms=10, baseline=0.2,"),
    (token_atoms(MANY, 20, 10), "Atoms(mass=(5000, 40) in [1e-20, 0.257], score=(5000, 40) in ["),
    (RestPoint(0.25, True), "RestPoint(x=0.25, stable=True)"),
    (CLAIM, "Claim('reversal-quality', source='KG §5, DG §5', statement='On token reversal"),
    (replace(CLAIM, statement=CLAIM.statement + LONG), "Claim('reversal-quality', source="),
    (CLAIM.rule, "DecisionRule('median over seeds, paired by seed, with its"),
    (CLAIM.rule.criteria[0], "Criterion('share of seeds that reach"),
    (proof(), "Proof('gate-law', 'a statement <b>in bold"),
    (
        proof().conclude(price=sp.Symbol("x"), rate=sp.Symbol("y")),
        "Derivation('gate-law', ok=True, steps='1 proved",
    ),
    (proof().steps[1], "Step('It is so.', 'proved by SymPy', ok=True)"),
    (SIMULATED, "Simulated('drift at p = 0.3, a statement"),
    (MEASURED, "Measured('gap', value=1.5, low=1, high=2, published=1.25, seeds=10)"),
    (MEASURED.sources[0], "Source('a.parquet, date unknown"),
    (OUTCOME, "Outcome('reversal-quality', 'holds', reason='a statement"),
    (REPORT, "Report('quick', claims='3 of 5', verdicts='3 holds', device='cpu: <name>')"),
    (replace(REPORT, chosen=()), "Report('quick', claims=3, verdicts="),
    (Broken("ValueError", LONG, "file.py:3 in f", LONG * 9), "Broken('ValueError', 'a statement"),
    (TABLE, "Table('a kind of <i>table</i>', '1,000 rows of 2 columns', origin='frontier.parquet, 2026-01-01"),
]


@pytest.mark.parametrize(("value", "beginning"), SHOWN, ids=lambda x: type(x).__name__ if type(x) is not str else "")
def test_a_repr_is_one_short_line_that_says_the_essentials(value, beginning):
    text = repr(value)
    assert text.startswith(beginning)
    assert len(text) < 200
    assert "\n" not in text
    assert text.endswith(")")


@pytest.mark.parametrize("gate", [kt.Gate(rate=0.03), kt.Gate(price=0.1, temperature=0.5), kt.Gate(price=-np.pi)])
def test_the_repr_of_a_gate_makes_it_again(gate):
    assert eval(repr(gate), {"Gate": kt.Gate}) == gate


def test_every_class_of_the_theory_that_holds_arrays_or_texts_is_tried():
    tried = {type(value).__name__ for value, _ in SHOWN}
    for module in (kt.moments, kt.geometry, kt.screening, kt.contexts, kt.gate, kt.claims):
        own = {name for name in module.__all__ if isinstance(getattr(module, name), type)}
        assert own <= tried, module


def test_one_line_drops_ranges_and_then_cuts():
    class Thing:
        pass

    arrays = {f"array_{i}": np.array([[0.123456, 1e-9]]) for i in range(6)}
    assert one_line(Thing(), np.array([0.25, 1.0])) == "Thing((2,) in [0.25, 1])"
    assert one_line(Thing(), **arrays).startswith("Thing(array_0=(1, 2), array_1=(1, 2), ")
    cut = one_line(Thing(), **{f"x{i}": "y" * 60 for i in range(9)})
    assert len(cut) == 199
    assert cut.endswith("…)")
    told = one_line(Thing(), True, None, 3, np.float64(1 / 3), np.array(2.0), np.ones(0), [1, 2], {}, object())
    assert told == "Thing(True, None, 3, 0.3333, 2, (0,), <2>, <0>, object(…))"


def test_a_notebook_shows_a_table_with_its_text_escaped():
    html = TABLE._repr_html_()
    assert (
        "<p>a kind of &lt;i&gt;table&lt;/i&gt;: 1,000 rows from frontier.parquet, 2026-01-01, cpu: &lt;name&gt;"
        in html
    )
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert html.count("<tr") < 100  # pandas shows the first rows and the last


def test_a_notebook_shows_the_verdicts_with_their_text_escaped():
    html = REPORT._repr_html_()
    assert "cpu: &lt;name&gt;, commit 0123456789ab, 2026-01-01" in html
    assert html.count("<tr>") == 4
    assert "<td>reversal-quality</td><td>holds</td><td>a statement &lt;b&gt;in bold&lt;/b&gt; &amp; more" in html
    assert "<b>" not in html
