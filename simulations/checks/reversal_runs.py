"""The learning curves that the claims about token reversal are judged by: measured elsewhere, committed, or now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from simulations.checks import Context
from simulations.errors import ResultError
from simulations.merging import preset_of
from simulations.results import COMMITTED, Table, load
from simulations.reversal import run_many, tidy
from simulations.reversal_config import PRESETS, ReversalConfig, preset_configs
from simulations.reversal_experiment import study_kind
from simulations.reversal_studies import BELOW, FRESH, STUDIES, control, token_gate
from simulations.reversal_summary import RUN, TASK

__all__ = ["Curves", "curves"]


@dataclass(frozen=True)
class Curves:
    """Learning curves of a study; the column ``origin`` says where each row came from."""

    frame: pd.DataFrame
    preset: str

    def origin(self, rows: pd.DataFrame | None = None) -> str:
        """Return where these rows, by default all, came from."""
        return ", ".join((self.frame if rows is None else rows)["origin"].unique())


@lru_cache(maxsize=8)  # claims share their runs: nothing trains twice in one report
def curves(context: Context, study: str) -> Curves:
    """Return the curves of a study: a table given to the report, else the committed one, in part measured anew.

    Of a study whose paper preset is committed in part the other methods come from the quick one.

    Preset quick trains the runs ``FRESH`` of the token trap again, one seed each, in place of the committed ones;
    preset paper trains everything, at the published sizes.

    Raises
    ------
    ResultError
        If there is no table where one is needed, or it is damaged.
    """
    found = context.tables.find(study_kind(study))
    if found is not None:
        return _completed(_read(found), study)
    if context.preset == "paper":
        return Curves(_measured(context, STUDIES[study].configs("paper"), study), "paper")
    committed = _committed(study)
    long = int(committed.frame["update"].max()) > PRESETS["quick"].updates  # short runs would not be comparable
    if study != "token-trap" or context.preset == "smoke" or long:
        return committed
    fresh = _measured(context, _fresh(), study)
    return Curves(_replaced(committed.frame, fresh, RUN), committed.preset)


def _committed(study: str) -> Curves:
    """Return the committed curves: of each method those at the published size, where there are some."""
    paths = {preset: COMMITTED / f"reversal-{study}-{preset}.parquet" for preset in ("quick", "paper")}
    found = {preset: _read(load(path, kind=study_kind(study))) for preset, path in paths.items() if path.exists()}
    if not found:
        raise ResultError(
            f"no curves of study {study}: neither {' nor '.join(p.name for p in paths.values())} is there"
        )
    if len(found) == 1:
        return next(iter(found.values()))
    return _joined(found["quick"], found["paper"])


def _completed(found: Curves, study: str) -> Curves:
    """Return curves that were measured elsewhere; of a part of a study the other methods are the committed ones."""
    lacking = {config.label for config in STUDIES[study].methods} - set(found.frame["label"])
    return _joined(_committed(study), found) if lacking else found


def _joined(curves: Curves, others: Curves) -> Curves:
    """Return curves with the methods that others have taken from there, at the smaller of both presets."""
    frame = _replaced(curves.frame, others.frame, ["label", *TASK])
    whole = len(frame) == len(others.frame)
    return Curves(frame, others.preset if whole else min(curves.preset, others.preset, key=list(PRESETS).index))


def _replaced(frame: pd.DataFrame, others: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the rows with those that agree with another frame's in these columns replaced by the other frame."""
    again = set(map(tuple, others[columns].astype(str).to_numpy()))
    kept = [tuple(key) not in again for key in frame[columns].astype(str).to_numpy()]
    return pd.concat([frame[kept], others], ignore_index=True)


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


def _read(table: Table) -> Curves:
    return Curves(table.frame.assign(origin=table.origin), preset_of(table))
