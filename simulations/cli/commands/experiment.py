"""``kondo experiment``."""

from __future__ import annotations

import click

from simulations.cli.groups import LazyGroup

__all__ = ["experiment"]


@click.group(
    cls=LazyGroup,
    helps={
        "mnist": "Run the MNIST contextual bandit and write a table; resumable.",
        "reversal": "Train a transformer to write its prompt backwards; resumable.",
        "language-model": "Train a pretrained language model on checkable tasks; resumable.",
    },
)
def experiment() -> None:
    """Train networks and write their learning curves."""
