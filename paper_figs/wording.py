"""Numbers and notes for titles and captions, taken from what is drawn; and the axes that many figures share."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from paper_figs.tables import table

__all__ = ["ACROSS", "ALONG", "P_CORRECT", "P_TOKEN", "count", "farthest", "number", "percent", "simulated"]


P_CORRECT, P_TOKEN = "P(correct arm), p", "P(token is right), p"
ACROSS, ALONG = (f"variance {way} ∇J\n(squared reward)" for way in ("across", "along"))
"""Per sample: of a batch's mean gradient, times the samples."""


def number(value: float, digits: int = 2) -> str:
    """Return a number to so many digits, plain from a thousandth to a million, and as 3·10⁻⁵ beyond."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    power = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -4 < power < 6:
        exponent = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{value / 10.0**power:.{digits - 1}f}·10{exponent}".replace("-", "−")
    return f"{round(value, digits - 1 - power):,.{max(0, digits - 1 - power)}f}".replace("-", "−")


def percent(share: float, digits: int = 2) -> str:
    """Return a share in percent."""
    return f"{number(100 * share, digits)} %"


def count(values: Iterable[float]) -> str:
    """Return one number, or the least and the most."""
    found = sorted(set(values))
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"


def farthest(*frames: pd.DataFrame) -> str:
    """Return how far simulated points are from what was predicted, at most, in standard errors."""
    rows = pd.concat(frames)
    rows = rows[rows["standard_error"] > 0]
    return number(float(((rows["estimate"] - rows["predicted"]).abs() / rows["standard_error"]).max()))


_UNITS = {
    "n_replicates": "independent runs",
    "n_batches": "batches each",
    "n_draws": "draws",
    "n_rows": "rows each",
    "batch_size": "samples a batch",
}


def simulated(name: str) -> str:
    """Return the sentence on a sweep's simulated points: how many runs and batches, the seed, what the bars are."""
    frame = table(name)
    sizes = [f"{count(frame[column].dropna())} {unit}" for column, unit in _UNITS.items() if column in frame]
    return f"Hollow points: simulated with 95 % intervals ({', '.join(sizes)}; root seed {count(frame['seed'])})."
