"""What a claim, a rule, a figure and a sweep consist of, and which of it is missing, with the place where it belongs.

Each ``missing_of_…`` returns one line a missing part. Pages: docs/adding/.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import closed_forms

from kondo_theory.claims import CLAIMS
from kondo_theory.claims.registry import Claim
from kondo_theory.screening import GROUP_RULES, RULES, SAMPLE_RULES
from paper_figs.catalogue import FIGURES, FigureEntry
from paper_figs.style import METHODS
from simulations.bandits import kept_batches
from simulations.results.tables import COMMITTED, load
from simulations.sweeps.cells.types import Rule
from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.tokens import ranking
from simulations.verification.verify import CHECKS, Check

__all__ = [
    "TO_FILL",
    "controls",
    "missing_of_claim",
    "missing_of_figure",
    "missing_of_rule",
    "missing_of_sweep",
    "to_fill",
]

ROOT = Path(__file__).resolve().parents[1]
TO_FILL = "FILL" + " IN"  # what a template leaves open; apart, so that this line is not found
NOT_RUN = {"skip", "skipif", "xfail", "long"}


def read(path: str) -> str:
    """Return a file of the repository, empty if there is none."""
    return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""


@cache
def documents() -> str:
    """Return the pages of docs/ but for the lists of all claims."""
    pages = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in ("results.md", "theory.md")]
    return "\n".join(path.read_text(encoding="utf-8") for path in pages)


def names(text: str, name: str) -> bool:
    """Whether a text has the name as a whole word: ``row-gate`` does not stand in ``reversal-row-gate``."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def defines(dotted: str) -> bool:
    """Whether ``module:function`` is there; the module is read, not imported."""
    module, _, function = dotted.partition(":")
    tree = ast.parse(read(module.replace(".", "/") + ".py"))
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)


# --- negative controls


def marks(node: ast.FunctionDef) -> Mapping[str, list[ast.expr]]:
    """Return the names of a test's marks with their arguments."""
    calls = [each if isinstance(each, ast.Call) else ast.Call(each, [], []) for each in node.decorator_list]
    return {call.func.attr: call.args for call in calls if isinstance(call.func, ast.Attribute)}


def controls_in(source: str) -> Iterator[tuple[str, str]]:
    """Yield (claim, test) for each claim that a test's mark ``control`` names, of tests that are run.

    A mark alone is no control: the file has to speak of the claim elsewhere too, where it judges it.
    """
    tree = ast.parse(source)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    named = [ast.literal_eval(claim) for test in tests for claim in marks(test).get("control", [])]
    for test in tests:
        found = marks(test)
        if test.name.startswith("test_negative_control") and not NOT_RUN & found.keys():
            for claim in map(ast.literal_eval, found.get("control", [])):
                if texts.count(claim) > named.count(claim):
                    yield claim, test.name


@cache
def controls() -> Mapping[str, list[str]]:
    """Return the negative controls of each claim, by file and name."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "mark.control(" in source and "scaffold" not in path.relative_to(ROOT).parts:
            for claim, test in controls_in(source):
                found.setdefault(claim, []).append(f"{path.relative_to(ROOT)}::{test}")
    return found


# --- what is missing


def missing_of_claim(claim: Claim) -> list[str]:
    """Return what a claim lacks: derivation, closed forms, check, negative control, figure, row of the table."""
    name, module = claim.id, claim.id.replace("-", "_")
    check = CHECKS.get(name, Check())
    derived = not claim.derived or find_spec(str(claim.derivation_module)) is not None
    compared = not claim.derived or name in closed_forms.collect("CLOSED_FORMS")
    drawn = name in FIGURES or any(f"and {name})" in entry.title for entry in FIGURES.values())
    listed = re.search(rf"^│ {re.escape(name)} ", read("docs/results.md"), flags=re.MULTILINE)
    parts = {
        f"derivation: derive() in kondo_theory/derivations/{module}.py": derived,
        f"closed forms: CLOSED_FORMS[{name!r}] in a module of tests/closed_forms/": compared,
        "check: a line in CHECKS of simulations/verification/verify.py": name in CHECKS,
        **{
            f"check: the function {dotted}, which CHECKS names": defines(dotted)
            for dotted in (check.simulate, check.measure)
            if dotted is not None
        },
        f"negative control: a test_negative_control_… marked @pytest.mark.control({name!r})": name in controls(),
        f"figure: an entry of paper_figs/catalogue.py, or '(and {name})' in the title of one that shows it": drawn,
        f"row in the docs: what `kondo verify --claim {name}` prints, in the table of docs/results.md": listed,
    }
    return [part for part, there in parts.items() if not there]


def missing_of_rule(rule: str) -> list[str]:
    """Return what a screening rule lacks; a name that is not registered lacks what one on samples does.

    Every rule has a test, words, a line in the table of rules and one in the comparison, with numbers of MNIST if it
    scores a sample by itself; one on samples also a keyword type, an axis, a code of the kernels, a claimed order and
    a style.
    """
    words, tests = read("kondo_theory/screening/rules.py"), read("tests/test_screening.py")
    parts = {
        "test: a row of test_scores in tests/test_screening.py": f'("{rule}", ' in tests,
        "words: what it is, below RULES in kondo_theory/screening/rules.py": f"``{rule}``" in words,
        "table: its line in docs/rules.md, with what it scores and looks at": described(rule),
        "comparison: its line in docs/comparison.md, by `python -m simulations.report.comparison`": re.search(
            rf"^\| `{re.escape(rule)}` \|", read("docs/comparison.md"), flags=re.MULTILINE
        ),
    }
    if rule not in GROUP_RULES:
        parts["moments: `kondo experiment mnist --study neighbours --preset quick`, into simulations/tables/"] = (
            rule in compared()
        )
    if rule in SAMPLE_RULES or rule not in RULES:
        on_axis = any(rule in grid["rule"] for grid in SWEEPS["screening"].grids)
        parts |= {
            "keyword type: Rule in simulations/sweeps/cells/types.py": rule in get_args(Rule),
            "axis: the sweep screening, in simulations/sweeps/named/": on_axis,
            "kernel: RULE_CODES and score() in simulations/tokens/ranking.py": rule in ranking.RULE_CODES,
            "order: claimed_order() in simulations/bandits/kept_batches.py": rule in kept_batches._CLAIMED,
            "style: METHODS in paper_figs/style.py": rule in METHODS,
        }
    return [part for part, there in parts.items() if not there]


@cache
def compared() -> set[str]:
    """Return the rules of which the committed table of study neighbours has moments."""
    path = COMMITTED / "mnist-neighbours-quick.parquet"
    return set(load(path, kind="mnist-neighbours").frame["name"]) if path.is_file() else set()


def described(rule: str) -> bool:
    """Whether docs/rules.md has a line of a rule that says what it scores, what it looks at and where it is from."""
    if rule not in RULES:
        return False
    start = f"| `{rule}` | {RULES[rule].granularity} | {', '.join(RULES[rule].inputs) or '–'} | "
    end = f" | {RULES[rule].source} |"
    return any(
        line.startswith(start) and line.endswith(end) and len(line) > len(start + end)
        for line in read("docs/rules.md").splitlines()
    )


def missing_of_figure(name: str, entry: FigureEntry) -> list[str]:
    """Return what a figure lacks: claim or topic, title, function, tables, words in the docs."""
    families = {path.stem.replace("_", "-") for path in (ROOT / "kondo_theory" / "claims").rglob("[a-z]*.py")}
    own = {family for family in families if name.startswith(f"{family}-")}
    shown = {family for family in families for claim in entry.claims if claim.startswith(f"{family}-")}
    of_claim = name in CLAIMS or own or len(shown) > 1
    in_docs = names(documents(), name)
    parts = {
        "claim or topic: its name is a claim's, or begins with a family of claims, as mnist-digits": of_claim,
        "title: what it shows, in FIGURES of paper_figs/catalogue.py": entry.title,
        f"function: {entry.function}": defines(entry.function),
        f"line in the docs: {name} at the table that it reads, docs/sweeps.md or docs/experiments.md": in_docs,
    }
    for sweep in (each.removeprefix("sweep ") for each in entry.reads if each.startswith("sweep ")):
        parts[f"sweep: {sweep} in simulations/sweeps/named/, which the figure reads"] = sweep in SWEEPS
        parts[f"line in the docs: {name} at the sweep {sweep} in docs/sweeps.md"] = names(last_cell(sweep), name)
    return [part for part, there in parts.items() if not there]


def missing_of_sweep(name: str, sweep: Sweep) -> list[str]:
    """Return what a named sweep lacks: title, cell, row in the docs with the figures that read it, table."""
    figures = {figure for figure, entry in FIGURES.items() if f"sweep {name}" in entry.reads}
    listed = row_of(name) is not None and set(re.findall(r"[a-z-]+", last_cell(name))) == figures
    shown = ", ".join(sorted(figures)) or "–"
    tables = [ROOT / "simulations" / "tables" / f"{name}{suffix}" for suffix in (".parquet", ".json")]
    parts = {
        "title: what it is about, in simulations/sweeps/named/": sweep.title,
        f"cell: {sweep.cell}": not isinstance(sweep.cell, str) or defines(sweep.cell),
        f"row in the docs: a line in docs/sweeps.md that ends with the figures that read it, {shown}": listed,
        f"table: the two files of `kondo sweep {name} --preset quick`, in simulations/tables/": all(
            path.is_file() for path in tables
        ),
    }
    return [part for part, there in parts.items() if not there]


def row_of(sweep: str) -> str | None:
    """Return a sweep's line in docs/sweeps.md."""
    found = re.search(rf"^\| `{re.escape(sweep)}` \|.*\|$", read("docs/sweeps.md"), flags=re.MULTILINE)
    return found and found.group()


def last_cell(sweep: str) -> str:
    """Return which figures a sweep's line in docs/sweeps.md names."""
    return (row_of(sweep) or "").rstrip(" |").rpartition("|")[2]


def to_fill(root: Path) -> list[str]:
    """Return the lines that a template has left open: ``file:line: text``."""
    patterns = ("kondo_theory/**/*.py", "simulations/**/*.py", "paper_figs/**/*.py", "tests/**/*.py", "docs/*.md")
    paths = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in paths
        if "scaffold" not in path.relative_to(root).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if TO_FILL in line
    ]
