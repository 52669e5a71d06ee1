"""Figures as files: PDF, PNG and SVG with their captions inside, and the captions of all in one page beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kondo_theory.words import choice
from paper_figs.catalogue import FIGURES, figure_of
from paper_figs.own import own_tables
from simulations.errors import InputError, ResultError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulations.results.merging import MeasuredTables

__all__ = ["CAPTIONS", "FORMATS", "save", "write"]

FORMATS = ("pdf", "png", "svg")
CAPTIONS = "captions.md"
"""The page of captions, beside the figures."""


def write(
    names: Iterable[str] | None,
    out: Path | str,
    results: Path | str | None = None,
    say: Callable[[str], object] = lambda _: None,
    *,
    formats: Sequence[str] = ("pdf", "png"),
    width: str | float | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[Path]:
    """Draw figures into ``out`` with a page of their captions, and yield each path as it is written.

    Parameters
    ----------
    names : iterable of str, optional
        Of figures, or of claims that they show. By default all figures, or all that ``results`` feeds.
    out : Path or str
        Directory.
    results : Path or str, optional
        A directory of own tables, in it or in the directories in it, or one file; they come before the committed.
    say : callable
        Told of each figure which tables it shows, where there are own ones, and which is left out, for its table is
        not committed yet.
    formats : sequence of str
        Of ``pdf``, ``png`` and ``svg``.
    width : str or float, optional
        As of :func:`paper_figs.draw`.
    parameters : mapping, optional
        The figures' own parameters; texts are read as their defaults are.

    Raises
    ------
    ValueError
        If a name, a format, the width or a parameter is not allowed, ``out`` cannot be written, or ``results`` has
        nothing that feeds a named figure, lacks what it shows, or has two tables that could both be meant.
    """
    from paper_figs.panels import inches
    from paper_figs.parameters import checked
    from simulations.results.atomic import require_writable

    out = Path(out)
    wanted = list(FIGURES) if names is None else list(dict.fromkeys(map(figure_of, names)))
    chosen = [choice("format", each, FORMATS) for each in dict.fromkeys(formats)]
    if not chosen:
        raise InputError(f"format must be some of {', '.join(FORMATS)}, got none")
    if width is not None:
        inches(width)
    if parameters and names is None:
        raise InputError("parameters are a figure's own: name the figures whose are to be set")
    for name in wanted if parameters else ():
        checked(name, parameters or {})
    own = own_tables(results, wanted if names is not None else [])
    if own is not None:
        wanted = _fed(wanted, own, named=names is not None)
    for name in (*(f"{name}.{suffix}" for name in wanted for suffix in chosen), CAPTIONS):
        require_writable(out / name, overwrite=True)
    how = {"width": width, "parameters": dict(parameters or {})}
    return _write(wanted, out, own, say, chosen, how, named=names is not None)


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


def _write(
    wanted: Sequence[str],
    out: Path,
    own: MeasuredTables | None,
    say: Callable[[str], object],
    formats: Sequence[str],
    how: dict[str, Any],
    *,
    named: bool,
) -> Iterator[Path]:
    from paper_figs.drawing import read_and_drawn
    from paper_figs.tables import NotCommittedError

    captions = {}
    for name in wanted:
        try:
            figure, captions[name], reading = read_and_drawn(name, own, **how)
        except NotCommittedError as error:
            if named:
                raise
            say(f"{name} is left out: {error}")
            continue
        if own is not None and not reading.own:
            del captions[name]
            if named:
                raise _unfed(name, own, ", and none of those that are there can be shown")
            continue
        for suffix in formats:
            path = out / f"{name}.{suffix}"
            save(figure, path, name, captions[name])
            yield path
        if own is not None:
            say(f"{name}: {reading.summary}")
    if captions:
        yield _write_captions(out / CAPTIONS, captions)
    for path, larger in (own.smaller if own is not None else {}).items():
        say(f"{path} does not count: {larger} is larger")


def save(figure: Figure, path: Path, title: str, caption: str) -> None:
    """Write a figure with its title and caption inside; the same numbers give the same bytes, so without a date."""
    from simulations.results.atomic import atomic_path

    metadata: dict[str, dict[str, Any]] = {
        ".pdf": {"Title": title, "Subject": caption, "CreationDate": None},
        ".png": {"Title": title, "Description": caption, "Software": None},
        ".svg": {"Title": title, "Description": caption, "Date": None},
    }
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata=metadata[path.suffix])


def _write_captions(path: Path, captions: Mapping[str, str]) -> Path:
    """Write the page of captions; those of figures that were not drawn now stay."""
    from simulations.results.atomic import atomic_path

    before = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = dict(re.findall(r"^## (\S+)\n\n(.*?)\n(?=\n## |\Z)", before, flags=re.MULTILINE | re.DOTALL))
    known = {name: text for name, text in (kept | dict(captions)).items() if name in FIGURES}
    parts = [f"## {name}\n\n{known[name].strip()}\n" for name in FIGURES if name in known]
    with atomic_path(path) as temporary:
        temporary.write_text("# Captions\n\n" + "\n".join(parts), encoding="utf-8")
    return path
