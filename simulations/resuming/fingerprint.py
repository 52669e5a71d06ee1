"""Which code a function runs: a hash over its module and over all that it imports from this project.

Comments, formatting, docstrings and where a module lies (see :mod:`~simulations.resuming.moved`) do not enter it; the
versions of Python and of the numerical libraries do. It does not see the packages above a module, whose ``__init__``
runs with it, modules imported by a computed name, data files, and a user's modules other than those that define the
function and its decorators. Of a function that was typed at a prompt or in a notebook it sees what
:mod:`~simulations.resuming.typed_in` does.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simulations.resuming.moved import MOVED, restore_imports, stored_name
from simulations.resuming.typed_in import typed_in_code

__all__ = ["code_version"]

_OURS = ("kondo_theory", "simulations")
_ONCE_MODULES = frozenset(MOVED.values())
_NUMERICAL = ("numba", "numpy", "pandas", "scipy", "sympy", "torch")


@dataclass(frozen=True)
class _Source:
    """What one file contributes: its code, and the names of all modules that it may import."""

    code: str
    imports: frozenset[str]


def code_version(function: Callable[..., Any]) -> str:
    """Return the hash, 16 hexadecimal digits, of the code behind a function.

    Parameters
    ----------
    function : callable
        Defined in a file, in this project or in a user's own module or script; or at a prompt, in a notebook.

    Raises
    ------
    TypeError
        If the function has no code that could be compared, for instance because it was compiled.
    """
    roots = list(_roots(function))
    imports = frozenset().union(*(root.imports for root in roots))
    modules = _closure(imports)
    lines = [f"python {sys.version_info.major}.{sys.version_info.minor}", *(root.code for root in roots)]
    coded = {stored_name(name): modules[name].code for name in modules if not _stands_for_a_module(name)}
    lines += [f"{name}: {coded[name]}" for name in sorted(coded)]
    imported = {name.partition(".")[0] for source in (*roots, *modules.values()) for name in source.imports}
    lines += [f"{name} {importlib.metadata.version(name)}" for name in _NUMERICAL if name in imported]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _roots(function: Callable[..., Any]) -> Iterator[_Source]:
    """Yield the sources of a function: of what it wraps and of every decorator around that."""
    found: dict[Path, None] = {}
    layer: Any = function
    while layer is not None:
        file = _source_file(layer)
        if file is not None:
            found[file] = None
        elif isinstance(layer, types.FunctionType) and layer.__module__ == "__main__":
            yield _Source(*typed_in_code(layer))
        else:
            raise TypeError(
                f"{layer!r} was defined in no file, so a change of it would go unseen: put it in a module"
            )
        # The code of a decorated function lies with its decorator; its module is where it was written.
        written = _source_file(sys.modules.get(layer.__module__))
        if written is not None:
            found[written] = None
        layer = getattr(layer, "__wrapped__", None)
    yield from map(_read_now, found)


def _source_file(place: Any) -> Path | None:
    try:
        file = inspect.getsourcefile(place)
    except TypeError:
        return None
    return Path(file) if file is not None and Path(file).is_file() else None


def _closure(imports: frozenset[str]) -> dict[str, _Source]:
    """Return all modules of this project behind these imports, theirs included."""
    found: dict[str, _Source] = {}
    waiting = set(imports)
    while waiting:
        name = waiting.pop()
        file = _project_file(name)
        if name in found or file is None:
            continue
        found[name] = _read_now(file, name)
        waiting |= found[name].imports
    return found


@functools.cache
def _project_file(module: str) -> Path | None:
    """Return the file of a module of this project; None for any other module, and for a name that is no module."""
    if module.partition(".")[0] not in _OURS:
        return None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # a function of a module: ``from kondo_theory.gate import delight``
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _stands_for_a_module(name: str) -> bool:
    """Whether a package is where a module of its name was: it hands on names, and has no code of its own."""
    return name not in MOVED and name in _ONCE_MODULES


def _read_now(file: Path, module: str = "") -> _Source:
    """Read a file again if it changed: a session may edit and reload a module."""
    state = file.stat()
    return _read(file, module, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=1024)
def _read(file: Path, module: str, modified: int, size: int) -> _Source:
    tree = ast.parse(file.read_bytes())
    imports = frozenset(_imports(tree, module))
    _drop_docstrings(tree)
    restore_imports(tree, _OURS)
    return _Source(ast.dump(tree), imports)


def _imports(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _drop_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
