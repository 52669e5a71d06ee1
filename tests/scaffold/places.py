"""Where an entry, a row or a function goes in the text of a file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

__all__ = ["ScaffoldError", "last_of", "with_item", "with_row"]


class ScaffoldError(ValueError):
    """What cannot be written, in one line."""


def literal(text: str, name: str) -> ast.Tuple | ast.List | ast.Dict:
    """Return the literal that is assigned to a name, or stands innermost in a call or a subscript there."""
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            for found in ast.walk(node.value):
                if isinstance(found, ast.Dict | ast.Tuple | ast.List) and not isinstance(
                    getattr(found, "ctx", None), ast.Store
                ):
                    return found
    raise ScaffoldError(f"there is no literal {name} to put an entry into")


def last_of(path: Path, name: str, keyword: str) -> str:
    """Return the id of the last entry of a tuple of calls such as ``Claim(id=…)``."""
    last = literal(path.read_text(encoding="utf-8"), name).elts[-1]
    return next(each.value.value for each in last.keywords if each.arg == keyword)


def with_item(text: str, name: str, item: str) -> str:
    """Return the source with one more item in the literal of a name, which has one item a line."""
    found, lines = literal(text, name), text.splitlines(keepends=True)
    keys, values = (found.keys, found.values) if isinstance(found, ast.Dict) else (found.elts, found.elts)
    at = values[-1].end_lineno
    if not re.fullmatch(r",?\s*(#.*)?", lines[at - 1].encode()[values[-1].end_col_offset :].decode().strip()):
        raise ScaffoldError(f"{name} has not one item a line")
    first = lines[keys[-1].lineno - 1]
    indent = first[: len(first) - len(first.lstrip())]
    if name == "__all__":
        later = (key for key in keys if key.value[0].islower() and key.value > item.strip().strip('",'))
        at = next((key.lineno - 1 for key in later), at)
    lines[at:at] = [indent + line if line.strip() else line for line in item.splitlines(keepends=True)]
    return "".join(lines)


def with_row(text: str, after: str, row: str) -> str:
    """Return the page with a row after that of an id; in a table of boxes padded to its columns."""
    lines = text.splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if re.match(rf"[|│] `?{re.escape(after)}`? ", line)), None)
    if at is None:
        raise ScaffoldError(f"the table has no row of {after} to put the new one after")
    at += 1
    if lines[at - 1].startswith("│"):
        while lines[at].startswith("│  "):  # the row goes on
            at += 1
        edge = next(line for line in lines if line.startswith("┡"))
        widths = [len(part) for part in edge.strip().strip("┡┩").split("╇")]
        cells = [f" {cell.strip()} ".ljust(width) for cell, width in zip(row.split("│"), widths, strict=True)]
        row = "│" + "│".join(cells) + "│\n"
    return "".join([*lines[:at], row, *lines[at:]])
