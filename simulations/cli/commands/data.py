"""``kondo data``."""

from __future__ import annotations

import click

from simulations.cli import options
from simulations.cli.groups import Group

__all__ = ["data"]


@click.group(cls=Group)
def data() -> None:
    """Fetch and check the MNIST images, or a language model's weights.

    They are kept in the user's cache, or in the directory that KONDO_DATA_DIR names.
    """


_WHAT = click.argument("what", type=click.Choice(["mnist", "language-model"]), default="mnist", metavar="[NAME]")


@data.command()
@_WHAT
@options.QUIET
def fetch(what: str, quiet: bool) -> int:
    """Fetch what is missing, check every byte, and print where the files are.

    NAME is mnist, the default (20 MB), or language-model (92 MB, 540 MB on disk; needs the extra lm).
    """
    from simulations.language_model.weights import fetch_weights
    from simulations.mnist.images import fetch_mnist

    name, place = ("MNIST", fetch_mnist()) if what == "mnist" else ("the language model", fetch_weights())
    if not quiet:
        click.echo(f"{name} is in {place}")
    return 0


@data.command()
@_WHAT
@options.QUIET
def check(what: str, quiet: bool) -> int:
    """Check the files in the cache against their hashes.

    NAME is mnist, the default, or language-model.

    Exit 0: all are good. Exit 1: one is missing or damaged; with --quiet only such files are printed.
    """
    from simulations.language_model.weights import check_weights
    from simulations.mnist.images import check_mnist

    states = check_mnist() if what == "mnist" else [check_weights()]
    for state in states:
        if not quiet or state.state != "ok":
            click.echo(f"{state.state:8} {state.path} {state.detail}".rstrip())
    return 0 if all(state.state == "ok" for state in states) else 1
