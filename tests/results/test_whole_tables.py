"""Several tables of one kind: parts are merged, of different sizes the largest counts, two equals are refused."""

from dataclasses import asdict

import pandas as pd
import pytest

from simulations.errors import ResultError
from simulations.mnist.tables import with_training_seconds
from simulations.results.device_agreement import compare
from simulations.results.merging import MeasuredTables
from simulations.results.tables import COMMITTED, COMMITTED_GPU, load, save
from simulations.reversal.tables import own_curves, step_times
from simulations.verification.checks.mnist.quality import quality_rows

MNIST, REVERSAL = "mnist-learning-curves", "reversal-quality"


def write(table, path, frame=None, **config):
    """Write a table, or some of its rows, under another name."""
    frame = table.frame if frame is None else frame
    return save(
        frame.reset_index(drop=True), path, kind=table.kind, config=dict(table.config) | config, sidecar=table.sidecar
    )


@pytest.fixture(scope="module")
def mnist():
    return load(COMMITTED / "mnist-quick.parquet")


@pytest.fixture(scope="module")
def reversal():
    return load(COMMITTED / "reversal-quality-quick.parquet")


def by_run(frame):
    return frame.sort_values(["label", "seed", "update"]).reset_index(drop=True)


def halves(table, column, values):
    chosen = table.frame[column].isin(values)
    return table.frame[chosen], table.frame[~chosen]


@pytest.mark.parametrize(("column", "values"), [("seed", range(5)), ("label", ["PG", "zero-price"])])
def test_parts_are_merged_into_the_table_that_one_call_would_have_written(tmp_path, mnist, column, values):
    for number, part in enumerate(halves(mnist, column, values)):
        write(mnist, tmp_path / f"{number}" / "part.parquet", part, preset="smoke")
    tables = MeasuredTables.read(tmp_path)
    whole = tables.find(MNIST)
    pd.testing.assert_frame_equal(by_run(whole.frame), by_run(mnist.frame))
    assert whole.origin.count("part.parquet") == 2
    rows, expected = ([str(asdict(row)) for row in quality_rows(table.frame, "x")] for table in (whole, mnist))
    assert sorted(rows) == sorted(expected)
    assert not tables.unused
    assert not tables.smaller


def test_three_parts_of_seeds_and_methods_are_merged(tmp_path, mnist):
    early, late = halves(mnist, "seed", range(3))
    few, many = (late[late["label"].isin(["PG"])], late[~late["label"].isin(["PG"])])
    for name, part in {"a": early, "b": few, "c": many}.items():
        write(mnist, tmp_path / f"{name}.parquet", part)
    pd.testing.assert_frame_equal(by_run(MeasuredTables.read(tmp_path).find(MNIST).frame), by_run(mnist.frame))


def test_of_different_sizes_the_largest_counts_whatever_its_label_name_and_date(tmp_path, mnist):
    write(mnist, tmp_path / "a.parquet", preset="smoke")
    for name, some in {
        "fewer-seeds": mnist.frame["seed"] < 9,
        "shorter": mnist.frame["update"] <= 1_000,
        "fewer-methods": mnist.frame["label"] != "zero-price",
    }.items():
        write(mnist, tmp_path / f"{name}-paper.parquet", mnist.frame[some], preset="paper")
    tables = MeasuredTables.read(tmp_path)
    assert tables.find(MNIST).path.name == "a.parquet"
    assert {path.name for path in tables.smaller} == {
        "fewer-seeds-paper.parquet", "shorter-paper.parquet", "fewer-methods-paper.parquet",
    }  # fmt: skip
    assert all(larger.endswith("a.parquet") for larger in tables.smaller.values())


def test_two_whole_tables_of_equal_size_are_refused_naming_both(tmp_path, mnist):
    write(mnist, tmp_path / "x" / "one.parquet")
    write(mnist, tmp_path / "y" / "two.parquet", preset="paper")
    with pytest.raises(ResultError, match=r"x/one\.parquet and .*y/two\.parquet are equally large tables"):
        MeasuredTables.read(tmp_path).find(MNIST)


def test_two_that_could_be_the_same_part_are_refused_naming_both(tmp_path, mnist):
    pg, others = halves(mnist, "label", ["PG"])
    write(mnist, tmp_path / "others.parquet", others)
    write(mnist, tmp_path / "pg.parquet", pg)
    write(mnist, tmp_path / "pg-again.parquet", pg.assign(test_error=0.5))
    with pytest.raises(ResultError, match=r"pg-again\.parquet and .*pg\.parquet are equally large"):
        MeasuredTables.read(tmp_path).find(MNIST)


def test_equals_that_are_smaller_than_another_table_do_not_matter(tmp_path, mnist):
    write(mnist, tmp_path / "large.parquet")
    for name in "ab":
        write(mnist, tmp_path / f"{name}.parquet", mnist.frame[mnist.frame["seed"] < 2])
    assert MeasuredTables.read(tmp_path).find(MNIST).path.name == "large.parquet"


@pytest.mark.parametrize("column", ["learning_rate", "batch_size", "updates", "eval_every"])
def test_another_protocol_makes_no_part(tmp_path, mnist, column):
    pg, others = halves(mnist, "label", ["PG"])
    write(mnist, tmp_path / "others.parquet", others)
    write(mnist, tmp_path / "pg.parquet", pg.assign(**{column: pg[column] * 2}))
    tables = MeasuredTables.read(tmp_path)
    assert tables.find(MNIST).path.name == "others.parquet"
    assert [path.name for path in tables.smaller] == ["pg.parquet"]


def test_methods_at_different_seeds_are_not_put_together(tmp_path, mnist):
    pg, others = halves(mnist, "label", ["PG"])
    write(mnist, tmp_path / "others.parquet", others)
    write(mnist, tmp_path / "pg.parquet", pg[pg["seed"] < 7])
    assert MeasuredTables.read(tmp_path).find(MNIST).path.name == "others.parquet"


def test_the_seconds_of_parts_are_put_together(tmp_path):
    table = load(COMMITTED / "mnist-screeners-quick.parquet")
    labels = list(table.frame["label"].unique())
    for number, part in enumerate(halves(table, "label", labels[:3])):
        write(table, tmp_path / f"{number}.parquet", part)
    whole = MeasuredTables.read(tmp_path).find("mnist-screeners")
    expected, found = with_training_seconds(table), with_training_seconds(whole)
    pd.testing.assert_frame_equal(by_run(found), by_run(expected))


def test_a_sweeps_cells_are_put_together_and_more_draws_count_more(tmp_path):
    noise = load(COMMITTED / "noise.parquet")
    for number, part in enumerate(halves(noise, "kind", ["additive"])):
        write(noise, tmp_path / f"{number}" / "noise.parquet", part)
    tables = MeasuredTables.read(tmp_path)
    whole = tables.sweep("noise").frame
    columns = list(noise.frame.columns)
    pd.testing.assert_frame_equal(
        whole.sort_values(columns).reset_index(drop=True), noise.frame.sort_values(columns).reset_index(drop=True)
    )
    assert tables.sweep("graded") is None
    write(noise, tmp_path / "paper.parquet", noise.frame.assign(n_replicates=20_000))
    assert MeasuredTables.read(tmp_path).sweep("noise").path.name == "paper.parquet"


def test_of_token_reversal_each_method_comes_from_its_largest_table(tmp_path, reversal):
    frame = reversal.frame
    longer = frame[frame["label"] == "PG"].assign(updates=2_000, update=frame["update"] * 2)
    write(reversal, tmp_path / "all.parquet")
    write(reversal, tmp_path / "pg.parquet", longer, preset="smoke")
    found = own_curves(MeasuredTables.read(tmp_path).parts(REVERSAL))
    assert {source.table for source in found.sources()} == {"all.parquet", "pg.parquet"}
    assert found.frame.groupby("label")["updates"].max().to_dict() == {
        label: 2_000 if label == "PG" else 1_000 for label in frame["label"].unique()
    }
    assert list(found.frame["label"].unique()) == list(frame["label"].unique())


def test_seeds_of_token_reversal_are_put_together_and_say_where_they_came_from(tmp_path, reversal):
    for number, part in enumerate(halves(reversal, "seed", [0, 1])):
        write(reversal, tmp_path / f"{number}.parquet", part)
    found = own_curves(MeasuredTables.read(tmp_path).parts(REVERSAL))
    pd.testing.assert_frame_equal(by_run(found.frame.drop(columns="origin")), by_run(reversal.frame))
    assert found.frame.groupby("seed")["origin"].nunique().max() == 1
    assert {source.table for source in found.sources()} == {"0.parquet", "1.parquet"}


def test_a_method_of_token_reversal_in_two_tables_of_its_size_is_refused_naming_both(tmp_path, reversal):
    write(reversal, tmp_path / "all.parquet")
    write(reversal, tmp_path / "again.parquet", reversal.frame[reversal.frame["label"] == "DG"])
    with pytest.raises(ResultError, match=r"again\.parquet and .*all\.parquet both have DG at the same size"):
        own_curves(MeasuredTables.read(tmp_path).parts(REVERSAL))


def test_step_times_of_one_device_twice_are_refused_and_of_two_devices_are_not(tmp_path):
    cpu = load(COMMITTED / "reversal-step-times-paper.parquet")
    gpu = load(COMMITTED_GPU / "reversal-step-times-paper-cuda.parquet")
    write(cpu, tmp_path / "cpu.parquet")
    write(gpu, tmp_path / "gpu.parquet")
    found = step_times(MeasuredTables.read(tmp_path).parts(cpu.kind))
    assert {table.path.name for table in found.values()} == {"cpu.parquet", "gpu.parquet"}
    write(cpu, tmp_path / "cpu-again.parquet")
    with pytest.raises(ResultError, match=r"cpu-again\.parquet and .*cpu\.parquet are equally large"):
        step_times(MeasuredTables.read(tmp_path).parts(cpu.kind))


def test_two_tables_of_a_gpu_with_a_method_at_one_size_are_refused(tmp_path):
    gpu = load(COMMITTED_GPU / "mnist-paper-cuda.parquet")
    write(gpu, tmp_path / "a.parquet")
    assert {pair.source.table for pair in compare(MeasuredTables.read(tmp_path).parts(MNIST)).pairs} > {"a.parquet"}
    write(gpu, tmp_path / "b.parquet", gpu.frame[gpu.frame["label"] == "DG"])
    with pytest.raises(ResultError, match=r"a\.parquet and b\.parquet both have DG at the same size"):
        compare(MeasuredTables.read(tmp_path).parts(MNIST))


def test_negative_control_fewer_seeds_give_other_rows(mnist):
    assert quality_rows(mnist.frame[mnist.frame["seed"] < 9], "x") != quality_rows(mnist.frame, "x")
