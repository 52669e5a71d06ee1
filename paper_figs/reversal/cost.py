"""What the gates keep and process on token reversal, and an update's time, drawn from the committed tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.cost import surviving_rows
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_exact, draw_measured, mark_measured, named, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.style import PROTOCOL_ANSWERS, TOTAL, protocol_seconds, reversal_style
from paper_figs.style import MethodStyle, shown
from paper_figs.tables import reversal_curves, step_times
from paper_figs.wording import count, number, percent
from simulations.results.tables import Table, with_seconds
from simulations.statistics import bootstrap

__all__ = ["reversal_physical_cost"]

_COMPARED = ("row gate(3 %)", "token gate(3 %)", "zero-price")
_ALIKE = "row gate(3 %, advantage)"
"""Keeps, processes and takes what the row gate by delight does."""


def reversal_physical_cost() -> Figure:
    """Draw what the gates keep and process, against independent keeps; an update by phase; its time by batch size."""
    frame, times = reversal_curves("quality").frame, step_times()
    frame = frame[frame["label"] != _ALIKE]
    figure, axes = panels(3, height=2.3)
    _shares(axes[0], frame)
    _phases(axes[1], protocol_seconds(with_seconds(times["CPU"])))
    _batch_sizes(axes[2], times)
    caption(f"""Gates on token reversal. (a) Tokens kept and positions processed in an update, as shares of the full
        step, median of {count(frame.groupby("label")["seed"].nunique())} seeds (95 % bootstrap intervals are
        narrower than the points); the cross marks the rows that independent keeps would leave. (b) Milliseconds
        of an update of {PROTOCOL_ANSWERS} answers on one CPU thread by phase, sampling pale, screening dark, training
        in the method's colour; number: time over PG's. (c) An update's time over PG's by the size of its batch, on
        each device. Filled points and bars: measured on networks.""")
    return figure


def _shares(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the shares that are kept and processed as two points a gate, joined where they differ."""
    labels = [label for label in frame["label"].unique() if label.startswith(("token", "row", "zero"))]
    last = frame.sort_values("update").groupby(["label", "seed"]).last()
    shares = {}
    for place, label in enumerate(labels):
        run, style = last.loc[label], reversal_style(label)
        kept = bootstrap((run["backward_tokens"] / run["forward_tokens"]).to_numpy()).value
        processed = bootstrap((run["processed_tokens"] / run["full_tokens"]).to_numpy()).value
        shares[label] = kept, processed
        ax.plot([kept, processed], [place, place], color=style.colour, lw=0.8)
        mark_measured(ax, kept, place - 0.1, style, marker="o", ms=4)
        mark_measured(ax, processed, place + 0.1, style, marker="s", ms=4)
        ax.text(kept, place - 0.2, percent(kept), ha="center", va="bottom")
        ax.text(processed, place + 0.23, percent(processed), ha="center", va="top")
        if label.startswith("token"):
            rate, length = float(run["rate"].iloc[0]), int(run["length"].iloc[0])
            independent = float(surviving_rows(rate, length))
            draw_exact(ax, independent, place, "black")
            ax.text(independent, place + 0.2, f"{percent(independent)} if\nindependent", ha="left", va="top")
    ax.set_yticks(range(len(labels)), [shown(label) for label in labels])
    ax.set(
        xscale="log",
        xlim=(0.015, 1.3),
        ylim=(len(labels) - 0.05, -0.6),
        xlabel="share\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}the\N{NO-BREAK SPACE}full\N{NO-BREAK SPACE}step",
    )
    ax.set_xticks([0.03, 0.1, 0.3, 1], ["3 %", "10 %", "30 %", "100 %"])
    ax.minorticks_off()
    entries = [named(name, MethodStyle("0.3", mark)) for name, mark in (("kept", "o"), ("processed", "s"))]
    ax.legend(handles=entries, loc="upper right", borderaxespad=0, handletextpad=0.1)
    kept, processed = shares["token gate(3 %)"]
    finding(ax, f"The token gate keeps {percent(kept)} of the tokens but processes {percent(processed)}")


def _phases(ax: Axes, rounds: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw an update's phases as parts of a bar from zero, with its time over PG's."""
    rounds = {label: seconds for label, seconds in rounds.items() if label != _ALIKE}
    phases = [1_000 * np.median(seconds, axis=0) for seconds in rounds.values()]
    left = np.zeros(len(rounds))
    places: Any = np.arange(len(rounds))
    for place_of_phase, shade in enumerate(("0.75", "0.35", None)):
        colours: Any = shade or [reversal_style(label).colour for label in rounds]
        width = np.array([parts[place_of_phase] for parts in phases])
        ax.barh(places, width, 0.62, left, color=colours, linewidth=0)
        left = left + width
    ratios = {
        label: float(np.median(seconds[:, TOTAL] / rounds["PG"][:, TOTAL])) for label, seconds in rounds.items()
    }
    for place, end, ratio in zip(places, left, ratios.values(), strict=True):
        ax.text(end + 1.5, place, f"{ratio:.2f}", va="center")
    ax.set_yticks(places, [shown(label) for label in rounds])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds\N{NO-BREAK SPACE}an\N{NO-BREAK SPACE}update", xlim=(0, 1.2 * left.max()))
    row = list(rounds).index("row gate(3 %)")
    finding(ax, f"With the row gate an update takes {number(ratios['row gate(3 %)'])} of PG's time, "
                f"{percent(float(phases[row][0] / left[row]))} of it sampling")  # fmt: skip


def _batch_sizes(ax: Axes, times: Mapping[str, Table]) -> None:
    """Draw an update's time over PG's against the size of the batch, each method a colour, each device a shade."""
    pale = dict(zip(times, (1.0, 0.55, 0.4, 0.3), strict=False))  # of more than four devices the first are drawn
    first = {}
    for device, alpha in pale.items():
        rows = with_seconds(times[device]).iterrows()
        seconds = {(row["answers"], str(row["label"])): np.array(row["seconds"]) for _, row in rows}
        answers: Any = sorted({size for size, _ in seconds})
        for label in _COMPARED:
            ratios = [bootstrap(seconds[n, label][:, TOTAL] / seconds[n, "PG"][:, TOTAL]) for n in answers]
            style = reversal_style(label)
            value, low, high = (np.array([getattr(r, part) for r in ratios]) for part in ("value", "low", "high"))
            draw_measured(ax, answers, value, low, high, style, alpha=alpha)
            first[device, label] = float(value[0])
        name = "one CPU thread" if device == "CPU" else device
        top = max(first[device, label] for label in _COMPARED)
        ax.text(answers[0], top + 0.05, name, color="0.3")
    reference(ax, y=1)
    stack_names(ax, (0.99, 0.99), {shown(label): reversal_style(label).colour for label in _COMPARED})
    ax.set(
        xscale="log",
        xlabel="answers\N{NO-BREAK SPACE}a\N{NO-BREAK SPACE}batch",
        ylabel="time over PG's",
        ylim=(0, 1.55),
    )
    size = PROTOCOL_ANSWERS
    names = {device: "a CPU" if device == "CPU" else device.removeprefix("NVIDIA ") for device in pale}
    said = ", ".join(f"{first[device, _COMPARED[0]]:.2f} on {name}" for device, name in names.items())
    finding(ax, f"Row gate, {size} answers: {said}")
