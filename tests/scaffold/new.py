"""Write the pieces of a new claim, rule, figure or sweep, all of them or none, with what is left open marked.

``python tests/scaffold/new.py KIND ID [FAMILY]``. What is left open fails ``tests/test_registry.py`` until it is
filled in. The pieces are the files in templates/, with ``$id`` and the names that follow from it and from the family.
"""

from __future__ import annotations

import ast
import keyword
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from pieces import FAMILIES, KINDS, ROOT, Family, Piece
from places import ScaffoldError, with_item, with_row

TEMPLATES = Path(__file__).resolve().parent / "templates"
LONGEST = 25  # the column of ids in the table of docs/results.md


def names_of(kind: str, name: str, family: str) -> dict[str, str]:
    """Return what the templates are filled with.

    Raises
    ------
    ScaffoldError
        If the kind, the id or the family is none.
    """
    module = name.replace("-", "_")
    if kind not in KINDS:
        raise ScaffoldError(f"KIND must be one of {', '.join(KINDS)}, got {kind!r}")
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name) or len(name) > LONGEST or keyword.iskeyword(module):
        raise ScaffoldError(f"ID must be lower-case words joined by hyphens, at most {LONGEST} letters, got {name!r}")
    allowed = [each for each, rooms in FAMILIES.items() if kind != "sweep" or rooms.sweeps]
    if kind != "rule" and family not in allowed:
        raise ScaffoldError(f"FAMILY must be one of {', '.join(allowed)}, got {family!r}")
    rooms = FAMILIES.get(family, Family())
    in_module = rooms.theory.endswith(".py")
    files = {
        "theory": rooms.theory if in_module else f"{rooms.theory}/{module}.py",
        "check": f"simulations/verification/checks/{rooms.checks}/{module}.py",
        "figure": f"paper_figs/{rooms.figures}/{module}.py",
        "cell": f"simulations/sweeps/cells/{rooms.cells}/{module}.py",
        "control": f"tests/verification/test_control_{module}.py",
    }
    files = {each: path.replace("//", "/") for each, path in files.items()}
    dotted = {each: path.removesuffix(".py").replace("/", ".") for each, path in files.items()}
    half = "simulate" if rooms.theory else "measure"
    given = {"id": name, "module": module, "family": family, "cells": rooms.cells, "half": half}
    return given | dotted | {f"{each}_file": path for each, path in files.items()}


def planned(kind: str, name: str, family: str) -> dict[str, str]:
    """Return the new text of every file that is written or changed, by its path.

    Raises
    ------
    ScaffoldError
        As :func:`names_of`, if there is one of this name already, or a piece has no place.
    """
    new = names_of(kind, name, family)
    texts: dict[str, str] = {}
    for piece in KINDS[kind](new, FAMILIES.get(family, Family())):
        path = ROOT / piece.path
        text = texts.get(piece.path, path.read_text(encoding="utf-8") if path.exists() else "")
        if path.exists() and (piece.is_file or f'"{name}"' in path.read_text(encoding="utf-8")):
            raise ScaffoldError(f"{name} exists already, in {piece.path}")
        item = Template((TEMPLATES / piece.template).read_text(encoding="utf-8")).substitute(new)
        try:
            texts[piece.path] = placed(text, piece, item)
        except ScaffoldError as error:
            raise ScaffoldError(f"{piece.path}: {error}") from None
    for path, text in texts.items():
        if path.endswith(".py"):
            ast.parse(text, path)
    return texts


def placed(text: str, piece: Piece, item: str) -> str:
    """Return a file's text with the piece in it."""
    if piece.name:
        return with_item(text, piece.name, item)
    if piece.row_after:
        return with_row(text, piece.row_after, item)
    if piece.before:
        start = re.search(rf"^{piece.before}\b", text, flags=re.MULTILINE)
        if start is None:
            raise ScaffoldError(f"there is no {piece.before} to stand before")
        return text[: start.start()] + item + text[start.start() :]
    return text.rstrip("\n") + "\n\n\n" + item if piece.at_end else item


def write(texts: Mapping[str, str]) -> None:
    """Write all the files; if one cannot be written, the others are as they were."""
    before = {path: (ROOT / path).read_bytes() if (ROOT / path).exists() else None for path in texts}
    try:
        for path, text in texts.items():
            beside = (ROOT / path).with_suffix(".new")
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, ROOT / path)
    except BaseException:
        for path, content in before.items():
            (ROOT / path).with_suffix(".new").unlink(missing_ok=True)
            if content is None:
                (ROOT / path).unlink(missing_ok=True)
            else:
                (ROOT / path).write_bytes(content)
        raise


def main(arguments: list[str]) -> int:
    """Write what is asked for; return 2 if it cannot be, with one line that says why."""
    kind, name, family, *_ = [*arguments, "", "", ""]
    try:
        texts = planned(kind, name, family)
        new = [path for path in texts if not (ROOT / path).exists()]
        write(texts)
    except (ScaffoldError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for path in texts:
        print(f"{'wrote  ' if path in new else 'changed'} {path}")
    print(f"docs/adding/{kind}.md says how to go on; tests/test_registry.py, what is still to be filled in")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
