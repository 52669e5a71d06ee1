"""The comparison of every rule and estimate, docs/comparison.md: ``python -m simulations.report.comparison``.

Signal and noise come from the table of study neighbours on MNIST, wrong tokens from those of token reversal, if they
are there, stalls and groups of answers from the closed forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from kondo_theory.estimators import ESTIMATORS
from kondo_theory.screening import GROUP_RULES, RULES, answer_signal
from simulations.report.compared import COLUMNS, Moments, Stalls, measured_moments, reversal_errors, stalls
from simulations.results.tables import COMMITTED, load

__all__ = ["comparison"]

GROUP, KEPT, PASS_RATE = 16, 4, 0.3
"""Answers of a group, of which so many are kept, and the probability that one is right."""
EARLY, LATE = 0.5, 0.95
"""The accuracies of the two policies that are shown."""
MISSING = "–"


def comparison(moments: Moments, errors: pd.DataFrame, where: Stalls) -> str:
    """Return the page."""
    shown = [*_rows(moments, errors, where)]
    head = ["rule or estimate", "decides on", "looks at", "source", "cosine", "length", "Var_⊥", "per backward pass",
            "per forward pass", "stalls on tokens", "group of answers", "wrong tokens, %"]  # fmt: skip
    tenth = [[name, *_moments(moments, name, 0.1)] for name in _names() if (name, 0.1, LATE) in moments.mean.index]
    return "\n".join(
        [
            "# The comparison",
            "",
            *_findings(moments, errors),
            "",
            *_TEXT.format(
                paths=moments.paths, early=moments.pg[EARLY] * 1e3, late=moments.pg[LATE] * 1e3
            ).splitlines(),
            "",
            "## At 3 %",
            "",
            *_table(head, shown),
            "",
            "Estimates:",
            "",
            *[f"* `{name}`: {each.what}." for name, each in ESTIMATORS.items()],
            "",
            "## At 10 %",
            "",
            *_table(["rule or estimate", *head[4:9]], [[f"`{name}`", *cells] for name, *cells in tenth]),
            "",
        ]
    )


_TEXT = """\
Rules are those of [rules.md](rules.md), as the top 3 % by their scores; estimates, listed below the table, have 3 % of
backward passes unless they use all samples or those above zero. Numbers on MNIST are of the policy at 50 % accuracy → that
at 95 %, in the parameters of the network, along the true gradient u, exact over 1,000 images; means of {paths} paths of
training, ± the standard error over them. This page is written by `python -m simulations.report.comparison` from what
`kondo experiment mnist --study neighbours --preset quick` measured; a test says when it is old.

* *Cosine* of the mean with u: below one it is biased. *Length* of the mean, a sum divided by the batch, over that of the
  gradient. *Var_⊥*: of the part across u of what a backward pass adds, variance per sample over the rate, PG's being one.
* *Per backward pass*: signal, 1/c = S²/(ρE‖g‖²), S along u, c the cost of signal of `optimal-gate`: one over the passes to
  a signal as large as the noise. *Per forward pass*: S²/E‖g‖², with backward passes for nothing. Both over PG's, which
  are {early:.2g} and {late:.2g} thousandths. E‖g‖² is B times the variance of the batch's mean, and the square of its mean.
* *Stalls on tokens*: alike / learnt / free, as in the second table of [rules.md](rules.md), at 10 % and M = 10. Of
  estimates: where alike positions rest; without bias there is no such place.
* *Group of answers*: signal per backward pass over a random choice's, 4 of 16 answers kept, 30 % right, mean of the group
  (`answer-rules`).
* *Wrong tokens*: of sampled answers on token reversal after 1,000 updates (H = 10, M = 2), median and range of the seeds,
  where a rule was trained on tokens or on answers at that rate.

– is no number: not measured, not defined, or not on MNIST. A group of answers, a reference policy, a history: MNIST has
none, and such rules have their numbers further right."""


def _names() -> list[str]:
    return [*RULES, *ESTIMATORS]


def _rows(moments: Moments, errors: pd.DataFrame, where: Stalls) -> Iterator[list[str]]:
    for name, rule in RULES.items():
        yield [
            f"`{name}`",
            rule.granularity,
            ", ".join(rule.inputs) or MISSING,
            rule.source,
            *(_moments(moments, name, 0.03) if name not in GROUP_RULES else _not_here(name)),
            where.get(name, MISSING),
            _group(name),
            _errors(errors, name),
        ]
    for name, estimator in ESTIMATORS.items():
        yield [
            f"`{name}`",
            "sample",
            ", ".join(estimator.inputs) or MISSING,
            estimator.source,
            *_moments(moments, name, 0.03 if estimator.rated else 0.0),
            where.get(name, MISSING),
            MISSING,
            MISSING,
        ]


def _not_here(name: str) -> list[str]:
    needs = {"answer": "a group of answers", "prompt": "groups of answers"}[RULES[name].granularity]
    for each in ("reference policy", "history"):
        needs = f"a {each}" if each in RULES[name].inputs else needs
    return [f"needs {needs}", *[MISSING] * (len(COLUMNS) - 1)]


def _moments(moments: Moments, name: str, rate: float) -> list[str]:
    """Return the cells early → late; of the signals with their standard errors."""
    if (name, rate, LATE) not in moments.mean.index:
        return [MISSING] * len(COLUMNS)
    cells = []
    for column in COLUMNS:
        found = []
        for target in (EARLY, LATE):
            mean, error = (float(each.loc[(name, rate, target), column]) for each in (moments.mean, moments.error))
            found.append(_number(mean) + (f" ± {_number(error)}" if column == "per_backward" else ""))
        cells.append(" → ".join(found))
    return cells


def _number(value: float) -> str:
    """Return two digits."""
    if not np.isfinite(value):
        return MISSING
    if abs(value) >= 10:
        return f"{value:.0f}"
    text = f"{value:.2f}" if abs(value) >= 0.995 or abs(value) < 1e-12 else f"{value:.2g}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _group(name: str) -> str:
    rule = RULES[name]
    if rule.granularity == "token" or not set(rule.inputs) <= {"advantage"}:
        return MISSING
    one, chance = (
        float(answer_signal(each, [0.0, 1.0], [1 - PASS_RATE, PASS_RATE], GROUP, KEPT).per_backward)
        for each in (name, "uniform")
    )
    return f"{one / chance:.2f}"


def _errors(errors: pd.DataFrame, name: str) -> str:
    cells = []
    for (level, rate), runs in errors[errors["rule"] == name].groupby(["level", "rate"], sort=True):
        middle, low, high = (_percent(float(f(runs["error"]))) for f in (np.median, np.min, np.max))
        cells.append(f"{level}s, {100 * rate:g} %: {middle} ({low}–{high})")
    return "; ".join(cells) or MISSING


def _percent(share: float) -> str:
    return f"{100 * share:.2g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(head), "|" + "---|" * len(head), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Print the page from the committed tables."""
    table = load(COMMITTED / "mnist-neighbours-quick.parquet", kind="mnist-neighbours")
    print(comparison(measured_moments(table.frame), reversal_errors(), stalls()), end="")


if __name__ == "__main__":
    main()
