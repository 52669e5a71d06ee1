"""Where measured numbers came from: a table with its date, device, commit and command, or a measurement just made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from kondo_theory.words import one_line

__all__ = ["Source", "joined_fields"]


@dataclass(frozen=True)
class Source:
    """One table, or one measurement that was never a table.

    Attributes
    ----------
    table : str or None
        File name; None where it was measured now.
    preset : str or None
        The label that the table carries. It is no size: see :mod:`simulations.results.table_sizes`.
    date, device, commit, command : str or None
        None where it is not known.
    """

    table: str | None = None
    preset: str | None = None
    date: str | None = None
    device: str | None = None
    commit: str | None = None
    command: str | None = None

    def __repr__(self) -> str:
        return one_line(self, self.origin)

    @property
    def origin(self) -> str:
        """The same in a few words: file, date, device, commit."""
        if self.table is None:
            return f"measured now, {self.device}"
        commit = self.commit or "unknown"
        changed = ", changed" if commit.endswith("-dirty") else ""
        date = self.date[:10] if self.date else "date unknown"
        return f"{self.table}, {date}, {self.device}, commit {commit.removesuffix('-dirty')[:12]}{changed}"


def joined_fields(sources: Iterable[Source]) -> dict[str, str | None]:
    """Return each field of several sources, what differs joined by commas; None where none of them knows it."""
    every = [asdict(source) for source in sources] or [asdict(Source())]
    return {name: ", ".join(dict.fromkeys(filter(None, (each[name] for each in every)))) or None for name in every[0]}
