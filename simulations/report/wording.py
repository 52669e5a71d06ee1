"""How the page says things: numbers, sizes, and what each verdict means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

__all__ = ["VERDICTS", "VerdictWording", "duration", "notation", "number", "sizes"]


@dataclass(frozen=True)
class VerdictWording:
    """How a verdict is shown.

    Attributes
    ----------
    tone : str
        Class of the style sheet: its colour.
    sign : str
        Says the same without colour.
    meaning : str
    """

    tone: str
    sign: str
    meaning: str


VERDICTS: Mapping[str, VerdictWording] = {
    "holds": VerdictWording("good", "✓", "derivation, simulation and measurement agree, without conditions"),
    "holds in regime": VerdictWording(
        "good", "✓", "derivation, simulation and measurement agree within the stated regime"
    ),
    "fails": VerdictWording("bad", "✗", "a published claim misses what its rule demands, by the whole interval"),
    "contradicted": VerdictWording("bad", "✗✗", "our own theory, simulation and measurement disagree"),
    "broken": VerdictWording("bad", "!", "an error ended the check"),
    "undecided": VerdictWording("open", "?", "the interval straddles its margin, or the check is too noisy to fail"),
    "not comparable": VerdictWording("open", "≠", "our protocol may differ from the published one"),
    "not run": VerdictWording("open", "–", "measured at smaller sizes than the rule asks for"),
}

_WORD = "[A-Za-z0-9α-ωΑ-Ω]+"
_POWER = re.compile(rf"\^(?:\{{([^{{}}]*)\}}|(−?{_WORD}|∞))")
_INDEXED = r"(?<![A-Za-z_])(?:Var|drift|max|[dsx]?[^\W\d_])|[∫Σ‖²]"
_INDEX = re.compile(rf"({_INDEXED})_(?:\{{([^{{}}]*)\}}|({_WORD}|[∥⊥])(?![A-Za-z0-9_]|\.\w))")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | None) -> str:
    """Return a number to four digits, with a true minus sign; a dash where there is none.

    Examples
    --------
    >>> number(1234567), number(-0.00001234), number(None), number(float("inf"))
    ('1,234,567', '−1.234×10⁻⁵', '–', '∞')
    """
    if value is None:
        return "–"
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}".replace("-", "−")
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    power = f"×10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else ""
    return mantissa.replace("-", "−") + power


def notation(text: str) -> Markup:
    """Return a text of a claim with its powers and indices raised and lowered.

    Examples
    --------
    >>> notation("e^{−x/η} < Var_⊥"), notation("a_table.parquet, x²")
    (Markup('e<sup>−x/η</sup> &lt; Var<sub>⊥</sub>'), Markup('a_table.parquet, x²'))
    """
    raised = _POWER.sub(r"<sup>\1\2</sup>", str(escape(text)))
    return Markup(_INDEX.sub(r"\1<sub>\2\3</sub>", raised))


def sizes(found: Mapping[str, int]) -> str:
    """Return ``3,000 updates, 10 seeds``."""
    return ", ".join(f"{size:,} {name}" for name, size in found.items())


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
