"""A table that is asked for again: with more seeds it is extended, finished it is left alone, another is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from simulations.errors import ResultError
from simulations.results.tables import Table, load, require_table_writable

__all__ = ["Former", "former_runs", "is_finished", "key_of", "whole_sidecar"]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Former:
    """The runs that a table holds already.

    Attributes
    ----------
    table : Table or None
        None if there is none.
    curves : mapping of str to DataFrame
        The learning curve of each run, by its key: from the column ``update`` on.
    seconds : mapping of str to Any
        What the sidecar says of each run's time.
    """

    table: Table | None
    curves: Mapping[str, pd.DataFrame]
    seconds: Mapping[str, Any]

    def missing(self, records: Sequence[Record]) -> list[int]:
        """Return which of these runs the table lacks."""
        return [index for index, record in enumerate(records) if key_of(record) not in self.curves]

    def completed(
        self, records: Sequence[Record], curves: Sequence[pd.DataFrame], seconds: Sequence[Any]
    ) -> tuple[list[pd.DataFrame], list[Any]]:
        """Return the curve and the seconds of each of these runs, given those of the missing ones in their order."""
        new = [key_of(records[index]) for index in self.missing(records)]
        all_curves = {**self.curves, **dict(zip(new, curves, strict=True))}
        all_seconds = {**self.seconds, **dict(zip(new, seconds, strict=True))}
        keys = [key_of(record) for record in records]
        return [all_curves[key] for key in keys], [all_seconds[key] for key in keys]


def key_of(record: Record) -> str:
    """Return what names a run: its configuration with the seed."""
    return json.dumps(record, sort_keys=True)


def former_runs(
    out: Path, kind: str, records: Sequence[Record], code: str, device: str, *, overwrite: bool
) -> Former:
    """Return the runs of a table that is to have these, none if there is no table or it is to be replaced.

    Parameters
    ----------
    out : Path
    kind : str
        Of the table.
    records : sequence of mapping
        Every run as a JSON value, with its ``seed``.
    code, device : str
        What trains: a table of other code or of another device is not extended, for its runs would differ from those
        of one call.
    overwrite : bool

    Raises
    ------
    ResultError
        If there is a table that holds anything else than some of these runs with all of their methods, or the place
        cannot be written.
    """
    if overwrite or not out.exists():
        require_table_writable(out, overwrite=overwrite)
        return Former(None, {}, {})
    table = _require_same(out, kind, code, device)
    runs = table.config.get("runs", [])
    asked, there = {key_of(record) for record in records}, [key_of(run) for run in runs]
    if {_without_seed(run) for run in runs} != {_without_seed(record) for record in records}:
        raise _exists(out, "it holds other methods or settings")
    if others := [run for run, key in zip(runs, there, strict=True) if key not in asked]:
        seeds = ", ".join(str(seed) for seed in sorted({run["seed"] for run in others}))
        raise _exists(out, f"it holds more of the same, seeds {seeds}, than was asked for")
    frame = table.frame
    starts = frame.index[frame["update"] == 0].tolist()
    if len(starts) != len(runs):
        raise _exists(out, f"it has {len(starts)} runs where its configuration names {len(runs)}")
    columns = list(frame.columns)[list(frame.columns).index("update") :]
    rows = zip(starts, [*starts[1:], len(frame)], strict=True)
    parts = [frame[columns].iloc[first:last].reset_index(drop=True) for first, last in rows]
    seconds = table.sidecar.get("seconds", [])
    if len(seconds) != len(runs):
        raise _exists(out, "its sidecar lacks the seconds of some runs")
    return Former(table, dict(zip(there, parts, strict=True)), dict(zip(there, seconds, strict=True)))


def is_finished(out: Path, kind: str, config: Mapping[str, Any], code: str, device: str, *, overwrite: bool) -> bool:
    """Return whether a table is there that this very configuration, code and device has written.

    Raises
    ------
    ResultError
        If there is another one and it is not to be replaced, or the place cannot be written.
    """
    if overwrite or not out.exists():
        require_table_writable(out, overwrite=overwrite)
        return False
    if _require_same(out, kind, code, device).config != json.loads(json.dumps(config)):
        raise _exists(out, "it holds another configuration")
    return True


def whole_sidecar(former: Former, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of an extended table, with what was said of the one before."""
    if former.table is None:
        return dict(sidecar)
    old = former.table.sidecar
    said = {name: old[name] for name in ("date", "commit", "command", "seeds") if name in old}
    return {**sidecar, "extends": [*old.get("extends", []), said]}


def _require_same(out: Path, kind: str, code: str, device: str) -> Table:
    """Return the table at a place, refusing one of another kind, code or device."""
    try:
        table = load(out, kind=kind)
    except ResultError as error:
        raise _exists(out, str(error)) from error
    for name, ours in (("code", code), ("device", device)):
        if (theirs := table.sidecar.get(name, "unknown")) != ours:
            raise _exists(out, f"its {name} is {theirs}, and here it is {ours}")
    return table


def _exists(out: Path, why: str) -> ResultError:
    return ResultError(f"{out} exists: pass --overwrite to replace it, or name another place; {why}")


def _without_seed(record: Record) -> str:
    return key_of({name: value for name, value in record.items() if name != "seed"})
