"""``kondo figures``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import completion, options
from simulations.errors import ReportedError

__all__ = ["figures"]


@click.command(
    epilog=options.examples(
        "kondo figures mnist-quality",
        "kondo figures --results results --out my-figures",
    )
)
@click.argument("names", nargs=-1, metavar="[FIGURE]...", shell_complete=completion.figures)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("figures"),
    show_default=True,
    help="Where to write.",
)
@options.results("Own tables of sweeps and experiments, in DIR or in directories in it, whatever their names.")
@click.option("--list", "list_only", is_flag=True, help="List the figures and what they show.")
@options.QUIET
def figures(names: tuple[str, ...], out: Path, results: Path | None, list_only: bool, quiet: bool) -> int:
    """Draw figures as PDF and PNG.

    A figure has the name of its claim; without names all are drawn, from the committed tables.

    With --results the tables in DIR come first, found by what they hold as in kondo verify: without names the figures
    are drawn that DIR feeds, and a named one that it does not feed is refused. What of such a figure DIR lacks is
    committed; standard error says which. Of several tables of one kind parts (other seeds, methods or cells) are put
    together, and the largest counts; two that are equally large are refused.
    """
    from paper_figs.catalogue import FIGURES
    from paper_figs.drawing import draw

    if list_only:
        for name, figure in FIGURES.items():
            click.echo(f"{name:24} {figure.title}")
        return 0

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    with options.user_input():
        drawn = draw(names or None, out, results, say)
    try:
        for path in drawn:  # what fails from here on is no mistake of the user's, unless a table's reader says so
            if not quiet:
                click.echo(f"wrote {path}")
    except OSError as error:
        raise ReportedError(f"cannot write {error.filename or out}: {error.strerror or error}") from error
    return 0
