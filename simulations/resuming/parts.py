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

__all__ = ["Measurement", "Parts"]


@dataclass(frozen=True)
class Measurement:
    """A table that is to be measured in parts.

    Attributes
    ----------
    out : Path
        The table; its parts lie in the directory ``out.partial``.
    kind, config
        As :func:`simulations.results.tables.save` takes them; the configuration names its ``preset``.
    measured : callable
        What measures a part: parts that other code, another configuration or another device left are refused.
    device : torch.device
    overwrite : bool
    command : str
        What the user typed.
    """

    out: Path
    kind: str
    config: Mapping[str, Any]
    measured: Callable[..., Any]
    device: torch.device
    overwrite: bool = False
    command: str = ""

    def is_finished(self) -> bool:
        """Return whether the table is there already, finished, by the same code on the same device.

        Raises as :func:`simulations.resuming.extending.is_finished` does.
        """
        code, device = code_version(self.measured), describe(self.device)
        return is_finished(self.out, self.kind, self.config, code, device, overwrite=self.overwrite)

    @contextmanager
    def in_parts(self) -> Iterator[Parts]:
        """Open the directory of the parts.

        Raises
        ------
        ReportedError
            If the table cannot be written, another process writes it, or the parts are of another run.
        """
        require_table_writable(self.out, overwrite=self.overwrite)
        where = describe(self.device)
        code = code_version(self.measured)
        identity = {**self.config, "code": code, "device": where}
        with CheckpointDirectory(self.out.with_suffix(".partial"), identity) as checkpoints:
            said = {"preset": self.config["preset"], "command": self.command, "code": code}
            yield Parts(checkpoints, self, provenance(where) | said)


@dataclass(frozen=True)
class Parts:
    """A table under way: where its parts are kept, and how it is written once all are there."""

    checkpoints: CheckpointDirectory
    _table: Measurement
    _sidecar: Mapping[str, Any]

    def write(self, frame: pd.DataFrame, **details: Any) -> Path:
        """Write the table, with these details in its sidecar, and remove the parts."""
        table, sidecar = self._table, {**self._sidecar, **details}
        path = save(
            frame, table.out, kind=table.kind, config=table.config, sidecar=sidecar, overwrite=table.overwrite
        )
        self.checkpoints.remove()
        return path
