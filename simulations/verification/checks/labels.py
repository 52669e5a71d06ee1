"""What a method's label says, as parameters: ``DG-K(3 %)`` is the method DG-K at ρ = 0.03."""

from __future__ import annotations

import re
from collections.abc import Callable

from simulations.verification.checks.evidence import Value

__all__ = ["method_of", "percent"]

_LABEL = re.compile(r"(?P<method>[^(,]+)(?:\((?P<inside>[^()]*)\))?(?:, (?P<how>.*))?")
_AT_ZERO_PRICE = re.compile(r"zero-price (row|token|group)s")
_NAMED = re.compile(r"([^\W\d]+)=(\S+)")
_HOW: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], dict[str, Value]]], ...] = (
    (re.compile(r"bfloat16"), lambda _: {"dtype": "bfloat16"}),
    (re.compile(r"screened in (\w+)"), lambda found: {"screener": found[1]}),
    (re.compile(r"screened by parameters (\d+) steps? old"), lambda found: _screener("stale", "steps old", found[1])),
    (re.compile(r"screened by a network of width (\d+)"), lambda found: _screener("distilled", "width", found[1])),
    (re.compile(r"second draw"), lambda _: {"screener": "second draw"}),
    (re.compile(r"by the kept"), lambda _: {"divisor": "kept"}),
    (re.compile(r"([\w-]+) baseline"), lambda found: {"b": found[1]}),
    (re.compile(r"no final norm"), lambda _: {"final norm": "none"}),
    (re.compile(r"(\w+) head"), lambda found: {"head": found[1]}),
    (re.compile(r"([\w-]+) task"), lambda found: {"task": found[1]}),
    (re.compile(r"(\d+) zero prompts"), lambda found: {"zero prompts": int(found[1])}),
    (re.compile(r"zero noise ([\d.]+)"), lambda found: {"zero noise": float(found[1])}),
    (re.compile(r"noise ([\d.]+)"), lambda found: {"noise σ": float(found[1])}),
    (re.compile(r"noise τ = ([\d.]+)"), lambda found: {"noise": "additive", "τ": float(found[1])}),
    (re.compile(r"noise τ = ([\d.]+) \|χ\|"), lambda found: {"noise": "relative", "τ": float(found[1])}),
)


def method_of(label: str) -> dict[str, Value]:
    """Return the parameters that a label says: the method, its rate, rule and price, how it is screened.

    The labels are those of the configurations on MNIST, on token reversal and on a language model, and of the
    contenders of the studies of approximate delight; any other, of a table made elsewhere, is the method as a whole.
    A gate of rows or of tokens at a rate without a rule is one by delight.
    """
    found = _LABEL.fullmatch(label)
    how = [] if found is None or not found["how"] else [_how(word) for word in found["how"].split(", ")]
    if found is None or None in how:
        return {"method": label}
    parameters: dict[str, Value] = {"method": found["method"]}
    if price := _AT_ZERO_PRICE.fullmatch(label):
        return {"method": f"{price[1]} gate", "λ": 0.0, "rule": "delight"}
    for word in (found["inside"] or "").split(", ") if found["inside"] else ():
        if word.endswith(" %"):
            parameters["ρ"] = percent(word.removesuffix(" %"))
        elif named := _NAMED.fullmatch(word):
            parameters[named[1]] = float(named[2])
        elif word.endswith(" epochs"):
            parameters["epochs"] = int(word.removesuffix(" epochs"))
        elif word == "surprisal per token":
            parameters["row surprisal"] = "mean"
        else:
            parameters["rule"] = word
    if "ρ" in parameters and found["method"].endswith(" gate"):
        parameters.setdefault("rule", "delight")
    for said in how:
        parameters |= said or {}
    return parameters


def _how(word: str) -> dict[str, Value] | None:
    matches = ((pattern.fullmatch(word), said) for pattern, said in _HOW)
    return next((said(found) for found, said in matches if found), None)


def _screener(kind: str, of: str, value: str) -> dict[str, Value]:
    return {"screener": kind, of: int(value)}


def percent(text: str) -> float:
    """Return the share that a number of percent is, correctly rounded: 0.03 of ``3``."""
    return float(f"{text}e-2")
