"""Measurement of ``stale-actors`` on token reversal: who rests while actors are late, and who learns at the end.

What was measured on MNIST is read as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from simulations.errors import ResultError
from simulations.networks.actors import Setting
from simulations.results.table_sizes import sizes_of_runs
from simulations.results.tables import COMMITTED, Table, load
from simulations.reversal.stale.contenders import BOUND, CONTENDERS, SIZES, Contender
from simulations.reversal.stale.rests import Estimator, resting_probability
from simulations.reversal.stale.study import KIND, cells, run_study
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.mnist.stale import stale_images

__all__ = ["answer_rows", "estimator_of", "named_settings", "stale_answers"]


def stale_answers(context: Context) -> list[Measured]:
    """Return the measured rows of ``stale-actors``, of token reversal and of MNIST."""
    return _on_answers(context) + stale_images(context)


def _on_answers(context: Context) -> list[Measured]:
    """Return the rows of token reversal: from a measured table, at smoke from short runs."""
    found = context.tables.find(KIND)
    if found is None and context.preset == "quick" and context.device == "cpu":
        found = _committed()
    if found is not None:
        return attributed(answer_rows(found.frame, found.source.origin), found.source, sizes_of_runs(found.frame))
    table = _measured(context)
    return attributed(answer_rows(table, context.source.origin), context.source, sizes_of_runs(table))


def _committed() -> Table | None:
    paths = [COMMITTED / f"{KIND}-{preset}.parquet" for preset in ("paper", "quick")]
    return next((load(path, kind=KIND) for path in paths if path.exists()), None)


def _measured(context: Context) -> pd.DataFrame:
    import torch

    size = SIZES["paper" if context.preset == "paper" else "smoke"]
    chosen = cells(size) if context.preset == "paper" else cells(size, settings=[Setting(size.delays[-1])])

    def progress(done: str) -> None:
        context.progress(f"stale-actors: {done}")

    return run_study(size, torch.device(context.device), progress=progress, chosen=chosen)


def named_settings(table: pd.DataFrame) -> dict[str, Setting]:
    """Return the settings of a table by name; of several delays alone the longest one is the late actors'."""
    columns = ["delay", "random", "corruption"]
    settings = [Setting(int(d), float(s), float(r)) for d, s, r in table[columns].drop_duplicates().to_numpy()]
    found = {}
    for setting in sorted(settings, key=lambda each: each.delay):
        late, broken, paid = setting.delay > 0, setting.random > 0, setting.corruption > 0
        name = {
            (False, False, False): "no friction",
            (True, False, False): "late actors",
            (False, True, False): "broken answers",
            (False, False, True): "false pay",
            (True, True, True): "all three",
        }.get((late, broken, paid))
        if name is not None:
            found[name] = setting
    return found


def answer_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return token errors at the end of the first delay beside the predicted ones, and errors at the end.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.reversal.stale.study.run_study` makes it.
    origin : str

    Raises
    ------
    ResultError
        If it has no late actors.
    """
    settings = named_settings(table)
    if "late actors" not in settings:
        raise ResultError(f"{origin}: stale-actors is judged from actors that are late, and there are none")
    rows = _first_delay(table, settings["late actors"], origin)
    ends = {name: _at(table, setting, int(table["update"].max())) for name, setting in settings.items()}
    for where, runs in ends.items():
        for contender in _there(runs):
            for kind in ("token", "sequence"):
                values = _of(runs, contender, f"{kind}_error")
                name = f"final {kind} error, {contender.label}, {where} (percent)"
                rows.append(_row(name, values, origin, _point(contender) | {"actors": where}))
    return rows + _compared(ends.get("all three"), origin)


def _compared(runs: pd.DataFrame | None, origin: str) -> list[Measured]:
    """Return how far DG is below zero price at the end, where all three frictions meet."""
    if runs is None or not {CONTENDERS[4], CONTENDERS[6]} <= set(_there(runs)):
        return []
    one, other = (_of(runs, CONTENDERS[number], "sequence_error") for number in (4, 6))
    where: Mapping[str, Value] = {"against": "zero-price", "actors": "all three"}
    name = "final sequence error, DG − zero-price, all three (percentage points)"
    return [_row(name, one - other, origin, {"method": "DG", "surprisal": "learner", **where})]


def _first_delay(table: pd.DataFrame, setting: Setting, origin: str) -> list[Measured]:
    """Return token errors when the first actors have just been relieved, and those less the predicted ones."""
    runs, rows = _at(table, setting, setting.delay), []
    if runs.empty:
        return []
    length, vocab_size = int(runs["length"].iloc[0]), int(runs["vocab_size"].iloc[0])
    for contender in _there(runs):
        values = _of(runs, contender, "token_error")
        rest = 100 * (1 - resting_probability(estimator_of(contender), length, vocab_size))
        where = _point(contender) | {"actors": "late actors"}
        title = f"token error at the end of the first delay, {contender.label}"
        rows.append(_row(f"{title} (percent)", values, origin, where | {"predicted": rest}))
        rows.append(_row(f"{title}, less the predicted (percentage points)", values - rest, origin, where))
    if not {CONTENDERS[7], CONTENDERS[8]} <= set(_there(runs)):
        return rows
    learner, actor = (_of(runs, CONTENDERS[number], "token_error") for number in (7, 8))
    gate = CONTENDERS[7].method.label
    title = f"token error at the end of the first delay, {gate}, actor's − learner's surprisal (percentage points)"
    against: dict[str, Value] = {"surprisal": "actor", "against": "learner", "actors": "late actors"}
    return [*rows, _row(title, actor - learner, origin, method_of(gate) | against)]


def estimator_of(contender: Contender) -> Estimator:
    """Return what the drift of a contender depends on."""
    own = contender.method
    whose = contender.correction, contender.surprisal
    return Estimator(own.method, own.rate, *whose, bound=BOUND, clip=own.clip, answers=own.answers)


def _at(table: pd.DataFrame, setting: Setting, update: int) -> pd.DataFrame:
    same = (table["delay"] == setting.delay) & (table["random"] == setting.random)
    return table[same & (table["corruption"] == setting.corruption) & (table["update"] == update)]


def _there(runs: pd.DataFrame) -> list[Contender]:
    labels = set(runs["contender"])
    return [contender for contender in CONTENDERS if contender.label in labels]


def _of(runs: pd.DataFrame, contender: Contender, column: str) -> pd.Series:
    """Return a column in percent by seed."""
    return 100 * runs[runs["contender"] == contender.label].set_index("seed")[column].sort_index()


def _point(contender: Contender) -> dict[str, Value]:
    corrected: dict[str, Value] = {} if contender.correction == "none" else {"weights of": contender.correction}
    return {**method_of(contender.method.label), "surprisal": contender.surprisal, **corrected}


def _row(name: str, values: pd.Series, origin: str, parameters: dict[str, Value]) -> Measured:
    found = bootstrap(values.to_numpy(np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
