"""The learning curves that the claims about token reversal are judged by: measured elsewhere, committed, or now."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from simulations.devices import resolve
from simulations.results.sources import Source
from simulations.results.tables import COMMITTED, load
from simulations.reversal.config import ReversalConfig, preset_configs
from simulations.reversal.plan import study_kind
from simulations.reversal.side_by_side.runs import run_many
from simulations.reversal.studies import BELOW, FRESH, STUDIES, control, token_gate
from simulations.reversal.summary import TASK
from simulations.reversal.tables import Curves, committed_curves, joined, own_curves, with_shared
from simulations.reversal.training import tidy
from simulations.verification.checks import Context

__all__ = ["curves", "fresh_curves", "measured_here"]


@lru_cache(maxsize=8)  # claims share their runs: nothing trains twice in one report
def curves(context: Context, study: str) -> Curves:
    """Return the curves of a study: tables given to the report, else the committed ones.

    Of a study whose paper preset is committed in part the other methods come from the quick one. Preset paper trains
    everything, at the published sizes.

    Raises
    ------
    ResultError
        If there is no table where one is needed, or it is damaged.
    """
    if found := context.tables.parts(study_kind(study)):
        own = _completed(own_curves(found), study)
    elif context.preset == "paper":
        own = _measured(context, STUDIES[study].configs("paper"), study)
    else:
        own = committed_curves(study, COMMITTED)
    return with_shared(own, study, lambda other: curves(context, other))


@lru_cache(maxsize=8)
def fresh_curves(context: Context) -> Curves | None:
    """Train the runs ``FRESH`` of the token trap and their controls, a seed each, where preset quick has no table."""
    if context.preset != "quick" or context.tables.parts(study_kind("token-trap")):
        return None
    return _measured(context, _fresh(), "token-trap")


@lru_cache(maxsize=4)  # two claims are judged from one table
def measured_here(context: Context, study: str) -> tuple[pd.DataFrame, Source]:
    """Return the table of a study without learning curves, and its source: one given, else the committed one.

    Preset paper measures it, where none is given.

    Raises
    ------
    ResultError
        If there is no table where one is needed, or it is damaged.
    """
    table = context.tables.find(study_kind(study))
    if table is None and context.preset != "paper":
        table = load(COMMITTED / f"{study_kind(study)}-quick.parquet", kind=study_kind(study))
    if table is not None:
        return table.frame, table.source
    from simulations.reversal.moments.writing import MEASURED

    frames = []
    for _, title, measure in MEASURED[study][0](context.preset, resolve(context.device)):
        context.progress(f"reversal {study}: {title}")
        frames.append(measure())
    return pd.concat(frames, ignore_index=True), context.source


def _completed(found: Curves, study: str) -> Curves:
    """Return curves that were measured elsewhere; of a part of a study the other methods are the committed ones."""
    columns = ["label", *TASK]
    there = set(map(tuple, found.frame[columns].drop_duplicates().to_numpy()))
    lacking = {tuple(getattr(config, name) for name in columns) for config in STUDIES[study].methods} - there
    return joined([committed_curves(study, COMMITTED), found]) if lacking else found


def _fresh() -> list[ReversalConfig]:
    gates = [token_gate(setting) for setting in FRESH]
    return preset_configs("quick", [*gates, *(control(setting) for setting in FRESH if setting in BELOW)], [0])


def _measured(context: Context, configs: list[ReversalConfig], study: str) -> Curves:
    done: dict[int, pd.DataFrame] = {}
    for index, curve, _ in run_many(configs, device=context.device, workers=context.workers):
        done[index] = curve
        context.progress(f"reversal {study}: run {len(done)} of {len(configs)}")
    table = tidy(configs, [done[index] for index in range(len(configs))])
    return Curves.of(table, context.source)
