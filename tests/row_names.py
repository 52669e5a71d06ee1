"""Whether a row's parameters say what its name says: ``conftest.py`` holds every row that a check builds to it."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kondo_theory.screening import RULES

ROOT = Path(__file__).parents[1]
FORMULA = re.compile(r"(?<![\w.])1(?= ?− ?[^\W\d]| ?− ?\(|/[^\W\d])|(?<=[>→] )0(?![\w.])")
"""The one of a complement or a reciprocal, 1 − x or 1/K, and the zero of a sign or a limit, U > 0 or η → 0."""
_NUMBER = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?:/\d+)?(?![\w.]*[^\W\d])"
NUMBER = re.compile(rf"(?<![\w.,])({_NUMBER})(?=((?:(?:, | and )[\d.]+)* ?%)?)")
NAMED = re.compile(rf"(?<![\w^])((?:[^\W\d][\w−]* ?= ?)+)({_NUMBER})( ?%)?")
FORMAT = re.compile(r"(?<!\w)[A-Za-z]+\d+(?!\w)")
METHOD = re.compile(r"(?<![\w-])(DG-K|DG|PG|PPO|PMPO|pg|dg|kondo|zero[- ]price)(?![\w-])")
RULE = re.compile(rf"(?<=by )({'|'.join(sorted(RULES, key=len, reverse=True))})(?![\w-])")
JSON = (str, int, float, type(None))
HARDWARE = "device"
"""The parameter whose text may hold numbers."""


@cache
def documented() -> set[str]:
    """Return the names of parameters that docs/command-line.md explains."""
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    table = page[page.index("| parameter |") :].split("\n\n")[0]
    cells = (line.split("|")[1] for line in table.splitlines()[2:])
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def unsaid(quantity: str, parameters: dict) -> list[str]:
    """Return what the name of a row says and no parameter: numbers, by symbol where it has one, and words."""
    texts = {value for value in flat(parameters.values()) if isinstance(value, str)}
    hidden = [
        f"{name}: {text}" for name, text in parameters.items()
        if name != HARDWARE and isinstance(text, str) and NUMBER.search(FORMULA.sub("", text))
    ]  # fmt: skip
    left = FORMULA.sub(" ", quantity.replace(str(parameters.get(HARDWARE)), " "))
    missing = []
    for symbols, number, percent in NAMED.findall(left):
        for symbol in symbols.replace(" ", "").split("=")[:-1]:
            own = [value for name, value in parameters.items() if name.split(" ")[0] == symbol]  # p, and p start
            if not any(rounds_to(value, number, 100 if percent else 1) for value in flat(own)):
                missing.append(f"{symbol}={number}{percent}")
    for number, percent in NUMBER.findall(left):
        scale = 100 if percent else 1
        if not any(rounds_to(value, number, scale) for value in flat(parameters.values())):
            missing.append(number + " %" * bool(percent))
    said = {text.lower().replace("-", " ") for text in texts}
    if parameters.get("λ") == 0:
        said.add("zero price")
    missing += [method for method in METHOD.findall(left) if method.lower().replace("-", " ") not in said]
    missing += [rule for rule in RULE.findall(left) if rule not in texts]
    missing += [word for word in FORMAT.findall(left) if word not in texts]
    return hidden + missing


def flat(values) -> Iterator:
    for value in values:
        yield from value if isinstance(value, tuple) else (value,)


def rounds_to(value, number: str, scale: int = 1) -> bool:
    """Whether a value is the number of a name, which may round it to the digits that it shows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    text, _, over = number.replace(",", "").partition("/")
    shown = float(text) / float(over or 1)
    digits, _, exponent = text.partition("e")
    decimals = len(digits.partition(".")[2])
    last = 10.0 ** (int(exponent or 0) - decimals) if "." in digits or exponent else 0.0
    return abs(scale * value - shown) <= last / 2 + 1e-9 * abs(shown)


def require_said(quantity: str, parameters: dict) -> None:
    """Refuse a row whose parameters do not say what its name says, are not documented, or are no JSON.

    Raises
    ------
    AssertionError
    """
    assert not (missing := unsaid(quantity, parameters)), f"{quantity!r} says {missing}, its parameters {parameters}"
    assert not (unknown := parameters.keys() - documented()), f"{unknown} of {quantity!r} not in docs/command-line.md"
    odd = {name: value for name, value in parameters.items() if not all(isinstance(v, JSON) for v in flat([value]))}
    assert not odd, f"{odd} of {quantity!r} is no JSON"


def built_by_a_check() -> bool:
    """Whether the row that is being made is one of the modules of the checks."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.endswith(("dataclasses.py", "<string>")):
        frame = frame.f_back
    return frame is not None and "verification/checks/" in frame.f_code.co_filename


def held(init):
    """Return a row's ``__init__`` that holds it to the rule."""

    def checked(row, *args, **kwargs) -> None:
        init(row, *args, **kwargs)
        if built_by_a_check():
            require_said(row.quantity, dict(row.parameters))

    return checked
