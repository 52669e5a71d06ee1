"""What the commands of experiments share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

__all__ = ["say_written", "settings_of_a_study", "teller", "typed", "written_at"]


def settings_of_a_study(study: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study whose sizes are the preset's takes.

    Raises
    ------
    click.UsageError
        If another option was given.
    """
    context = click.get_current_context()
    shared = ("preset", "device", "out", "overwrite")
    default = click.core.ParameterSource.DEFAULT
    for name in given:
        if name not in shared and context.get_parameter_source(name) is not default:
            flag = next(p.opts[0] for p in context.command.params if p.name == name)
            raise click.UsageError(f"a study has settings of its own, got --study {study} with {flag}")
    return {name: given[name] for name in shared}


def typed() -> str:
    """Return the command line as it could be typed again, on another machine too: of absolute paths the last part."""
    return shlex.join(["kondo", *(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])])


def teller(quiet: bool) -> Callable[[str], None]:
    """Return what says a line of progress on standard error, or says nothing."""
    return (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))


def written_at(table: Path) -> int | None:
    """Return when a table was written, ns since 1970; None if it is not there."""
    return table.stat().st_mtime_ns if table.exists() else None


def say_written(table: Path, before: int | None, *, quiet: bool) -> None:
    """Say that a table was written, or that the one that was there before was asked for and is complete."""
    if quiet:
        return
    if written_at(table) == before:
        click.echo(f"{table} is complete: nothing to do")
    else:
        click.echo(f"wrote {table} and {table.with_suffix('.json').name}")
