"""Which protocols give the published errors of token reversal: the rule, fixed before the grid was run.

Published, sequence error at H = 10 and M = 2 [KG §5]: PG about 0.6, PPO 0.3, PMPO 0.1, DG and DG-K(3 %) 1e-4. What
is called an error is open as well, and so is the number of updates. A reading is the errors of a protocol's methods,
of one kind, after a number of updates: the median over seeds of the mean of three evaluations (of all, where a run
has fewer), the untrained policy's not among them. Runs end at the last update that all figures have methods at; that
of the short runs, ``SCREENED``, is an end as well.

* A figure above 0.01 is reproduced within a factor of 2. One of 1e-4 is, at 1e-3 or below: a seed's three evaluations
  have 3,000 answers, 0.3 of which are wrong at 1e-4, so a bound nearer to it would ask for luck.
* A protocol reproduces the published result if one reading has all five figures and their order, PG > PPO > PMPO and
  then DG and DG-K, by some choice among the variants of a method. PG's figure alone says little: an untrained policy
  is within the factor.
* It is kept for the long runs unless PG, PPO or PMPO is below half of its figure already, for errors fall. Those with
  the most figures are first, then the nearest; the first ``KEPT`` are trained on. One that was tried with DG alone
  stands for the protocol that the other methods were trained under.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd
from rich.table import Table

from simulations.reversal.readings.published import FACTOR, FIGURES, SMALL, distance, within
from simulations.reversal.summary import FINAL_EVALUATIONS

__all__ = [
    "ERRORS",
    "KEPT",
    "PROTOCOL",
    "SCREENED",
    "ProtocolReading",
    "errors_of",
    "kept_protocols",
    "protocol_name",
    "readings",
    "verdict",
    "verdict_table",
    "with_defaults",
]

PROTOCOL = ["reward", "final_norm", "head", "baseline", "learning_rate"]
"""Columns that name a protocol."""
ERRORS = tuple(f"{prefix}{kind}_error" for kind in ("sequence", "token", "prefix") for prefix in ("", "greedy_"))
"""What may have been called the error, by column; ``prefix`` is one minus that reward, and the others one minus the
other two."""
SCREENED = 1_000
"""Updates of the short runs."""
_ALONE = "leave-one-out"
"""The baseline that is tried with DG alone."""
_DIVERGENCE = "PPO(β"
"""What begins the names of methods whose steps do not scale with the advantage."""
_DEFAULTS: Mapping[str, Any] = {"final_norm": True, "head": "zero", "baseline": "mean"}
KEPT = 2
"""Protocols that are trained at the published size, at most."""


@dataclass(frozen=True)
class ProtocolReading:
    """Errors of one kind under a protocol after a number of updates.

    Attributes
    ----------
    protocol : tuple
        Values of ``PROTOCOL``.
    error : str
        One of ``ERRORS``.
    update : int
    last : bool
        It is the last evaluation that all figures have.
    errors : mapping of str to mapping of str to float
        Of each figure the methods that may have been meant, and their errors.
    """

    protocol: tuple[Any, ...]
    error: str
    update: int
    last: bool
    errors: Mapping[str, Mapping[str, float]]

    @property
    def end(self) -> bool:
        """Whether it is an end of runs: the last one, or that of the short runs."""
        return self.last or self.update == SCREENED

    @property
    def nearest(self) -> dict[str, tuple[str, float]]:
        """Of each figure the method that is nearest to it, the first among equals, and its error.

        Where the published result is there, the methods that give it.
        """
        return self._published or {
            name: min(there.items(), key=lambda each: distance(each[1], FIGURES[name].published))
            for name, there in self.errors.items()
        }

    @property
    def _published(self) -> dict[str, tuple[str, float]] | None:
        """A choice of methods with all figures, in their order; None if there is none."""
        there = [
            [each for each in methods.items() if within(each[1], FIGURES[name].published)]
            for name, methods in self.errors.items()
        ]
        for choice in product(*there):
            pg, ppo, pmpo, *rest = (error for _, error in choice)
            if pg > ppo > pmpo > max(rest):
                return dict(zip(self.errors, choice, strict=True))
        return None

    @property
    def reproduced(self) -> list[str]:
        """The figures that are reproduced."""
        return [name for name, (_, error) in self.nearest.items() if within(error, FIGURES[name].published)]

    @property
    def holds(self) -> bool:
        """Whether it is the published result."""
        return self._published is not None

    @property
    def open(self) -> bool:
        """Whether more training may lead to the published result."""
        large = {name: figure.published for name, figure in FIGURES.items() if figure.published >= SMALL}
        return all(self.nearest[name][1] >= published / FACTOR for name, published in large.items())

    @property
    def distance(self) -> float:
        """The sum of the figures' distances."""
        return sum(distance(error, FIGURES[name].published) for name, (_, error) in self.nearest.items())


def protocol_name(reward: str, final_norm: bool, head: str, baseline: str, learning_rate: float) -> str:
    """Return the reward, the learning rate and what is not this project's protocol, in the words of labels."""
    changes = (
        (baseline != "mean", f"{baseline} baseline"),
        (not final_norm, "no final norm"),
        (head != "zero", f"{head} head"),
    )
    return ", ".join([reward, f"{learning_rate:g}", *(words for changed, words in changes if changed)])


def readings(table: pd.DataFrame) -> list[ProtocolReading]:
    """Return every reading of a table of the study, update 0 left out.

    A protocol that lacks a figure's methods has none: one that was tried with DG alone reads the others of the mean
    of the whole group, whose steps are the same, but for PPO's with its divergence in the loss.
    """
    table = _smoothed(table)
    errors, cell = [error for error in ERRORS if error in table], [*PROTOCOL, "name"]
    medians = table.groupby([*cell, "update"])[errors].median()
    found: list[ProtocolReading] = []
    every = {key: part.droplevel([*PROTOCOL]) for key, part in medians.groupby(PROTOCOL)}
    for key, part in every.items():
        whole = part
        if key[3] == _ALONE:
            alike = every.get((*key[:3], "mean", key[4]))
            if alike is None:
                continue
            names = alike.index.get_level_values("name")
            whole = pd.concat([alike[(names != "DG") & ~names.str.startswith(_DIVERGENCE)], part])
        found += _of_protocol(key, whole)
    return found


def errors_of(table: pd.DataFrame, reading: ProtocolReading, method: str) -> pd.DataFrame:
    """Return a method's errors of a reading's kind under its protocol: label, ``PROTOCOL``, seed, update, error.

    Under ``leave-one-out`` all but DG are those of the mean of the whole group, as in :func:`readings`.
    """
    where = dict(zip(PROTOCOL, reading.protocol, strict=True))
    if where["baseline"] == _ALONE and method != "DG":
        where["baseline"] = "mean"
    table = with_defaults(table)
    found = _smoothed(table[(table[PROTOCOL] == pd.Series(where)).all(axis=1)])
    columns = ["label", *PROTOCOL, "seed", "update"]
    return found[found["name"] == method].rename(columns={reading.error: "error"})[[*columns, "error"]]


def with_defaults(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of protocols; a part that has none of them was measured with the defaults."""
    columns = {name: table.get(name, pd.Series(value, table.index)) for name, value in _DEFAULTS.items()}
    return table.assign(
        **{
            name: column.astype(object).where(column.notna(), _DEFAULTS[name]).astype(type(_DEFAULTS[name]))
            for name, column in columns.items()
        }
    )


def _smoothed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without update 0 in which every error is the mean of three evaluations, the last ones so far."""
    table = with_defaults(table[table["update"] > 0])
    table = table.assign(name=[_name(label) for label in table["label"]])
    errors = [error for error in ERRORS if error in table]
    run = [*PROTOCOL, "name", "seed"]
    table = table.sort_values([*run, "update"], kind="stable")
    rolled = table.groupby(run, sort=False)[errors].rolling(FINAL_EVALUATIONS, min_periods=1).mean()
    table[errors] = rolled.to_numpy()
    runs = table.groupby(run, sort=False)["update"]
    return table[runs.cumcount() + 1 >= runs.transform("size").clip(upper=FINAL_EVALUATIONS)]


def _name(label: str) -> str:
    """Return a method's own name: what the label says before the protocol."""
    head, bracket, _ = label.partition(")")
    return head + bracket if bracket and "(" in head else label.split(", ")[0]


def _of_protocol(key: tuple[Any, ...], medians: pd.DataFrame) -> Iterator[ProtocolReading]:
    for error in medians.columns:
        whole = {}
        for update, row in medians[error].unstack("name").dropna(how="all").iterrows():
            values = {str(name): float(value) for name, value in row.dropna().items()}
            figures = {
                name: {method: values[method] for method in figure.names if method in values}
                for name, figure in FIGURES.items()
            }
            if all(figures.values()):
                whole[int(str(update))] = figures
        for update, figures in whole.items():
            yield ProtocolReading(key, str(error), update, update == max(whole), figures)


def kept_protocols(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the protocols of the screening that are trained at the published size, by the rule above.

    Each is judged by the best of its kinds of error at the last evaluation; among equals reward ``prefix`` is first.
    """
    ends = [each for each in readings(table) if each.last and each.open]
    ends.sort(key=lambda each: (-len(each.reproduced), each.distance, each.protocol[0] != "prefix"))
    return list(dict.fromkeys(_trained_under(each.protocol) for each in ends))[:KEPT]


def _trained_under(protocol: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the protocol that all methods were trained under."""
    return tuple("mean" if value == _ALONE else value for value in protocol)


def verdict(found: Sequence[ProtocolReading], figure: str | None = None) -> tuple[str, ProtocolReading | None]:
    """Return what the readings say of a figure, by default of all together, and the reading that says it.

    ``holds`` if a reading at the end of its runs has it, ``holds when stopped`` if an earlier one does, and ``fails``
    under all tried otherwise; then the reading is the nearest one.
    """
    true = [each for each in found if (each.holds if figure is None else figure in each.reproduced)]

    def off(each: ProtocolReading) -> float:
        if figure is None:
            return each.distance - len(each.reproduced) * 10
        return distance(each.nearest[figure][1], FIGURES[figure].published)

    ends = [each for each in true if each.end]
    said = "holds" if ends else "holds when stopped" if true else "fails"
    return said, min(ends or true or found, key=off, default=None)


def verdict_table(table: pd.DataFrame) -> Table:
    """Return the verdict on each figure and on all together, as a table for the terminal."""
    found = readings(table)
    ends = [each for each in found if each.end]
    shown = Table("published", "verdict", "at the end", "protocol", "updates", "error", "measured")
    shown.title = "published errors; at the end: protocols with it at the last evaluation, by some error, of all"
    for figure in (None, *FIGURES):
        said, best = verdict(found, figure)
        if best is None:
            continue
        with_it = {each.protocol for each in ends if (each.holds if figure is None else figure in each.reproduced)}
        share = f"{len(with_it)} of {len({each.protocol for each in ends})}"
        named = best.nearest if figure is None else {figure: best.nearest[figure]}
        measured = ", ".join(f"{method} {error:.2g}" for method, error in named.values())
        name = "all five, in order" if figure is None else f"{figure}, {FIGURES[figure].published:g}"
        shown.add_row(name, said, share, protocol_name(*best.protocol), f"{best.update:,}", best.error, measured)
    return shown
