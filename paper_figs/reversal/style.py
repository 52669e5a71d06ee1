"""What the figures of token reversal share: a method's style, the smallest error, the protocol's times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paper_figs.style import MethodStyle, method_style

__all__ = ["LEGEND_SIZE", "PROTOCOL_ANSWERS", "SEEN", "TOTAL", "protocol_seconds", "reversal_style"]

SEEN = 1 / 30_000
"""One token of the three evaluations that a final error is the mean of: smaller errors are drawn there."""
LEGEND_SIZE = 7.5
"""Points, of a legend's title."""
PROTOCOL_ANSWERS = 100
TOTAL = -1
"""Place of the whole update in the parts that are timed."""


def reversal_style(label: str) -> MethodStyle:
    """Return the style of a label of the tables: gates look alike at every rate but for the line."""
    if label == "row gate(3 %, advantage)":
        return method_style("advantage")
    if label.startswith("token gate") and label != "token gate(3 %)":
        return replace(method_style("token gate"), line="--", marker="x")
    return method_style(label.partition("(")[0])


def protocol_seconds(times: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of an update of the protocol's batch by label, rounds × parts."""
    size = times[times["answers"] == PROTOCOL_ANSWERS]
    return {str(row["label"]): np.array(row["seconds"]) for _, row in size.iterrows()}
