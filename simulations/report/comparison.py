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
from kondo_theory.screening import GROUP_RULES, RULES, answer_signal
from simulations.report.compared import COLUMNS, Moments, Stalls, measured_moments, reversal_errors, stalls
from simulations.results.tables import COMMITTED, load

__all__ = ["HEAD", "committed", "compared_rows", "comparison"]

GROUP, KEPT, PASS_RATE = 16, 4, 0.3
"""Answers of a group, of which so many are kept, and the probability that one is right."""
EARLY, LATE = 0.5, 0.95
"""The accuracies of the two policies that are shown."""
MISSING = "–"


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
    targets = sorted(moments.mean.index.unique("target"))
    names = ["rule or estimate", *_MOMENTS]
    along = ["rule or estimate", "at the start", *(f"{100 * target:g} %" for target in targets[1:])]
    text = _TEXT.format(paths=moments.paths, early=1e3 * moments.pg[EARLY], late=1e3 * moments.pg[LATE])
    parts = [
        "# The comparison",
        "\n".join(fill(each, 118, **_BULLET) for each in _findings(moments, errors)),
        text,
        "## At 3 %",
        _table(HEAD, ([f"`{name}`", *cells] for name, *cells in compared_rows(moments, errors, where))),
        "## What the estimates are",
        "\n".join(f"* `{name}`: {each.what}." for name, each in ESTIMATORS.items()),
        "## Along training",
        "Signal per backward pass over PG's at 3 %, by the accuracy of the policy.",
        _table(along, ([f"`{name}`", *_along(moments, name, targets)] for name in measured_at)),
        "## At 10 %",
        _table(names, ([f"`{name}`", *_moments(moments, name, _rate(name, 0.1))] for name in measured_at)),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


_BULLET: Any = {"initial_indent": "* ", "subsequent_indent": "  ", "break_on_hyphens": False}
_MOMENTS = ("cosine", "length", "Var_⊥", "per backward pass", "per forward pass")
_ELSEWHERE = ("stalls on tokens", "group of answers", "wrong tokens, %")
HEAD = ("rule or estimate", "decides on", "looks at", "source", *_MOMENTS, *_ELSEWHERE)
"""The columns of :func:`compared_rows`."""
_TEXT = """\
Rules are those of [rules.md](rules.md), each as the top 3 % by its scores. Estimates have 3 % of backward passes
too, unless they use all samples or those above zero. Numbers on MNIST are of the policy at 50 % accuracy → that at
95 %, in the parameters of the network, along the true gradient u, exact over 1,000 images. They are means of {paths}
paths of training, ± the standard error over these. `python -m simulations.report.comparison` writes this page from
what `kondo experiment mnist --study neighbours --preset quick` measured; a test says when it is old.

* *Cosine* of the mean with u: below one it is biased. *Length* of the mean of a sum divided by the batch, over that
  of the gradient. *Var_⊥*: variance across u per sample over the rate, so per backward pass; PG's is one.
* *Per backward pass*: signal, 1/c = S²/(ρE‖g‖²), S along u and c the cost of signal of `optimal-gate`: one over the
  passes to a signal as large as the noise. *Per forward pass*: S²/E‖g‖², with backward passes for nothing. Both are
  over PG's, {early:.1f} and {late:.1f} thousandths. E‖g‖² is B times the variance of a batch's mean, and its mean
  squared.
* *Stalls on tokens*: alike / learnt / free, as in the second table of [rules.md](rules.md), at 10 % and M = 10. Of
  an estimate: where positions alike rest. Without bias there is no such place.
* *Group of answers*: signal per backward pass over that of a random choice; 4 of 16 answers kept, 30 % of them right,
  advantages over the mean of the group (`answer-rules`).
* *Wrong tokens*: of sampled answers on token reversal at the end of quick runs (H = 10, M = 2), in percent, median
  and range of the seeds, where a rule was trained: on tokens or on answers, and the share that it keeps.

– is no number: not measured or not defined. A group of answers, a reference policy and a history cannot be had on
MNIST; such rules have their numbers further right. `idle-visits` saves forward passes, which no gate does: claim
`prompt-skipping`. On MNIST the rules on spurious tokens have the defaults of the package.

Signal is no learning: in large batches bias counts for more than here, and gates of more signal than delight's can
leave digits behind (`optimal-gate`). Learning curves are those of `mnist-quality`, `reversal-quality` and the last
column."""


def _findings(moments: Moments, errors: pd.DataFrame) -> list[str]:
    """Return what comes out, in sentences; tests hold the order that they speak of."""

    def value(name: str, target: float, column: str = "per_backward") -> str:
        return _number(_at(moments.mean, column, (name, _rate(name, 0.03), target)))

    def worth(name: str, column: str = "per_backward") -> str:
        start, early, late = (value(name, target, column) for target in (0.0, EARLY, LATE))
        return f"{start}, {early} and {late}"

    learnt, own, other = _learnt(errors), _group("abs-advantage"), _group("max-variance")
    return [
        "**Samples, where backward passes cost:** keep each with the probability min(1, s|U|‖φ‖) and weight it by "
        "1/w (`length-weighted`). It has no bias and needs the forward pass alone. At 3 % it buys "
        f"{worth('length-weighted')} times PG's signal per backward pass, at the start, at 50 and at 95 % accuracy.",
        "**As long as most samples fail:** keep all of positive delight (`zero-price`). It buys "
        f"{value('zero-price', 0.0)} and {value('zero-price', EARLY)} times PG's with a cosine of "
        f"{value('zero-price', EARLY, 'cosine')}, and no more than {value('zero-price', LATE)} at 95 %.",
        f"**The top 3 % by delight** buys {worth('delight')}, the first with a large error, and at 80 % accuracy "
        f"{value('delight', 0.8)}. Its mean is biased, with cosines of {worth('delight', 'cosine')}. |advantage| "
        f"buys {worth('abs-advantage')}: delight is neither alone at the top nor there throughout.",
        "**Tokens that share an advantage:** keep the top by |advantage|, or whole answers. By delight positions "
        f"stall, by |advantage| none does{learnt}. In a group of answers |advantage| buys {own} times what chance "
        f"does, the largest variance {other}.",
        "**Where forward passes cost:** use all samples with the best baseline, "
        f"{value('PG-best-baseline', LATE, 'per_forward')} times PG's at 95 %; no gate at 3 % comes to PG's. Weights "
        "1/w on a gate by delight take away its bias and in the end its signal, "
        f"{value('gate-weighted', LATE)} times PG's.",
    ]


def _learnt(errors: pd.DataFrame) -> str:
    """Return the wrong tokens of two rules on tokens at 3 %, if they were trained."""
    tokens = errors[(errors["level"] == "token") & np.isclose(errors["rate"], 0.03)]
    middle = tokens.groupby("rule")["error"].median()
    if not {"delight", "abs-advantage"} <= set(middle.index):
        return ""
    return f" ({_percent(middle['delight'])} and {_percent(middle['abs-advantage'])} % wrong tokens after training)"


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
            *(_moments(moments, name, 0.03) if name not in GROUP_RULES else _not_here(name)),
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
            *_moments(moments, name, _rate(name, 0.03)),
            where.get(name, MISSING),
            MISSING,
            MISSING,
        ]


def _rate(name: str, rate: float) -> float:
    """Return the rate in the table: 0 for what has none."""
    return rate if name in RULES or ESTIMATORS[name].rated else 0.0


def _along(moments: Moments, name: str, targets: Sequence[float]) -> list[str]:
    at = moments.mean["per_backward"].loc[name, _rate(name, 0.03)]
    return [_number(float(at[target])) for target in targets]


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
            mean, error = (_at(each, column, (name, rate, target)) for each in (moments.mean, moments.error))
            found.append(_number(mean) + (f" ± {_number(error)}" if column == "per_backward" else ""))
        cells.append(" → ".join(found))
    return cells


def _at(frame: pd.DataFrame, column: str, place: Any) -> float:
    found: Any = frame.loc[place, column]
    return float(found)


def _number(value: float) -> str:
    """Return two digits."""
    if not np.isfinite(value):
        return MISSING
    if abs(value) < 1e-3:
        return "0" if abs(value) < 1e-12 else "<0.001"
    rounded = float(f"{value:.2g}")
    text = f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:.1f}" if abs(rounded) >= 1 else f"{rounded:.2g}"
    return text.replace("-", "−")


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
    groups: Any = errors[errors["rule"] == name].groupby(["level", "rate"], sort=True)
    for (level, rate), runs in groups:
        middle, low, high = (_percent(float(f(runs["error"]))) for f in (np.median, np.min, np.max))
        cells.append(f"{level}s, {100 * rate:g} %: {middle} ({low}–{high})")
    return "; ".join(cells) or MISSING


def _percent(share: float) -> str:
    return f"{100 * share:.2g}"


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
