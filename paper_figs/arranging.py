"""What can be placed only when everything is drawn: titles in the width of their panels, names at curves' ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter
from matplotlib.transforms import BboxBase

from paper_figs.style import Colour

__all__ = ["CURVE", "arrange", "label_at", "label_curves", "named_colours", "stack_names"]

CURVE = "curve"
"""The mark (``gid``) of a name that stands at the end of its curve."""
_GAP = 14.0
"""Pixels at least between a title and the next panel."""
_TRIES = 4
_LINE = 9.0
"""Points from one name to the next below it."""


def label_curves(ax: Axes, lines: Sequence[Line2D] | None = None) -> None:
    """Write the name of each labelled curve at its right end, in its colour, without overlap: no legend is needed.

    Parameters
    ----------
    ax : Axes
        Its limits must be set already.
    lines : sequence of Line2D, optional
        By default all with a label.
    """
    for line in lines or [line for line in ax.lines if not str(line.get_label()).startswith("_")]:
        ax.annotate(
            str(line.get_label()),
            (1.0, _right_end(ax, line)),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            gid=CURVE,
            annotation_clip=False,
        )
    _spread(ax)


def label_at(ax: Axes, places: Mapping[str, tuple[float, float, float]], **look: Any) -> None:
    """Write names beside their curves, in their colours, where the ends are too near for :func:`label_curves`.

    Parameters
    ----------
    ax : Axes
    places : mapping of str to (float, float, float)
        By the curve's label: the ``x`` of its point beside which the name stands, at the curve's end if it goes no
        farther, and how far in points the name is to the right of it and above it. One to the left ends there.
    look
        As of ``Axes.annotate``.
    """
    curves = {str(line.get_label()): line for line in ax.lines}
    for name, (x, right, above) in places.items():
        along, heights = (np.asarray(each, dtype=np.float64) for each in curves[name].get_data())
        along, heights = along[np.isfinite(heights)], heights[np.isfinite(heights)]
        x = float(np.clip(x, along.min(), along.max()))
        y = float(np.interp(x, along, heights))
        settings = {"ha": "right" if right < 0 else "left", "va": "top" if above < 0 else "bottom", **look}
        ax.annotate(name, (x, y), (right, above), textcoords="offset points", color=curves[name].get_color(),
                    annotation_clip=False, **settings)  # fmt: skip


def stack_names(ax: Axes, place: tuple[float, float], names: Mapping[str, Colour] | None = None) -> None:
    """Write the names of curves that lie too near to be named one by one below each other, each in its colour.

    Parameters
    ----------
    ax : Axes
    place : (float, float)
        The corner of the panel where they stand, as fractions of it: those at the right end there, those in the lower
        half stand on it.
    names : mapping of str to colour, optional
        By default :func:`named_colours` of the panel.
    """
    given = named_colours(ax) if names is None else names
    low = place[1] < 0.5
    for row, (name, colour) in enumerate(given.items()):
        down = _LINE * (row - len(given) + 1 if low else row)
        ax.annotate(name, place, (0, -down), "axes fraction", "offset points", color=colour,
                    ha="right" if place[0] > 0.5 else "left", va="bottom" if low else "top")  # fmt: skip


def named_colours(ax: Axes) -> dict[str, Colour]:
    """Return the colours of a panel's labelled curves by their names."""
    lines: list[Any] = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    return {str(line.get_label()): line.get_color() for line in lines}


def _right_end(ax: Axes, line: Line2D) -> float:
    """Return the height of a curve's visible right end, as a fraction of the panel."""
    x, y = (np.asarray(each, dtype=np.float64) for each in line.get_data())
    with np.errstate(all="ignore"):
        points = ax.transAxes.inverted().transform(ax.transData.transform(np.column_stack([x, y])))
    inside = points[np.isfinite(points).all(axis=1) & (points[:, 0] <= 1.001)]
    return float(np.clip(inside[inside[:, 0].argmax(), 1], 0, 1)) if len(inside) else 0.5


def _spread(ax: Axes) -> None:
    """Move the names of a panel's curves apart, as little as is needed, in their order."""
    names: list[Any] = sorted((text for text in ax.texts if text.get_gid() == CURVE), key=lambda text: text.xy[1])
    if not names:
        return
    size = ax.get_window_extent().height
    heights = np.array([name.get_window_extent().height for name in names]) / size
    places = _apart(np.array([name.xy[1] for name in names]), heights)
    for name, place in zip(names, places, strict=True):
        name.xy = (1.0, float(place))


def _apart(wanted: Any, heights: Any) -> Any:
    """Return places in the same order, as near as can be to those that are wanted, that leave room for each height.

    With what stands below taken off, the places need only not fall: the nearest such are means of neighbours.
    """
    below = np.concatenate([[0.0], np.cumsum((heights[:-1] + heights[1:]) / 2)])
    blocks: list[list[float]] = []  # mean and size
    for value in wanted - below:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * size) / (blocks[-1][1] + size),
                blocks[-1][1] + size,
            ]
    return np.concatenate([np.full(int(size), mean) for mean, size in blocks]) + below


def arrange(figure: Figure, panels: Sequence[Axes]) -> None:
    """Letter the panels, write powers of ten in one size, and fit labels, titles and names into the layout."""
    for ax in panels:
        for axis in (ax.xaxis, ax.yaxis):
            _plain_powers(axis)
        _whole_markers(ax)
    _letter(panels)
    layout = figure.get_layout_engine()
    assert layout is not None
    for _ in range(_TRIES):  # a title of more lines lowers its panel, whose ticks and labels may then take more room
        layout.execute(figure)
        if not [text for text, room in _rooms(figure, panels) if _fit(text, room)]:
            break
    for ax in panels:
        _start_title(ax)
        _spread(ax)
    figure.set_layout_engine("none")  # a file of any format has this layout


def _whole_markers(ax: Axes) -> None:
    """Let markers at the edge of a panel be drawn whole, of lines that do not leave it."""
    low, high = np.sort([ax.get_xlim(), ax.get_ylim()]).T
    for line in ax.lines:
        if line.get_marker() in ("", "None", None) or line.get_transform() != ax.transData:
            continue
        points = np.column_stack([np.asarray(each, dtype=np.float64) for each in line.get_data()])
        if len(points) and ((points >= low) & (points <= high)).all():
            line.set_clip_on(False)


def _letter(panels: Sequence[Axes]) -> None:
    for letter, ax in zip("abcdefghi", panels, strict=False):
        title = ax.get_title("left")
        if len(panels) > 1 and title and not title.startswith("("):
            ax.set_title(f"({letter}) {title}", loc="left")


def _plain_powers(axis: Axis) -> None:
    """Write the powers of ten of a logarithmic axis without small exponents."""
    if isinstance(axis.get_major_formatter(), LogFormatter):
        axis.set_major_formatter(FuncFormatter(power_of_ten))
        axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float, place: object = None) -> str:
    """Return a tick's number: plain from a thousandth to ten thousand, and 10ⁿ beyond."""
    if value <= 0 or 1e-3 <= value <= 1e4:
        return f"{value:,g}" if value < 1e4 else "10⁴"
    exponent = str(round(np.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{exponent}"


def _rooms(figure: Figure, panels: Sequence[Axes]) -> Iterator[tuple[Text, float]]:
    """Yield each panel's labels and its title, with the pixels they may take.

    A title may reach from the panel's labels to those of the next panel.
    """
    boxes, lefts = [ax.get_window_extent() for ax in panels], [_left(ax) for ax in panels]
    for ax, box, left in zip(panels, boxes, lefts, strict=True):
        yield ax.yaxis.label, box.height
        yield ax.xaxis.label, box.width + 2 * _GAP
        beside = [other_left for other, other_left in zip(boxes, lefts, strict=True) if _beside(box, other)]
        yield _title(ax), min([figure.bbox.width, *beside]) - _GAP - left


def _beside(box: BboxBase, other: BboxBase) -> bool:
    """Whether another panel stands to the right in the same row."""
    return bool(other.x0 > box.x1 and other.y0 < box.y1 and other.y1 > box.y0)


def _left(ax: Axes) -> float:
    """Return where a panel begins with its labels, in pixels."""
    box = ax.yaxis.get_tightbbox(for_layout_only=True)
    return float(ax.get_window_extent().x0 if box is None else min(box.x0, ax.get_window_extent().x0))


def _title(ax: Axes) -> Text:
    return ax._left_title  # type: ignore[attr-defined]


def _fit(text: Text, room: float) -> bool:
    """Break a text into lines that fit, in pixels along its direction; return whether that was needed."""
    side = "height" if text.get_rotation() % 180 == 90 else "width"
    if not text.get_text() or getattr(text.get_window_extent(), side) <= room:
        return False
    lines: list[str] = []
    for word in re.split(r"[ \n]+", text.get_text()):  # no break at a space that does not break
        text.set_text(f"{lines[-1]} {word}" if lines else word)
        if lines and getattr(text.get_window_extent(), side) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    text.set_text("\n".join(lines))
    return True


def _start_title(ax: Axes) -> None:
    """Let a title begin where the panel's labels do."""
    own = ax.get_window_extent()
    title = _title(ax)
    title.set_position(((_left(ax) - own.x0) / own.width, title.get_position()[1]))
