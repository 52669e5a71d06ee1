"""The figures: one a claim, drawn from closed forms, simulations and committed tables.

``draw(name)`` returns one as a matplotlib figure; ``kondo figures`` writes them into files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paper_figs.catalogue import FIGURES

if TYPE_CHECKING:
    from paper_figs.drawing import draw

__all__ = ["FIGURES", "draw"]


def __getattr__(name: str) -> object:
    """Import what draws when it is asked for: the list of figures loads no matplotlib."""
    if name == "draw":
        from paper_figs.drawing import draw

        return draw
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
