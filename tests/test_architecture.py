"""The walls of the project, read from the imports."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path for package in ("kondo_theory", "simulations", "paper_figs") for path in ROOT.glob(f"{package}/**/*.py")
)


@cache
def imported(path, *, top_level_only=False):
    """Names of all modules that a file imports, anywhere in it or at its top level alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def uses(path, module, **options):
    return any(name == module or name.startswith(f"{module}.") for name in imported(path, **options))


def relative(path):
    return path.relative_to(ROOT).as_posix()


BASICS = {"kondo_theory._arrays", "kondo_theory._broadcast", "kondo_theory._domain", "kondo_theory.words"}
GROUND = {"simulations.errors", "simulations.devices", "simulations.statistics", "simulations.results"}
ONE_CONTEXT = {"kondo_theory.moments", "kondo_theory.geometry", "kondo_theory.gate", "kondo_theory.screening"}
THEORY = {
    *BASICS,
    *ONE_CONTEXT,
    *(
        f"kondo_theory.{name}"
        for name in (
            "_scores",
            "advantage",
            "approximate",
            "contexts",
            "cost",
            "estimators",
            "gambling",
            "off_policy",
            "token_trap",
        )
    ),
}
KERNELS = {f"simulations.{name}" for name in ("bandits", "gambling", "tokens")}
EXPERIMENTS = {"simulations.mnist", "simulations.reversal", "simulations.language_model"}
BENEATH_AN_EXPERIMENT = {
    *GROUND,
    *THEORY,
    "kondo_theory.training",
    "simulations.networks",
    "simulations.randomness",
    "simulations.ranks",
    "simulations.resuming",
    "simulations.wheels",
}

ROOMS = {
    # A room is a package, or a file beside packages. It may import those named here and itself; floors go upwards.
    "kondo_theory.words": set(),
    "kondo_theory._arrays": set(),
    "kondo_theory._domain": {"kondo_theory._arrays", "kondo_theory.words"},
    "kondo_theory._broadcast": {"kondo_theory._domain"},
    "kondo_theory.gate": BASICS,
    "kondo_theory.advantage": BASICS,
    "kondo_theory._scores": BASICS,
    "kondo_theory.moments": {*BASICS, "kondo_theory._scores"},
    "kondo_theory.geometry": {*BASICS, "kondo_theory._scores", "kondo_theory.moments"},
    "kondo_theory.screening": {*BASICS, "kondo_theory.gate", "kondo_theory.geometry", "kondo_theory.moments"},
    "kondo_theory.approximate": {*BASICS, *ONE_CONTEXT},
    **{
        f"kondo_theory.{name}": {*BASICS, *ONE_CONTEXT}
        for name in ("contexts", "off_policy", "estimators", "cost", "gambling", "token_trap")
    },
    "kondo_theory.advice": {*BASICS, "kondo_theory.cost", "kondo_theory.token_trap"},
    "kondo_theory.derivations": {"kondo_theory.words"},
    "kondo_theory.claims": {*THEORY, "kondo_theory.derivations"},
    "kondo_theory.training": {*BASICS, "kondo_theory.gate", "kondo_theory.screening", "kondo_theory.advantage"},
    "simulations.errors": set(),
    "simulations.statistics": set(),
    "simulations.devices": BASICS,
    "simulations.wheels": {"simulations.errors"},
    "simulations.randomness": set(),
    "simulations.results": {"kondo_theory.words", "simulations.errors", "simulations.statistics"},
    "simulations.resuming": GROUND,
    "simulations.ranks": {*GROUND, "kondo_theory.training", "simulations.resuming"},
    "simulations.bandits": {*THEORY, "simulations.randomness", "simulations.statistics"},
    "simulations.gambling": {*THEORY, "simulations.randomness", "simulations.statistics"},
    "simulations.tokens": {*THEORY, "simulations.randomness", "simulations.statistics"},
    "simulations.networks": {*THEORY, "kondo_theory.training", "simulations.randomness", "simulations.devices"},
    "simulations.mnist": BENEATH_AN_EXPERIMENT,
    "simulations.reversal": BENEATH_AN_EXPERIMENT,
    "simulations.language_model": BENEATH_AN_EXPERIMENT,
    "simulations.sweeps": {*GROUND, "kondo_theory.words", "simulations.resuming"},
    "simulations.sweeps.cells": {*THEORY, *GROUND, *KERNELS, *EXPERIMENTS, "simulations.randomness"},
    "simulations.sweeps.named": {"simulations.sweeps", "simulations.sweeps.cells"},
    "simulations.benchmark": {
        *GROUND, *KERNELS, *EXPERIMENTS, "kondo_theory.gate", "kondo_theory.training", "simulations.networks",
        "simulations.randomness",
    },
    "simulations.verification.checks": {*THEORY, *GROUND, *KERNELS, *EXPERIMENTS, "simulations.networks"},
    "simulations.verification": {
        *GROUND, "kondo_theory.words", "kondo_theory.claims", "kondo_theory.derivations",
        "simulations.verification.checks",
    },
    "paper_figs": {*THEORY, *GROUND, *EXPERIMENTS, "kondo_theory.claims"},
    "simulations.report": {*THEORY, *GROUND, "kondo_theory.claims", "paper_figs"},
    "simulations.cli": {
        *GROUND, *EXPERIMENTS, "kondo_theory.words", "kondo_theory.claims", "kondo_theory.advice",
        "simulations.benchmark", "simulations.sweeps", "simulations.sweeps.named", "simulations.verification",
        "paper_figs", "simulations.report", "simulations.resuming",
    },
}  # fmt: skip


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


@cache
def dependencies(path):
    """The modules of the project that a file imports; of a package from which it takes modules, these alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(full & MODULES.keys() if full <= MODULES.keys() else full & MODULES.keys() | {node.module})
    return (found & MODULES.keys()) - {module_of(path)}


def room_of(module):
    """The innermost room that a module is in; the front doors, which stand for all behind them, are in none."""
    parts = module.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in names if name in ROOMS), None)


def strange(path):
    """What a file imports that its room may not."""
    room = room_of(module_of(path))
    if room is None:
        return [] if path.name in ("__init__.py", "__main__.py") else ["it is in no room"]
    above = dependencies(path) if path.name != "__init__.py" else ()
    return sorted(name for name in above if room_of(name) not in (None, room, *ROOMS[room]))


def test_a_room_imports_only_what_it_may():
    assert {relative(path): found for path in FILES if (found := strange(path))} == {}


def circles(graph):
    """The nodes of a graph of names that lie on a circle or lead to one."""
    left = {name: set(others) for name, others in graph.items()}
    while bare := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in bare}
    return sorted(left)


def test_rooms_and_files_go_in_no_circle():
    assert circles(ROOMS) == []
    assert circles({module: dependencies(path) for module, path in MODULES.items()}) == []


def test_negative_control_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def layout(text):
    """The modules of the README's layout with their places in it; a name stands two spaces within its package."""
    places, above = {}, {}
    for place, line in enumerate(text.partition("## Layout")[2].split("```")[1].splitlines()):
        indent = len(line) - len(line.lstrip())
        for name in line.strip().partition("    ")[0].split():
            module = ".".join([*([above[indent - 2]] if indent else []), name.rstrip("/").removesuffix(".py")])
            if (ROOT / module.replace(".", "/")).exists() or module in MODULES:
                places[module], above[indent] = place, module
    return places


def below_what_they_import(places):
    """Pairs of rooms of one package, of which the first imports the second though it is listed below it."""
    return [
        (room, other)
        for room, others in ROOMS.items()
        for other in others
        if room in places and other in places and places[room] > places[other]
        if room.partition(".")[0] == other.partition(".")[0]
        if not (other.startswith(f"{room}.") or room.startswith(f"{other}."))
    ]


def test_the_readme_lists_the_rooms_from_the_top_floor_down():
    places = layout((ROOT / "README.md").read_text(encoding="utf-8"))
    unsaid = {"kondo_theory.words", "simulations.errors", "simulations.statistics", "simulations.devices"}
    assert {room for room in ROOMS if "._" not in room} - unsaid == places.keys() & ROOMS.keys()
    assert below_what_they_import(places) == []


def test_negative_control_a_room_listed_below_its_floor_is_found():
    assert below_what_they_import({"simulations.mnist": 2, "simulations.networks": 1}) == [
        ("simulations.mnist", "simulations.networks")
    ]


def test_no_room_is_crowded():
    for directory in {path.parent for path in FILES} - {ROOT / "kondo_theory" / "derivations"}:  # a proof a claim
        modules = [path for path in directory.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
        assert len(modules) <= 15, f"{directory} has {len(modules)} modules"


def too_long(path):
    """Whether a file has more than 300 lines and its head does not say why."""
    text = path.read_text(encoding="utf-8")
    head = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    return len(text.splitlines()) > 300 and "longer than 300 lines" not in head


def test_a_file_has_at_most_300_lines_or_says_why():
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert [relative(path) for path in (*FILES, *tests) if too_long(path)] == []


def test_negative_control_a_long_file_is_found(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("pass\n" * 301)
    assert too_long(sample)
    sample.write_text("pass\n" * 300)
    assert not too_long(sample)
    sample.write_text('"""It is longer than\n300 lines because it is a table."""\n' + "pass\n" * 300)
    assert not too_long(sample)


def kept_out(path):
    """The heavy libraries that a file may not import."""
    parts = path.relative_to(ROOT).parts
    without_torch = parts[0] == "paper_figs" or (parts[0] == "kondo_theory" and "training" not in parts)
    without_torch |= bool(set(parts) & {"bandits", "gambling", "tokens"}) and "sweeps" not in parts
    each = {"numba": parts[0] == "kondo_theory", "torch": without_torch, "sympy": "derivations" not in parts}
    return [library for library, kept in each.items() if kept]


def test_heavy_libraries_stay_where_they_belong():
    assert [(relative(path), library) for path in FILES for library in kept_out(path) if uses(path, library)] == []


def test_whoever_trains_in_one_process_does_not_load_torchs_sharding():
    """A second in every process: policies that are sharded are known by what their owner has loaded."""
    heavy = ("fsdp", "tensor", "checkpoint")
    found = {path for path in FILES if any(uses(path, f"torch.distributed.{name}") for name in heavy)}
    assert found == {ROOT / "simulations" / "ranks" / "placing.py"}


def test_figures_and_the_command_do_not_load_torch():
    code = (
        "import sys, simulations.cli.main, paper_figs.drawing, paper_figs.gambling.gamble, paper_figs.mnist.quality;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_loads_nothing_heavy():
    code = (
        "import sys, simulations.cli.main;"
        "heavy = {'numpy', 'pandas', 'torch', 'numba', 'sympy', 'matplotlib', 'rich'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_device_is_hard_coded():
    for path in FILES:
        assert ".cuda()" not in path.read_text(encoding="utf-8"), f"{path}: name no device, take it from the tensors"


def test_negative_control_the_reader_sees_imports_inside_functions(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("def f():\n    from torch import nn\n")
    assert uses(sample, "torch")
    assert not uses(sample, "torch", top_level_only=True)
