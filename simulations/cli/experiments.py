"""What the commands of experiments share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["settings_of_a_study", "teller", "typed", "written"]


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
            takes = ", ".join(f"--{name}" for name in shared)
            raise click.UsageError(
                f"a study has settings of its own, got --study {study} with {flag}: it takes {takes} and no other"
            )
    return {name: given[name] for name in shared}


def typed() -> str:
    """Return the command line as it could be typed again, on another machine too: of absolute paths the last part."""
    return shlex.join(["kondo", *(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])])


def teller(quiet: bool) -> Callable[[str], None]:
    """Return what says a line of progress on standard error, or says nothing."""
    return (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))


@contextmanager
def written(table: Path, *, quiet: bool, summary: Callable[[DataFrame], Any] | None = None) -> Iterator[None]:
    """Show the summary of the table that is written meanwhile, and say where it is.

    One that was there before, and is complete, is said to be so.
    """
    before = _written_at(table)
    yield
    if quiet:
        return
    if summary is not None:
        from simulations.results.tables import load
        from simulations.verification import report

        report.console().print(summary(load(table).frame))
    if _written_at(table) == before:
        click.echo(f"{table} is complete: nothing to do")
    else:
        click.echo(f"wrote {table} and {table.with_suffix('.json').name}")


def _written_at(table: Path) -> int | None:
    """Return when a table was written, ns since 1970; None if it is not there."""
    return table.stat().st_mtime_ns if table.exists() else None
