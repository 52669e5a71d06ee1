"""One look for every figure: fonts, and one colour and one marker a method, the same in all of them.

The grammar: a line is theory, a hollow marker is simulated, a filled marker is measured on networks (a line through
filled markers joins what was measured). A cross is an exact value that theory singles out, a black star a published
one. Dashes are for references and limits; they never tell methods apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import seaborn as sns

from kondo_theory.words import choice

__all__ = ["GREYS", "METHODS", "SMALLEST", "Colour", "MethodStyle", "method_style", "paper_style", "shades", "shown"]

SMALLEST = 7.0
"""Points: nothing in a figure is written smaller."""

Colour = str | tuple[float, float, float]


@dataclass(frozen=True)
class MethodStyle:
    """How a method looks: colour and marker."""

    colour: Colour
    marker: str


# Chosen by a search: methods that share a figure are at least 15 apart in CIEDE2000 as readers with deuteranopia and
# tritanopia see them, and a line stands out on white by 3:1 (tests/paper_figs/test_figure_colours.py).
METHODS = {
    "PG": MethodStyle("#2a80ff", "o"),
    "PG, b = p": MethodStyle("#0040ea", "v"),
    "PG, best b": MethodStyle("#002a55", "P"),
    "PG, b = Σπ²": MethodStyle("#808095", "d"),
    "DG": MethodStyle("#bf6a00", "s"),
    "DG-K(1 %)": MethodStyle("#002a15", "<"),
    "DG-K(3 %)": MethodStyle("#006a55", "D"),
    "DG-K(10 %)": MethodStyle("#809580", ">"),
    "DG-K(30 %)": MethodStyle("#152a00", "p"),
    "zero price": MethodStyle("#aa152a", "^"),
    "zero price, b = p": MethodStyle("#958095", "v"),
    "best price": MethodStyle("#804095", "D"),
    "cross-entropy": MethodStyle("#55406a", "X"),
    # Gates on token reversal, and what they are compared with.
    "token gate": MethodStyle("#804095", "X"),
    "row gate": MethodStyle("#006a55", "P"),
    "row gate, |advantage|": MethodStyle("#6900a8", "h"),  # beside DG, from which that rule's own colour is too near
    "PPO": MethodStyle("#2a2a15", "h"),
    "PMPO": MethodStyle("#809580", "d"),
    # Accountings of a step, rows and tokens of a token gate, kinds of noise on delight.
    "logical, 1 + ρc": MethodStyle("#6a6a6a", "o"),
    "reused log-probabilities, s = 0": MethodStyle("#aa40aa", "s"),
    "screened, s = 1": MethodStyle("#00802a", "D"),
    "rows, independent": MethodStyle("#0055aa", "o"),
    "rows, correlation 0.2": MethodStyle("#aa4080", "s"),
    "tokens, independent": MethodStyle("#d95f00", "^"),
    "additive noise": MethodStyle("#2a6a55", "D"),
    "relative noise": MethodStyle("#955595", "s"),
    # What screens a batch in place of the exact forward pass.
    "screened: bfloat16": MethodStyle("#6a956a", "P"),
    "screened: int8": MethodStyle("#805595", "X"),
    "screened: parameters": MethodStyle("#954015", "<"),
    "screened: network": MethodStyle("#bf8000", "h"),
    "importance weights": MethodStyle("#6900a8", "v"),
    "DG, actor's surprisal": MethodStyle("#2a6a55", "P"),
    "second draw": MethodStyle("#6900a8", "v"),  # of the reward, which decides what is kept
    "exact k": MethodStyle("#006a55", "D"),
    "price at the same rate": MethodStyle("#aa152a", "^"),
    "best gate": MethodStyle("#2a80ff", "P"),
    "last layer": MethodStyle("#6900a8", "P"),
    "divided by the kept": MethodStyle("#2a80ff", "o"),
    "weight 1/w": MethodStyle("#006a55", "P"),
    "best blend": MethodStyle("#006a55", "P"),
    "blend, estimated": MethodStyle("#bf8000", "h"),
    "gate, fixed": MethodStyle("#804095", "D"),
    # Screening rules, by their names in kondo_theory.screening.RULES; top-ρ by delight is DG-K.
    "delight": MethodStyle("#006a55", "D"),
    "advantage": MethodStyle("#002a55", "<"),
    "abs-advantage": MethodStyle("#ea0080", "h"),
    "max-variance": MethodStyle("#2a80ff", "X"),
    "surprisal": MethodStyle("#8015bf", "v"),
    "probability": MethodStyle("#808055", "d"),
    "weighted-advantage": MethodStyle("#aa0000", "s"),
    "no-spurious": MethodStyle("#002a55", "o"),
    "delight-no-spurious": MethodStyle("#002a55", "o"),
    "additive": MethodStyle("#aa8000", "s"),
    "uniform": MethodStyle("#000000", "o"),
    "abs-advantage-entropy": MethodStyle("#bf6a95", "H"),
    "entropy": MethodStyle("#2a80ff", "*"),
    "entropy-band": MethodStyle("#808080", "d"),
    "positive-surprisal": MethodStyle("#952a2a", "^"),
}
"""Styles by the method's name; ``zero-price`` and ``zero price`` are the same method."""

GREYS = ("0.0", "0.35", "0.5", "0.57")
"""Of curves that differ in a parameter, not in the method."""


def method_style(name: str) -> MethodStyle:
    """Return the style of a method.

    Raises
    ------
    ValueError
        If the method has none: give it one here, so that it looks the same in every figure.
    """
    return METHODS[choice("a method in a figure", shown(name), METHODS)]


def shown(label: object) -> str:
    """Return a table's label as figures write it."""
    return str(label).replace("zero-price", "zero price")


def shades(n: int) -> list[Colour]:
    """Return colours of a sequence, dark to light, for values of a parameter; methods have colours of their own."""
    whole = sns.color_palette("viridis", 101)
    return [whole[round(5 + 54 * place / max(1, n - 1))] for place in range(n)]


_SETTINGS: Any = {  # matplotlib types the keys as literals
    **sns.axes_style("ticks"),
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same bytes wherever a figure is drawn
    "axes.edgecolor": "black",
    "text.color": "black",
    "axes.labelcolor": "black",
    "xtick.color": "black",
    "ytick.color": "black",
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # a PDF's text stays text
    "svg.hashsalt": "kondo",
    "font.size": SMALLEST,
    "axes.titlesize": 7.5,
    "axes.labelsize": SMALLEST,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "legend.fontsize": SMALLEST,
    "legend.title_fontsize": SMALLEST,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 0.8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "errorbar.capsize": 1.5,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Set the fonts and lines of all figures, whatever the settings of the one who calls, and give those back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield
