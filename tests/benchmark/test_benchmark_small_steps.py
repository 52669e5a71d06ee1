"""The small steps that ``kondo bench`` times are what they are called; what is promised is timed."""

import pytest
import torch

from kondo_theory.gate import Gate
from simulations.benchmark import small_steps
from simulations.benchmark.cases import BenchmarkRow

N_UPDATES = 3


def batches(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda: (torch.rand(20, 784, generator=generator), torch.randint(10, (20,), generator=generator))


def trained(make):
    policy = small_steps._policy(8)
    update = make(batches(0), policy)
    for _ in range(N_UPDATES):
        update()
    return [parameter.detach() for parameter in policy.parameters()]


def test_the_full_step_is_the_plain_loop_and_the_gated_one_does_not_depend_on_how():
    plain, full = trained(small_steps._plain), trained(lambda *given: small_steps._screened(*given, None))
    torch.testing.assert_close(plain, full, rtol=1e-4, atol=1e-6)
    gated, second = (
        trained(lambda *given, reuse=reuse: small_steps._screened(*given, Gate(rate=0.03), reuse=reuse))
        for reuse in (True, False)
    )
    torch.testing.assert_close(gated, second, rtol=1e-4, atol=1e-6)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(gated, full, rtol=1e-4, atol=1e-6)


def test_every_promise_is_of_what_is_timed():
    names = (small_steps.PLAIN, small_steps.FULL, small_steps.GATED, small_steps.SECOND, small_steps.FORWARD)
    names = (*names, small_steps.COMPILED)
    rows = [
        BenchmarkRow(small_steps._name(*size), name, "step", float(place), 1.0, 1.0, None)
        for size in small_steps.SIZES
        for place, name in enumerate(names, start=1)
    ]
    found = small_steps.targets(rows)
    assert sorted(required for _, _, required in found if required not in ("not promised", "tried")) == sorted(
        small_steps.PROMISED.values()
    )
    tried = [measured for _, measured, required in found if required == "tried"]
    assert tried == [6 / 4] * len(small_steps.SIZES)
    what, measured, required = found[0]
    assert (measured, required) == (3.0, "≤ 0.9")
    assert what.endswith(f"{small_steps.GATED} / {small_steps.PLAIN}")
