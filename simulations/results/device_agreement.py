"""Learning curves of the same runs on a GPU and on a CPU: what they are paired by, and how far they differ.

A seed has the same initial weights on every device and other draws, for generators differ: errors are paired by seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from simulations.errors import ResultError
from simulations.results.merging import in_order
from simulations.results.sources import Source
from simulations.results.table_sizes import Sizes
from simulations.results.tables import COMMITTED, COMMITTED_GPU, Table, load
from simulations.results.whole_tables import wholes
from simulations.statistics import Interval

__all__ = ["EXPERIMENTS", "Comparison", "Experiment", "Pair", "compare"]

FloatArray = NDArray[np.float64]

MEASURES = ("mean error over training", "final error")
LAST = "last update"


@dataclass(frozen=True)
class Experiment:
    """Learning curves that are compared.

    Attributes
    ----------
    kind, files : str
        Of the tables, and the pattern of their names, without a suffix.
    error : str
        Column of the error.
    final : int
        Evaluations that the final error is the mean of.
    protocol : mapping
        Columns that must agree, each with the value of tables from before it was one.
    """

    kind: str
    files: str
    error: str
    final: int
    protocol: Mapping[str, str]


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "MNIST": Experiment(
            "mnist-learning-curves",
            "mnist-[pq]*",
            "test_error",
            5,
            {"updates": "", "batch_size": "", "learning_rate": "", "hidden": "100-100", "dtype": "float32"},
        ),
        "token reversal": Experiment(
            "reversal-quality",
            "reversal-quality-*",
            "token_error",
            3,
            dict.fromkeys(
                ("updates", "vocab_size", "length", "reward", "learning_rate", "prompts", "answers", "epochs"), ""
            ),
        ),
    }
)


@dataclass(frozen=True)
class Pair:
    """An error of one method on either device, one value a seed, in the same order of seeds.

    Attributes
    ----------
    measure : str
        ``mean error over training``, of all evaluations after the first, or ``final error``.
    experiment, label : str
    gpu, cpu : (n_seeds,) array
    sizes : mapping of str to int
        ``updates`` of the shorter of the runs, and ``seeds``.
    source : Source
        The GPU's table.
    """

    measure: str
    experiment: str
    label: str
    gpu: FloatArray
    cpu: FloatArray
    sizes: Sizes
    source: Source

    @property
    def ratio(self) -> Interval:
        """The GPU's mean over the CPU's, with Student's 95 % interval of its logarithm (delta method)."""
        n, value = len(self.gpu), float(self.gpu.mean() / self.cpu.mean())
        relative = self.gpu / self.gpu.mean() - self.cpu / self.cpu.mean()
        reach = math.exp(student.ppf(0.975, n - 1) * relative.std(ddof=1) / math.sqrt(n))
        return Interval(value, value / reach, value * reach)

    @property
    def distance(self) -> float:
        """How far the mean difference is from 0, in standard errors."""
        difference = self.gpu - self.cpu
        error, gap = difference.std(ddof=1) / math.sqrt(len(difference)), abs(float(difference.mean()))
        return gap / error if error > 0 else (0.0 if gap == 0 else math.inf)


@dataclass(frozen=True)
class Comparison:
    """Everything that could be paired, and the tables of ``own`` of which nothing could, each with the reason."""

    pairs: Sequence[Pair]
    left_out: Mapping[str, str]


def compare(own: Sequence[Table] = (), cpu: Path = COMMITTED, gpu: Path = COMMITTED_GPU) -> Comparison:
    """Pair every method that was trained on a GPU with its runs on a CPU by the same protocol.

    Parameters
    ----------
    own : sequence of Table
        A user's own, of any kind and device; those of a GPU come before the committed ones.
    cpu, gpu : Path
        Directories of the committed tables.

    Raises
    ------
    ResultError
        If a committed table is damaged, nothing can be paired, or two tables have a method at the same size.
    """
    found: dict[tuple[str, str, str], Pair] = {}
    mine: dict[tuple[str, str, str], Pair] = {}
    left_out: dict[str, str] = {}
    for name, experiment in EXPERIMENTS.items():
        runs = {}
        for table in _committed(cpu, experiment):
            runs.update(_runs(table, experiment))
        for table in _committed(gpu, experiment):
            found.update(_paired(name, experiment, table, runs))
        ours = in_order(own, experiment.kind)
        left_out |= {table.path.name: reason for table in ours if (reason := _unfit(table))}
        for table in wholes([table for table in ours if not _unfit(table)]):
            pairs = dict(_paired(name, experiment, table, runs))
            _require_once(mine, pairs)
            mine.update(pairs)
            if not pairs:
                left_out |= dict.fromkeys(
                    (part.path.name for part in table.parts or (table,)), "a CPU has no two seeds of its protocol"
                )
    found.update(mine)
    if not found:
        raise ResultError(f"no learning curves of a GPU in {gpu} whose protocol is that of a CPU's in {cpu}")
    return Comparison(list(found.values()), left_out)


def _require_once(former: Mapping[tuple[str, str, str], Pair], latter: Mapping[tuple[str, str, str], Pair]) -> None:
    for key in former.keys() & latter.keys():
        if former[key].sizes == latter[key].sizes:
            both = " and ".join(sorted(str(each[key].source.table) for each in (former, latter)))
            raise ResultError(f"{both} both have {former[key].label} at the same size: move one of them away")


def _committed(directory: Path, experiment: Experiment) -> list[Table]:
    paths = sorted(directory.glob(f"{experiment.files}.parquet"))
    return in_order([load(path, kind=experiment.kind) for path in paths], experiment.kind)


def _unfit(table: Table) -> str:
    """Return why a table cannot stand for a GPU, empty if it can."""
    if not table.device.startswith("cuda:"):
        return f"not of a GPU but {table.device}"
    return "TF32 was on" if table.device.endswith("TF32 on") else ""


def _paired(
    name: str, experiment: Experiment, table: Table, cpu: Mapping[tuple[str, ...], pd.DataFrame]
) -> Iterator[tuple[tuple[str, str, str], Pair]]:
    for protocol, ours in _runs(table, experiment).items():
        if protocol not in cpu:
            continue
        seeds = ours.index.intersection(cpu[protocol].index)
        if len(seeds) < 2:
            continue
        sizes = {"updates": int(min(runs.loc[seeds, LAST].min() for runs in (ours, cpu[protocol])))}
        sizes["seeds"] = len(seeds)
        for measure in MEASURES:
            on_gpu, on_cpu = (runs.loc[seeds, measure].to_numpy(np.float64) for runs in (ours, cpu[protocol]))
            label = protocol[0]
            yield (measure, name, label), Pair(measure, name, label, on_gpu, on_cpu, sizes, table.source)


def _runs(table: Table, experiment: Experiment) -> dict[tuple[str, ...], pd.DataFrame]:
    """Return by label and protocol the errors of each seed and its last update, seeds × measures."""
    frame = table.frame[table.frame["update"] > 0].sort_values("update", kind="stable")
    lacking = {name: value for name, value in experiment.protocol.items() if name not in frame}
    names = ["label", *experiment.protocol]
    runs = {}
    for key, part in frame.assign(**lacking).groupby(names, sort=False, dropna=False):
        error = part.groupby("seed")[experiment.error]
        last = part.groupby("seed").tail(experiment.final).groupby("seed")[experiment.error].mean()
        columns = {MEASURES[0]: error.mean(), MEASURES[1]: last, LAST: part.groupby("seed")["update"].max()}
        runs[tuple(map(str, key))] = pd.DataFrame(columns)
    return runs
