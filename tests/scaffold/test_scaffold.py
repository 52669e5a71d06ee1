"""The scaffold writes all pieces or none; in a copy of the project they fail its tests until they are filled in."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import new
import pieces
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kondo_theory", "simulations", "paper_figs")
WITH_SWEEPS = [name for name, family in pieces.FAMILIES.items() if family.sweeps]


def copied(directory):
    """A copy of the project, without tables and pictures."""
    for name in (*PACKAGES, "tests", "docs"):
        shutil.copytree(
            ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "*tables", "figures", "*.nb*")
        )
    shutil.copy(ROOT / "pyproject.toml", directory)
    return directory


def moved(monkeypatch, directory):
    for module in (new, pieces):
        monkeypatch.setattr(module, "ROOT", directory)


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    moved(monkeypatch, copied(tmp_path))
    return tmp_path


def scaffolded():
    """Write a claim and, where there can be one, a sweep for each family, a rule and a figure."""
    for family, rooms in pieces.FAMILIES.items():
        assert new.main(["claim", f"toy-{family}", family]) == 0
        if rooms.sweeps:
            assert new.main(["sweep", f"made-{family}", family]) == 0
    assert new.main(["rule", "toy-rule"]) == 0
    assert new.main(["figure", "mnist-toy", "mnist"]) == 0


def said_by_tests(directory, *tests):
    """What failing tests of a copy say, without the traces."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "--noconftest", "-p", "no:cacheprovider", *tests]
    env = os.environ | {"PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-3_000:] + done.stderr
    return [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E  ")]


def lacks(said, head):
    """The lines that follow one that ends with ``head``."""
    start = next(n for n, line in enumerate(said) if line.endswith(head)) + 1
    return [line.partition(":")[0] for line in itertools.takewhile(lambda line: "assert" not in line, said[start:])]


def files_of(family):
    """The files in which a claim of a family leaves something open."""
    rooms, module = pieces.FAMILIES[family], f"toy_{family}"
    yield f"kondo_theory/claims/{family}.py" if rooms.theory else f"kondo_theory/claims/measured/{family}.py"
    yield f"simulations/verification/checks/{rooms.checks}/{module}.py".replace("//", "/")
    yield f"tests/verification/test_control_{module}.py"
    yield f"paper_figs/{rooms.figures}/{module}.py".replace("//", "/")
    if rooms.theory:
        yield rooms.theory if rooms.theory.endswith(".py") else f"{rooms.theory}/{module}.py"
        yield f"kondo_theory/derivations/{module}.py"
        yield f"tests/closed_forms/{module}.py"


def test_what_is_written_fails_until_it_is_filled_in(copy):
    """One of everything; the tests name each piece, in one run."""
    scaffolded()
    controls = [f"tests/verification/test_control_toy_{family}.py" for family in ("cost", "mnist")]
    said = said_by_tests(copy, "tests/test_registry.py", *controls)
    for part in ("toy-cost: FILL IN the simulation", "toy-mnist: FILL IN the made-up table"):
        assert f"NotImplementedError: {part} (docs/adding/claim.md)" in said
    left = set(lacks(said, "still to be filled in:"))
    assert {"docs/results.md", "docs/sweeps.md", "paper_figs/catalogue.py", "kondo_theory/screening/rules.py"} <= left
    for family, rooms in pieces.FAMILIES.items():
        assert set(files_of(family)) <= left, family
        assert lacks(said, f"figure toy-{family} lacks (docs/adding/figure.md):") == ["line in the docs"]
        if rooms.sweeps:
            assert lacks(said, f"sweep made-{family} lacks (docs/adding/sweep.md):") == ["table"]
    assert lacks(said, "figure mnist-toy lacks (docs/adding/figure.md):") == ["line in the docs"]
    assert lacks(said, "rule toy-rule lacks (docs/adding/rule.md):") == [
        "test", "words", "table", "comparison", "moments", "kernel", "order",
    ]  # fmt: skip
    assert not any("claim toy-" in line for line in said), "they have all their parts, though none is filled in"


@pytest.mark.parametrize("kind", ["claim", "figure", "sweep", "rule"])
def test_a_second_time_is_refused_and_changes_nothing(copy, capsys, kind):
    arguments = [kind, "my-own", *(["geometry"] if kind != "rule" else [])]
    assert new.main(arguments) == 0
    before = contents(copy)
    capsys.readouterr()
    assert new.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: my-own exists already, in ")
    assert err.count("\n") == 1
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "KIND must be one of claim, rule, figure, sweep, got ''"),
        (["gate", "my-own", "gate"], "KIND must be one of claim, rule, figure, sweep, got 'gate'"),
        (["claim", "", "gate"], "ID must be lower-case words joined by hyphens, at most 25 letters, got ''"),
        (["claim", "My_own", "gate"], "ID must be .*, got 'My_own'"),
        (["claim", "../x", "gate"], "ID must be .*, got '../x'"),
        (["claim", "a" * 26, "gate"], "ID must be .*, got 'a{26}'"),
        (["claim", "lambda", "gate"], "ID must be .*, got 'lambda'"),
        (["claim", "my-own", ""], "FAMILY must be one of gate, geometry, .*, devices, got ''"),
        (["sweep", "my-own", "mnist"], "FAMILY must be one of gate, .*, tokens, got 'mnist'"),
        (["claim", "gate-law", "geometry"], "gate-law exists already, in simulations/verification/verify.py"),
    ],
)
def test_what_cannot_be_written_gets_one_line(copy, capsys, arguments, problem):
    before = contents(copy)
    assert new.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"Error: {problem}\n", err), err
    assert contents(copy) == before


def test_a_write_that_fails_leaves_nothing_behind(copy, capsys, monkeypatch):
    before, replace, done = contents(copy), os.replace, []

    def full_at_the_fifth(source, target):
        done.append(target)
        if len(done) == 5:
            raise OSError("disk full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_at_the_fifth)
    assert new.main(["claim", "my-own", "geometry"]) == 2
    assert capsys.readouterr().err == "Error: disk full\n"
    assert contents(copy) == before


def test_a_file_without_the_place_is_named(copy, capsys):
    path = copy / "simulations" / "verification" / "verify.py"
    path.write_text(path.read_text(encoding="utf-8").replace("CHECKS", "CHECKED"), encoding="utf-8")
    assert new.main(["claim", "my-own", "geometry"]) == 2
    found = capsys.readouterr().err
    assert found == "Error: simulations/verification/verify.py: there is no literal CHECKS to put an entry into\n"


def test_the_command_runs_with_python_alone():
    """Before anything is set up: only the standard library is imported."""
    command = [sys.executable, "-S", str(ROOT / "tests" / "scaffold" / "new.py"), "claim", "gate-law", "gate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert (done.returncode, done.stderr) == (2, "Error: gate-law exists already, in kondo_theory/claims/gate.py\n")


def test_the_makefile_has_a_target_for_each_kind():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\n{' '.join(f'new-{kind}' for kind in pieces.KINDS)}:\n" in text


def test_every_template_is_used():
    used = {
        piece.template
        for kind, write in pieces.KINDS.items()
        for family in ("geometry", "cost", "mnist")
        if kind != "sweep" or family in WITH_SWEEPS
        for piece in write(new.names_of(kind, "my-own", family), pieces.FAMILIES[family])
    }
    assert used == {path.name for path in new.TEMPLATES.iterdir()}
