"""FILL IN: what the figure shows, in one line."""

from __future__ import annotations

from matplotlib.figure import Figure

from paper_figs.panels import caption, finding, panels

__all__ = ["stall_escape"]


def stall_escape() -> Figure:
    """Show FILL IN: what, against what; a keyword with a default can be set by --set."""
    figure, (ax,) = panels(1)
    finding(ax, "FILL IN: what the panel shows to be so, its numbers computed from what is drawn")
    caption("FILL IN: what was done, the symbols, the seeds, what points and intervals are")
    if not ax.has_data():
        raise NotImplementedError("stall-escape: FILL IN the figure (docs/adding/figure.md)")
    return figure
