"""The rule for simulated checks, and the bootstrap against SciPy's and against its own coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from simulations.statistics import Measured, Simulated, bootstrap, mean_and_error, named_values


@pytest.mark.parametrize(
    ("row", "within"),
    [
        (Simulated("agrees", 1.0, 1.003, 0.001), True),
        (Simulated("five standard errors off", 1.0, 1.005, 0.001), False),
        (Simulated("too noisy to fail", 1.0, 1.0, 0.02), None),
        (Simulated("noisy, and off all the same", 1.0, 2.0, 0.02), False),
        (Simulated("a zero with a resolution", 0.0, 1e-4, 5e-5, resolution=1e-4), True),
        (Simulated("a zero without one", 0.0, 1e-4, 5e-5), None),
        (Simulated("exact but for rounding", 0.1, 0.1 + 1e-17, 0.0), True),
        (Simulated("exact and wrong", 0.1, 0.1 + 1e-9, 0.0), False),
        (Simulated("not a number", 0.1, math.nan, 0.1), False),
        (Simulated("no standard error", 0.1, 0.1, math.nan), False),
    ],
    ids=lambda value: getattr(value, "quantity", ""),
)
def test_the_rule_for_simulated_checks(row, within):
    assert row.within is within
    assert row.to_json()["within"] is within
    assert set(row.to_json()) == {"quantity", "predicted", "estimate", "standard_error", "within", "parameters"}


def test_infinite_measurements_become_null_in_json():
    row = Measured("backward samples", math.inf, 1.0, math.inf, 5, None, "now").to_json()
    assert row["value"] is None
    assert row["high"] is None
    assert row["low"] == 1.0


def test_a_simulation_that_broke_is_null_in_json():
    row = Simulated("broken", 1.0, math.nan, math.inf).to_json()
    assert (row["estimate"], row["standard_error"], row["within"]) == (None, None, False)


def test_bootstrap_of_the_median_against_scipy():
    values = np.random.default_rng(0).normal(size=31)
    ours = bootstrap(values)
    reference = stats.bootstrap((values,), np.median, method="percentile", n_resamples=10_000, rng=1)
    assert ours.value == np.median(values)
    spread = reference.confidence_interval.high - reference.confidence_interval.low
    assert abs(ours.low - reference.confidence_interval.low) < 0.05 * spread
    assert abs(ours.high - reference.confidence_interval.high) < 0.05 * spread


def coverage(level):
    """Share of 400 samples of ten normal numbers whose interval for the median contains the true median."""
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.normal(size=10), level=level, n_resamples=500) for _ in range(400)]
    return float(np.mean([i.low <= 0 <= i.high for i in intervals]))


def test_bootstrap_coverage():
    # Four binomial standard errors of 400 samples around 93.5 %, what this interval of ten values covers.
    assert abs(coverage(0.95) - 0.935) < 4 * math.sqrt(0.935 * 0.065 / 400)


def test_negative_control_a_narrower_interval_misses_the_coverage():
    assert abs(coverage(0.7) - 0.935) > 4 * math.sqrt(0.935 * 0.065 / 400)


def test_bootstrap_handles_seeds_that_never_arrive():
    interval = bootstrap([3.0, math.inf, 2.0, 4.0, math.inf])
    assert interval.value == 4.0
    assert interval.high == math.inf
    assert bootstrap([1.0, 2.0]) == bootstrap([1.0, 2.0])  # the same interval in every run


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0]]])
def test_bootstrap_refuses_bad_values(values):
    with pytest.raises(ValueError, match="non-empty vector without NaN"):
        bootstrap(values)


def test_mean_and_error():
    values = np.arange(5.0)
    assert mean_and_error(values) == (2.0, pytest.approx(stats.sem(values)))
    with pytest.raises(ValueError, match="at least two replicates"):
        mean_and_error([1.0])


def test_the_values_in_a_name_are_fields_of_their_own():
    assert named_values("Var_⊥ at K=10, p=0.02, b=-1e-3") == {"K": 10, "p": 0.02, "b": -0.001}
    assert named_values("utility at χ−λ=-2, η=0.25") == {"χ−λ": -2, "η": 0.25}
    assert named_values("PG over zero price's at K=2, b=p=0.567") == {"K": 2, "b": 0.567, "p": 0.567}
    assert named_values("cos of the family at n=1 (K=3)") == {"n": 1, "K": 3}
    assert named_values("time, pg, b=value, p from 1/K to 0.9") == {"b": "value"}
    assert named_values("drift, unequal") == {}


def test_a_simulated_row_says_its_point_in_full():
    row = Simulated("x at p=0.333, K=3", 1.0, 1.0, 0.001, parameters={"p": 1 / 3, "rule": "delight", "b": math.inf})
    found = row.to_json()
    assert found["parameters"] == {"p": 1 / 3, "K": 3, "rule": "delight", "b": None}
    assert set(found) == {"quantity", "predicted", "estimate", "standard_error", "within", "parameters"}
