"""The figures of the page, drawn from a user's tables or the committed ones and carried in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PIL import Image

from paper_figs.catalogue import FIGURES
from paper_figs.drawing import drawn
from simulations.results.merging import MeasuredTables

__all__ = ["Picture", "draw_pictures", "few_colours"]

_DOTS_PER_INCH = 160  # sharp on a phone's screen and in print
_PIXELS_PER_INCH = 100  # of CSS: text of 8 points is as large as the page's notes
_COLOURS = 256  # two fifths of the bytes less, and no colour moves by more than a fifteenth of its range


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
    caption : str
        What was done, symbols, seeds, what intervals are.
    """

    name: str
    title: str
    data: str = ""
    width: int = 0
    height: int = 0
    drawn_from: str = ""
    missing: str = ""
    caption: str = ""

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
        figure, caption = drawn(name, own)
        drawing, buffer = io.BytesIO(), io.BytesIO()
        figure.savefig(drawing, format="png", dpi=_DOTS_PER_INCH)
        few_colours(Image.open(drawing)).save(buffer, format="webp", lossless=True)
    except Exception as error:  # whatever went wrong in one figure, the page has the others
        return Picture(name, title, missing=" ".join(f"{type(error).__name__}: {error}".split()))
    width, height = (round(inch * _PIXELS_PER_INCH) for inch in figure.get_size_inches())
    data = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(name, title, data, width, height, getattr(figure, "drawn_from", ""), caption=caption)


def few_colours(image: Image.Image) -> Image.Image:
    """Return an image with 256 of its colours, chosen so that the farthest is near, and no dots of dithering."""
    palette = image.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return palette.convert("RGB")
