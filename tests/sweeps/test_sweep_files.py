"""Sweeps from files and settings."""

import pytest
import sweep_cells as cells

from simulations.sweeps.grid import Sweep
from simulations.sweeps.toml import parse_settings, read_sweep

PRODUCT = Sweep("product", cells.product, ({"a": (1, 2), "b": (0.5, 1, 2.0)},))

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
