"""The grid of protocols in which the published sequence errors might appear, as data: study ``protocols``.

No full product. Reward ``prefix``, with which the published order was seen, is tried with every combination of last
layers, baseline and learning rate; ``fraction`` with one change at a time from this project's protocol, and both
changes of the last layers; ``exact`` at that protocol, at those last layers and at the largest rate.

The mean without an answer's own reward is tried with DG alone: it multiplies advantages by n/(n − 1), which ranks,
signs and Adam do not see (:func:`~simulations.reversal.objectives.advantage_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product
from pathlib import Path

import pandas as pd

from simulations.errors import ResultError
from simulations.networks.transformer import Architecture
from simulations.results.tables import COMMITTED, load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.readings.protocols import kept_protocols, protocol_name
from simulations.reversal.tables import joined, read_curves

__all__ = ["CELLS", "KIND", "PROTOCOLS", "STUDY", "Protocol", "cell_protocol", "complete", "selected"]

STUDY = "protocols"
KIND = f"reversal-{STUDY}"

METHODS = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", rate=0.03),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("row-gate", rate=0.03),
    ReversalConfig("ppo"),
    ReversalConfig("pmpo"),
)
PPO_VARIANTS = (
    ReversalConfig("ppo", epochs=1),  # on fresh samples: PG
    ReversalConfig("ppo", divergence=0.1),
    ReversalConfig("ppo", divergence=1.0),
)


@dataclass(frozen=True)
class Protocol:
    """What a run shares with those of other methods; the defaults are this project's protocol."""

    reward: str = "fraction"
    final_norm: bool = True
    head: str = "zero"
    baseline: str = "mean"
    learning_rate: float = 3e-4

    def __str__(self) -> str:
        """Name it, see :func:`~simulations.reversal.readings.protocols.protocol_name`."""
        return protocol_name(*astuple(self))

    @property
    def network(self) -> Architecture:
        """The network."""
        return Architecture(final_norm=self.final_norm, head=self.head)

    def cell(self, method: ReversalConfig) -> ReversalConfig:
        """Return a method's run under this protocol."""
        return ReversalConfig(
            method.method,
            rate=method.rate,
            price=method.price,
            epochs=method.epochs,
            divergence=method.divergence,
            reward=self.reward,
            learning_rate=self.learning_rate,
            baseline=self.baseline,
            network=self.network,
        )


def cell_protocol(config: ReversalConfig) -> Protocol:
    """Return the protocol of a run."""
    network = config.network
    return Protocol(config.reward, network.final_norm, network.head, config.baseline, config.learning_rate)


RELEASED = {"final_norm": False, "head": "default"}
"""The last layers of the authors' released code, as far as this project knows them."""

_PREFIX = tuple(
    Protocol("prefix", final_norm, head, baseline, learning_rate)
    for final_norm, head, baseline, learning_rate in product(
        (True, False), ("zero", "default"), ("mean", "batch-mean"), (3e-4, 1e-4, 1e-3)
    )
)
_FRACTION = (
    Protocol(),
    Protocol(final_norm=False),
    Protocol(head="default"),
    Protocol(**RELEASED),  # type: ignore[arg-type]
    Protocol(baseline="batch-mean"),
    Protocol(learning_rate=1e-4),
    Protocol(learning_rate=1e-3),
)
_EXACT = (
    Protocol("exact"),
    Protocol("exact", **RELEASED),  # type: ignore[arg-type]
    Protocol("exact", learning_rate=1e-3),
)

PROTOCOLS = (*_PREFIX, *_FRACTION, *_EXACT)
"""Those that every method is tried under."""

_OTHERS_ALONE = (
    Protocol(baseline="leave-one-out"),
    *(
        Protocol("prefix", final_norm, head, "leave-one-out", learning_rate)
        for final_norm, head, learning_rate in product((True, False), ("zero", "default"), (3e-4, 1e-4, 1e-3))
    ),
)
_WITH_VARIANTS = (Protocol(), Protocol("prefix"), Protocol("prefix", **RELEASED), Protocol("exact"))  # type: ignore[arg-type]

CELLS = (
    *(protocol.cell(method) for protocol in PROTOCOLS for method in METHODS),
    *(protocol.cell(variant) for protocol in _WITH_VARIANTS for variant in PPO_VARIANTS),
    *(protocol.cell(ReversalConfig("dg")) for protocol in _OTHERS_ALONE),
)
"""Every run but for its seed and its length."""


def complete(frame: pd.DataFrame) -> set[Protocol]:
    """Return those of ``PROTOCOLS`` of which a table of learning curves has every run, DG's own baseline too."""
    there = set(zip(frame["label"], frame["reward"], frame["learning_rate"], strict=True))
    lacking = {
        replace(cell_protocol(cell), baseline="mean") if cell.baseline == "leave-one-out" else cell_protocol(cell)
        for cell in CELLS
        if (cell.label, cell.reward, cell.learning_rate) not in there
    }
    return {*PROTOCOLS} - lacking


def selected(configs: Sequence[ReversalConfig], preset: str, directory: Path = COMMITTED) -> list[ReversalConfig]:
    """Return the runs of the grid that a preset trains.

    At ``smoke`` those of reward ``prefix`` with nothing else changed; at ``quick`` all; at ``paper`` those of the
    protocols that :func:`~simulations.reversal.readings.protocols.kept_protocols` keeps of the committed quick
    table.

    Raises
    ------
    ResultError
        If the quick table is needed and not there, damaged, or keeps no protocol.
    """
    if preset == "quick":
        return list(configs)
    if preset == "smoke":
        return [config for config in configs if cell_protocol(config) == Protocol("prefix")]
    parts = [load(path) for path in sorted(directory.glob(f"{KIND}-*quick.parquet"))]
    parts = [part for part in parts if part.kind == KIND]
    if not parts:
        path = directory / f"{KIND}-quick.parquet"
        raise ResultError(f"preset paper trains what the quick table of study {STUDY} keeps, and {path} is not there")
    frame = joined(map(read_curves, parts)).frame
    whole = complete(frame)
    if missing := [str(protocol) for protocol in PROTOCOLS if protocol not in whole]:
        lacking = f"{len(missing)} of {len(PROTOCOLS)} protocols, {missing[0]} first"
        raise ResultError(
            f"preset paper trains what the whole quick table of study {STUDY} keeps: {lacking} are missing"
        )
    found = {Protocol(*key) for key in kept_protocols(frame)}
    if not found:
        names = " and ".join(str(part.path) for part in parts)
        raise ResultError(f"{names} keeps none of its protocols, so preset paper has nothing to train")
    return [config for config in configs if cell_protocol(config) in found]
