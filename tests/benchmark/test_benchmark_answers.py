"""The case of the benchmark of answers runs, and measures what a step holds for its backward pass."""

import torch
from torch import nn

from simulations.benchmark import answers as benchmark
from simulations.benchmark.cases import BenchmarkRow


def test_the_case_runs_and_has_its_promises():
    (case,) = benchmark.cases(quick=True)
    rows = [
        BenchmarkRow(case.name, name, case.unit, 100.0 / place, 1, 1.0, case.memory(call))
        for place, (name, (_, call)) in enumerate(case.variants.items(), 1)
    ]
    assert [row.variant for row in rows] == ["full step", "12.5 % of rows", "12.5 % of tokens", "selection alone"]
    *times, (what, memory, required) = benchmark.targets(rows)
    assert [(round(measured, 3), wanted) for _, measured, wanted in times] == [
        (0.5, "≤ 0.35"),
        (0.333, "not promised"),
        (0.25, "≤ 0.03"),
    ]
    assert (what.endswith("memory of activations"), required) == (True, "≤ 0.3")
    assert 0.05 < memory < 0.3, "two rows of sixteen"
    assert rows[-1].peak_bytes == 0, "selection holds nothing"


def test_saved_storages_count_once_and_the_models_own_not():
    layer, x = nn.Linear(3, 5), torch.ones(7, 3)

    def call():
        hidden = layer(x).exp()  # of the layer its input is saved, of the exponential its output
        (hidden * hidden.flatten()[0:1]).sum().backward()

    assert benchmark.saved_bytes(call, layer) == 4 * (7 * 3 + 7 * 5)
