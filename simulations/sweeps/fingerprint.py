"""Which code a function runs: a hash over its module and over all that it imports from this project.

The packages above a module, whose ``__init__`` runs with it, do not count unless they are imported by name.
Comments, formatting and docstrings do not enter it; the versions of the numerical libraries do.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["code_version"]

_OURS = ("kondo_theory", "simulations")
_NUMERICAL = ("numba", "numpy", "scipy", "torch")


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
        Defined in a file: in this project, or in a user's own module or script. Of a user's code the file that
        defines the function counts, and what it imports from this project; not the user's other modules.

    Raises
    ------
    TypeError
        If the function has no source file, for instance because it was typed at a prompt.
    """
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file():
        raise TypeError(f"{function!r} was defined in no file, so a change of it would go unseen: put it in a module")
    root = _read(Path(file))
    sources = {"": root} | _closure(root.imports)
    lines = [f"python {sys.version_info.major}.{sys.version_info.minor}"]
    lines += [f"{name}: {sources[name].code}" for name in sorted(sources)]
    imported = {module.partition(".")[0] for source in sources.values() for module in source.imports}
    lines += [f"{name} {importlib.metadata.version(name)}" for name in _NUMERICAL if name in imported]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _closure(imports: frozenset[str]) -> dict[str, _Source]:
    """Return all modules of this project behind these imports, theirs included."""
    found: dict[str, _Source] = {}
    waiting = set(imports)
    while waiting:
        name = waiting.pop()
        file = _project_file(name)
        if name in found or file is None:
            continue
        found[name] = _read(file)
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


@functools.cache
def _read(file: Path) -> _Source:
    tree = ast.parse(file.read_bytes())
    imports = frozenset(_imports(tree))
    _drop_docstrings(tree)
    return _Source(ast.dump(tree), imports)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def _drop_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
