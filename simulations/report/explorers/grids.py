"""The pieces of an explorer: sliders, curves on grids over their positions, and how both travel in the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "Explorer", "Panel", "Readout", "Slider", "evaluated", "texts"]


@dataclass(frozen=True)
class Slider:
    """What one slider sets.

    Attributes
    ----------
    name : str
        The keyword of the closed form that it sets.
    label : str
    values : sequence of float
    start : int
        The position at first.
    shown : sequence of str
        How each value is said; it need not be a number.
    """

    name: str
    label: str
    values: Sequence[float]
    start: int
    shown: Sequence[str]


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve at every position of the sliders that it depends on.

    Attributes
    ----------
    label, tone : str
        The method, and the class of the style sheet that has its colour.
    sliders : sequence of str
        Those that it depends on, in the order of the axes.
    values : array
        One axis a slider, and last the points along the panel's axis.
    rests : array, optional
        Where the curve meets zero for good: one axis a slider, and last so many places, NaN where there are fewer.
    """

    label: str
    tone: str
    sliders: Sequence[str]
    values: NDArray[np.float64]
    rests: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """A plot. ``x`` are the points in the axis's own measure; ``ticks`` their places and words.

    ``low`` and ``high`` bound the axis of values at every position, so that curves can be compared; without them the
    axis holds zero and the curves.
    """

    title: str
    x: NDArray[np.float64]
    x_label: str
    ticks: Sequence[tuple[float, str]]
    curves: Sequence[Curve]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Readout:
    """A sentence at every position of some sliders, flat in the order of :func:`texts`."""

    label: str
    sliders: Sequence[str]
    text: Sequence[str]
    tone: str = ""


@dataclass(frozen=True, eq=False)
class Explorer:
    """Sliders, panels and readouts of one subject.

    Attributes
    ----------
    name, title, about : str
    claims : sequence of str
        Whose closed forms these are.
    at : str
        The slider that is a place along the panels' axis, where the curves' values are read out; empty if none is.
    """

    name: str
    title: str
    about: str
    claims: Sequence[str]
    sliders: Sequence[Slider]
    panels: Sequence[Panel]
    readouts: Sequence[Readout] = ()
    at: str = ""

    def to_json(self) -> str:
        """Return the explorer as the script reads it; arrays are 32-bit floats, little-endian, in base64."""
        value = {
            "at": self.at,
            "sliders": [{"name": s.name, "start": s.start, "shown": list(s.shown)} for s in self.sliders],
            "panels": [self._panel(panel) for panel in self.panels],
            "readouts": [{"sliders": list(r.sliders), "text": list(r.text)} for r in self.readouts],
        }
        # Nothing in it may end the element that holds it.
        return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")

    def _panel(self, panel: Panel) -> dict[str, Any]:
        curves = [
            {"label": curve.label, "tone": curve.tone, "sliders": list(curve.sliders)}
            | {"values": _packed(curve.values), "rests": None if curve.rests is None else _packed(curve.rests)}
            for curve in panel.curves
        ]
        head = {"x": [float(x) for x in panel.x], "xLabel": panel.x_label, "low": panel.low, "high": panel.high}
        return head | {"title": panel.title, "ticks": [list(tick) for tick in panel.ticks], "curves": curves}


def _packed(values: NDArray[np.float64]) -> dict[str, Any]:
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return {"shape": list(values.shape), "data": base64.b64encode(data).decode("ascii")}


def evaluated(
    sliders: Sequence[Slider], function: Callable[..., NDArray[np.float64]], length: int
) -> NDArray[np.float64]:
    """Return a function of the sliders' values, one call a position: one axis a slider, and last ``length`` values.

    What is shorter is filled with NaN.
    """
    found = np.full((*(len(slider.values) for slider in sliders), length), np.nan)
    for place, given in _positions(sliders):
        values = np.asarray(function(**given), dtype=float)
        found[(*place, slice(values.size))] = values
    return found


def texts(sliders: Sequence[Slider], function: Callable[..., str]) -> list[str]:
    """Return a text of the sliders' values at every position, the last slider's position running fastest."""
    return [function(**given) for _, given in _positions(sliders)]


def _positions(sliders: Sequence[Slider]) -> list[tuple[tuple[int, ...], Mapping[str, float]]]:
    places = product(*(range(len(slider.values)) for slider in sliders))
    return [(place, {s.name: s.values[i] for s, i in zip(sliders, place, strict=True)}) for place in places]
