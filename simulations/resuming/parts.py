"""A table that is measured in parts: what is done is kept, and the same call goes on after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from simulations.devices import describe
from simulations.results.provenance import provenance
from simulations.results.tables import require_table_writable, save
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.extending import is_finished
from simulations.resuming.fingerprint import code_version

if TYPE_CHECKING:
    import torch

__all__ = ["Parts", "in_parts", "is_measured"]


@dataclass(frozen=True)
class Parts:
    """A table under way: where its parts are kept, and how it is written once all are there."""

    checkpoints: CheckpointDirectory
    _out: Path
    _kind: str
    _config: Mapping[str, Any]
    _sidecar: Mapping[str, Any]
    _overwrite: bool

    def write(self, frame: pd.DataFrame, **details: Any) -> Path:
        """Write the table, with these details in its sidecar, and remove the parts."""
        sidecar = {**self._sidecar, **details}
        path = save(
            frame, self._out, kind=self._kind, config=self._config, sidecar=sidecar, overwrite=self._overwrite
        )
        self.checkpoints.remove()
        return path


def is_measured(
    out: Path,
    kind: str,
    config: Mapping[str, Any],
    measured: Callable[..., Any],
    device: torch.device,
    *,
    overwrite: bool,
) -> bool:
    """Return whether the table is there already, finished, by the same code on the same device.

    Parameters as in :func:`in_parts`; raises as :func:`simulations.resuming.extending.is_finished` does.
    """
    return is_finished(out, kind, config, code_version(measured), describe(device), overwrite=overwrite)


@contextmanager
def in_parts(
    out: Path,
    kind: str,
    config: Mapping[str, Any],
    measured: Callable[..., Any],
    device: torch.device,
    *,
    command: str,
    overwrite: bool,
) -> Iterator[Parts]:
    """Open the directory ``out.partial`` of the parts of a table.

    Parameters
    ----------
    out : Path
        The table.
    kind, config
        As :func:`simulations.results.tables.save` takes them; the configuration names its ``preset``.
    measured : callable
        What measures a part: parts that other code, another configuration or another device left are refused.
    device : torch.device
    command : str
        What the user typed.
    overwrite : bool

    Raises
    ------
    ReportedError
        If the table cannot be written, another process writes it, or the parts are of another run.
    """
    require_table_writable(out, overwrite=overwrite)
    where = describe(device)
    code = code_version(measured)
    identity = {**config, "code": code, "device": where}
    with CheckpointDirectory(out.with_suffix(".partial"), identity) as checkpoints:
        sidecar = provenance(where) | {"preset": config["preset"], "command": command, "code": code}
        yield Parts(checkpoints, out, kind, config, sidecar, overwrite)
