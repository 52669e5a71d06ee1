"""Compiled kernels on disk: never those of other sources, and none where the cache cannot be written."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INNER = """
from simulations.randomness.compiling import inlined
@inlined
def inner(x):
    return x + {step}
"""
OUTER = """
from simulations.inner_kernel import inner
from simulations.randomness.compiling import kernel
@kernel
def outer(x):
    return inner(x)
"""
PROGRAM = "from simulations.outer_kernel import outer; print(outer(1), bool(outer.stats.cache_path))"


@pytest.fixture
def project(tmp_path):
    """Return a copy of this project's kernels whose inlined one can be edited; it runs with a cache directory."""
    package = tmp_path / "copy" / "simulations"
    (package / "randomness").mkdir(parents=True)
    for name in ("__init__.py", "randomness/__init__.py", "randomness/compiling.py"):
        shutil.copy(ROOT / "simulations" / name, package / name)
    (package / "outer_kernel.py").write_text(OUTER)

    def run(step: int, cache: Path, **environment: str) -> tuple[str, str]:
        (package / "inner_kernel.py").write_text(INNER.format(step=step))
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(package.parent)}
        variables |= {"XDG_CACHE_HOME": str(cache), **environment}
        done = subprocess.run(
            [sys.executable, "-BPc", PROGRAM], env=variables, capture_output=True, text=True, check=True
        )
        return done.stdout.strip(), done.stderr

    return run


def test_an_edited_kernel_is_compiled_anew_where_the_cache_cannot_be_written(tmp_path, project):
    (tmp_path / "file").touch()
    for step in (1, 10):
        out, errors = project(step, tmp_path / "file" / "below")
        assert out == f"{1 + step} False"
        assert len(errors.splitlines()) == 1
        assert "kernels are compiled anew by every process" in errors
        assert project(step, tmp_path / "file" / "below", KONDO_NO_KERNEL_CACHE_SAID="1")[1] == "", "as in a worker"
    assert not list((tmp_path / "copy").rglob("*.nbi")), "beside the sources lies no cache without their hash"


def test_an_edited_kernel_is_compiled_anew_where_the_user_chose_another_kind_of_cache(tmp_path, project):
    for step in (1, 10):
        assert project(step, tmp_path, NUMBA_CACHE_LOCATOR_CLASSES="InTreeCacheLocator")[0] == f"{1 + step} False"


def test_the_control_a_cache_that_can_be_written_is_used_and_sees_the_edit(tmp_path, project):
    for step in (1, 10):
        assert project(step, tmp_path / "cache") == (f"{1 + step} True", "")
    assert len(list((tmp_path / "cache" / "kondo-theory" / "kernels").iterdir())) == 2


def test_sources_that_cannot_be_read_leave_no_cache(monkeypatch, tmp_path, caplog):
    from simulations.randomness import compiling

    monkeypatch.delenv("KONDO_NO_KERNEL_CACHE_SAID", raising=False)
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "archive.zip" / "compiling.py"))
    compiling._cache_directory.cache_clear()
    try:
        assert compiling._cache_directory() is None
        assert "no source of a kernel can be read" in caplog.text
    finally:
        monkeypatch.undo()
        compiling._cache_directory.cache_clear()
        os.environ.pop("KONDO_NO_KERNEL_CACHE_SAID", None)


def kernel_modules(root):
    """Sources in the cache's hash, by module."""
    sources = {path: path.read_text(encoding="utf-8") for path in (root / "simulations").rglob("*.py")}
    kernels = {path: text for path, text in sources.items() if "simulations.randomness.compiling" in text}
    return {".".join(path.relative_to(root).with_suffix("").parts): ast.parse(text) for path, text in kernels.items()}


def frozen_elsewhere(modules):
    """Names that the kernels of these modules take from modules of the project that are not among them."""
    found = []
    for module, tree in modules.items():
        places = {
            alias.asname or alias.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        kernels = [f for f in tree.body if isinstance(f, ast.FunctionDef) and is_kernel(f)]
        names = {n.id for f in kernels for n in ast.walk(f) if isinstance(n, ast.Name)} & places.keys()
        ours = {name for name in names if places[name].startswith(("simulations.", "kondo_theory."))}
        found += [f"{module}: {name}" for name in sorted(ours) if places[name] not in modules]
    return found


def is_kernel(function):
    return any(isinstance(d, ast.Name) and d.id in ("kernel", "inlined") for d in function.decorator_list)


def test_all_that_a_kernel_freezes_is_in_the_hash_of_the_cache():
    modules = kernel_modules(ROOT)
    assert {"simulations.bandits.kernels.learning", "simulations.tokens.kernels"} <= modules.keys()
    assert frozen_elsewhere(modules) == []


def test_negative_control_a_constant_from_elsewhere_is_found():
    source = "from simulations.errors import CODE\n@kernel\ndef f(x):\n    return x + CODE\n"
    assert frozen_elsewhere({"simulations.sample": ast.parse(source)}) == ["simulations.sample: CODE"]
