"""``kondo data``."""

from __future__ import annotations

import click

from simulations.cli import options
from simulations.cli.groups import Group

__all__ = ["data"]


@click.group(cls=Group)
def data() -> None:
    """Fetch and check the MNIST images.

    They are kept in the user's cache, or in the directory that KONDO_DATA_DIR names.
    """


@data.command()
@options.QUIET
def fetch(quiet: bool) -> int:
    """Fetch what is missing, check every byte, and print where the files are."""
    from simulations.mnist.images import fetch_mnist

    place = fetch_mnist()
    if not quiet:
        click.echo(f"MNIST is in {place}")
    return 0


@data.command()
@options.QUIET
def check(quiet: bool) -> int:
    """Check the files in the cache against their hashes.

    Exit 0: all are good. Exit 1: one is missing or damaged; with --quiet only such files are printed.
    """
    from simulations.mnist.images import check_mnist

    states = check_mnist()
    for state in states:
        if not quiet or state.state != "ok":
            click.echo(f"{state.state:8} {state.path} {state.detail}".rstrip())
    return 0 if all(state.state == "ok" for state in states) else 1
