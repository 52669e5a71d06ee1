"""One module a family of claims: the simulations and measurements that ``kondo verify`` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from simulations.merging import MeasuredTables

__all__ = ["Context", "Progress"]

Progress = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True)
class Context:
    """What a check may depend on.

    Attributes
    ----------
    preset, device : str
        The preset's name and the torch device's.
    workers : int
        Processes.
    progress : callable
        Whom to tell.
    tables : MeasuredTables
        What was measured elsewhere: a measurement that finds its table here reads it instead of measuring anew.
    """

    preset: str
    device: str
    workers: int
    progress: Progress
    tables: MeasuredTables = field(default_factory=MeasuredTables)
