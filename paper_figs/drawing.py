"""Drawing figures of the catalogue into files, from the committed tables or from a directory of own ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kondo_theory.words import choice
from paper_figs.catalogue import FIGURES
from simulations.errors import ResultError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from paper_figs.tables import Reading
    from simulations.results.merging import MeasuredTables

__all__ = ["draw", "drawn"]


@contextmanager
def drawn(name: str, own: MeasuredTables | None = None) -> Iterator[tuple[Figure, Reading]]:
    """Draw a figure from a user's own tables or the committed ones; yield it in its style, with what it has read.

    Raises
    ------
    ResultError
        If a table that it needs is missing or cannot be read.
    """
    import matplotlib as mpl

    mpl.use("Agg")  # no window, whatever the machine
    from matplotlib import pyplot as plt

    from paper_figs.style import paper_style
    from paper_figs.tables import results_from

    module, function = FIGURES[name].function.split(":")
    with paper_style():
        with results_from(own) as reading:
            figure = getattr(importlib.import_module(module), function)()
        try:
            yield figure, reading
        finally:
            plt.close(figure)


def draw(
    names: Iterable[str] | None,
    out: Path | str,
    results: Path | str | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Iterator[Path]:
    """Draw figures as PDF and PNG into ``out`` and yield each path as it is written.

    Parameters
    ----------
    names : iterable of str, optional
        By default all figures, or all that ``results`` feeds.
    out : Path or str
        Directory.
    results : Path or str, optional
        A directory of own tables, in it or in the directories in it; they come before the committed ones.
    say : callable
        Told of each figure which tables it shows, where there are own ones.

    Raises
    ------
    ValueError
        If a name is unknown, ``out`` cannot be written, or ``results`` has nothing that feeds a named figure, lacks
        what it shows, or has two tables that could both be meant.
    """
    from simulations.results.atomic import require_writable
    from simulations.results.merging import MeasuredTables

    out = Path(out)
    wanted = list(FIGURES) if names is None else [choice("figure", name, FIGURES) for name in dict.fromkeys(names)]
    own = None if results is None else MeasuredTables.read(results)
    if own is not None:
        wanted = _fed(wanted, own, named=names is not None)
    for name in wanted:
        for suffix in (".pdf", ".png"):
            require_writable(out / f"{name}{suffix}", overwrite=True)
    return _draw(wanted, out, own, say, named=names is not None)


def _fed(wanted: Sequence[str], own: MeasuredTables, *, named: bool) -> list[str]:
    """Return the figures that the tables feed; refuse one that was named and is not fed, or an empty choice."""
    fed = [name for name in wanted if any(map(own.holds, FIGURES[name].reads))]
    if named and len(fed) < len(wanted):
        raise _unfed(next(name for name in wanted if name not in fed), own)
    if not fed:
        raise ResultError(f"nothing in {own.directory} feeds any figure; it holds {own.summary}")
    return fed


def _unfed(name: str, own: MeasuredTables, why: str = "") -> ResultError:
    looked = " or ".join(FIGURES[name].reads)
    return ResultError(
        f"nothing in {own.directory} feeds figure {name}: looked for tables of {looked}{why}; it holds {own.summary}"
    )


def _draw(
    wanted: Sequence[str], out: Path, own: MeasuredTables | None, say: Callable[[str], object], *, named: bool
) -> Iterator[Path]:
    from simulations.results.atomic import atomic_path

    for name in wanted:
        with drawn(name, own) as (figure, reading):
            if own is not None and not reading.own:
                if named:
                    raise _unfed(name, own, ", and none of those that are there can be shown")
                continue
            for suffix in (".pdf", ".png"):
                path = out / f"{name}{suffix}"
                # No date in the file: the same numbers give the same bytes.
                metadata = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
                with atomic_path(path) as temporary:
                    figure.savefig(temporary, metadata=metadata)
                yield path
        if own is not None:
            shown = [f"{source} from {files}" for source, files in reading.own.items()]
            say(f"{name}: {'; '.join([*shown, *(f'{source} as committed' for source in reading.committed)])}")
    for path, larger in (own.smaller if own is not None else {}).items():
        say(f"{path} does not count: {larger} is larger")
