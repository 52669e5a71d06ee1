"""Formulas for the browser: LaTeX, as derivations write it, becomes MathML, which needs no script and no font of ours."""

from __future__ import annotations

import re
from html import escape

from latex2mathml.converter import convert
from markupsafe import Markup

__all__ = ["mathml"]

_REWRITTEN = (
    # The converter takes a delimiter of \big … \Bigg for a letter unless it has a name.
    (re.compile(r"(\\[bB]igg?[lrm]?)\s*\\\{"), r"\1\\lbrace "),
    (re.compile(r"(\\[bB]igg?[lrm]?)\s*\\\}"), r"\1\\rbrace "),
    (re.compile(r"(\\[bB]igg?[lrm]?)\s*\\\|"), r"\1\\Vert "),
    (re.compile(r"\\arg\\(max|min)"), r"\\operatorname{arg\\,\1}"),
)


def mathml(latex: str) -> Markup:
    """Return a formula as a MathML element, or as its LaTeX in ``code`` if it cannot be converted.

    Examples
    --------
    >>> mathml("p")
    Markup('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow><mi>p</mi></mrow></math>')
    """
    text = latex
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    try:
        element = convert(text, display="block")
    except Exception:  # the converter has errors of its own kinds and lets others through
        element = "\\"
    # What it does not know it leaves as it stands; a formula that is half read is worse than its source.
    return Markup(f"<code>{escape(latex)}</code>" if "\\" in element else element)
