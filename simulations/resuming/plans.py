"""The runs that one call asks for, and where their table goes; checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from simulations.resuming.runs import records

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["RunPlan", "require_takers"]

Config = TypeVar("Config", bound="DataclassInstance")


@dataclass(frozen=True)
class RunPlan(Generic[Config]):
    """All runs of one call, and where their table goes.

    Carried out again, a plan goes on where an earlier call was cut off. Of a table that holds some of the seeds only
    the others are trained; one that holds all is left alone. ``captured``: an update is recorded and replayed; the
    results do not depend on it, up to rounding.
    """

    preset: str
    configs: tuple[Config, ...]
    device: str
    workers: int
    out: Path
    overwrite: bool
    checkpoint_seconds: float = 30.0
    captured: bool = False

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every run as a JSON value."""
        return records(self.configs)

    @property
    def checkpoints(self) -> Path:
        """The directory beside the table that holds the state of an unfinished run."""
        return self.out.with_suffix(".partial")


def require_takers(methods: Sequence[str], settings: Iterable[tuple[str, Any, Sequence[str]]]) -> None:
    """Refuse a setting that none of the methods takes.

    Parameters
    ----------
    methods : sequence of str
        Those that were asked for.
    settings : iterable of (str, value, sequence of str)
        A setting's name, its value or None where it was not given, and the methods that take it.

    Raises
    ------
    ValueError
        If it is given and goes to no method.
    """
    for setting, value, takers in settings:
        if value is not None and not set(takers) & set(methods):
            belongs = f"a {setting} belongs to method {' or '.join(takers)}"
            raise ValueError(f"{belongs}, got {setting} {value} with {', '.join(methods)}")
