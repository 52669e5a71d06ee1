"""What the gates keep and process on token reversal, and an update's time, drawn from the committed tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from kondo_theory.cost import surviving_rows
from paper_figs.reversal.style import PROTOCOL_ANSWERS, TOTAL, protocol_seconds, reversal_style
from paper_figs.style import PANEL, label_panels, method_style, shown
from paper_figs.tables import reversal_curves, step_times
from simulations.results.tables import Table, with_seconds
from simulations.statistics import bootstrap

__all__ = ["reversal_physical_cost"]

_COMPARED = ("row gate(3 %)", "token gate(3 %)", "zero-price")


def reversal_physical_cost() -> Figure:
    """Draw what the gates keep and process, against independent keeps; an update by phase; its time by batch size."""
    frame, times = reversal_curves("quality").frame, step_times()
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0] + 3.2, PANEL[1] + 1.1))
    _shares(axes[0], frame)
    _phases(axes[1], protocol_seconds(with_seconds(times["CPU"])))
    _batch_sizes(axes[2], times)
    label_panels(axes)
    return figure


def _shares(ax: Axes, frame: pd.DataFrame) -> None:
    labels = [label for label in frame["label"].unique() if label.startswith(("token", "row", "zero"))]
    last = frame.sort_values("update").groupby(["label", "seed"]).last()
    looks = (
        ("backward_tokens", "forward_tokens", "tokens kept", 0.35),
        ("processed_tokens", "full_tokens", "positions processed", 1.0),
    )
    for place, label in enumerate(labels):
        run, style = last.loc[label], reversal_style(label)
        for number, (part, whole, _, alpha) in enumerate(looks):
            share = bootstrap((run[part] / run[whole]).to_numpy())
            y = place + 0.2 * (2 * number - 1)
            ax.barh(y, share.value, 0.38, color=style.colour, alpha=alpha)
            ax.errorbar(
                share.value, y, xerr=[[share.value - share.low], [share.high - share.value]], color="0.2", capsize=2
            )
            ax.text(share.value * 1.06, y, f"{100 * share.value:.3g} %", size=7, va="center")
        if label.startswith("token"):
            rate, length = float(run["rate"].iloc[0]), int(run["length"].iloc[0])
            ax.plot(float(surviving_rows(rate, length)), place + 0.2, "k|", ms=12, mew=1.5)
    ax.set_yticks(range(len(labels)), [shown(label).replace(", ", ",\n") for label in labels])
    ax.invert_yaxis()
    handles: list[Any] = [Line2D([], [], color="0.4", alpha=alpha, lw=6, label=name) for _, _, name, alpha in looks]
    handles.append(Line2D([], [], color="k", marker="|", ls="", ms=10, mew=1.5, label="rows, independent keeps"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3, columnspacing=0.9)
    ax.set(xscale="log", xlim=(0.02, 2.2), xlabel="share of the full step", title="logical and physical cost")
    ax.set_xticks([0.03, 0.1, 0.3, 1], ["3 %", "10 %", "30 %", "100 %"])
    ax.minorticks_off()


def _phases(ax: Axes, rounds: Mapping[str, NDArray[np.float64]]) -> None:
    phases = [1_000 * np.median(seconds, axis=0) for seconds in rounds.values()]
    left = np.zeros(len(rounds))
    places: Any = np.arange(len(rounds))
    for number, (phase, shade) in enumerate((("sampling", "0.75"), ("screening", "0.5"), ("training", None))):
        colours: Any = shade or [reversal_style(label).colour for label in rounds]
        width = np.array([parts[number] for parts in phases])
        ax.barh(places, width, 0.62, left, color=colours, label=phase if shade else None)
        left = left + width
    for place, (end, seconds) in enumerate(zip(left, rounds.values(), strict=True)):
        ratio = float(np.median(seconds[:, TOTAL] / rounds["PG"][:, TOTAL]))
        ax.text(end + 1, place, f"{ratio:.2f}", size=7, va="center")
    ax.set_yticks(places, [shown(label).replace(", ", ",\n") for label in rounds])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds an update, one CPU thread", xlim=(0, 1.12 * left.max()))
    ax.set(title=f"an update of {PROTOCOL_ANSWERS} answers by phase")
    handles: list[Any] = [
        Line2D([], [], color="0.75", lw=6, label="sampling"),
        Line2D([], [], color="0.5", lw=6, label="screening"),
        Line2D([], [], color=method_style("PG").colour, lw=6, label="training; number: time over PG's"),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3, columnspacing=0.9)


def _batch_sizes(ax: Axes, times: Mapping[str, Table]) -> None:
    """Draw an update's time over PG's against the size of the batch, each method a colour, each device a line."""
    lines = dict(zip(times, ("-", "--", ":", "-."), strict=False))  # of more than four devices the first are drawn
    for device, line in lines.items():
        rows = with_seconds(times[device]).iterrows()
        seconds = {(row["answers"], str(row["label"])): np.array(row["seconds"]) for _, row in rows}
        answers: Any = sorted({size for size, _ in seconds})
        for label in _COMPARED:
            ratios = [bootstrap(seconds[n, label][:, TOTAL] / seconds[n, "PG"][:, TOTAL]) for n in answers]
            style = reversal_style(label)
            value = np.array([ratio.value for ratio in ratios])
            spread = [value - [ratio.low for ratio in ratios], [ratio.high for ratio in ratios] - value]
            ax.errorbar(answers, value, yerr=spread, color=style.colour, marker=style.marker, ls=line, capsize=2)
    ax.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
    handles: list[Any] = [
        *(
            Line2D([], [], color=style.colour, marker=style.marker, ls="", label=shown(label))
            for label, style in ((label, reversal_style(label)) for label in _COMPARED)
        ),
        *(
            Line2D([], [], color="0.3", ls=line, label="one CPU thread" if device == "CPU" else device)
            for device, line in lines.items()
        ),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=3, columnspacing=0.9)
    ax.set(xscale="log", xlabel="answers a batch", ylabel="time of an update / PG's", ylim=(0, None))
    ax.set(title="an update by the size of its batch")
