"""Reads formulas as the claims print them (``√(2π)``, ``εb²(K−2)/(K−1)``, ``η·log(1+e^{χ/η})``) into SymPy.

The notation: + − · / with implicit products, which bind tighter than · and /, so that ``1/2r²`` is 1/(2r²); powers
as superscripts or ``^{…}``; ``√`` of the next number, name or bracket; ``½``; ``%``; the positive part ``(x)₊``;
``log``, ``ln``, ``exp``, ``sin``, ``cos``, ``min``, ``max``, ``Φ``, ``Φ⁻¹``, ``φ``, ``σ`` and ``e^{…}``. A name is
one letter, with subscripts, and stands for the symbol of the derivations: ``w₊`` is ``w_plus``, ``p₁`` is ``p_1``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

__all__ = ["parse"]

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "Δ": "Delta",
    "ε": "epsilon",
    "η": "eta",
    "θ": "theta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "ρ": "rho",
    "τ": "tau",
    "χ": "chi",
    "ω": "omega",
}
_UP = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_DOWN = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)) | {"₊": "plus", "₋": "minus"}


def _normal(x: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(x / sp.sqrt(2))) / 2


_FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    "log": sp.log,
    "ln": sp.log,
    "exp": sp.exp,
    "sin": sp.sin,
    "cos": sp.cos,
    "min": sp.Min,
    "max": sp.Max,
    "Φ⁻¹": lambda u: sp.sqrt(2) * sp.erfinv(2 * u - 1),
    "Φ": _normal,
    "φ": lambda x: sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),
    "σ": lambda x: 1 / (1 + sp.exp(-x)),
}
_LETTER = "[A-Za-zα-ορ-ωΔΓ]"  # all but π
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<function>log|ln|exp|sin|cos|min|max|Φ⁻¹|[Φφσ](?=[(⁻¹²³]))"
    rf"|(?P<name>{_LETTER}(?:[₀-₉₊₋]|_\{{[^}}]*\}}|_{_LETTER})*\*?)"
    r"|(?P<up>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)"
    r"|(?P<sign>[-+−·/^√()\[\]{}½¼π∞%₊,‖])"
)


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.names, self.tokens, place = text, names, [], 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise ValueError(f"cannot read {text[place:]!r} in the formula {text!r}")
            place = match.end()
            if match.lastgroup != "space":
                self.tokens.append((match.lastgroup, match.group()))
        self.place = 0

    def peek(self, ahead: int = 0) -> tuple[str | None, str]:
        at = self.place + ahead
        return self.tokens[at] if at < len(self.tokens) else ("end", "")

    def take(self, *expected: str) -> str:
        found = self.peek()[1]
        if expected and found not in expected:
            raise ValueError(f"expected {' or '.join(expected)}, found {found!r} in the formula {self.text!r}")
        self.place += 1
        return found

    def sum(self) -> sp.Expr:
        negative = self.peek()[1] in ("−", "-") and bool(self.take())
        value = self.quotient()
        value = -value if negative else value
        while self.peek()[1] in ("+", "−", "-"):
            plus = self.take() == "+"
            term = self.quotient()
            value = value + term if plus else value - term
        return value

    def quotient(self) -> sp.Expr:
        value = self.product()
        while self.peek()[1] in ("·", "/"):
            times = self.take() == "·"
            factor = self.product()
            value = value * factor if times else value / factor
        return value

    def product(self) -> sp.Expr:
        value = self.power()
        while self.peek()[0] in ("number", "function", "name") or self.peek()[1] in ("(", "[", "{", "√", "½", "π"):
            value = value * self.power()
        return value

    def power(self) -> sp.Expr:
        if self.peek()[0] == "name" and self.peek()[1] + self.peek(1)[1] in self.names:  # a name like α²
            return self.names[self.take() + self.take()]
        return self.raised(self.atom())

    def raised(self, base: sp.Expr) -> sp.Expr:
        kind, sign = self.peek()
        if kind == "up":
            self.take()
            return self.raised(base ** sp.Integer("".join(_UP[c] for c in sign)))
        if sign == "^":
            self.take()
            negative = self.peek()[1] in ("−", "-") and bool(self.take())
            exponent = self.atom()
            return self.raised(base ** (-exponent if negative else exponent))
        if sign == "₊":
            self.take()
            return self.raised(sp.Max(base, 0))
        if sign == "%":
            self.take()
            return base / 100
        return base

    def atom(self) -> sp.Expr:
        kind, sign = self.peek()
        self.place += 1
        if kind == "number":
            return sp.Rational(sign.replace(",", ""))
        if kind == "function":
            return self.call(sign)
        if kind == "name":
            return self.name(sign)
        if sign in "([{" and sign:
            value = self.sum()
            self.take({"(": ")", "[": "]", "{": "}"}[sign])
            return value
        if sign == "√":
            return sp.sqrt(self.atom())
        constants = {"½": sp.Rational(1, 2), "¼": sp.Rational(1, 4), "π": sp.pi, "∞": sp.oo}
        if sign in constants:
            return constants[sign]
        raise ValueError(f"unexpected {sign!r} in the formula {self.text!r}")

    def call(self, name: str) -> sp.Expr:
        exponent = self.take() if self.peek()[0] == "up" else ""  # sin²(x)
        value = self.arguments(_FUNCTIONS[name])
        return value ** sp.Integer("".join(_UP[c] for c in exponent)) if exponent else value

    def arguments(self, function: Callable[..., sp.Expr]) -> sp.Expr:
        if self.peek()[1] not in ("(", "{", "["):  # log K
            return function(self.power())
        close = {"(": ")", "{": "}", "[": "]"}[self.take()]
        found = [self.sum()]
        while self.peek()[1] == ",":
            self.take()
            found.append(self.sum())
        self.take(close)
        return function(*found)

    def name(self, sign: str) -> sp.Expr:
        if sign in self.names:
            found = self.names[sign]
            return found if isinstance(found, sp.Basic) else self.arguments(found)
        if sign == "e":
            return sp.E
        letter, rest = sign[0], sign[1:].replace("_{", "").replace("}", "").replace("_", "").replace("*", "_star")
        parts = [_GREEK.get(letter, letter), *(re.findall(r"\d+|plus|minus|\D+", _lowered(rest)) if rest else [])]
        return sp.Symbol("_".join(parts), positive=True)


def _lowered(subscript: str) -> str:
    return "".join(_DOWN.get(character, character) for character in subscript)


def parse(text: str, where: Mapping[str, str] | None = None) -> sp.Expr:
    """Read a formula; ``where`` defines names by formulas in the same notation, in order, and functions of one
    letter as ``F(x)``. ``ε`` is 1 − p.

    Raises
    ------
    ValueError
        If the text is not in the notation.
    """
    names: dict[str, Any] = {"ε": 1 - sp.Symbol("p", positive=True)}
    for name, definition in (where or {}).items():
        value = _whole(_Reader(definition, names))
        function = re.fullmatch(r"(\w)\((\w)\)", name)
        if function:
            variable = sp.Symbol(function[2], positive=True)
            names[function[1]] = lambda x, value=value, variable=variable: value.subs(variable, x)
        else:
            names[name] = value
    return _whole(_Reader(text, names))


def _whole(reader: _Reader) -> sp.Expr:
    value = reader.sum()
    if reader.peek()[0] != "end":
        raise ValueError(f"unexpected {reader.peek()[1]!r} in the formula {reader.text!r}")
    return value
