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
        "kondo figures zero-price-geometry --set n_arms=50 --format svg --width column",
        "kondo figures approximate-delight --results my-numbers.csv",
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
@click.option(
    "--format",
    "formats",
    metavar="LIST",
    default="pdf,png",
    show_default=True,
    help="Of pdf, png and svg, with commas between.",
)
@click.option("--width", metavar="column|page|INCHES", help="Default: each figure's own, 3.3 or 6.9 inches.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=completion.parameters,
    help="A figure's own parameter; repeatable. FIGURE --list shows them.",
)
@options.results("Own tables of sweeps and experiments, in DIR or in directories in it, whatever their names.")
@click.option("--list", "list_only", is_flag=True, help="List the figures and what they show.")
@options.QUIET
def figures(
    names: tuple[str, ...],
    out: Path,
    formats: str,
    width: str | None,
    settings: tuple[str, ...],
    results: Path | None,
    list_only: bool,
    quiet: bool,
) -> int:
    """Draw figures as PDF, PNG and SVG, with their captions.

    A figure has the name of its claim, that of a pair the name of the first; either claim's name draws it. Without
    names all are drawn, from the committed tables. Their captions are in each file and in captions.md.

    With --results the tables in DIR come first, found by what they hold as in kondo verify: without names the figures
    are drawn that DIR feeds, and a named one that it does not feed is refused. What of such a figure DIR lacks is
    committed; standard error says which. Of several tables of one kind parts (other seeds, methods or cells) are put
    together, and the largest counts; two that are equally large are refused. A CSV has the columns of the table that
    it is named after.

    With --set closed forms are drawn with other parameters; simulated points are shown where there are any.
    """
    if list_only:
        with options.user_input():
            _list(names)
        return 0
    from paper_figs.parameters import settings as parsed
    from paper_figs.writing import write

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    chosen = [each.strip().lower() for each in formats.split(",")]
    with options.user_input():
        drawn = write(names or None, out, results, say, formats=chosen, width=width, parameters=parsed(settings))
    try:
        for path in drawn:  # what fails from here on is no mistake of the user's, unless a table's reader says so
            if not quiet:
                click.echo(f"wrote {path}")
    except OSError as error:
        raise ReportedError(f"cannot write {error.filename or out}: {error.strerror or error}") from error
    return 0


def _list(names: tuple[str, ...]) -> None:
    """List all figures; of those that are named, their parameters too."""
    from paper_figs.catalogue import FIGURES, figure_of

    for name in dict.fromkeys(map(figure_of, names)) or FIGURES:
        click.echo(f"{name:26} {FIGURES[name].width:7} {FIGURES[name].title}")
        if names:
            from paper_figs.parameters import defaults, written

            for key, value in defaults(name).items():
                click.echo(f"  --set {key}={written(value)}")
