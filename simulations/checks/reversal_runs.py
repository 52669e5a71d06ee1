"""The learning curves that the claims about token reversal are judged by: measured elsewhere, committed, or now."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from simulations.checks import Context
from simulations.results import COMMITTED
from simulations.reversal import run_many, tidy
from simulations.reversal_config import PRESETS, ReversalConfig, preset_configs
from simulations.reversal_experiment import study_kind
from simulations.reversal_studies import BELOW, FRESH, STUDIES, control, token_gate
from simulations.reversal_summary import RUN, TASK
from simulations.reversal_tables import Curves, committed_curves, joined, read_curves, replaced

__all__ = ["curves"]


@lru_cache(maxsize=8)  # claims share their runs: nothing trains twice in one report
def curves(context: Context, study: str) -> Curves:
    """Return the curves of a study: tables given to the report, else the committed ones, in part measured anew.

    Of a study whose paper preset is committed in part the other methods come from the quick one.

    Preset quick trains the runs ``FRESH`` of the token trap again, one seed each, in place of the committed ones;
    preset paper trains everything, at the published sizes.

    Raises
    ------
    ResultError
        If there is no table where one is needed, or it is damaged.
    """
    if found := context.tables.parts(study_kind(study)):
        return _completed(joined(map(read_curves, found)), study)
    if context.preset == "paper":
        return Curves(_measured(context, STUDIES[study].configs("paper"), study), "paper")
    committed = committed_curves(study, COMMITTED)
    long = int(committed.frame["update"].max()) > PRESETS["quick"].updates  # short runs would not be comparable
    if study != "token-trap" or context.preset == "smoke" or long:
        return committed
    fresh = _measured(context, _fresh(), study)
    return Curves(replaced(committed.frame, fresh, RUN), committed.preset)


def _completed(found: Curves, study: str) -> Curves:
    """Return curves that were measured elsewhere; of a part of a study the other methods are the committed ones."""
    columns = ["label", *TASK]
    there = set(map(tuple, found.frame[columns].drop_duplicates().to_numpy()))
    lacking = {tuple(getattr(config, name) for name in columns) for config in STUDIES[study].methods} - there
    return joined([committed_curves(study, COMMITTED), found]) if lacking else found


def _fresh() -> list[ReversalConfig]:
    gates = [token_gate(setting) for setting in FRESH]
    return preset_configs("quick", [*gates, *(control(setting) for setting in FRESH if setting in BELOW)], [0])


def _measured(context: Context, configs: list[ReversalConfig], study: str) -> pd.DataFrame:
    done: dict[int, pd.DataFrame] = {}
    for index, curve, _ in run_many(configs, device=context.device, workers=context.workers):
        done[index] = curve
        context.progress(f"reversal {study}: run {len(done)} of {len(configs)}")
    table = tidy(configs, [done[index] for index in range(len(configs))])
    return table.assign(origin=f"measured now, {context.device}")
