"""All figures by name: one for each claim, or for a pair of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FIGURES", "FigureEntry", "draw"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure: what it shows, and the ``module:function`` that draws it (imported only to draw)."""

    title: str
    function: str


FIGURES = {
    "zero-price-geometry": FigureEntry(
        "perpendicular noise and direction of PG, DG and zero price in one context",
        "paper_figs.theory:zero_price_geometry",
    ),
    "mnist-quality": FigureEntry(
        "test error on the MNIST bandit against forward and backward samples",
        "paper_figs.experiments:mnist_quality",
    ),
}


def draw(names: Iterable[str] | None, out: Path) -> Iterator[Path]:
    """Draw figures as PDF and PNG into ``out`` and yield each path as it is written.

    Raises
    ------
    ValueError
        If a name is unknown, or ``out`` cannot be written.
    """
    wanted = list(FIGURES) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in FIGURES:
            raise ValueError(f"figure must be one of {', '.join(FIGURES)}, got {name!r}")
    from simulations.results import require_writable

    for name in wanted:
        for suffix in (".pdf", ".png"):
            require_writable(out / f"{name}{suffix}", overwrite=True)
    return _draw(wanted, out)


def _draw(wanted: list[str], out: Path) -> Iterator[Path]:
    import matplotlib as mpl

    mpl.use("Agg")  # no window, whatever the machine
    from matplotlib import pyplot as plt

    from paper_figs.style import paper_style
    from simulations.results import atomic_path

    for name in wanted:
        module, function = FIGURES[name].function.split(":")
        with paper_style():
            figure = getattr(importlib.import_module(module), function)()
            for suffix in (".pdf", ".png"):
                path = out / f"{name}{suffix}"
                # No date in the file: the same numbers give the same bytes.
                metadata = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
                with atomic_path(path) as temporary:
                    figure.savefig(temporary, metadata=metadata)
                yield path
        plt.close(figure)
