"""The claim device-agreement: what is compared, what it takes to fail, and that the committed curves agree."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from simulations.checks import Context
from simulations.checks.devices import device_agreement, device_rows
from simulations.device_tables import Pair, pairs
from simulations.errors import ResultError
from simulations.merging import MeasuredTables
from simulations.results import COMMITTED, load
from simulations.verify import judge

CLAIM = CLAIMS["device-agreement"]
LARGEST = "largest difference of the two means, standard errors"


def pair_of(gpu, cpu, label="DG"):
    return Pair("MNIST", label, np.array(gpu), np.array(cpu), "test", "paper")


def gpu_table(name, change):
    """A committed table of a GPU as if a user had measured it, with other curves."""
    table = load(COMMITTED / f"{name}-cuda.parquet")
    return replace(table, frame=change(table.frame), path=table.path.with_name("own.parquet"))


def verdict(*tables):
    rows = device_agreement(Context("quick", "cpu", 1, print, MeasuredTables(tables)))
    assert len({row.quantity for row in rows}) == len(rows)
    return judge(CLAIM, None, [], rows, "quick")[0], {row.quantity: row for row in rows}


def test_the_committed_curves_agree_and_every_method_of_the_gpu_is_compared():
    found, rows = verdict()
    assert found == "holds in regime"
    assert {pair.label for pair in pairs()} == set(load(COMMITTED / "mnist-paper.parquet").frame["label"]) | {
        "row gate(3 %)"
    }
    assert all("cuda: NVIDIA H200" in row.origin for row in rows.values())


def test_negative_control_a_slower_method_is_noticed():
    """A fifth more error by each of the methods whose seeds are alike, and a method that is another one."""
    slower = gpu_table("mnist-paper", lambda frame: frame.assign(test_error=1.2 * frame["test_error"]))
    found, rows = verdict(slower)
    assert found == "fails"
    assert rows["mean error over training, GPU / CPU, DG, MNIST"].origin.startswith("own.parquet")
    names = {"DG": "DG-K(3 %)", "DG-K(3 %)": "DG"}
    swapped = gpu_table("mnist-paper", lambda frame: frame.assign(label=frame["label"].replace(names)))
    found, rows = verdict(swapped)
    assert found == "fails"
    assert rows[LARGEST].value > 4


def test_another_protocol_is_not_compared():
    shorter = gpu_table("mnist-paper", lambda frame: frame.assign(updates=20_000, test_error=0.9))
    unknown = gpu_table("mnist-paper", lambda frame: frame.assign(test_error=0.9).drop(columns="hidden"))
    for table in (shorter, unknown):
        found, rows = verdict(table)
        assert found == "holds in regime"
        assert not any("own.parquet" in row.origin for row in rows.values())


def test_the_ratio_and_the_distance_of_two_samples():
    rng = np.random.default_rng(0)
    gpu, cpu = rng.normal(1.1, 0.1, 400), rng.normal(1.0, 0.2, 100)
    pair = pair_of(gpu, cpu)
    standard_error = np.sqrt(0.1**2 / 400 + 0.2**2 / 100)
    assert pair.distance == pytest.approx((gpu.mean() - cpu.mean()) / standard_error, rel=0.15)
    width = pair.ratio.high - pair.ratio.low
    assert width == pytest.approx(2 * 1.96 * 1.1 * np.hypot(0.005 / 1.1, 0.02), rel=0.15), "the delta method"
    assert pair.ratio.low < gpu.mean() / cpu.mean() == pair.ratio.value < pair.ratio.high
    assert pair_of([1.0, 1.0], [1.0, 1.0]).distance == 0
    assert pair_of([1.0, 1.0], [2.0, 2.0]).distance == np.inf


def test_two_seeds_that_differ_are_undecided():
    rows = device_rows(
        [
            pair_of([0.8, 1.2], [1.0, 1.1]),
            pair_of([1.0, 1.01], [1.0, 1.01], "DG-K(3 %)"),
            replace(pair_of([1.0, 1.01], [1.0, 1.01], "row gate(3 %)"), experiment="token reversal"),
        ]
    )
    assert judge(CLAIM, None, [], rows, "quick")[0] == "undecided"


def test_without_a_table_of_a_gpu_there_is_nothing_to_compare(tmp_path):
    assert pairs(directory=tmp_path) == []
    with pytest.raises(ResultError, match="no learning curves of a GPU whose protocol is that of a CPU's"):
        device_rows([])
