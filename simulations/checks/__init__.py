"""One module a family of claims: the simulations and measurements that ``kondo verify`` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Context", "Progress"]

Progress = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True)
class Context:
    """What a check may depend on: the preset's name, the torch device's name, processes, and whom to tell."""

    preset: str
    device: str
    workers: int
    progress: Progress
