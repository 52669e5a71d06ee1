"""The tables of this room, measured in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch

from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement
from simulations.reversal.moments import noise, rows
from simulations.reversal.ties import study as ties

__all__ = ["MEASURED", "write_table"]

Jobs = Callable[[str, torch.device], list[tuple[str, str, Callable[[], pd.DataFrame]]]]

MEASURED: Mapping[str, tuple[Jobs, Callable[..., pd.DataFrame], Mapping[str, Any]]] = MappingProxyType(
    {
        "stall-noise": (noise.jobs, noise.measure, noise.SIZES),
        "row-gates": (rows.jobs, rows.measure, rows.SIZES),
        "screening-ties": (ties.jobs, ties.measure, ties.SIZES),
    }
)
"""By study: its parts, what measures one, and its sizes by preset. A table's kind is ``reversal-STUDY``."""


def write_table(
    study: str,
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure every part of a study and write its table; what an earlier call measured is kept.

    Raises
    ------
    ValueError, ReportedError
        If the study, the preset or the device is not known, or the table cannot be written; before anything is
        measured.
    """
    jobs, measure, sizes = MEASURED[choice("study", study, MEASURED)]
    resolved, size = resolve(device), sizes[choice("preset", preset, sizes)]
    parts_of = jobs(preset, resolved)
    config = {"preset": preset, "size": asdict(size), "parts": [title for _, title, _ in parts_of]}
    measurement = Measurement(out, f"reversal-{study}", config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = measured_in_turn(parts_of, parts.checkpoints, progress)
        return parts.write(frame, seeds=list(range(size.seeds)))
