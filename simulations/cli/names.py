"""Names of methods, rules, studies and sweeps for the shell, read from the sources: importing them takes seconds.

Tests compare each with what the modules hold.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["keys_of", "parameters_of", "sweeps"]

_NAMED = "simulations.sweeps.named"


def keys_of(module: str, variable: str) -> list[str]:
    """Return the keys, where they are words, of the first dictionary that a module writes out for a variable."""
    for node in _tree(_path(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            written = next(each for each in ast.walk(node) if isinstance(each, ast.Dict))
            return [key.value for key in written.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return []


def sweeps() -> dict[str, str]:
    """Return the named sweeps, each with the ``module:function`` of its cell."""
    found = {}
    for path in sorted(_path(_NAMED).parent.glob("*.py")):
        tree = _tree(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sweep":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if "name" in given and "cell" in given:
                    words = _words(tree)
                    found[_text(given["name"], words)] = _text(given["cell"], words)
    return found


def parameters_of(cell: str) -> list[str]:
    """Return the keywords of a ``module:function``."""
    module, _, function = cell.partition(":")
    for node in _tree(_path(module)).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
    return []


def _path(module: str) -> Path:
    """Return a module's file without importing it."""
    package, *inner = module.split(".")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return Path(package)
    place = Path(spec.submodule_search_locations[0]).joinpath(*inner)
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@lru_cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _words(tree: ast.Module) -> dict[str, str]:
    """Return the module's variables that are plain text."""
    return dict(_assigned(tree))


def _assigned(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield node.targets[0].id, value.value


def _text(node: ast.expr, words: dict[str, str]) -> str:
    """Return a text, or a formatted one whose parts are the module's own words; of others nothing."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, words) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, words)
    return words.get(node.id, "") if isinstance(node, ast.Name) else ""
