"""``kondo report``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import options

__all__ = ["report"]


@click.command(
    epilog=options.examples(
        "kondo report verify.json",
        "kondo report verify.json --results results --out my-report",
    )
)
@click.argument("json_file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("report"),
    show_default=True,
    help="Where index.html is written; a page of an earlier report is replaced.",
)
@options.results("Draw the figures from the tables in DIR, and from the committed ones what DIR lacks.")
@options.QUIET
def report(json_file: Path, out: Path, results: Path | None, quiet: bool) -> int:
    """Write the page of all claims from the JSON of kondo verify.

    FILE is what kondo verify --json wrote, here or on another machine, whole or interrupted. The page is one file
    that needs nothing else: statements, verdicts, proofs, numbers, figures. kondo verify --report DIR writes it at
    once.
    """
    from rich.console import Console

    from simulations.report import read_document, require_page, write_report
    from simulations.results.merging import MeasuredTables

    with options.user_input():
        document = read_document(json_file)
        tables = None if results is None else MeasuredTables.read(results)
        require_page(out)
    with Console(stderr=True, quiet=quiet).status("drawing the figures"):
        page = write_report(document, out, tables)
    if not quiet:
        click.echo(f"wrote {page}")
    return 0
