"""Study ``stale`` of token reversal: every method in every setting of older, broken and mistaken actors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.table import Table

from kondo_theory.words import choice
from simulations.devices import clock, resolve, single_thread
from simulations.networks.actors import Setting
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile, kept_or_measured
from simulations.resuming.parts import Measurement
from simulations.reversal.side_by_side.seeds import trained
from simulations.reversal.stale.contenders import CONTENDERS, SIZES, Contender, StaleSize
from simulations.reversal.stale.seeds import StaleSeeds

__all__ = ["KIND", "cells", "run", "run_study", "summary_table", "write_table"]

KIND = "reversal-stale"
_SETTINGS = ("method", "rate", "price", "rule", "reward", "vocab_size", "learning_rate", "prompts", "answers")
Cell = tuple[Contender, Setting]


def cells(
    size: StaleSize, contenders: Sequence[Contender] = CONTENDERS, settings: Sequence[Setting] | None = None
) -> list[Cell]:
    """Return who is trained where: corrections and the actors' surprisal only where others than the learner act."""
    if settings is None and size.only is not None:
        chosen = zip(size.settings, size.only, strict=True)
        return [(CONTENDERS[place], setting) for setting, places in chosen for place in places]
    return [
        (contender, setting)
        for setting in (size.settings if settings is None else settings)
        for contender in contenders
        if contender.plain or setting.off_policy
    ]


def run(
    contender: Contender,
    setting: Setting,
    size: StaleSize,
    device: torch.device,
    checkpoint: CheckpointFile | None = None,
) -> pd.DataFrame:
    """Train the seeds of one contender in one setting side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label (contender and setting), contender, method, rate, price, rule, reward,
        vocab_size, learning_rate, prompts, answers, length, correction, surprisal, delay, random, corruption, seed,
        and the columns of :func:`simulations.reversal.training.run_one`. Rewards are those that the actors earned,
        mistakes apart; errors are the learner's.
    """
    curves = trained(StaleSeeds(contender, setting, size, device), checkpoint)
    head: dict[str, Any] = {"label": f"{contender.label}; {setting}", "contender": contender.label}
    for name in _SETTINGS:
        value = getattr(contender.method, name)
        head[name] = float("nan") if value is None else value
    own = {"correction": contender.correction, "surprisal": contender.surprisal, **asdict(setting)}
    own |= {"length": size.length}
    frames = [
        pd.DataFrame(head | own | {"seed": seed} | {str(name): column for name, column in curve.items()})
        for seed, (curve, _) in enumerate(curves)
    ]
    return pd.concat(frames, ignore_index=True)


def run_study(
    size: StaleSize,
    device: torch.device,
    *,
    checkpoints: CheckpointDirectory | None = None,
    progress: Callable[[str], None] = lambda _: None,
    chosen: Sequence[Cell] | None = None,
) -> pd.DataFrame:
    """Train all contenders in all settings, one after the other; those in ``checkpoints`` go on where they were."""
    every = cells(size) if chosen is None else list(chosen)
    frames = []
    with single_thread():
        for number, (contender, setting) in enumerate(every, start=1):
            progress(f"{number} of {len(every)}: {contender.label}; {setting}")
            done = None if checkpoints is None else checkpoints.file(f"contender-{number:02d}")
            under_way = None if checkpoints is None else checkpoints.file(f"contender-{number:02d}-training")
            frames.append(kept_or_measured(done, partial(run, contender, setting, size, device, under_way)))
    return pd.concat(frames, ignore_index=True)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Run the study and write its table; what an earlier call left unfinished is continued.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written, before any training; if a policy
        stops being a number.
    """
    resolved, size = resolve(device), SIZES[choice("preset", preset, SIZES)]
    config: dict[str, Any] = {
        "preset": preset,
        "size": asdict(size),
        "contenders": [contender.label for contender in CONTENDERS],
        "settings": [asdict(setting) for setting in size.settings],
    }
    measurement = Measurement(out, KIND, config, run, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = run_study(size, resolved, checkpoints=parts.checkpoints, progress=progress)
        return parts.write(frame, seeds=list(range(size.seeds)), clock=clock(resolved)[1])


def summary_table(table: pd.DataFrame) -> Table:
    """Return the final token errors of every contender in every setting, medians over seeds, for the terminal."""
    last = table[table["update"] == table["update"].max()]
    settings = list(dict.fromkeys(last["label"].str.partition("; ")[2]))
    shown = Table("method", *settings)
    shown.title = f"token error after {last['update'].max():,} updates, percent: median over seeds"
    for contender, rows in last.groupby("contender", sort=False):
        medians = rows.groupby(rows["label"].str.partition("; ")[2])["token_error"].median()
        shown.add_row(
            str(contender), *(f"{100 * medians[each]:.3g}" if each in medians else "–" for each in settings)
        )
    return shown
