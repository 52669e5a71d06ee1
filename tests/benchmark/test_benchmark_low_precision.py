"""The benchmark that explains a screened step's time: its products are the gradients, its promises are timed."""

from itertools import pairwise

import pytest
import torch

from simulations.benchmark import low_precision
from simulations.benchmark.cases import BenchmarkRow
from simulations.mnist.cost import StepSize


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_products_are_those_of_a_backward_pass_through_linear_layers(dtype):
    size, samples = StepSize(40, 6, dtype), 7
    found = low_precision.backward_products(size, samples)()
    generator, widths = torch.Generator().manual_seed(0), (784, 6, 6, 10)

    def drawn(*shape):
        return torch.randn(shape, generator=generator).to(getattr(torch, dtype))

    expected = []
    for n, m in pairwise(widths):
        inputs, gradient, weight = drawn(samples, n), drawn(samples, m), drawn(m, n)
        for each in (inputs, weight):
            each.requires_grad_()
        (inputs @ weight.T).backward(gradient)
        expected.append((weight.grad, inputs.grad))
    weights, inputs = zip(*expected, strict=True)
    torch.testing.assert_close(found, [*weights, *inputs[1:]])
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found[1], weights[2])


def test_every_step_that_is_promised_is_compared_with_what_screening_optimizer_and_its_share_take():
    of = {
        low_precision.FULL: 100.0,
        low_precision.BASE: 20.0,
        "1 % kept": 42.0,
        "3 % kept": 46.0,
        low_precision.PRODUCTS: 10.0,
        "backward products alone, 1 % of samples": 4.0,
        "backward products alone, 3 % of samples": 5.0,
    }
    rows = [
        BenchmarkRow(low_precision._name(size), name, "step", value, 1.0, 1.0, None)
        for size in low_precision.SIZES
        for name, value in of.items()
    ]
    found = low_precision.targets(rows)
    assert [(round(value, 6), required) for _, value, required in found[:6]] == [
        (2.0, "≤ 1.2"),
        (2.0, "≤ 1.2"),
        (0.4, "explains"),
        (1.75, "explains"),
        (0.5, "explains"),
        (1.84, "explains"),
    ]
    assert len(found) == 12


def test_the_cases_run_what_they_are_called():
    for case in low_precision.cases(quick=True):
        for number, run in case.variants.values():
            assert number == 1
            run()
        assert set(case.variants) >= {low_precision.FULL, low_precision.BASE, low_precision.PRODUCTS, "1 % kept"}
