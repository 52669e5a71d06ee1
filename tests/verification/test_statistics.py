"""The rule for simulated checks, and the bootstrap against SciPy's and against its own coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from kondo_theory.claims.registry import Criterion
from simulations.statistics import Interval, bootstrap, mean_and_error, stratified, student
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.evidence_json import measured_json, simulated_json


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
        (Simulated("not a number", 0.1, math.nan, 0.1), None),
        (Simulated("no prediction", math.nan, 0.1, 0.1), None),
        (Simulated("no standard error", 0.1, 0.1, math.nan), None),
        (Simulated("an infinite standard error", 0.1, 5.0, math.inf), None),
        (Simulated("no standard error, with a resolution", 0.1, 0.1, math.nan, resolution=1.0), None),
        (Simulated("both infinite", math.inf, math.inf, 0.0), True),
        (Simulated("infinities of two signs", math.inf, -math.inf, 0.0), False),
        (Simulated("an infinite prediction of a finite value", math.inf, 5.0, 0.1), False),
        (Simulated("an infinite estimate of a finite value", 5.0, math.inf, 0.1), False),
        (Simulated("ten times too large, and tiny", 1e-18, 1e-17, 1e-20), False),
        (Simulated("a zero that is not met, and tiny", 0.0, 9e-16, 0.0), False),
        (Simulated("a zero but for rounding, with a resolution", 0.0, 1e-30, 0.0, resolution=1e-9), True),
        (Simulated("below the resolution, and far off all the same", 1e-6, 5e-6, 1e-9, resolution=1e-3), False),
    ],
    ids=lambda value: getattr(value, "quantity", ""),
)
def test_the_rule_for_simulated_checks(row, within):
    assert row.within is within
    assert simulated_json(row)["within"] is within
    assert set(simulated_json(row)) == {
        *("quantity", "predicted", "estimate", "standard_error", "distance", "within", "not_finite"),
        "parameters",
    }


def test_infinite_measurements_become_null_in_json():
    row = measured_json(Measured("backward samples", math.inf, 1.0, math.inf, 5, None, "now"))
    assert row["value"] is None
    assert row["high"] is None
    assert row["low"] == 1.0
    assert row["not_finite"] == {"value": "inf", "high": "inf"}


def test_a_reader_of_the_json_can_tell_infinities_from_nan():
    row = simulated_json(Simulated("broken", 1.0, math.nan, math.inf))
    assert (row["estimate"], row["standard_error"], row["within"]) == (None, None, None)
    assert row["not_finite"] == {"estimate": "nan", "standard_error": "inf", "distance": "nan"}
    assert measured_json(Measured("x", -math.inf, -math.inf, 1.0, 5, None, "now"))["not_finite"]["value"] == "-inf"
    assert simulated_json(Simulated("fine", 1.0, 1.0, 0.0))["not_finite"] == {}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1.0, 1.0, -1e-9), "standard_error must be at least 0, got -1e-09 for x"),
        ((1.0, 1.0, 0.1, math.nan), "resolution must be finite and at least 0, got nan"),
        ((1.0, 1.0, 0.1, math.inf), "resolution must be finite and at least 0, got inf"),
        ((1.0, 1.0, 0.1, -0.1), "resolution must be finite and at least 0, got -0.1"),
    ],
)
def test_a_check_that_could_not_fail_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Simulated("x", *numbers)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("criterion", "interval", "verdict"),
    [
        (Criterion("x", high=1.0), (NAN, 0.5), "undecided"),
        (Criterion("x", high=1.0), (5.0, NAN), "undecided"),
        (Criterion("x", low=1.0), (NAN, 0.5), "undecided"),
        (Criterion("x", low=1.0, strict=True), (NAN, NAN), "undecided"),
        (Criterion("x"), (NAN, NAN), "undecided"),
        (Criterion("x", low=1.0), (3.0, 2.0), "undecided"),  # the wrong way round
        (Criterion("x", low=1.0), (2.0, INF), "holds"),
        (Criterion("x", low=1.0, strict=True), (2.0, INF), "holds"),
        (Criterion("x", low=1.0, strict=True), (INF, INF), "holds"),
        (Criterion("x", high=1.0, strict=True), (-INF, 0.5), "holds"),
        (Criterion("x", high=1.0, strict=True), (-INF, -INF), "holds"),
        (Criterion("x", high=1.0), (INF, INF), "fails"),
        (Criterion("x", low=1.0), (-INF, -INF), "fails"),
        (Criterion("x", high=1.0), (-INF, INF), "undecided"),
        (Criterion("x", low=1.0, high=2.0, strict=True), (1.0, 1.0), "fails"),
        (Criterion("x", low=1.0, high=2.0), (1.0, 2.0), "holds"),
        (Criterion("x", low=1.0, high=2.0), (0.0, 3.0), "undecided"),
        (Criterion("x", low=1.0, high=2.0, strict=True), (0.0, 1.0), "fails"),
        (Criterion("x", low=1.0, high=2.0), (0.0, 1.0), "undecided"),
    ],
)
def test_criteria_judge_intervals_that_are_not_finite(criterion, interval, verdict):
    assert criterion.judge(*interval) == verdict


def test_bootstrap_of_infinities_of_both_signs_decides_nothing():
    values = [-INF, INF, INF, -INF]
    for statistic in (np.mean, np.median):
        interval = bootstrap(values, statistic, n_resamples=500)
        assert (interval.low, interval.high) == (-INF, INF)
        assert Criterion("x", low=0.0).judge(interval.low, interval.high) == "undecided"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 0.0}, "level must be in"),
        ({"level": 1.0}, "level must be in"),
        ({"level": NAN}, "level must be in"),
        ({"n_resamples": 0}, "n_resamples must be at least 1"),
    ],
)
def test_bootstrap_refuses_what_gives_no_interval(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap([1.0, 2.0], **options)


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


def test_strata_count_alike_and_scatter_by_themselves():
    """Against Welch's t-test of SciPy for two, Student's t for one; and its coverage at strata of unlike spread."""
    rng = np.random.default_rng(5)
    first, second = rng.normal(1, 0.2, 5), rng.normal(3, 1.5, 4)
    names = ["a"] * 5 + ["b"] * 4
    found = stratified(np.concatenate([first, second]), names)
    interval = stats.ttest_ind(first, -second, equal_var=False).confidence_interval()  # of the sum of the means
    assert (found.low, found.high) == pytest.approx((interval.low / 2, interval.high / 2))
    assert found.value == pytest.approx((first.mean() + second.mean()) / 2)
    assert stratified(first, ["a"] * 5) == student(first)
    assert stratified([1.0, 2.0, 5.0], ["a", "a", "b"]) == Interval(3.25, -math.inf, math.inf)
    assert stratified([1.0, 1.0, 5.0, 5.0], ["a", "a", "b", "b"]) == Interval(3.0, 3.0, 3.0)
    draws = [np.concatenate([rng.normal(0, 0.1, 5), rng.normal(1, 1.0, 5)]) for _ in range(4_000)]
    found = [(stratified(each, ["a"] * 5 + ["b"] * 5), student(each)) for each in draws]
    covered, pooled = np.mean([[each.low < 0.5 < each.high for each in both] for both in found], axis=0)
    error = math.sqrt(0.95 * 0.05 / len(draws))
    assert abs(covered - 0.95) < 4 * error
    assert abs(pooled - 0.95) > 4 * error, "a control: pairs of unlike tasks are not exchangeable"
    with pytest.raises(ValueError, match=r"strata must be as many as values, got \(2,\) and \(3,\)"):
        stratified([1, 2, 3], ["a", "b"])


def test_mean_and_error():
    values = np.arange(5.0)
    assert mean_and_error(values) == (2.0, pytest.approx(stats.sem(values)))
    with pytest.raises(ValueError, match="at least two replicates"):
        mean_and_error([1.0])


def test_a_row_says_its_point_in_full():
    point = {"p": 1 / 3, "K": 3, "rule": "delight", "b": math.inf, "τ": (0.5, math.inf)}
    said = {"p": 1 / 3, "K": 3, "rule": "delight", "b": "inf", "τ": [0.5, "inf"]}
    simulated = Simulated("x at p=0.333, K=3", 1.0, 1.0, 0.001, parameters=point)
    measured = Measured("x at p=0.333, K=3", 1.0, 1.0, 1.0, 5, None, "now", parameters=point)
    assert simulated_json(simulated)["parameters"] == measured_json(measured)["parameters"] == said


def test_mean_and_error_of_what_is_not_finite():
    assert mean_and_error([INF, INF]) == (INF, 0.0)
    assert mean_and_error([1.0, INF]) == (INF, INF)
    mean, error = mean_and_error([-INF, INF])
    assert math.isnan(mean)
    assert error == INF
    with pytest.raises(ValueError, match="replicates must not be NaN, got 1 of 3"):
        mean_and_error([1.0, NAN, 2.0])
