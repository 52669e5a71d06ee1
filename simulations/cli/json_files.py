"""JSON that a command writes to a file or to standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from simulations.cli.options import STANDARD_OUTPUT
from simulations.errors import ResultError
from simulations.results.atomic import atomic_path

__all__ = ["write_json"]


def write_json(value: Any, path: Path) -> None:
    """Write a JSON value to a file, whole or not at all, or to standard output.

    Raises
    ------
    ResultError
        If the file cannot be written.
    """
    if path == STANDARD_OUTPUT:
        click.echo(json.dumps(value, indent=2, allow_nan=False))
        return
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        with atomic_path(path) as temporary:
            # A file's name can hold bytes that are no text: they become escapes, which JSON has too.
            temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error
