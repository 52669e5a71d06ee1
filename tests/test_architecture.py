"""The walls of the project, read from the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path for package in ("kondo_theory", "simulations", "paper_figs") for path in ROOT.glob(f"{package}/**/*.py")
)


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


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_dependencies_point_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    if package == "kondo_theory":
        assert not uses(path, "simulations")
        assert not uses(path, "paper_figs")
        assert not uses(path, "numba")
        if "training" not in path.parts:
            assert not uses(path, "kondo_theory.training")
            assert not uses(path, "torch")
    if package == "simulations" and path.name != "cli.py":
        assert not uses(path, "paper_figs")
    if package == "paper_figs":
        assert not uses(path, "torch")
    if "derivations" not in path.parts:
        assert not uses(path, "sympy")


def test_figures_and_the_command_do_not_load_torch():
    code = (
        "import sys, simulations.cli.main, paper_figs.catalogue, paper_figs.gambling, paper_figs.mnist.quality;"
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
