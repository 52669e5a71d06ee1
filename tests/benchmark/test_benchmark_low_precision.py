"""The benchmark that explains a screened step's time: its products are the gradients, its promises are timed."""

import pytest
import torch
from torch import nn

from simulations.benchmark import low_precision
from simulations.benchmark.cases import BenchmarkRow
from simulations.mnist.cost import StepSize


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_gradients_are_those_of_linear_layers(dtype):
    size, samples = StepSize(40, 6, dtype), 7
    found = low_precision.weight_gradients(size, samples)()
    generator = torch.Generator().manual_seed(0)
    widths = (784, 6, 6, 10)
    inputs, outputs = (
        [torch.randn(samples, width, generator=generator).to(getattr(torch, dtype)) for width in chosen]
        for chosen in (widths[:-1], widths[1:])
    )
    for given, gradient, products in zip(inputs, outputs, found, strict=True):
        layer = nn.Linear(given.shape[1], gradient.shape[1], bias=False, dtype=given.dtype)
        layer(given).backward(gradient)
        assert products.dtype == given.dtype
        torch.testing.assert_close(products, layer.weight.grad)
        with pytest.raises(AssertionError):
            torch.testing.assert_close(products, 2 * layer.weight.grad)


def test_every_step_that_is_promised_is_compared_with_what_screening_optimizer_and_its_share_take():
    of = {
        low_precision.FULL: 100.0,
        low_precision.BASE: 20.0,
        "1 % kept": 42.0,
        "3 % kept": 46.0,
        low_precision.WEIGHTS: 10.0,
        "weights' gradients alone, 1 % of samples": 4.0,
        "weights' gradients alone, 3 % of samples": 5.0,
    }
    rows = [
        BenchmarkRow(low_precision._name(size), name, "step", value, 1.0, 1.0, None)
        for size in low_precision.SIZES
        for name, value in of.items()
    ]
    found = low_precision.targets(rows)
    assert [(round(value, 6), required) for _, value, required in found[:4]] == [
        (2.0, "≤ 1.2"),
        (2.0, "≤ 1.2"),
        (0.4, "not promised"),
        (0.5, "not promised"),
    ]
    assert len(found) == 8


def test_the_cases_run_what_they_are_called():
    for case in low_precision.cases(quick=True):
        for number, run in case.variants.values():
            assert number == 1
            run()
        assert set(case.variants) >= {low_precision.FULL, low_precision.BASE, low_precision.WEIGHTS, "1 % kept"}
