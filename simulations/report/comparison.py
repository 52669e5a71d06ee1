"""The comparison of every rule and estimate, docs/comparison.md: ``python -m simulations.report.comparison``.

Signal and noise come from the table of study neighbours on MNIST, wrong tokens from those of token reversal, if they
are there, stalls and groups of answers from the closed forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.estimators import ESTIMATORS
from kondo_theory.screening import GROUP_RULES, RULES
from simulations.report.compared import (
    COLUMNS,
    Moments,
    Stalls,
    measured_moments,
    reversal_errors,
    stalls,
    worth_in_a_group,
)
from simulations.report.findings import (
    EARLY,
    LATE,
    MISSING,
    PASS_RATE,
    THREE,
    findings,
    number,
    over_delight,
    own_rates,
    percent,
    rate_of,
    targets_of,
    value_at,
)
from simulations.results.tables import COMMITTED, load

__all__ = ["HEAD", "committed", "compared_rows", "comparison"]


def comparison(moments: Moments, errors: pd.DataFrame, where: Stalls) -> str:
    """Return the page.

    Parameters
    ----------
    moments : Moments
        Of the table of study neighbours.
    errors : DataFrame
        rule, level, rate, seed, error of runs on token reversal; there may be none.
    where : mapping of str to str
        What :func:`simulations.report.compared.stalls` returns.
    """
    measured_at = [name for name in _names() if name in moments.mean.index]
    targets = targets_of(moments)
    names = ["rule or estimate", *_MOMENTS]
    along = ["rule or estimate", "at the start", *(f"{100 * target:g} %" for target in targets[1:])]
    text = _TEXT.format(
        paths=moments.paths,
        early=1e3 * moments.pg[EARLY],
        late=1e3 * moments.pg[LATE],
        own_rates=own_rates(moments),
        surprisal=number(over_delight(moments, "along", "surprisal")),
        surprisal_here=number(over_delight(moments, "per_backward", "surprisal")),
    )
    parts = [
        "# The comparison",
        "\n".join(fill(each, 118, **_BULLET) for each in findings(moments, errors)),
        text,
        "## At 3 %",
        _table(HEAD, ([f"`{name}`", *cells] for name, *cells in compared_rows(moments, errors, where))),
        "## What the estimates are",
        "\n".join(f"* `{name}`: {each.what}." for name, each in ESTIMATORS.items()),
        "## Along training",
        "1/c over PG's at 3 %, by the accuracy of the policy.",
        _table(along, ([f"`{name}`", *_along(moments, name, targets)] for name in measured_at)),
        "## At 10 %",
        _table(names, ([f"`{name}`", *_moments(moments, name, rate_of(name, 0.1))] for name in measured_at)),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


_BULLET: Any = {"initial_indent": "* ", "subsequent_indent": "  ", "break_on_hyphens": False}
_MOMENTS = ("cosine", "length", "Var_⊥", "1/c, over PG's", "ρ/c, over PG's")
_ELSEWHERE = ("stalls on tokens at 10 %", "1/c in a group of answers", "wrong tokens, %")
HEAD = ("rule or estimate", "decides on", "looks at", "source", *_MOMENTS, *_ELSEWHERE)
"""The columns of :func:`compared_rows`."""
_TEXT = """\
Rules are those of [rules.md](rules.md), each as the top 3 % by its scores. Estimates have 3 % of backward passes
too, unless they use all samples or those above zero: of `zero-price` these are {own_rates} of all at the
start, at 50 and at 95 % accuracy. Numbers on MNIST are of the policy at 50 % accuracy → that at 95 %, in the
parameters of the network, along the true gradient u, exact over 1,000 images. The policies are those of {paths}
trainings of DG-K(3 %), so that delight made them itself. Numbers over PG's are means of the ratios on each path, ±
the standard error over these. `python -m simulations.report.comparison` writes this page from what `kondo experiment
mnist --study neighbours --preset quick` measured; a test says when it is old.

* *Cosine* of the mean with u: below one it is biased. *Length* of the mean of a sum divided by the batch, over that
  of the gradient. *Var_⊥*: variance across u per sample over the rate, so per backward pass; PG's is one.
* *1/c*, where backward passes cost: S²/(ρE‖g‖²), S along u and c the cost of signal of `optimal-gate`, the backward
  passes to a signal as large as the noise. *ρ/c*, where forward passes cost: S²/E‖g‖², with backward passes for
  nothing. Both are over PG's, {early:.1f} and {late:.1f} thousandths. E‖g‖² = B·Var(ĝ) + ‖E ĝ‖², ĝ the mean of a
  batch of B. A path along which S is negative counts as none.
  What looks at nothing (`uniform`, `uniform-weighted`) can drop before the forward pass: its ρ/c is then 1.0.
* `mnist-screening` counts S/ρ, the length along u for a backward pass: by that surprisal has {surprisal} times
  delight's at 95 %, by 1/c {surprisal_here}.
* *Stalls on tokens*: alike / learnt / free, as in the second table of [rules.md](rules.md), at 10 % and M = 10. Of
  an estimate: where positions alike rest. Without bias there is no such place.
* *Group of answers*: 1/c over that of a random choice; 4 of 16 answers kept, 30 % of them right, advantages over the
  mean of the group (`answer-rules`).
* *Wrong tokens*: of sampled answers on token reversal at the end of quick runs (H = 10, M = 2), in percent, median
  and range of the seeds, where a rule was trained: on tokens or on answers, and the share that it keeps.

– is no number: not measured or not defined. A group of answers, a reference policy and a history cannot be had on
MNIST; such rules have their numbers further right. `idle-visits` decides before the forward pass and saves it: claim
`prompt-skipping`. On MNIST the rules on spurious tokens have the defaults of the package.

In large batches bias counts for more than here, and gates of more signal than delight's can leave digits behind
(`optimal-gate`). Learning curves are those of `mnist-quality`, `reversal-quality` and the last column."""


def _names() -> list[str]:
    return [*RULES, *ESTIMATORS]


def compared_rows(moments: Moments, errors: pd.DataFrame, where: Stalls) -> Iterator[list[str]]:
    """Yield the cells of each rule and estimate at 3 %, under :data:`HEAD`; arguments as of :func:`comparison`."""
    for name, rule in RULES.items():
        yield [
            name,
            rule.granularity,
            ", ".join(rule.inputs) or MISSING,
            rule.source,
            *(_moments(moments, name, THREE) if name not in GROUP_RULES else _not_here(name)),
            where.get(name, MISSING),
            _group(name),
            _errors(errors, name),
        ]
    for name, estimator in ESTIMATORS.items():
        yield [
            name,
            "sample",
            ", ".join(estimator.inputs) or MISSING,
            estimator.source,
            *_moments(moments, name, rate_of(name, THREE)),
            where.get(name, MISSING),
            MISSING,
            MISSING,
        ]


def _along(moments: Moments, name: str, targets: Sequence[float]) -> list[str]:
    at = moments.mean["per_backward"].loc[name, rate_of(name, 0.03)]
    return [number(float(at[target])) for target in targets]


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
            mean, error = (value_at(each, column, (name, rate, target)) for each in (moments.mean, moments.error))
            found.append(number(mean) + (f" ± {number(error)}" if column == "per_backward" else ""))
        cells.append(" → ".join(found))
    return cells


def _group(name: str) -> str:
    rule = RULES[name]
    if rule.granularity == "token" or not set(rule.inputs) <= {"advantage"}:
        return MISSING
    return f"{worth_in_a_group(name, PASS_RATE):.2f}"


def _errors(errors: pd.DataFrame, name: str) -> str:
    cells = []
    groups: Any = errors[errors["rule"] == name].groupby(["level", "rate"], sort=True)
    for (level, rate), runs in groups:
        middle, low, high = (percent(float(f(runs["error"]))) for f in (np.median, np.min, np.max))
        cells.append(f"{level}s, {100 * rate:g} %: {middle} ({low}–{high})")
    return "; ".join(cells) or MISSING


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def committed() -> tuple[Moments, pd.DataFrame, Stalls]:
    """Return what the committed tables and the closed forms say: the arguments of :func:`comparison`."""
    table = load(COMMITTED / "mnist-neighbours-quick.parquet", kind="mnist-neighbours")
    return measured_moments(table.frame), reversal_errors(), stalls()


def main() -> None:
    """Print the page from the committed tables."""
    print(comparison(*committed()), end="")


if __name__ == "__main__":
    main()
