"""The one argument of the commands of this room: how many runs of each configuration."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

__all__ = ["asked_seeds"]


def asked_seeds(command: str, page: str | None, default: int, arguments: Sequence[str] | None = None) -> int:
    """Return how many seeds a command of this room was asked for; ``page`` is its module's docstring.

    Raises
    ------
    SystemExit
        With code 2, if they are no whole number from 1 on.
    """
    name = f"python -m simulations.reversal.diagnostics.{command}"
    parser = ArgumentParser(name, description=(page or "").splitlines()[0])
    said = f"runs of each configuration, by default {default}"
    parser.add_argument("seeds", type=int, nargs="?", default=default, help=said)
    seeds = int(parser.parse_args(arguments).seeds)
    if seeds < 1:
        parser.error(f"seeds must be at least 1, got {seeds}")
    return seeds
