"""What a sweep is: grids, keys, the hash of the code, and sweeps from files and settings."""

import functools
import itertools
import math
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import sweep_cells as cells

import simulations.resuming.fingerprint as fingerprint
from simulations.randomness.cell_seeds import stream_seed
from simulations.resuming.fingerprint import code_version
from simulations.sweeps.grid import MOST_CELLS, Sweep
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.toml import parse_settings, read_sweep

PRODUCT = Sweep("product", cells.product, ({"a": (1, 2), "b": (0.5, 1, 2.0)},))


def test_cells_are_the_product_last_axis_fastest_and_typed():
    found = [cell.config for cell in PRODUCT.checked().cells()]
    assert [(c["a"], c["b"]) for c in found] == list(itertools.product((1, 2), (0.5, 1.0, 2.0)))
    assert all(isinstance(c["b"], float) and c["pause"] == 0.0 for c in found)


def test_a_union_of_grids_has_each_cell_once():
    sweep = replace(PRODUCT, grids=({"a": (1, 2), "b": (1.0,)}, {"a": (2, 3), "b": (1,)}))
    assert [cell.config["a"] for cell in sweep.checked().cells()] == [1, 2, 3]


def test_keys_depend_on_configuration_and_code_alone():
    sweep = PRODUCT.checked()
    keys = {cell.key: cell.config for cell in sweep.cells()}
    assert len(keys) == 6
    turned = Sweep("other-name", cells.product, ({"b": (2.0, 1.0, 0.5), "a": (2, 1)},)).checked()
    assert {cell.key: cell.config for cell in turned.cells()} == keys
    other = Sweep("product", cells.several, ({"a": (1,)},)).checked()
    assert {cell.key for cell in other.cells()}.isdisjoint(keys)


@pytest.mark.parametrize(
    ("grid", "problem"),
    [
        ({"a": (1,), "b": (1.0,), "c": (1,)}, r"unknown key 'c': allowed are a, b, pause"),
        ({"a": (1,)}, r"b needs a value"),
        ({"a": (), "b": (1.0,)}, r"a has no value: the grid is empty"),
        ({"a": (1.5,), "b": (1.0,)}, r"a is 1.5: .*integer"),
        ({"a": (True,), "b": (1.0,)}, r"a is True: .*integer"),
        ({"a": ("1",), "b": (1.0,)}, r"a is '1': .*integer"),
        (
            {"a": range(10**6), "b": [float(i) for i in range(10)]},
            r"at most 1,000,000 cells are allowed, got 10,000,000",
        ),
        ({"a": range(10**6), "b": range(10**6)}, r"got 1,000,000,000,000"),
    ],
)
def test_bad_grids_are_refused_by_name_and_value(grid, problem):
    with pytest.raises(ValueError, match=problem):
        replace(PRODUCT, grids=(grid,)).checked()


def test_bounds_choices_and_none_are_checked():
    sweep = Sweep("draws", cells.draws, ({"n": (0,)},))
    with pytest.raises(ValueError, match=r"n is 0: .*greater than or equal to 1"):
        sweep.checked()
    with pytest.raises(ValueError, match=r"kind is 'max': .*'mean' or 'sum'"):
        replace(sweep, grids=({"n": (1,), "kind": ("max",)},)).checked()
    assert Sweep("several", cells.several, ({"a": (1,), "note": (None, "x")},)).checked()
    with pytest.raises(ValueError, match="a is None"):
        Sweep("several", cells.several, ({"a": (None,)},)).checked()


@pytest.mark.parametrize("cell", [cells.positional_only, cells.unannotated, cells.mixed])
def test_signatures_that_make_no_table_are_refused(cell):
    with pytest.raises(TypeError, match="parameter a"):
        Sweep("bad", cell, ({"a": (1,)},)).checked()


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "index", "cells-000001", "a" * 101])
def test_names_that_make_no_file_are_refused(name):
    with pytest.raises(ValueError, match="name must"):
        Sweep(name, cells.product, ())


def test_functions_with_hidden_state_are_refused():
    """A closure's value is in no key: two of them would share their results."""
    with pytest.raises(TypeError, match="closes over k: make it a keyword"):
        Sweep("closure", cells.factory(2), ({"a": (1,)},)).checked()
    for cell in (functools.partial(cells.product, b=1.0), len, PRODUCT, functools.lru_cache(cells.product)):
        with pytest.raises(TypeError, match="must be a plain function"):
            Sweep("odd", cell, ({"a": (1,)},)).checked()
    for name in ("sweep_cells:none", "no_such_module:cell", ":", "sweep_cells"):
        with pytest.raises(TypeError, match="no function"):
            Sweep("odd", name, ({"a": (1,)},)).checked()


def test_defaults_are_checked_and_typed_like_values():
    given = Sweep("given", cells.int_default, ({"a": (1,), "b": (1.0,)},)).checked()
    left_out = Sweep("left-out", cells.int_default, ({"a": (1,)},)).checked()
    assert [cell.key for cell in given.cells()] == [cell.key for cell in left_out.cells()]
    with pytest.raises(ValueError, match=r"a is 1\.5: .*integer"):
        Sweep("bad", cells.bad_default, ({},)).checked()


def test_numbers_of_one_value_are_one_cell():
    sweep = Sweep("p", cells.product, ({"a": np.arange(2), "b": (0.0, -0.0, 0)},)).checked()
    assert len(list(sweep.cells())) == 2
    with pytest.raises(ValueError, match="must fit 64 bits"):
        Sweep("p", cells.product, ({"a": (2**63,), "b": (1.0,)},)).checked()


def test_a_sweep_without_a_grid_is_refused():
    with pytest.raises(ValueError, match="no grid"):
        replace(PRODUCT, grids=()).checked()


def test_named_sweeps_are_immutable_and_valid():
    with pytest.raises(FrozenInstanceError):
        SWEEPS["frontier"].name = "x"
    with pytest.raises(TypeError):
        SWEEPS["x"] = PRODUCT
    with pytest.raises(TypeError):
        SWEEPS["frontier"].grids[0]["n_arms"] = (3,)
    for name, sweep in SWEEPS.items():
        assert name == sweep.name
        for preset in ("smoke", "quick", "paper"):
            assert 0 < sum(1 for _ in sweep.at_preset(preset).checked().cells()) <= MOST_CELLS


def test_stream_seeds_differ_by_any_keyword_and_are_63_bits():
    seeds = {stream_seed(seed=s, n=n, kind=k) for s in range(10) for n in range(10) for k in ("a", "b")}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(seed=1, n=2) == stream_seed(n=2, seed=1)


# The hash of the code.


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


# Files and settings.

KNOWN = {"product": PRODUCT, "several": Sweep("several", cells.several, ({"a": (1,)},))}


def read(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_sweep(path, KNOWN).checked()


def test_a_file_with_lists_numbers_and_ranges(tmp_path):
    text = """
        sweep = "product"
        name = "my-own"
        [[grid]]
        a = [1, 2]
        b = { start = 0, stop = 1, num = 3 }
        [[grid]]
        a = { start = 1, stop = 1000, num = 4, scale = "log" }
        b = 5
    """
    sweep = read(tmp_path, text)
    assert sweep.name == "my-own"
    assert sweep.grids[0]["b"] == (0.0, 0.5, 1.0)
    assert sweep.grids[1]["a"] == (1, 10, 100, 1000)
    assert sweep.grids[1]["b"] == (5.0,)


def test_a_file_is_named_after_itself_and_none_is_a_word(tmp_path):
    sweep = read(tmp_path, 'sweep = "several"\n[grid]\na = 1\nnote = ["none", "x"]\n')
    assert sweep.name == "mine"
    assert sweep.grids[0]["note"] == (None, "x")


def test_whole_numbers_of_a_range_come_once(tmp_path):
    sweep = read(tmp_path, 'sweep = "several"\n[grid]\na = {start = 1, stop = 3, num = 50}\n')
    assert sweep.grids[0]["a"] == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x =", "is not TOML"),
        ("sweep = 'product'\nrate = 1\n[grid]\na = 1", "unknown key 'rate': allowed are sweep, name, grid"),
        ("sweep = 'products'\n[grid]\na = 1", "sweep must be one of product, several, got 'products'"),
        ("[grid]\na = 1", "got None"),
        ("sweep = ['product']\n[grid]\na = 1", "sweep must be one of"),
        ("sweep = 'product'\nname = 3\n[grid]\na = 1", "name must be text, got 3"),
        ("sweep = 'product'", "grid must be a table"),
        ("sweep = 'product'\ngrid = 3", "grid must be a table"),
        ("sweep = 'product'\ngrid = []", "grid must be a table"),
        ("sweep = 'product'\n[grid]\nc = 1", "unknown key 'c': allowed are a, b, pause"),
        ("sweep = 'product'\n[grid]\na = {start = 1}", "a range needs numbers start and stop"),
        ("sweep = 'product'\n[grid]\na = {start = 1, stop = 2, num = 0}", "num, a whole number from 1"),
        ("sweep = 'product'\n[grid]\na = {start = 1, stop = 2, num = 1000000000000}", "num, a whole number from 1"),
        ("sweep = 'product'\n[grid]\na = {start = 0, stop = 2, num = 3, scale = 'log'}", "ends above 0"),
        ("sweep = 'product'\n[grid]\na = {start = 1, stop = 2, num = 3, scale = 'cubic'}", "scale must be"),
        ("sweep = 'product'\n[grid]\na = {start = 1, stop = 2, step = 3}", "unknown key 'step' of a range"),
        ("sweep = 'several'\n[grid]\nnote = {start = 1, stop = 2, num = 3}", "a range is for numbers"),
        ("sweep = 'product'\n[grid]\na = [[1]]\nb = 1", r"a is \[1\]"),
        ("sweep = 'product'\n[grid]\na = 1\nb = {start = -inf, stop = inf, num = 3}", r"b: a range needs numbers"),
        ("sweep = 'product'\n[grid]\na = 1\nb = {start = nan, stop = 1, num = 3}", r"b: a range needs numbers"),
        ("sweep = 'product'\n[grid]\na = " + "9" * 400 + "\nb = 1", r"a is 9+\.\.\.9+: "),
        ("sweep = 'product'\n[grid]\na = " + "9" * 5000 + "\nb = 1", "is not TOML"),
        ("sweep = 'product'\n[grid]\na = " + "[" * 3000 + "]" * 3000 + "\nb = 1", "is not TOML"),
    ],
)
def test_bad_files_end_in_one_line_that_names_the_problem(tmp_path, text, problem):
    with pytest.raises(ValueError, match=problem) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_sweep(tmp_path / "none.toml", KNOWN)
    with pytest.raises(ValueError, match="cannot be read"):
        read_sweep(tmp_path, KNOWN)


def test_settings_replace_axes():
    axes = parse_settings(["a=1,2", "b={start = 0, stop = 1, num = 2}"], PRODUCT)
    assert axes == {"a": [1, 2], "b": [0.0, 1.0]}
    sweep = PRODUCT.with_values(axes).checked()
    assert [cell.config["b"] for cell in sweep.cells()] == [0.0, 1.0] * 2
    assert parse_settings(["note=none,one more,3.5"], KNOWN["several"]) == {"note": [None, "one more", 3.5]}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["a"], "key=values, got 'a'"),
        (["=1"], "key=values"),
        (["c=1"], "unknown key 'c'"),
        (["a=1", "a=2"], "a is set twice"),
    ],
)
def test_bad_settings_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        parse_settings(settings, PRODUCT)


def test_an_empty_setting_is_an_empty_grid():
    with pytest.raises(ValueError, match="a has no value"):
        PRODUCT.with_values(parse_settings(["a="], PRODUCT)).checked()


def test_presets_change_sizes_alone():
    sweep = replace(PRODUCT, presets={"smoke": {"b": 3.0}})
    assert {cell.config["b"] for cell in sweep.at_preset("smoke").checked().cells()} == {3.0}
    assert sweep.at_preset("quick").grids == PRODUCT.grids
