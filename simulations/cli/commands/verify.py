"""``kondo verify``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import completion, options

__all__ = ["verify"]


@click.command(
    epilog=options.examples(
        "kondo verify --preset smoke                        every claim, in minutes",
        "kondo verify --claim gate-law --json report.json   one claim, and its numbers",
        "kondo verify --report report                       and a page of all that was found",
    )
)
@options.PRESET
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="ID",
    help="Only this claim; repeatable.",
    shell_complete=completion.claims,
)
@options.DEVICE
@options.json_file("Also write the report here, as it grows")
@click.option(
    "--report",
    "page_directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write a page of all that was found, DIR/index.html, at the end or when interrupted.",
)
@options.WORKERS
@options.results("Judge by the tables in DIR, measured on another machine say, instead of measuring here.")
@click.option("--list", "list_only", is_flag=True, help="List the claims, how each is checked, and its source.")
@options.QUIET
def verify(
    preset: str,
    claims: tuple[str, ...],
    device: str,
    json_file: Path | None,
    page_directory: Path | None,
    workers: int | None,
    results: Path | None,
    list_only: bool,
    quiet: bool,
) -> int:
    """Derive, simulate and measure every claim, and judge it.

    Each claim is printed when it is done. Exit 0: every check that could be judged was conclusive, whatever it says
    of published claims. Exit 1: ours disagrees with ours (contradicted), an exception ended a claim (broken), or a
    check was too noisy to decide. Exit 2: bad input. Exit 130: interrupted; what is done is kept.
    """
    from kondo_theory.claims import get_claims
    from simulations.cli.verifying import Growing, list_claims, verify_and_report
    from simulations.results.atomic import require_writable
    from simulations.results.merging import MeasuredTables

    if list_only:
        for line in list_claims():
            click.echo(line)
        return 0
    with options.user_input():
        chosen = [claim.id for claim in get_claims(claims or None)]
        options.require_device(device)
        tables = MeasuredTables() if results is None else MeasuredTables.read(results)
        if json_file is not None and json_file != options.STANDARD_OUTPUT:
            require_writable(json_file, overwrite=True)
        if page_directory is not None:
            from simulations.report import require_page

            require_page(page_directory)
    growing = Growing(tables, json_file=json_file, page_directory=page_directory, quiet=quiet)
    return verify_and_report(preset, growing, device=device, claims=chosen, workers=workers)
