"""The figures of the page, drawn from a user's tables or the committed ones and carried in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paper_figs.catalogue import FIGURES
from paper_figs.drawing import drawn
from simulations.results.merging import MeasuredTables

__all__ = ["Picture", "draw_pictures"]

_DOTS_PER_INCH = 160  # sharp on a phone's screen and in print
_PIXELS_PER_INCH = 100  # of CSS: text of 8 points is as large as the page's notes


@dataclass(frozen=True)
class Picture:
    """A figure, or why there is none.

    Attributes
    ----------
    name, title : str
        Of the catalogue.
    data : str
        A ``data:`` address, empty if the figure could not be drawn.
    width, height : int
        In CSS pixels.
    drawn_from : str
        The tables it shows.
    missing : str
        Why it could not be drawn; empty if it was.
    """

    name: str
    title: str
    data: str = ""
    width: int = 0
    height: int = 0
    drawn_from: str = ""
    missing: str = ""

    @property
    def alt(self) -> str:
        """What a reader who does not see the picture is told."""
        return f"Figure {self.name}: {self.title}."


def draw_pictures(names: Iterable[str], own: MeasuredTables | None) -> Mapping[str, Picture]:
    """Draw the figures of these names; one that cannot be drawn says why and stops no other."""
    return {name: _draw(name, own) for name in dict.fromkeys(names)}


def _draw(name: str, own: MeasuredTables | None) -> Picture:
    title = FIGURES[name].title
    try:
        with drawn(name, own) as (figure, reading):
            buffer = io.BytesIO()
            figure.savefig(buffer, format="webp", dpi=_DOTS_PER_INCH, pil_kwargs={"lossless": True})
            inches = figure.get_size_inches()
    except Exception as error:  # whatever went wrong in one figure, the page has the others
        return Picture(name, title, missing=" ".join(f"{type(error).__name__}: {error}".split()))
    used = [f"{source} from {files}" for source, files in reading.own.items()]
    used += [f"{source} as committed" for source in reading.committed]
    width, height = (round(inch * _PIXELS_PER_INCH) for inch in inches)
    data = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(name, title, data, width, height, "; ".join(used))
