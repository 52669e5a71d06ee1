"""What a step costs on MNIST: counted FLOPs and bytes, rows of timings, and the speed-up to an error."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from mnist_images import mnist

from kondo_theory import cost
from kondo_theory.claims import CLAIMS
from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep
from simulations.mnist.config import KIND as CURVES
from simulations.mnist.config import MnistConfig
from simulations.mnist.cost import KIND, StepSize, held_bytes, measure, sizes, too_large
from simulations.mnist.tables import committed, cost_to_error, speedups
from simulations.networks import stacked
from simulations.networks.mlp import PolicyMLP
from simulations.results.merging import MeasuredTables
from simulations.results.tables import ResultError, load, save, with_seconds
from simulations.verification.checks import Context
from simulations.verification.checks.mnist.cost import savings, speedup_rows, step_rows
from simulations.verification.verify import judge

TINY = StepSize(100, 8)
CPU = torch.device("cpu")
CLAIM = CLAIMS["mnist-savings"]


@pytest.fixture(scope="module")
def data():
    return mnist()


@pytest.fixture(scope="module")
def measured(data):
    return measure(TINY, data, CPU, rounds=3)


@pytest.mark.parametrize("small", [True, False])
def test_flops_are_those_of_the_formula(data, monkeypatch, small):
    """Small activations are kept; otherwise what the gate kept goes through another forward pass."""
    monkeypatch.setattr(stacked, "KEPT_BYTES", 100 * (8 + 8) * 4 - (not small))
    size = measure(TINY, data, CPU, rounds=1).set_index(["variant", "rate"])["flops"]
    forward = 2 * (784 * 8 + 8 * 8 + 8 * 10)
    backward = 2 * forward - 2 * 784 * 8
    assert size["full"].item() == 100 * (forward + backward) == TINY.full_flops
    assert size["screening and optimizer"].item() == 100 * forward
    for rate, kept in ((0.01, 1), (0.03, 3), (0.1, 10), (0.3, 30)):
        assert size["screened", rate] == 100 * forward + kept * (backward if small else forward + backward)


def test_bytes_held_for_the_backward_pass_are_those_of_the_kept_samples(measured):
    size = measured.set_index(["variant", "rate"])
    assert size["held_bytes"]["full"].item() == 100 * (784 + 8 + 8) * 4
    for rate in (0.01, 0.03, 0.1, 0.3):
        assert size["held_bytes"]["screened", rate] == pytest.approx(rate * 100 * (784 + 8 + 8) * 4)
        # The screening pass holds all pixels and two layers.
        assert size["peak_bytes"]["screened", rate] >= size["peak_bytes"]["screening and optimizer"].item()
    assert [len(times) for times in measured["seconds"]] == [3] * len(measured)


def test_negative_control_a_screened_step_that_keeps_all_activations_fails(data, measured):
    kept = held_bytes(TINY.program(MnistConfig("dg-k", rate=1.0), data, CPU))
    assert kept == measured[measured["variant"] == "full"]["held_bytes"].item()
    altered = measured.assign(held_bytes=np.where(measured["rate"] == 0.03, kept, measured["held_bytes"]))
    name = "bytes held for the backward pass, screened / (ρ × full), highest"
    assert verdicts(step_rows(measured, "test"))[name] == "holds"
    assert verdicts(step_rows(altered, "test"))[name] == "fails"


def test_autograd_saves_bytes_for_the_kept_samples_alone():
    """The user's own loop, another program: what autograd packs away for its backward pass."""

    def saved(gate):
        policy = PolicyMLP((40, 16, 4), seed=0)
        step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), 0.1), gate)
        observations = torch.rand(200, 40, generator=torch.Generator().manual_seed(0))
        own, found = {id(parameter.untyped_storage()) for parameter in policy.parameters()}, {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if id(storage) not in own:
                found[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            screening = step.act(observations)
            step.update(observations, screening, torch.ones(200))
        return sum(found.values())

    assert saved(Gate(rate=0.1)) < 1.1 * 0.1 * saved(None)
    assert saved(Gate(rate=1.0)) > 0.9 * saved(None)


def test_sizes_are_those_that_a_step_is_bearable_at():
    chosen = sizes()
    assert len(set(chosen)) == len(chosen)
    assert {(size.batch_size, size.width) for size in chosen}.isdisjoint(too_large())
    assert {size.width for size in chosen} == {100, 400, 1_024, 4_096}
    assert {size.batch_size for size in chosen} == {100, 1_000, 10_000, 100_000}
    assert StepSize(100_000, 1_024) in chosen
    assert too_large() == [(100_000, 4_096)], "the one at which a step takes minutes"
    assert [StepSize(b, w).rounds for b, w in ((100, 100), (10_000, 400), (100_000, 400), (100_000, 1_024))] == [
        15, 9, 5, 3,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "size", [TINY, StepSize(10_500, 200), StepSize(10_486, 200), StepSize(20_000, 200, "bfloat16")]
)
def test_a_size_says_whether_its_screened_step_keeps_activations(data, size):
    """2^24 bytes are 10,485.76 rows of 400 numbers of four bytes."""
    program = size.program(MnistConfig("dg-k", rate=0.03), data, CPU)
    inputs = program.step.act(program.batch()[2]).inputs
    assert (inputs is not None) == size.keeps_activations == (size.batch_size in (100, 20_000))


def test_no_tensor_is_made_on_the_default_device(data):
    """Under a meta default device a tensor made without a device has no values: there would be nothing to time."""
    with torch.device("meta"):
        found = measure(TINY, data, CPU, rounds=1).drop(columns="seconds")
    pd.testing.assert_frame_equal(found, measure(TINY, data, CPU, rounds=1).drop(columns="seconds"))


def timings(slower=1.0, at=(1_000, 1_024), peak=0.6):
    """Timings of the physical model, c = 2, with two per cent of jitter and an overhead of 5 %."""
    rng, rows = np.random.default_rng(0), []

    def seconds(value):
        return (value * rng.uniform(0.99, 1.01, 9)).tolist()

    for batch_size in (100, 1_000, 100_000):
        for width in (100, 1_024, 4_096):
            unit = 1e-7 * batch_size * width
            size = {"batch_size": batch_size, "width": width, "dtype": "float32", "seeds": 1}
            for variant, value in (("full", 3.1), ("screening and optimizer", 1.1)):
                row = {"variant": variant, "rate": math.nan, "seconds": seconds(unit * value)}
                rows.append(size | row | {"held_bytes": 1_000 * batch_size, "peak_bytes": 2_000 * batch_size})
            for rate in (0.03, 0.3):
                value = 1.05 * (1 + rate * 3.1 + 0.1) * (slower if (batch_size, width) == at else 1.0)
                row = {"variant": "screened", "rate": rate, "seconds": seconds(unit * value)}
                held = 1_000 * rate * batch_size
                rows.append(size | row | {"held_bytes": held, "peak_bytes": 2_000 * peak * batch_size})
    return pd.DataFrame(rows)


def verdicts(rows):
    found = {row.quantity: row for row in rows}
    criteria = {c.quantity: c for c in CLAIM.rule.criteria if c.quantity in found}
    return {name: criterion.judge(found[name].low, found[name].high) for name, criterion in criteria.items()}


def test_timings_of_the_model_meet_every_criterion():
    rows = step_rows(timings(), "test")
    assert set(verdicts(rows).values()) == {"holds"}
    assert len(verdicts(rows)) == 5
    by_name = {row.quantity: row for row in rows}
    worst = by_name["seconds a step, screened / full, highest of all"]
    assert worst.value == pytest.approx(1.05 * 2.03 / 3.1, rel=0.01)
    assert "30 %" in worst.origin


@pytest.mark.control("mnist-savings")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"slower": 1.3}, {"seconds of a screened step"}),
        ({"slower": 1.8}, {"seconds of a screened step", "highest of all", "highest from B = 1,000 on"}),
        ({"slower": 1.8, "at": (100, 100)}, {"highest of all"}),
        ({"peak": 1.01}, {"peak bytes"}),
    ],
)
def test_negative_control_a_slowed_step_misses_its_criteria(change, missed):
    failed = {name for name, verdict in verdicts(step_rows(timings(**change), "test")).items() if verdict == "fails"}
    assert len(failed) == len(missed)
    assert all(any(part in name for name in failed) for part in missed)


def curves(pg=(0.9, 0.2, 0.1, 0.04), dg=(0.9, 0.04, 0.03, 0.02), gate=(0.9, 0.1, 0.04, 0.03)):
    """Ten seeds, an evaluation every 1,000 updates of one sample; the gate keeps 3 %."""
    rows = []
    for label, errors, share in (("PG", pg, 1.0), ("DG", dg, 1.0), ("DG-K(3 %)", gate, 0.03)):
        for seed in range(10):
            for step, error in enumerate(errors):
                spent = {"forward_samples": 1_000 * step, "backward_samples": 1_000 * step * share}
                rows.append({"label": label, "seed": seed, "update": 1_000 * step, "test_error": error} | spent)
    return pd.DataFrame(rows)


def test_the_speedup_is_that_of_the_cost_model():
    """PG needs 3,000 forward samples, DG 1,000, the gate 2,000; against the closed form of the step's cost."""
    c = np.array([0.0, 4.0, 16.0])
    np.testing.assert_allclose(speedups(curves(), "DG", c)[0], 3)
    for accounting in ("logical", "physical"):
        expected = cost.speedup(3_000, 2_000, 0.03, c, accounting)
        np.testing.assert_allclose(speedups(curves(), "DG-K(3 %)", c, accounting)[0], expected[:, None].repeat(10, 1))
    spent, reached = cost_to_error(curves(), "PG", 0.05, c, "physical")
    assert reached.all()
    np.testing.assert_allclose(spent, (3_000 * (1 + c))[:, None].repeat(10, 1))
    with pytest.raises(ValueError, match="accounting must be one of logical, physical, got 'full'"):
        cost_to_error(curves(), "PG", 0.05, c, "full")


def test_a_seed_of_pg_that_never_arrives_makes_a_lower_bound():
    found = {row.quantity: row for row in speedup_rows(curves(pg=(0.9, 0.2, 0.1, 0.06)), "test")}
    row = found["speed-up to 5 % error over PG, DG-K(3 %), c = 4, at least"]
    assert row.value == pytest.approx(1.5 * 5 / 1.12)
    assert (row.high, row.published) == (math.inf, 6.0)
    assert "0 of 10 seeds of PG got there" in row.origin
    never = {row.quantity: row for row in speedup_rows(curves(gate=(0.9, 0.2, 0.1, 0.06)), "test")}
    assert never["speed-up to 5 % error over PG, DG-K(3 %), c = 4, at least"].value == 0
    assert found["speed-up to 5 % error over PG, DG, any c, at least"].value == 3
    with pytest.raises(ResultError, match="the learning curves lack DG, which"):
        speedup_rows(curves().query("label != 'DG'"), "test")


@pytest.mark.control("mnist-savings")
def test_negative_control_a_gate_as_slow_as_pg_misses_the_published_speedup():
    rows = speedup_rows(curves(gate=(0.9, 0.3, 0.2, 0.04), dg=(0.9, 0.3, 0.2, 0.04)), "test")
    assert verdicts(rows)["speed-up to 5 % error over PG, DG, any c, at least"] == "fails"
    assert verdicts(rows)["speed-up to 5 % error over PG, DG-K(3 %), c = 4, at least"] == "fails"
    assert set(verdicts(speedup_rows(curves(), "test")).values()) == {"holds"}


def test_every_criterion_is_measured_and_a_merged_table_is_used(tmp_path):
    """Tables from elsewhere are judged by their sizes; without their seconds they are refused."""
    steps = timings()
    seconds = steps.pop("seconds").tolist()
    for name, sidecar in (("good", {"seconds": seconds}), ("bad", {"seconds": seconds[1:]})):
        save(steps, tmp_path / f"{name}.parquet", kind=KIND, config={"preset": "quick"}, sidecar=sidecar)
    config = {"preset": "paper"}
    save(curves(), tmp_path / "curves.parquet", kind=CURVES, config=config, sidecar={})
    tables = MeasuredTables([load(tmp_path / "good.parquet"), load(tmp_path / "curves.parquet")])
    rows = savings(Context("smoke", "cpu", 1, lambda _: None, tables))
    assert {(row.sources[0].table, tuple(row.sizes.items())) for row in rows} == {
        ("good.parquet", (("samples a batch", 100_000), ("units a layer", 4_096))),
        ("curves.parquet", (("updates", 3_000), ("seeds", 10))),
    }
    assert judge(CLAIM, None, [], rows)[0] == "holds in regime"
    small = replace(tables.find(KIND), frame=steps[steps["width"] < 1_000].assign(seconds=0))
    seconds_of_small = [each for each, width in zip(seconds, steps["width"], strict=True) if width < 1_000]
    small = replace(small, sidecar={"seconds": seconds_of_small})
    rows = savings(Context("smoke", "cpu", 1, lambda _: None, MeasuredTables([small, tables.find(CURVES)])))
    assert judge(CLAIM, None, [], rows) == ("not run", "100 units a layer; the rule asks for 4,096")
    with pytest.raises(ResultError, match=r"bad\.parquet needs a sidecar with seconds for each of its"):
        with_seconds(load(tmp_path / "bad.parquet"))


def test_the_largest_committed_table_is_taken_whatever_its_label(tmp_path):
    assert committed("a", "b", directory=tmp_path) is None
    save(curves(), tmp_path / "b.parquet", kind=CURVES, config={"preset": "smoke"}, sidecar={})
    assert committed("a", "b", directory=tmp_path).path.name == "b.parquet"
    short = curves()[lambda frame: frame["update"] < 3_000]
    save(short, tmp_path / "a.parquet", kind=CURVES, config={"preset": "paper"}, sidecar={})
    assert committed("a", "b", directory=tmp_path).path.name == "b.parquet"
