"""The benchmark of selection runs, and promises a tenth of what 10^8 scores may take."""

import pytest

from simulations.benchmark import compilation
from simulations.benchmark import large_batches as benchmark
from simulations.benchmark.cases import BenchmarkRow


def test_the_cases_run_and_keep_what_a_rate_keeps():
    one, rows = benchmark.cases(quick=True)
    assert (one.name, rows.name) == ("selection, one batch", "selection, rows of 100")
    assert list(one.variants) == ["NumPy", "torch", "NumPy, 13 values", "price, NumPy"]
    assert list(rows.variants) == ["NumPy", "torch"]
    for case in (one, rows):
        for _, call in case.variants.values():
            call()
    scores = benchmark.np.zeros(1_000, benchmark.np.float32)
    assert benchmark._in_numpy(scores).sum() == benchmark._in_torch(scores).sum() == 30


def test_the_promises():
    rows = [
        BenchmarkRow("selection, one batch", "NumPy", "million scores", 1e4, 0.1, 1.0, 20_000_000),
        BenchmarkRow("selection, one batch", "torch", "million scores", 2e4, 0.2, 2.0, 0),
        BenchmarkRow("selection, rows of 100", "NumPy", "million scores", 3e4, 0.3, 1.0, 30_000_000),
        BenchmarkRow("another", "NumPy", "step", 1.0, 1.0, 1.0, 1),
    ]
    assert [(measured, required) for _, measured, required in benchmark.targets(rows)] == [
        (0.1, "≤ 0.25"),
        (0.02, "≤ 0.25"),
        (0.2, "≤ 0.25"),
        (0.3, "not promised"),
        (0.03, "≤ 0.25"),
    ]


def test_the_cold_start_is_that_of_the_kernel_that_compiles_longest():
    found = [
        BenchmarkRow(f"compilation, {name}", variant, "compile", 1e6 * seconds, seconds, 1.0, None)
        for name, variant, seconds in (("a", "cold", 2.0), ("a", "from the cache", 9.0), ("b", "cold", 5.0))
    ]
    (slowest, longest, required), (_, in_all, unpromised) = compilation.targets(found)
    assert (slowest.startswith("compilation, b"), longest, required) == (True, 5.0, "≤ 15")
    assert (in_all, unpromised) == (pytest.approx(7.0), "not promised")
    assert compilation.targets([]) == []
    torchs = BenchmarkRow(f"compilation, {compilation.TORCH}", "cold", "compile", 3e7, 30.0, 1.0, None)
    *kernels, (_, seconds, tried) = compilation.targets([*found, torchs])
    assert [measured for _, measured, _ in kernels] == [5.0, pytest.approx(7.0)]
    assert (seconds, tried) == (30.0, "tried")
