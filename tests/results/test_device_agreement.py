"""The claim device-agreement: what is compared, what it takes to fail, and that the committed curves agree."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.results.device_agreement import EXPERIMENTS, Comparison, Pair, compare
from simulations.results.merging import MeasuredTables
from simulations.results.sources import Source
from simulations.results.tables import COMMITTED, COMMITTED_GPU, load
from simulations.verification.checks import Context
from simulations.verification.checks.devices import device_agreement, device_rows
from simulations.verification.verify import judge

CLAIM = CLAIMS["device-agreement"]
LARGEST = "largest difference of the two means, standard errors"


def pair_of(gpu, cpu, label="DG", experiment="MNIST"):
    return Pair("final error", experiment, label, np.array(gpu), np.array(cpu), {}, Source("test"))


def own(name, change=lambda frame: frame, **sidecar):
    """A committed table of a GPU as if a user had measured it, with other curves or another sidecar."""
    table = load(COMMITTED_GPU / f"{name}-cuda.parquet")
    path = table.path.with_name("own.parquet")
    return replace(table, frame=change(table.frame), path=path, sidecar=table.sidecar | sidecar)


def verdict(*tables):
    rows = device_agreement(Context("quick", "cpu", 1, print, MeasuredTables(tables)))
    assert len({row.quantity for row in rows}) == len(rows)
    return judge(CLAIM, None, [], rows)[0], {row.quantity: row for row in rows}


def test_the_committed_curves_agree_and_every_method_of_the_gpu_is_compared():
    found, rows = verdict()
    assert found == "holds in regime"
    trained = {
        (name, label)
        for name, experiment in EXPERIMENTS.items()
        for path in COMMITTED_GPU.glob(f"{experiment.files}.parquet")
        for label in load(path).frame["label"]
    }
    assert {(pair.experiment, pair.label) for pair in compare().pairs} == trained
    assert len(trained) == 10
    assert all("cuda: NVIDIA H200" in row.origin for row in rows.values())


@pytest.mark.control("device-agreement")
@pytest.mark.parametrize("label", ["DG", "DG-K(1 %)", "DG-K(3 %)", "DG-K(10 %)", "cross-entropy"])
def test_negative_control_a_method_with_more_error_is_noticed(label):
    def worse(frame):
        return frame.assign(test_error=frame["test_error"].mask(frame["label"] == label, 1.15 * frame["test_error"]))

    found, rows = verdict(own("mnist-paper", worse))
    assert found == "contradicted"
    assert rows[f"final error, GPU / CPU, {label}, MNIST"].origin.startswith("own.parquet")


@pytest.mark.control("device-agreement")
def test_negative_control_one_method_taken_for_another_is_noticed():
    names = {"DG": "DG-K(3 %)", "DG-K(3 %)": "DG"}
    found, rows = verdict(own("mnist-paper", lambda frame: frame.assign(label=frame["label"].replace(names))))
    assert found == "contradicted"
    assert rows[LARGEST].value > 4


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (own("mnist-paper", lambda frame: frame.assign(updates=20_000)), "a CPU has no two seeds of its protocol"),
        (own("mnist-paper", lambda frame: frame.assign(hidden="50-50")), "a CPU has no two seeds of its protocol"),
        (own("mnist-paper", lambda frame: frame[frame["seed"] == 0]), "a CPU has no two seeds of its protocol"),
        (own("mnist-paper", device="cuda: NVIDIA H200, TF32 on"), "TF32 was on"),
        (own("mnist-paper", device="cpu: Xeon"), "not of a GPU but cpu: Xeon"),
    ],
    ids=["longer", "wider", "one seed", "TF32", "CPU"],
)
def test_a_table_that_cannot_be_compared_is_named(table, reason):
    found, rows = verdict(replace(table, frame=table.frame.assign(test_error=0.9)))
    assert found == "holds in regime"
    assert rows[LARGEST].origin.endswith(f"; not compared: own.parquet, {reason}")
    assert not any(row.origin.startswith("own.parquet") for row in rows.values())


def test_a_table_from_before_a_column_was_one_is_compared_by_its_default():
    quick = load(COMMITTED / "mnist-quick.parquet")
    assert "hidden" not in quick.frame
    table = replace(quick, path=quick.path.with_name("own.parquet"), sidecar={"device": "cuda: A100, TF32 off"})
    found = compare([table])
    mine = {pair.label: pair for pair in found.pairs if pair.source.table == "own.parquet"}
    assert set(mine) == set(quick.frame["label"])
    assert not found.left_out
    assert all(pair.distance == 0 for pair in mine.values()), "the CPU's own curves"


def test_of_two_tables_the_larger_counts_in_whatever_order_and_with_whatever_label_they_come():
    quick = load(COMMITTED / "reversal-quality-quick.parquet")
    paper = load(COMMITTED / "reversal-quality-paper.parquet")
    sidecar = {"device": "cuda: A100, TF32 off"}
    tables = [replace(table, sidecar=sidecar, config={"preset": "smoke"}) for table in (paper, quick)]
    for order in (tables, tables[::-1]):
        updates = {pair.sizes["updates"] for pair in compare(order).pairs if pair.label == "row gate(3 %)"}
        assert updates == {10_000}


def test_the_ratio_and_the_distance_of_pairs():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.3, 400)
    gpu, cpu = 1.1 + shared + rng.normal(0, 0.1, 400), 1.0 + shared + rng.normal(0, 0.2, 400)
    pair = pair_of(gpu, cpu)
    assert pair.distance == pytest.approx(ttest_rel(gpu, cpu).statistic)
    ratios = [gpu[i].mean() / cpu[i].mean() for i in rng.integers(400, size=(4_000, 400))]
    low, high = np.quantile(ratios, (0.025, 0.975))
    assert (pair.ratio.low, pair.ratio.high) == pytest.approx((low, high), abs=0.1 * (high - low)), "the bootstrap"
    assert pair.ratio.value == gpu.mean() / cpu.mean()
    assert pair_of([1.0, 1.0], [1.0, 1.0]).distance == 0
    assert pair_of([1.0, 1.0], [2.0, 2.0]).distance == np.inf


def test_seeds_that_differ_too_much_are_undecided():
    committed = compare()
    unsure = [
        replace(pair, gpu=pair.gpu * np.linspace(0.4, 1.6, len(pair.gpu))) if pair.label == "DG" else pair
        for pair in committed.pairs
    ]
    rows = device_rows(Comparison(unsure, {}))
    assert judge(CLAIM, None, [], rows)[0] == "undecided"


def test_without_a_table_of_a_gpu_there_is_nothing_to_compare(tmp_path):
    with pytest.raises(ResultError, match=r"no learning curves of a GPU in .* whose protocol is that of a CPU's"):
        compare(gpu=tmp_path)


def test_claims_about_methods_are_not_judged_by_a_gpu_s_tables_unless_asked():
    tables = MeasuredTables.read(COMMITTED)
    for experiment in EXPERIMENTS.values():
        assert all(table.sidecar["device"].startswith("cpu") for table in tables.parts(experiment.kind))
    assert MeasuredTables.read(COMMITTED_GPU).find("mnist-learning-curves").sidecar["device"].startswith("cuda")
