"""The hash of a cell's code: it sees all code that the cell runs, and nothing else."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

import simulations.resuming.fingerprint as fingerprint
from simulations.resuming.fingerprint import code_version


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a cell's module anew and returns the hash of its code."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        import importlib
        import sys

        path = tmp_path / "a_users_cells.py"
        path.write_text(text)
        sys.modules.pop("a_users_cells", None)
        importlib.invalidate_caches()
        return code_version(importlib.import_module("a_users_cells").cell)

    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return write


CODE = '"""Doc."""\nfrom kondo_theory import cost\ndef cell(*, a: int):\n    return {"x": a}\n'


def test_the_hash_sees_code_and_not_comments(module):
    before = module(CODE)
    assert module(CODE.replace("Doc", "Other").replace("    return", "    # why\n    return")) == before
    assert module(CODE.replace('"x": a', '"x": a + 1')) != before


DECORATOR = """
import functools
def decorator(function):
    @functools.wraps(function)
    def inner(**config):
        return function(**config)
    return inner
"""
DECORATED = """
from a_users_decorators import decorator
@decorator
def cell(*, a: int):
    return {"x": 1}
"""


def test_the_hash_sees_behind_decorators_and_after_a_reload(module, tmp_path):
    (tmp_path / "a_users_decorators.py").write_text(DECORATOR)
    before = module(DECORATED)
    assert module(DECORATED.replace('"x": 1', '"x": 2')) != before
    assert module(DECORATED) == before


def test_the_hash_sees_what_is_imported_from_the_project(module, monkeypatch):
    before = module(CODE)
    read = fingerprint._read

    def changed(file: Path, *state: object):
        source = read(file, *state)
        return replace(source, code=source.code + "changed") if file.name == changed.name else source

    monkeypatch.setattr(fingerprint, "_read", changed)
    changed.name = "cost.py"
    assert module(CODE) != before
    changed.name = "_domain.py"  # by way of cost.py
    assert module(CODE) != before
    changed.name = "token_trap.py"  # imported by nothing here
    assert module(CODE) == before


def test_a_function_from_nowhere_is_refused():
    space: dict = {}
    exec("def cell(*, a: int):\n    return {'x': a}\n", space)
    with pytest.raises(TypeError, match="defined in no file"):
        code_version(space["cell"])
    with pytest.raises(TypeError, match="defined in no file"):
        code_version(math.sqrt)
