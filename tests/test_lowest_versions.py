"""The oldest versions that are tested are the lower bounds that are promised."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINT = {"mutmut", "mypy", "pandas-stubs", "pre-commit", "ruff", "scipy-stubs"}
DOCS = {"furo", "myst-parser", "numpydoc", "sphinx", "sphinx-copybutton"}
NEWER = {"accelerate", "gguf", "trl"}
"""They want newer transformers and pyarrow than the lowest here; their bounds are the one version that is tested."""

NOT_RUN = LINT | DOCS | NEWER
"""And tools that read or change the code, or print it: `make lint`, `mutate` and `docs` run the pinned ones."""


def release(version):
    """The version as numbers, without the zeros at its end."""
    return tuple(int(part) for part in re.sub(r"(\.0)+$", "", version).split("."))


def promised():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    pairs = (re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups() for requirement in wanted)
    return {name: release(version) for name, version in pairs}


def installed(constraints="constraints-lowest.txt"):
    lines = (ROOT / constraints).read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([\w-]+)==(\d+(?:\.\d+)*)", line) for line in lines if line and not line.startswith("#")]
    return {match[1]: release(match[2]) for match in found}


def test_every_lower_bound_is_the_version_that_is_tested():
    bounds, versions = promised(), installed()
    assert set(bounds) - set(versions) == NOT_RUN
    assert versions["torch"] >= bounds["torch"], "the one bound below what is tested; the file says why"
    exact = set(bounds) - NOT_RUN - {"torch"}
    assert {name: versions[name] for name in exact} == {name: bounds[name] for name in exact}


def test_what_wants_newer_versions_is_tested_at_its_lower_bound():
    bounds, versions = promised(), installed("constraints.txt")
    assert {name: versions[name] for name in NEWER} == {name: bounds[name] for name in NEWER}


def test_negative_control_another_version_is_noticed():
    assert release("2.0.0") == release("2.0") == (2,)
    assert release("2.0.1") != release("2.0")
    assert release("1.14") != release("1.4")
