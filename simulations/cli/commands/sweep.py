"""``kondo sweep``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import completion, options

__all__ = ["sweep"]


@click.command(
    epilog=options.examples(
        "kondo sweep gate-frequency --dry-run",
        "kondo sweep gate-frequency --set temperature=0.1,0.5 --out results/mine",
    )
)
@click.argument("sweep", metavar="NAME|FILE.toml", required=False, shell_complete=completion.sweeps)
@options.PRESET
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUES",
    help="Replace an axis: n_arms=2,10; repeatable.",
    shell_complete=completion.settings,
)
@options.WORKERS
@click.option(
    "--scheduler", metavar="ADDRESS", help="Compute on the workers of this Dask scheduler, tcp://host:8786."
)
@options.out("DIR", "results/NAME-PRESET")
@options.OVERWRITE
@click.option("--dry-run", is_flag=True, help="Count cells, core seconds and bytes; write nothing.")
@click.option("--list", "list_only", is_flag=True, help="List the named sweeps.")
@options.QUIET
def sweep(
    sweep: str | None,
    preset: str,
    settings: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    out: Path | None,
    overwrite: bool,
    dry_run: bool,
    list_only: bool,
    quiet: bool,
) -> int:
    """Compute a grid of cells into a directory; run again to resume.

    The grid is a named one, or one's own from a file. Exit 0: the table is complete. Exit 1: cells failed, all others
    were computed and kept.
    """
    from simulations.cli import sweeping
    from simulations.sweeps import run
    from simulations.verification import report

    if list_only:
        report.console().print(sweeping.list_sweeps(preset))
        return 0
    if sweep is None:
        raise click.UsageError("name a sweep or a file: see kondo sweep --list")
    with options.user_input(TypeError):  # a file may name as its cell what cannot be one
        chosen, directory, said = sweeping.choose(sweep, preset, settings, out)
    for line in () if quiet else said:
        click.echo(line, err=True)
    try:
        if dry_run:
            click.echo(sweeping.show_estimate(chosen, directory))
            return 0
        table = run.run_sweep(
            chosen, directory, workers=workers, scheduler=scheduler, overwrite=overwrite, progress=not quiet
        )
    except run.SweepError as error:
        click.echo(f"kondo: {error}", err=True)
        return 1
    if not quiet:
        click.echo(f"{len(table.frame):,} rows in {table.path}")
    return 0
