"""What a sweep is: grids, their cells and keys, and what makes no sweep."""

import functools
import itertools
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import sweep_cells as cells

from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.grid import MOST_CELLS, Sweep
from simulations.sweeps.named.catalogue import SWEEPS

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


def test_presets_change_sizes_alone():
    sweep = replace(PRODUCT, presets={"smoke": {"b": 3.0}})
    assert {cell.config["b"] for cell in sweep.at_preset("smoke").checked().cells()} == {3.0}
    assert sweep.at_preset("quick").grids == PRODUCT.grids
