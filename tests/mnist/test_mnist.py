"""The MNIST bandit: protocol, counts, reproducibility, and what its rows say."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from mnist_images import mnist

from kondo_theory.claims import CLAIMS
from simulations.errors import ReportedError
from simulations.mnist import runs as mnist_runs
from simulations.mnist.config import METHODS, PAPER_METHODS, MnistConfig, preset_configs
from simulations.mnist.runs import programs, run_many
from simulations.mnist.summary import crossings, final_error, samples_to_error, summarise
from simulations.mnist.training import train
from simulations.randomness.seed_lists import parse_seeds
from simulations.verification.checks.mnist.quality import quality_rows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data():
    return mnist()


def run(data, method, **options):
    options = {"updates": 20, "eval_every": 10} | options
    (curve,) = train([MnistConfig(method, **options)], data, CPU).curves
    return curve


def test_forward_and_backward_samples_are_counted(data):
    expected = {("pg", None): 2000, ("dg", None): 2000, ("cross-entropy", None): 2000}
    expected |= {("dg-k", rate): 20 * k for rate, k in ((0.01, 1), (0.03, 3), (0.3, 30), (1.0, 100))}
    for (method, rate), backward in expected.items():
        last = run(data, method, rate=rate).iloc[-1]
        assert last["update"] == 20
        assert last["forward_samples"] == 2000
        assert last["backward_samples"] == backward, (method, rate)


def test_zero_price_keeps_the_correct_samples(data):
    """χ > 0 exactly where the digit was right: the rewards of the run count its backward passes."""
    curve = run(data, "zero-price", updates=40)
    rewards = 1000 * curve["train_reward"].iloc[1:]
    assert curve["backward_samples"].iloc[-1] == pytest.approx(rewards.sum(), abs=1e-2)


def test_full_rate_is_policy_gradient(data):
    full, plain, third = run(data, "dg-k", rate=1.0), run(data, "pg"), run(data, "dg-k", rate=0.3)
    np.testing.assert_allclose(full["test_error"], plain["test_error"], atol=0.002)
    weights = (784 * 100, 100 * 100, 100 * 10)
    forward, backward = sum(weights), 2 * sum(weights) - weights[0]  # no gradient with respect to the pixels
    assert plain["flops"].iloc[-1] == 2 * 2000 * (forward + backward)
    assert full["flops"].iloc[-1] == plain["flops"].iloc[-1]  # screening first would have cost more
    assert third["flops"].iloc[-1] == 2 * (2000 * forward + 600 * backward)


def test_the_gate_at_an_infinitely_low_price_keeps_everything(data):
    open_gate = run(data, "gate", price=-1e9)
    assert open_gate["backward_samples"].iloc[-1] == 2000
    assert run(data, "gate", price=1e9)["backward_samples"].iloc[-1] == 0
    half = run(data, "gate", price=0.0, temperature=1e9)["backward_samples"].iloc[-1]
    assert abs(half - 1000) < 4 * math.sqrt(2000 * 0.25)


def test_every_method_learns(data):
    """100 updates leave an untrained policy (90 % error) behind; a gate that keeps failures instead does not."""
    for method, options in (
        ("pg", {}),
        ("dg", {}),
        ("zero-price", {}),
        ("cross-entropy", {}),
        ("dg-k", {"rate": 0.1}),
    ):
        error = run(data, method, updates=200, eval_every=200, **options)["test_error"].iloc[-1]
        assert error < 0.5, method


def test_methods_share_their_streams(data):
    """Differences between methods are paired: same initialisation, same first batch, same first actions."""
    first = [run(data, m, updates=1, eval_every=1, rate=r) for m, r in (("pg", None), ("dg", None), ("dg-k", 0.03))]
    assert len({curve["test_error"].iloc[0] for curve in first}) == 1
    assert len({curve["train_reward"].iloc[1] for curve in first}) == 1
    assert run(data, "pg", seed=1)["test_error"].iloc[0] != first[0]["test_error"].iloc[0]


def test_the_same_seeds_give_the_same_table_for_any_number_of_workers(data, monkeypatch):
    methods = [MnistConfig(method, updates=30, eval_every=10) for method in ("pg", "zero-price")]
    configs = [replace(method, seed=seed) for method in methods for seed in range(3)]
    monkeypatch.setattr(mnist_runs, "SEEDS_A_PROGRAM", 2)
    tables = [run_many(configs, workers=workers, data=data).table for workers in (1, 2)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert tables[0]["seed"].drop_duplicates().tolist() == [0, 1, 2]
    assert tables[0].groupby(["label", "seed"])["test_error"].last().nunique() == 6, "six runs, not copies of one"


def test_programs_are_ten_seeds_of_one_method():
    configs = preset_configs("paper", PAPER_METHODS)
    assert len(configs) == 240
    parts = programs(configs)
    assert sorted(index for part in parts for index in part) == list(range(240))
    assert [len(part) for part in parts] == [10] * 24
    for part in parts:
        assert len({replace(configs[index], seed=0) for index in part}) == 1
    assert programs(configs[:3] + configs[30:31]) == [[0, 1, 2], [3]]
    large = [MnistConfig("pg", seed=seed, batch_size=10_000) for seed in range(3)]
    assert programs(large) == [[0, 1], [2]]


def test_seeds_in_one_program_must_be_one_methods(data):
    with pytest.raises(ValueError, match="differ in their seeds alone"):
        train([MnistConfig("pg"), MnistConfig("dg", seed=1)], data, CPU)
    with pytest.raises(ValueError, match="differ in their seeds alone"):
        train([], data, CPU)
    with pytest.raises(ValueError, match=r"seeds must differ, got \[0, 0\]"):
        train([MnistConfig("pg"), MnistConfig("pg")], data, CPU)


def test_policies_along_training_can_be_had(data):
    """A policy handed out at an evaluation has the test error of the curve's row, and keeps it afterwards."""
    configs = [MnistConfig("dg-k", rate=0.1, seed=seed, updates=20, eval_every=10) for seed in (3, 5)]
    seen = {}

    def look(update, policy_of):
        seen.update({(update, seed): policy_of(seed) for seed in (3, 5)})

    curves = train(configs, data, CPU, on_evaluation=look).curves
    pixels = torch.from_numpy(data.test_images.reshape(-1, 784).astype(np.float32)) / 255
    labels = torch.from_numpy(data.test_labels.astype(np.int64))
    for place, seed in enumerate((3, 5)):
        for _, row in curves[place].iterrows():
            with torch.no_grad():
                wrong = seen[row["update"], seed](pixels).argmax(-1) != labels
            assert float(wrong.double().mean()) == pytest.approx(row["test_error"], abs=2e-4)
    assert [update for update, _ in seen] == [0, 0, 10, 10, 20, 20]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ppo"}, "method must be one of pg, dg, .*, got 'ppo'"),
        ({"method": "pg", "rate": 0.1}, "rate belongs to dg-k and screen, got 0.1 with method pg"),
        ({"method": "dg-k"}, "method dg-k needs a rate"),
        ({"method": "screen", "rate": 0.1}, "method screen needs a rule"),
        ({"method": "dg-k", "rate": 0.1, "rule": "uniform"}, "rule belongs to screen, got uniform with method dg-k"),
        ({"method": "screen", "rate": 0.1, "rule": "best"}, "rule must be one of delight, .*, got 'best'"),
        ({"method": "screen", "rate": 0.1, "rule": "uniform", "alpha": 0.1}, "alpha belongs to the rule additive"),
        ({"method": "screen", "rate": 0.1, "rule": "additive", "alpha": 2}, r"alpha must be in \[0, 1\], got 2"),
        ({"method": "pg", "hidden": (100, 0)}, r"hidden must be positive widths, got \(100, 0\)"),
        ({"method": "pg", "dtype": "float16"}, "dtype must be one of float32, float64, bfloat16, got 'float16'"),
        ({"method": "pg", "batch_size": 1.5}, "batch_size must be at least 1 and whole, got 1.5"),
        ({"method": "dg-k", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"method": "gate"}, "method gate needs a price"),
        (
            {"method": "gate", "price": 0.0, "temperature": -1.0},
            "temperature must be finite and at least 0, got -1.0",
        ),
        ({"method": "dg", "temperature": 0.0}, "temperature of dg must be above 0, got 0.0"),
        ({"method": "pg", "temperature": 1.0}, "temperature belongs to gate and dg and dg-k"),
        ({"method": "dg", "temperature": math.nan}, "temperature must be finite and at least 0, got nan"),
        ({"method": "pg", "updates": 0}, "updates must be at least 1 and whole, got 0"),
        ({"method": "pg", "seed": -1}, "seed must be at least 0 and whole, got -1"),
        ({"method": "pg", "learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
    ],
)
def test_bad_configurations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MnistConfig(**settings)


def test_a_diverged_run_is_named(data):
    for method in METHODS:
        settings = {"dg-k": {"rate": 0.1}, "gate": {"price": 0.0}, "screen": {"rate": 0.1, "rule": "uniform"}}
        label = MnistConfig(method, **settings.get(method, {})).label
        with pytest.raises(ReportedError) as raised:
            run(data, method, learning_rate=1e30, **settings.get(method, {}))
        assert (
            str(raised.value)
            == f"{label}, seed 0, learning rate 1e+30 diverged: the policy is not a number at update 2"
        )
    configs = [MnistConfig("pg", seed=seed, updates=1, learning_rate=1e30) for seed in (4, 7)]
    with pytest.raises(ReportedError, match=r"PG, seed 4, learning rate .* at update 1"):
        train(configs, data, CPU)


def test_parse_seeds():
    assert parse_seeds("3") == [0, 1, 2]
    assert parse_seeds("3,") == [3]
    assert parse_seeds("3,5") == [3, 5]
    assert parse_seeds("10-12,0") == [10, 11, 12, 0]
    for text in ("x", "0", "1,1", "", "-3", "5-2", "9" * 20, "0-" + "9" * 20, "9" * 20 + ","):
        with pytest.raises(ValueError, match="seeds must"):
            parse_seeds(text)


def curves(errors_by_label, backward_per_update):
    """A table with the given error at each of seven evaluations, the same for every seed but for its number."""
    rows = []
    for label, errors in errors_by_label.items():
        for seed in range(5):
            for step, error in enumerate(errors):
                spent = 100 * step * backward_per_update[label]
                rows.append((label, seed, 100 * step, 10_000 * step, spent, error + 0.0001 * seed))
    return pd.DataFrame(
        rows, columns=["label", "seed", "update", "forward_samples", "backward_samples", "test_error"]
    )


def test_quality_rows_against_numbers_worked_out_by_hand():
    table = curves(
        {
            "PG": (0.9, 0.5, 0.3, 0.2, 0.1, 0.0, 0.15),
            "DG": (0.9, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02),
            "DG-K(3 %)": (0.9, 0.3, 0.08, 0.06, 0.04, 0.03, 0.02),
        },
        {"PG": 100, "DG": 100, "DG-K(3 %)": 3},
    )
    assert final_error(table, "DG") == pytest.approx(0.04 + 0.0001 * np.arange(5))
    assert samples_to_error(table, "PG", 0.10005, "backward_samples").tolist() == [40_000, *[50_000] * 4]
    assert samples_to_error(table, "DG", 0.01, "backward_samples").tolist() == [math.inf] * 5
    rows = {row.quantity: row for row in quality_rows(table, "test")}
    assert rows["final test error, DG-K(3 %) − DG (percentage points)"].value == pytest.approx(0.6)
    assert rows["final test error, DG-K(3 %) − PG (percentage points)"].value == pytest.approx(-10.4)
    assert rows["backward samples to 10 % error, PG / DG-K(3 %), at least"].value == pytest.approx(50_000 / 600)
    ratio = rows["backward samples to 5 % error, PG / DG-K(3 %), at least"]
    assert ratio.value == pytest.approx(50_000 / 1_200)
    assert math.isfinite(ratio.high)
    assert rows["final test error, DG (percent)"].published is None, "published after 10,000 updates, not 600"


def test_every_criterion_names_a_measured_quantity():
    table = curves({"PG": (0.9, 0.1), "DG": (0.9, 0.1), "DG-K(3 %)": (0.9, 0.1)}, {"PG": 1, "DG": 1, "DG-K(3 %)": 1})
    measured = {row.quantity for row in quality_rows(table, "test")}
    assert {criterion.quantity for criterion in CLAIMS["mnist-quality"].rule.criteria} <= measured


def test_a_seed_of_pg_that_never_arrives_counts_with_all_it_spent():
    table = curves(
        {"PG": (0.9,) * 7, "DG": (0.9, *(0.04,) * 6), "DG-K(3 %)": (0.9, *(0.04,) * 6)},
        {"PG": 100, "DG": 100, "DG-K(3 %)": 3},
    )
    rows = {row.quantity: row for row in quality_rows(table, "test")}
    assert rows["backward samples to 5 % error, PG"].value == math.inf
    ratio = rows["backward samples to 5 % error, PG / DG-K(3 %), at least"]
    assert ratio.value == pytest.approx(60_000 / 300)
    assert ratio.high == math.inf
    assert "0 of 5 seeds of PG got there" in ratio.origin


def test_summary_against_numbers_worked_out_by_hand():
    """Five seeds; errors 0.1, 0.1001, … at update 400: one seed reaches 10 % there, four at update 500."""
    table = curves({"PG": (0.9, 0.5, 0.3, 0.2, 0.1, 0.0, 0.15)}, {"PG": 100})
    rows = {row.quantity: row for row in summarise(table)}
    backward = rows["backward samples to 10 % error"]
    assert (backward.seeds, backward.reached) == (5, 5)
    assert (backward.median.value, backward.interquartile_mean.value) == (50_000, 50_000)
    assert (backward.median.low, backward.median.high) == (40_000, 50_000)
    assert rows["updates to 5 % error"].median.value == 500
    assert rows["final test error (percent)"].median.value == pytest.approx(15.02)
    assert rows["final test error (percent)"].interquartile_mean.value == pytest.approx(15.02)
    never = {row.quantity: row for row in summarise(table, targets=(-1.0,))}["updates to -100 % error"]
    assert (never.reached, never.median.value, never.interquartile_mean.value) == (0, math.inf, math.inf)


def test_crossings_are_null_where_the_error_is_not_reached():
    table = curves({"DG": (0.9, 0.06, 0.05)}, {"DG": 3})
    found = crossings(table)
    assert len(found) == 10
    ten, five = found[found["error"] == 0.10], found[found["error"] == 0.05]
    assert ten["update"].tolist() == [100] * 5
    assert ten["backward_samples"].tolist() == [300] * 5
    assert ten["forward_samples"].tolist() == [10_000] * 5
    assert five["update"].isna().tolist() == [False, True, True, True, True]
