"""The sentences of the comparison of every rule and estimate, and how it writes numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.estimators import ESTIMATORS
from simulations.report.compared import Moments, worth_in_a_group

__all__ = [
    "EARLY",
    "LATE",
    "MISSING",
    "PASS_RATE",
    "THREE",
    "findings",
    "learnt",
    "number",
    "over_delight",
    "own_rates",
    "percent",
    "rate_of",
    "targets_of",
    "value_at",
]

PASS_RATE = 0.3
"""The probability that an answer of a group is right."""
THREE = 0.03
EARLY, LATE = 0.5, 0.95
"""The accuracies of the two policies that are shown."""
MISSING = "–"
_IN_GROUPS = ("advantage", "abs-advantage", "max-variance")


def findings(moments: Moments, errors: pd.DataFrame) -> list[str]:
    """Return what comes out, in sentences; tests hold the order that they speak of."""

    def value(name: str, target: float, column: str = "per_backward") -> str:
        return number(value_at(moments.mean, column, (name, rate_of(name, THREE), target)))

    def worth(name: str, column: str = "per_backward") -> str:
        return _listed(value(name, target, column) for target in (0.0, EARLY, LATE))

    def ends(name: str) -> str:
        along = moments.mean["per_backward"].loc[name, THREE]
        return f"{number(float(along.min()))} to {number(float(along.max()))}"

    best = _listed(value("PG-best-baseline", target, "per_forward") for target in targets_of(moments))
    groups = [[worth_in_a_group(name, p) for name in _IN_GROUPS] for p in (PASS_RATE, 1 - PASS_RATE)]
    here, there = (_listed(f"{each:.2f}" for each in worths) for worths in groups)
    return [
        "**Signal is no learning**; what to use is in the README and in [choosing-a-gate.md](choosing-a-gate.md). "
        "Here are moments of one step, along trainings by one gate, also of gates that were never trained. 1/c is "
        "signal squared over noise for a backward pass; what a gate buys is 1/c over PG's.",
        f"**Of the gates at 3 %** only `length-weighted` ({ends('length-weighted')}) and `winner-take-all` "
        f"({ends('winner-take-all')}) stay above 1.2 at all five policies, both without bias. Others buy more at "
        "some of them. The s of min(1, s|U|‖φ‖) has to be estimated, and no gate of weight 1/w has been trained "
        "here.",
        f"**As long as most samples fail** all of positive delight (`zero-price`) buys {value('zero-price', 0.0)} "
        f"and {value('zero-price', EARLY)} with a cosine of {value('zero-price', EARLY, 'cosine')}, at the start and "
        f"at 50 % accuracy, and no more than {value('zero-price', LATE)} at 95 %.",
        f"**The top 3 % by delight** buys {worth('delight')}, the first with a large error, and at 80 % accuracy "
        f"{value('delight', 0.8)}. Its mean is biased, with cosines of {worth('delight', 'cosine')}. |advantage| "
        f"buys {worth('abs-advantage')}, and at 80 % {value('abs-advantage', 0.8)}: delight is neither alone at the "
        "top nor there throughout.",
        f"**Tokens that share an advantage:** by delight positions stall, by |advantage| none does.{learnt(errors)}",
        f"**In a group of answers** of which 30 % are right, 1/c is {here} times a random choice's by advantage, "
        f"|advantage| and the largest variance; of which 70 % are right, {there}.",
        f"**Where forward passes cost** no gate at 3 % that looks at one comes to PG's. All samples with the best "
        f"baseline buy {best} along training: nothing early. Weights 1/w on a gate by delight take away its bias and "
        f"in the end its signal, {value('gate-weighted', LATE)} times PG's for a backward pass.",
    ]


def learnt(errors: pd.DataFrame) -> str:
    """Return the wrong tokens of rules at 3 %, on tokens and on answers, in a sentence if they were trained."""
    middle = errors[np.isclose(errors["rate"], THREE)].groupby(["level", "rule"])["error"].median()

    def wrong(level: str, *names: str) -> str:
        return _listed(f"{percent(float(middle[level, name]))} %" for name in names)

    answers = ("abs-advantage", "delight", "uniform", "positive-surprisal")
    needed = {("token", "delight"), ("token", "abs-advantage"), *(("answer", name) for name in answers)}
    if not needed <= set(middle.index):
        return ""
    return (
        f" After training {wrong('token', 'delight', 'abs-advantage')} of the tokens are wrong. Whole answers learn "
        f"by |advantage|, not by every rule: {wrong('answer', *answers)} are wrong by |advantage|, delight, at "
        "random and by surprisal among positive advantages."
    )


def targets_of(moments: Moments) -> list[float]:
    """Return the accuracies of the policies, from the start on."""
    return sorted(moments.mean.index.unique("target"))


def rate_of(name: str, rate: float) -> float:
    """Return the rate in the table: 0 for what has none."""
    return 0.0 if name in ESTIMATORS and not ESTIMATORS[name].rated else rate


def value_at(frame: pd.DataFrame, column: str, place: Any) -> float:
    """Return one number of a frame."""
    found: Any = frame.loc[place, column]
    return float(found)


def over_delight(moments: Moments, column: str, name: str) -> float:
    """Return a moment of a rule late, over that of delight."""
    one, delight = (value_at(moments.mean, column, (each, THREE, LATE)) for each in (name, "delight"))
    return one / delight


def own_rates(moments: Moments) -> str:
    """Return the rates of backward passes at price zero, at the start, early and late."""
    rates = (value_at(moments.mean, "backward_rate", ("zero-price", 0.0, target)) for target in (0.0, EARLY, LATE))
    return _listed(f"{percent(rate)} %" for rate in rates)


def _listed(each: Iterable[str]) -> str:
    *before, last = each
    return f"{', '.join(before)} and {last}"


def number(value: float) -> str:
    """Return two digits."""
    if not np.isfinite(value):
        return MISSING
    if abs(value) < 1e-3:
        return "0" if abs(value) < 1e-12 else "<0.001"
    rounded = float(f"{value:.2g}")
    text = f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:.1f}" if abs(rounded) >= 1 else f"{rounded:.2g}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """Return two digits, without the sign."""
    return f"{100 * share:.2g}"
