"""Results keep their names when modules move: what was stored is found, and only an edit makes it another code."""

import ast
from pathlib import Path

import pytest

from simulations.results.tables import COMMITTED, load
from simulations.resuming.moved import MOVED, present_name, restore_imports, stored_name
from simulations.sweeps.grid import Sweep, load_cell
from simulations.sweeps.named.catalogue import SWEEPS

ROOT = Path(__file__).resolve().parents[2]
OURS = ("kondo_theory", "simulations")
BEFORE = """
import math

from kondo_theory import approximate, cost
from kondo_theory.gate import Gate, kept_count
from simulations import bandit_kernels as kernels
from simulations.bandits import Context, simulate_moments
from simulations.results import load

def cell(p: float):
    from simulations import token_kernels
    return kernels.moments(Context(p)), token_kernels, load, simulate_moments, approximate, cost, Gate, kept_count
"""
AFTER = """
import math

from kondo_theory import approximate, cost
from kondo_theory.gate import Gate, kept_count
from simulations.bandits.kernels import batches as kernels
from simulations.bandits.simulation import Context, simulate_moments
from simulations.results.tables import load

def cell(p: float):
    from simulations.tokens import kernels as token_kernels
    return kernels.moments(Context(p)), token_kernels, load, simulate_moments, approximate, cost, Gate, kept_count
"""


def file_of(module):
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def restored(source):
    tree = ast.parse(source)
    restore_imports(tree, OURS)
    return ast.dump(tree)


def test_a_file_that_followed_a_move_is_the_same_code():
    assert ast.dump(ast.parse(BEFORE)) != ast.dump(ast.parse(AFTER))
    assert restored(AFTER) == ast.dump(ast.parse(BEFORE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kernels.moments", "kernels.other"),
        ("import Gate, kept_count", "import Gate, delight as kept_count"),
        ("bandits.simulation import Context", "bandits.learning import Context"),
    ],
)
def test_negative_control_an_edited_file_is_another_code(old, new):
    assert old in AFTER
    assert restored(AFTER.replace(old, new)) != restored(AFTER)


def test_imports_come_in_the_order_of_stored_names():
    # simulations.randomness.streams was simulations.streams, which came after simulations.statistics.
    now = "from simulations.randomness.streams import kernel\nfrom simulations.statistics import bootstrap\n"
    then = "from simulations.statistics import bootstrap\nfrom simulations.streams import kernel\n"
    assert restored(now) == ast.dump(ast.parse(then))


def test_every_line_of_the_map_names_a_module_and_no_name_is_given_twice():
    assert [now for now in MOVED if not (file_of(now).exists() or file_of(f"{now}.__init__").exists())] == []
    assert len(set(MOVED.values())) == len(MOVED)
    for now, stored in MOVED.items():
        assert stored_name(f"{now}:f") == f"{stored}:f"
        assert present_name(f"{stored}:f") == f"{now}:f"
        assert not file_of(stored).exists(), f"{stored} is still a module"


@pytest.mark.parametrize("name", sorted(SWEEPS))
def test_a_committed_table_names_the_function_of_its_sweep(name):
    path = COMMITTED / f"{name}.parquet"
    if path.exists():
        assert load(path).config["function"] == SWEEPS[name].stored_function


def test_a_name_stored_before_a_move_finds_its_function():
    stored = "simulations.sweeps.cells.gate:gate_frequency"
    sweep = Sweep("old", stored, ({"n_samples": (10,)},))
    assert sweep.function is load_cell("simulations.sweeps.cells.bandits.gate:gate_frequency")
    assert sweep.stored_function == stored
