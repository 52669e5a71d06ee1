"""The JSON beside a table: what of a run does not reproduce, tied to the table by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.errors import ResultError
from simulations.results.atomic import atomic_path

__all__ = ["SEAL", "Sidecar"]

SEAL = "sidecar_sha256"
"""Field of the hash of a sidecar."""
_FORMER = "former"


@dataclass(frozen=True)
class Sidecar:
    """The sidecar of a table.

    While a table is replaced, the new sidecar has the old one in its field ``former``: whichever of the two tables
    is there finds its own. A sidecar that this code wrote has a hash of itself.
    """

    table: Path
    path: Path

    @classmethod
    def of(cls, table: Path) -> Sidecar:
        """Return the sidecar of a table, ``NAME.json`` beside ``NAME.parquet``."""
        return cls(table, table.with_suffix(".json"))

    def write(self, body: Mapping[str, Any], digest: str) -> None:
        """Write the sidecar of the table that has this SHA-256."""
        self._replace(self._sealed(body, digest))

    def announce(self, body: Mapping[str, Any], digest: str) -> None:
        """Write the sidecar of a table that is about to replace the one that is there, which keeps its own."""
        sealed = self._sealed(body, digest)
        try:
            former = self.read(hashlib.sha256(self.table.read_bytes()).hexdigest())
        except (OSError, ResultError):  # no table is there, or none that can be read: nothing to keep
            former = {}
        self._replace(sealed | ({_FORMER: former} if former else {}))

    def read(self, digest: str) -> dict[str, Any]:
        """Return the sidecar of the table that has this SHA-256, empty if there is none.

        Raises
        ------
        ResultError
            If it cannot be read, was altered or belongs to another table.
        """
        try:
            body = json.loads(self.path.read_text(encoding="utf-8"))
            found = [body, body[_FORMER]] if _FORMER in body else [body]
            digests = [each["table_sha256"] for each in found]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
            message = f"{self.path} is not the sidecar of a result table: {type(error).__name__} {error}"
            raise ResultError(message) from error
        if digest not in digests:
            raise ResultError(f"{self.table} does not match the hash in {self.path.name}: one of the two was altered")
        own: dict[str, Any] = found[digests.index(digest)]
        if SEAL in own and own[SEAL] != _seal(own):
            raise ResultError(f"{self.path} does not match its own hash: it was altered")
        return {name: value for name, value in own.items() if name != _FORMER}

    def _sealed(self, body: Mapping[str, Any], digest: str) -> dict[str, Any]:
        # As it will be read: a tuple has become a list, and a whole number as a name a text.
        whole: dict[str, Any] = json.loads(json.dumps({**body, "table": self.table.name, "table_sha256": digest}))
        return whole | {SEAL: _seal(whole)}

    def _replace(self, body: Mapping[str, Any]) -> None:
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _seal(body: Mapping[str, Any]) -> str:
    """Return the hash of a sidecar without its own and without the former one."""
    text = json.dumps({name: body[name] for name in body if name not in (SEAL, _FORMER)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
