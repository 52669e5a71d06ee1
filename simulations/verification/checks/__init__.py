"""One module a family of claims: the simulations and measurements that ``kondo verify`` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from simulations.results.merging import MeasuredTables
from simulations.results.sources import Source
from simulations.verification.checks.evidence import Measured

__all__ = ["Context", "Progress", "attributed"]

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
    now : Source, optional
        Of what is measured now; by default it names the device alone.
    """

    preset: str
    device: str
    workers: int
    progress: Progress
    tables: MeasuredTables = field(default_factory=MeasuredTables)
    now: Source | None = None

    @property
    def source(self) -> Source:
        """Where numbers that are measured now come from."""
        return self.now or Source(device=self.device)


def attributed(rows: Iterable[Measured], source: Source, sizes: Mapping[str, int]) -> list[Measured]:
    """Return measured rows that say where they came from and how large that was."""
    return [replace(row, sources=(source,), sizes=sizes) for row in rows]
