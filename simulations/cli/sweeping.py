"""What ``kondo sweep`` does with what the user asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal
from rich.table import Table as RichTable

from kondo_theory.words import nearest
from simulations.sweeps.estimate import estimate
from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.toml import parse_settings, read_sweep

__all__ = ["choose", "list_sweeps", "show_estimate"]


def choose(
    name: str, preset: str, settings: Sequence[str], out: Path | str | None
) -> tuple[Sweep, Path, tuple[str, ...]]:
    """Return the checked sweep behind a name or a TOML file, its directory, and what to say of the settings.

    Sizes come from the preset, then from the file, then from the settings, each overriding the one before. Of several
    grids a setting replaces the axis in those that name it, in all where none does.

    Raises
    ------
    ValueError, TypeError
        If the name, the file or a setting is not allowed.
    """
    if name.endswith(".toml"):
        sweep = read_sweep(Path(name), {known: sweep.at_preset(preset) for known, sweep in SWEEPS.items()})
        default = Path("results") / sweep.name
    elif name in SWEEPS:
        sweep = SWEEPS[name].at_preset(preset)
        default = Path("results") / f"{name}-{preset}"
    else:
        raise ValueError(
            f"a sweep must be a file *.toml or one of {', '.join(SWEEPS)}, got {name!r}{nearest(name, SWEEPS)}"
        )
    try:
        axes = parse_settings(settings, sweep)
        said = tuple(_said(sweep, key) for key in axes) if len(sweep.grids) > 1 else ()
        sweep = sweep.with_axes(axes).checked()
    except ValueError as error:
        raise ValueError(f"{name}: {error}" if name.endswith(".toml") else str(error)) from None
    return sweep, Path(out) if out else default, said


def _said(sweep: Sweep, key: str) -> str:
    """Return in which of several grids a setting replaces an axis."""
    chosen, total = sweep.grids_with(key), len(sweep.grids)
    if len(chosen) == total:
        return f"{key} is set in all {total} grids of {sweep.name}"
    places = ", ".join(str(place + 1) for place in chosen)
    return f"{key} is set in {len(chosen)} of the {total} grids of {sweep.name}: {places}; the others do not name it"


def list_sweeps(preset: str) -> RichTable:
    """Return the named sweeps with their kind and number of cells."""
    table = RichTable("sweep", "kind", "cells", "about", box=None)
    for name, sweep in SWEEPS.items():
        cells = sum(1 for _ in sweep.at_preset(preset).checked().configs())
        table.add_row(name, sweep.kind, f"{cells:,}", sweep.title)
    return table


def show_estimate(sweep: Sweep, out: Path) -> str:
    """Return what the sweep would take, in one line, and a second one if a timed cell failed."""
    found = estimate(sweep, out)
    done = f" ({found.cells - found.missing:,} of them done)" if found.missing < found.cells else ""
    cost = f"about {found.core_seconds:.2g} core seconds and at most {decimal(int(found.bytes))}"
    failed = f"\n{len(found.failures)} of the timed cells failed: {found.failures[0]}" if found.failures else ""
    return f"{sweep.name}: {found.cells:,} cells{done}, {cost}, in {out}{failed}"
