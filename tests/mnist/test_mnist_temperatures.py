"""Soft gates on MNIST: that of Algorithm 1, what it keeps and what it is predicted to keep."""

import math

import pytest
import torch
from mnist_images import few_images

from kondo_theory.gate import Gate
from simulations.mnist.config import MnistConfig
from simulations.mnist.experiment import plan_mnist
from simulations.mnist.steps.temperatures import CONTENDERS, TemperatureSize, expected_shares, run

CPU = torch.device("cpu")


def test_a_temperature_of_dg_k_is_that_of_algorithm_1():
    soft = MnistConfig("dg-k", rate=0.03, temperature=0.5)
    assert soft.gate == Gate(rate=0.03, temperature=0.5, calibrated=False)
    assert soft.label == "DG-K(3 %, η=0.5)"
    hard = MnistConfig("dg-k", rate=0.03)
    assert (hard.gate, hard.label) == (Gate(rate=0.03), "DG-K(3 %)")
    assert MnistConfig("dg-k", rate=0.03, temperature=0.0).gate == hard.gate
    for settings, message in (
        ({"method": "screen", "rate": 0.1, "rule": "advantage", "temperature": 1.0}, "temperature belongs to gate"),
        ({"method": "dg-k", "rate": 0.1, "temperature": -1.0}, "temperature must be finite and at least 0, got -1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            MnistConfig(**settings)
    assert len({config.label for config in CONTENDERS}) == len(CONTENDERS)


def test_a_temperature_goes_to_gates_at_a_rate_that_stand_alone(tmp_path):
    options = {
        "preset": "smoke", "rates": [0.1], "price": None, "rules": [], "alpha": None, "seeds": "1", "updates": None,
        "learning_rate": 1e-3, "device": "cpu", "workers": 1, "out": tmp_path / "t.parquet", "overwrite": False,
        "checkpoint_seconds": 0.0, "captured": False,
    }  # fmt: skip
    for methods, labels in ((["dg-k"], ["DG-K(10 %, η=2)"]), (["dg", "dg-k"], ["DG(η=2)", "DG-K(10 %)"])):
        plan = plan_mnist(methods=methods, temperature=2.0, **options)
        assert [config.label for config in plan.configs] == labels


def test_the_gate_keeps_what_is_expected_of_its_own_batches():
    """At a tenth it keeps far more, so that the rate itself would be found out."""
    data, soft = few_images(), MnistConfig("dg-k", rate=0.1, temperature=0.5, hidden=(8,))
    updates, seeds = 40, (0, 1)
    expected = float(expected_shares(soft, [soft.gate], data, CPU, updates, seeds)[0])
    table = run(soft, TemperatureSize(updates, len(seeds), updates), data, CPU)
    last = table[table["update"] == updates]
    kept = (last["backward_samples"] / last["forward_samples"]).mean()
    n = last["forward_samples"].sum()
    assert abs(kept - expected) < 4 * math.sqrt(0.25 / n)
    assert kept > 0.2
