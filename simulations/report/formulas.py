"""Formulas for the browser: LaTeX, as derivations write it, becomes MathML, which needs no script.

The converter writes MathML of an older kind, and browsers know MathML Core: words are put together from their
letters, styled letters become the characters that have the style, and functions get the space that TeX gives them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markupsafe import Markup

__all__ = ["mathml"]

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_NAMES = re.compile(r"\\arg\\(max|min)|\\operatorname\{((?:[A-Za-z]|\\,)+)\}")
"""Names of functions, which the converter would set letter by letter in italics."""
_INDEX = re.compile(r"_\{([a-z]{2,})\}")
_INDICES = {"minus": "-", "plus": "+"}
"""Words below a symbol, as SymPy prints them of ``w_minus``."""
_WRITTEN = {r"\{": "{", r"\}": "}", r"\|": "‖", "~": "∼"}
"""What the converter leaves as it stands after ``\\big`` to ``\\Bigg``, and its sign for ``\\sim``."""
_LIMITS = {"lim", "max", "min", "sup", "inf"}
"""Operators that carry their conditions below."""
_STYLES = {"double-struck": "DOUBLE-STRUCK", "bold": "BOLD"}
_OPENING = {")": "(", "]": "[", "}": "{", "|": "|", "‖": "‖"}
_CLOSING = (")", "]", "}", "|", "‖", "!", "′")
_THIN = "0.167em"


def mathml(latex: str) -> Markup:
    """Return a formula as a MathML element, or as its LaTeX in ``code`` if it cannot be converted.

    Examples
    --------
    >>> mathml("p")
    Markup('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow><mi>p</mi></mrow></math>')
    """
    text = _NAMES.sub(lambda name: rf"\mathrm{{{name[2] or 'arg' + chr(92) + ',' + name[1]}}}", latex)
    text = _INDEX.sub(lambda word: f"_{{{_INDICES.get(word[1], rf'{chr(92)}mathrm{{{word[1]}}}')}}}", text)
    try:
        root = ElementTree.fromstring(convert(text, display="block"))
    except Exception:  # the converter has errors of its own kinds and lets others through
        return _as_it_stands(latex)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
    for element in root.iter():
        _mend(element)
    for element in list(root.iter()):
        _bracket(element)
    for element in list(root.iter()):
        _space(element)
    root.set("xmlns", _NAMESPACE)
    root.set("display", root.attrib.pop("display"))
    found = ElementTree.tostring(root, encoding="unicode")
    # What the converter does not know it leaves; a formula that is half read is worse than its source.
    return _as_it_stands(latex) if "\\" in found else Markup(found)


def _as_it_stands(latex: str) -> Markup:
    return Markup(f"<code>{escape(latex)}</code>")


def _mend(element: Element) -> None:
    """Turn an element into what browsers know, its children still to come."""
    element.text = _WRITTEN.get(element.text or "", element.text)
    if element.tag in ("mi", "mo") and element.text in ("∞", "⟺"):
        element.tag = "mi" if element.text == "∞" else "mo"  # the converter has it the other way round
    style = _STYLES.get(element.get("mathvariant", ""))
    if style and element.text:
        element.text = "".join(_styled(letter, style) for letter in element.text)
        element.attrib["mathvariant"] = "normal"
    if element.get("width") == "negativethinmathspace":
        element.set("width", f"-{_THIN}")
    letters = [child.text or "" for child in element if child.tag == "mi" and child.get("mathvariant") == "normal"]
    if element.tag == "mrow" and len(letters) == len(element) > 1:
        for child in list(element):
            element.remove(child)
        element.tag, element.text = "mi", "".join(letters)
    if element.tag == "msub" and element[0].text in _LIMITS:
        element.tag = "munder"


def _styled(letter: str, style: str) -> str:
    """Return the letter of that style; ℝ and its like, which are named otherwise, come as they are from LaTeX."""
    name = unicodedata.name(letter, "").removeprefix("LATIN ").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL {style} {name}")
    except KeyError:
        return letter


def _bracket(element: Element) -> None:
    """Raise a whole bracket to a power, not its closing sign: this stays as tall as the opening one."""
    place = 0
    while place < len(element):
        child = element[place]
        if child.tag in ("msup", "msub", "msubsup") and child[0].text in _OPENING:
            start = _opened(list(element)[:place], child[0].text or "")
            if start is not None:
                inside = Element("mrow")
                inside.extend([*element[start:place], child[0]])
                child[0] = inside
                element[start:place] = []
                place = start
        place += 1


def _opened(before: Sequence[Element], closing: str) -> int | None:
    """Return the place of the sign that opens the bracket which ``closing`` ends."""
    depth = 1
    for place in range(len(before) - 1, -1, -1):
        text = before[place].text if before[place].tag == "mo" else None
        if text == _OPENING[closing]:
            depth -= 1
        elif text == closing:
            depth += 1
        if depth == 0:
            return place
    return None


def _space(element: Element) -> None:
    """Set functions apart from what they are multiplied with or applied to, and signs of one number close to it."""
    if element.tag not in ("mrow", "mstyle", "mtd", "msqrt", "math"):
        return
    children = list(element)
    for before, sign in pairwise(children):
        if sign.text in ("−", "+", "±") and before.tag == "mo" and before.text not in _CLOSING:
            sign.set("form", "prefix")  # of one number, not between two
    for place in range(len(children) - 1, -1, -1):
        if not _is_function(children[place]):
            continue
        after = children[place + 1] if place + 1 < len(children) else None
        if after is not None and _first(after).tag in ("mi", "mn", "mfrac", "msqrt"):
            element.insert(place + 1, Element("mspace", width=_THIN))
        before = children[place - 1] if place > 0 else None
        if before is not None and (before.tag not in ("mo", "mspace", "mtext") or before.text in _CLOSING):
            element.insert(place, Element("mspace", width=_THIN))


def _is_function(element: Element) -> bool:
    """Whether it is a name of several letters, with an index or not."""
    while element.tag in ("msub", "msup", "msubsup", "munder") and len(element):
        element = element[0]
    return element.tag in ("mi", "mo") and len(element.text or "") > 1 and (element.text or "")[0].isalpha()


def _first(element: Element) -> Element:
    """Return the element that an element begins with, a fraction or a root as a whole."""
    while len(element) and element.tag not in ("mfrac", "msqrt"):
        element = element[0]
    return element
