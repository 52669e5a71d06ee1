"""The tables of what is measured at policies along paths of training, a path at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from simulations.devices import single_thread
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.paths import PathConfig
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement

__all__ = ["write_paths"]


def write_paths(
    out: Path,
    *,
    kind: str,
    config: Mapping[str, Any],
    paths: Sequence[PathConfig],
    code: Callable[..., pd.DataFrame],
    measure: Callable[[PathConfig, Mnist], pd.DataFrame],
    device: torch.device,
    overwrite: bool,
    command: str,
    progress: Callable[[str], None],
) -> Path:
    """Measure along every path and write the table; paths that an earlier call measured are kept.

    Parameters
    ----------
    out : Path
    kind : str
        Of the table.
    config : mapping
        What the table depends on besides the paths.
    paths : sequence of PathConfig
    code : callable
        The function whose code the table depends on.
    measure : callable
        Takes a path and the images, returns its rows.
    device : torch.device
    overwrite : bool
    command : str
        What the user typed.
    progress : callable

    Raises
    ------
    ReportedError
        If the table cannot be written; before anything is measured.
    """
    config = {**config, "paths": [asdict(each) for each in paths]}
    measurement = Measurement(out, kind, config, code, device, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts, single_thread():
        data = load_mnist()
        jobs = [
            (f"path-{number:03d}", f"path of {each.path}, seed {each.seed}", partial(measure, each, data))
            for number, each in enumerate(paths)
        ]
        frame = measured_in_turn(jobs, parts.checkpoints, progress)
        return parts.write(frame, seeds=[each.seed for each in paths])
