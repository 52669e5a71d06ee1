"""Formulas for the browser: LaTeX, as derivations write it, becomes MathML, which needs no script."""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import Markup

__all__ = ["mathml"]

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_NAMES = re.compile(r"\\arg\\(max|min)|\\operatorname\{((?:[A-Za-z]|\\,)+)\}")
"""Names of functions, which the converter would set letter by letter in italics."""
_DELIMITERS = {r"\{": "{", r"\}": "}", r"\|": "‖"}
"""What the converter leaves as it stands after ``\\big`` to ``\\Bigg``."""
_LIMITS = {"lim", "max", "min", "sup", "inf"}
"""Operators that carry their conditions below."""


def mathml(latex: str) -> Markup:
    """Return a formula as a MathML element, or as its LaTeX in ``code`` if it cannot be converted.

    Examples
    --------
    >>> mathml("p")
    Markup('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow><mi>p</mi></mrow></math>')
    """
    text = _NAMES.sub(lambda name: rf"\mathrm{{{name[2] or 'arg' + chr(92) + ',' + name[1]}}}", latex)
    try:
        root = ElementTree.fromstring(convert(text, display="block"))
    except Exception:  # the converter has errors of its own kinds and lets others through
        return _as_it_stands(latex)
    for element in root.iter():
        element.text = _DELIMITERS.get(element.text or "", element.text)
        if element.tag == f"{{{_NAMESPACE}}}msub" and element[0].text in _LIMITS:
            element.tag = f"{{{_NAMESPACE}}}munder"
    ElementTree.register_namespace("", _NAMESPACE)
    found = ElementTree.tostring(root, encoding="unicode")
    # What the converter does not know it leaves; a formula that is half read is worse than its source.
    return _as_it_stands(latex) if "\\" in found else Markup(found)


def _as_it_stands(latex: str) -> Markup:
    return Markup(f"<code>{escape(latex)}</code>")
