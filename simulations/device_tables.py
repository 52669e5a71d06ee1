"""Learning curves that a GPU and a CPU drew of the same runs: what they are paired by, and how far they differ.

Generators differ between devices, so the same seed is another run: the seeds of one device are compared with those of
the other as two samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from simulations.merging import preset_of
from simulations.results import COMMITTED, Table, load
from simulations.reversal_tables import device_of
from simulations.statistics import Interval

__all__ = ["EXPERIMENTS", "Pair", "pairs"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Experiment:
    """Where an experiment's curves are: their kind, committed files, the error, and columns that name a protocol."""

    kind: str
    files: str
    error: str
    protocol: tuple[str, ...]


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "MNIST": Experiment(
            "mnist-learning-curves",
            "mnist-[pq]*.parquet",
            "test_error",
            ("updates", "batch_size", "learning_rate", "hidden", "dtype"),
        ),
        "token reversal": Experiment(
            "reversal-quality",
            "reversal-quality-*.parquet",
            "token_error",
            ("updates", "vocab_size", "length", "reward", "learning_rate", "prompts", "answers"),
        ),
    }
)


@dataclass(frozen=True)
class Pair:
    """A method's mean error over all evaluations of a run, one value a seed, on either device."""

    experiment: str
    label: str
    gpu: FloatArray
    cpu: FloatArray
    origin: str
    preset: str

    @property
    def ratio(self) -> Interval:
        """The GPU's mean over the CPU's, with its 95 % bootstrap interval; the seeds of a device are drawn apart."""
        rng = np.random.default_rng(np.random.SeedSequence(0))
        gpu, cpu = (sample[rng.integers(len(sample), size=(10_000, len(sample)))] for sample in (self.gpu, self.cpu))
        low, high = np.quantile(gpu.mean(1) / cpu.mean(1), (0.025, 0.975))
        return Interval(float(self.gpu.mean() / self.cpu.mean()), float(low), float(high))

    @property
    def distance(self) -> float:
        """The difference of the two means in standard errors (Welch's)."""
        error = math.sqrt(self.gpu.var(ddof=1) / len(self.gpu) + self.cpu.var(ddof=1) / len(self.cpu))
        gap = abs(float(self.gpu.mean() - self.cpu.mean()))
        return gap / error if error > 0 else (0.0 if gap == 0 else math.inf)


def pairs(own: Sequence[Table] = (), directory: Path = COMMITTED) -> list[Pair]:
    """Return every method that was trained on a GPU and, by the same protocol, on a CPU.

    The CPU's curves are the committed ones; of two tables of a GPU that have a method, one of ``own`` counts.

    Raises
    ------
    ResultError
        If a committed table is damaged.
    """
    found: dict[tuple[str, str], Pair] = {}
    for name, experiment in EXPERIMENTS.items():
        committed = [load(path, kind=experiment.kind) for path in sorted(directory.glob(experiment.files))]
        every = [*committed, *(table for table in own if table.kind == experiment.kind)]
        cpu = _runs((table for table in committed if device_of(table) == "cpu"), experiment)
        for table in (table for table in every if device_of(table) == "cuda"):
            for protocol, gpu in _runs([table], experiment).items():
                if protocol in cpu and min(len(gpu), len(cpu[protocol])) > 1:
                    label = protocol[0]
                    found[name, label] = Pair(name, label, gpu, cpu[protocol], table.origin, preset_of(table))
    return list(found.values())


def _runs(tables: Iterable[Table], experiment: Experiment) -> dict[tuple[str, str], FloatArray]:
    """Return each seed's mean error by label and protocol; of two tables that have one, the later counts."""
    runs: dict[tuple[str, str], FloatArray] = {}
    for table in tables:
        # A column that a table lacks becomes "nan", which no other protocol has.
        columns = table.frame.reindex(columns=list(experiment.protocol)).astype(str)
        protocol = columns[experiment.protocol[0]].str.cat(columns[list(experiment.protocol[1:])], sep=", ")
        errors = table.frame.groupby(["label", protocol.rename("protocol"), "seed"], sort=False)[
            experiment.error
        ].mean()
        for key, seeds in errors.groupby(level=["label", "protocol"], sort=False):
            runs[cast(tuple[str, str], key)] = seeds.to_numpy(np.float64)
    return runs
