"""Every claim, rule, figure and sweep has all its parts; a failure says what is missing and where it belongs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import registry
from registry import (
    TO_FILL,
    controls,
    controls_in,
    missing_of_claim,
    missing_of_figure,
    missing_of_rule,
    missing_of_sweep,
    to_fill,
)

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import RULES, ScreeningRule
from paper_figs.catalogue import FIGURES
from simulations.sweeps.named.catalogue import SWEEPS

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("claim", "rule", "figure", "sweep")


def complete(kind, name, missing):
    assert not missing, "\n".join([f"{kind} {name} lacks (docs/adding/{kind}.md):", *missing])


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_has_all_its_parts(claim):
    complete("claim", claim, missing_of_claim(CLAIMS[claim]))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_all_its_parts(rule):
    complete("rule", rule, missing_of_rule(rule))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_has_all_its_parts(figure):
    complete("figure", figure, missing_of_figure(figure, FIGURES[figure]))


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_has_all_its_parts(sweep):
    complete("sweep", sweep, missing_of_sweep(sweep, SWEEPS[sweep]))


def test_nothing_is_left_to_be_filled_in():
    left = to_fill(ROOT)
    assert not left, "\n".join(["still to be filled in:", *left])


def test_controls_are_of_claims():
    strange = {claim: tests for claim, tests in controls().items() if claim not in CLAIMS}
    assert not strange, "marked as controls of what is no claim"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", *(f"docs/adding/{kind}.md" for kind in KINDS)])
def test_a_page_names_files_that_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:kondo_theory|simulations|paper_figs|tests|docs)/[^`\s]*)`", text)
    fixed = [path for path in paths if not re.search(r"my_|FAMILY|ROOM", path)]
    assert fixed
    assert [path for path in fixed if not (ROOT / path).exists()] == []


# What is missing is seen.


def begins(missing):
    return [part.partition(":")[0] for part in missing]


def test_negative_control_a_claim_without_parts_lacks_each():
    bare = replace(CLAIMS["gate-law"], id="made-up")
    assert begins(missing_of_claim(bare)) == [
        "derivation", "closed forms", "check", "negative control", "figure", "row in the docs",
    ]  # fmt: skip
    assert begins(missing_of_claim(replace(bare, derived=False))) == [
        "check", "negative control", "figure", "row in the docs",
    ]  # fmt: skip
    lines = "\n".join(missing_of_claim(bare))
    for place in ("derivations/made_up.py", "tests/closed_forms/", "verify.py", "control('made-up')", "catalogue.py"):
        assert place in lines


def test_negative_control_a_rule_without_parts_lacks_each():
    assert begins(missing_of_rule("made-up")) == [
        "test", "words", "table", "comparison", "moments", "keyword type", "axis", "kernel", "order", "style",
    ]  # fmt: skip


@pytest.mark.parametrize("granularity", ["answer", "token", "prompt"])
def test_negative_control_a_rule_on_answers_tokens_or_prompts_lacks_its_own_parts(monkeypatch, granularity):
    """Registered and nowhere else; and one whose line in the docs says that it decides on something else."""
    rules = {**RULES, "made-up": ScreeningRule(abs, ("history",), granularity)}
    monkeypatch.setattr(registry, "RULES", rules)
    assert begins(missing_of_rule("made-up")) == ["test", "words", "table", "comparison", "moments"]
    rules["max-variance"] = replace(RULES["max-variance"], granularity="token")
    assert begins(missing_of_rule("max-variance")) == ["table"]
    rules["max-variance"] = replace(RULES["max-variance"], inputs=("surprisal",))
    assert begins(missing_of_rule("max-variance")) == ["table"]
    rules["max-variance"] = replace(RULES["max-variance"], source="here")
    assert begins(missing_of_rule("max-variance")) == ["table"]


def test_negative_control_a_figure_without_parts_lacks_each():
    bare = replace(FIGURES["gate-law"], title="", function="paper_figs.style:made_up", reads=("sweep made-up",))
    assert begins(missing_of_figure("made-up", bare)) == [
        "claim or topic", "title", "function", "line in the docs", "sweep", "line in the docs",
    ]  # fmt: skip
    other = replace(FIGURES["gate-law"], reads=("sweep screening",))
    assert missing_of_figure("gate-law", other) == [
        "line in the docs: gate-law at the sweep screening in docs/sweeps.md"
    ]


def test_negative_control_a_sweep_without_parts_lacks_each():
    bare = replace(SWEEPS["gate-frequency"], name="made-up", title="")
    assert begins(missing_of_sweep("made-up", bare)) == ["title", "row in the docs", "table"]


def test_negative_control_a_test_that_is_not_run_or_judges_no_claim_controls_nothing():
    test = "def test_negative_control_it(): judge('a')\nCLAIM = 'b'"
    marked = "@pytest.mark.control('a', 'b')\n"
    assert [claim for claim, _ in controls_in(marked + test)] == ["a", "b"]
    assert [claim for claim, _ in controls_in(marked + test.replace("judge('a')", "..."))] == ["b"]
    for other in ("@pytest.mark.skip\n", "@pytest.mark.long\n", "@pytest.mark.skipif(True, reason='x')\n"):
        assert not list(controls_in(marked + other + test))
    assert not list(controls_in(test))
    assert not list(controls_in(marked + test.replace("negative_control_", "")))


def test_negative_control_an_open_line_is_found(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(f"done\n  {TO_FILL}: a row\n")
    assert to_fill(tmp_path) == [f"docs/page.md:2: {TO_FILL}: a row"]
