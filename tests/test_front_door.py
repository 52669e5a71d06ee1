"""The front door: what it shows, what it loads, and that every module says in ``__all__`` what is its own."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kondo_theory as kt

ROOT = Path(kt.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = ("torch", "sympy", "scipy.stats", "scipy.special", "scipy.optimize")
ROOMS = {
    *(
        "advantage",
        "advice",
        "approximate",
        "claims",
        "contexts",
        "cost",
        "derivations",
        "gambling",
        "gate",
        "geometry",
    ),
    *("moments", "screening", "token_trap", "training"),
}
NAMES = {
    *("Gate", "delight", "gate_probability", "select", "quantile_price", "calibrated_price", "group_advantage"),
    *(
        "AnswerStep",
        "Answers",
        "ScreenedStep",
        "Screening",
        "StreamingGate",
        "measure_flops",
        "RULES",
        "screen_context",
        "gradient_moments",
        "backward_passes_to_align",
    ),
    *("forward_efficiency", "learning_time", "fixed_point", "stall_point", "critical_rate", "speedup"),
    *("CLAIMS", "get_claims", "derive", "advise"),
}


def module_name(path):
    return ".".join(("kondo_theory", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def is_public(path):
    return not any(part.startswith("_") for part in module_name(path).split("."))


PUBLIC = {module_name(path): path for path in FILES if is_public(path)}


def loaded_after(code):
    """The heavy libraries that a fresh interpreter has loaded once it ran the code."""
    code += f"\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(found.stdout.split())


def test_the_door_shows_what_a_newcomer_needs_and_nothing_else():
    assert {name for name in dir(kt) if not name.startswith("_")} == NAMES | ROOMS
    assert set(kt.__all__) == NAMES | ROOMS


def test_everything_on_the_door_is_there_and_explained():
    for name in kt.__all__:
        value = getattr(kt, name)
        room = importlib.import_module(f"kondo_theory.{name}") if name in ROOMS else None
        assert value is room or (room is None and value is getattr(importlib.import_module(kt_room(name)), name))
        assert name.isupper() or inspect.getdoc(value), name
    assert {name for name in dir(kt) if not name.startswith("_")} == NAMES | ROOMS  # used or not


def kt_room(name):
    return f"kondo_theory.{kt._ROOM_OF[name]}"


def test_type_checkers_see_the_same_names():
    block = next(node for node in ast.parse(Path(kt.__file__).read_text(encoding="utf-8")).body if is_checked(node))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {name: kt_room(name) for name in NAMES} | dict.fromkeys(ROOMS, "kondo_theory")


def is_checked(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_a_name_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(AttributeError, match=r"no attribute 'stal_point'; did you mean 'stall_point'\?"):
        _ = kt.stal_point
    with pytest.raises(AttributeError, match=r"no attribute '_nothing'$"):
        _ = kt._nothing


def test_the_door_alone_loads_nothing():
    code = "import sys, kondo_theory as kt; dir(kt); assert 'numpy' not in sys.modules"
    assert loaded_after(code) == set()


def test_the_gate_needs_numpy_alone():
    code = (
        "import numpy as np, kondo_theory as kt\n"
        "chi = kt.delight(np.array([1.0, -1.0]), np.array([0.5, 2.0]))\n"
        "assert kt.Gate(price=0.0)(chi, np.random.default_rng(0)).tolist() == [True, False]\n"
        "kt.Gate(rate=0.5, temperature=0.1)(chi, np.random.default_rng(0))\n"
        "kt.CLAIMS['gate-law'], kt.gradient_moments, kt.group_advantage"
    )
    assert loaded_after(code) == set()


def test_negative_control_what_is_loaded_is_seen():
    assert {"sympy"} <= loaded_after("import kondo_theory.derivations.proof")
    assert loaded_after("import kondo_theory as kt; kt.stall_point(0.03, 10, 4)") == {
        "scipy.special",
        "scipy.optimize",
    }


def test_a_claim_is_derived_by_its_id():
    assert kt.derive("gate-law").ok
    with pytest.raises(ValueError, match=r"^claim mnist-quality is measured, not derived"):
        kt.derive("mnist-quality")
    with pytest.raises(ValueError, match=r"did you mean 'gate-law'\?"):
        kt.derive("gate-lav")


def assigned(target):
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def defined_in(path, *, symbols=True):
    """The public names that a file defines at its top level; without ``symbols`` its functions and classes alone."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif symbols and isinstance(node, ast.Assign | ast.AnnAssign):
            found.update(*(assigned(target) for target in getattr(node, "targets", [getattr(node, "target", None)])))
    return {name for name in found if not name.startswith("_")}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_module_lists_its_own_names(name):
    path, module = PUBLIC[name], importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    missing = [each for each in module.__all__ if not hasattr(module, each)]
    assert not missing, f"{name} has no {missing}"
    if path.name != "__init__.py":  # a package hands on what its modules define
        foreign = set(module.__all__) - defined_in(path)
        assert not foreign, f"{name} lists what others define: {sorted(foreign)}"
    # The symbols of a proof are its own affair.
    unlisted = defined_in(path, symbols="derivations" not in name) - set(module.__all__)
    assert not unlisted, f"{name} defines and does not list {sorted(unlisted)}"


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_module_lists_is_explained(name):
    module = importlib.import_module(name)
    values = {each: getattr(module, each) for each in module.__all__}
    bare = [
        each
        for each, value in values.items()
        if (inspect.isfunction(value) or (inspect.isclass(value) and value.__module__.startswith("kondo_theory")))
        and not (value.__doc__ or "").strip()
    ]
    assert not bare, f"{name}: {bare}"


def test_negative_control_an_unlisted_name_is_found(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("A, (b, _c) = 1, (2, 3)\nD: int = 4\ndef f(): ...\nclass G: ...\nimport os\n")
    assert defined_in(sample) == {"A", "b", "D", "f", "G"}
    assert defined_in(sample, symbols=False) == {"f", "G"}
