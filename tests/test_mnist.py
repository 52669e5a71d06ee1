"""The MNIST bandit: protocol, counts, reproducibility, and what its rows say."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from kondo_theory.claims import CLAIMS
from simulations import mnist
from simulations.checks.mnist import final_error, quality_rows, samples_to_error
from simulations.datasets import load_mnist
from simulations.errors import ReportedError
from simulations.experiment import parse_seeds
from simulations.mnist import MnistConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data():
    return load_mnist()


def run(data, method, **options):
    options = {"updates": 20, "eval_every": 10} | options
    return mnist.run_one(MnistConfig(method, **options), data, CPU)[0]


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
    full, plain = run(data, "dg-k", rate=1.0), run(data, "pg")
    np.testing.assert_allclose(full["test_error"], plain["test_error"], atol=0.002)
    weights = (784 * 100, 100 * 100, 100 * 10)
    forward, backward = sum(weights), 2 * sum(weights) - weights[0]  # no gradient with respect to the pixels
    ratio = full["flops"].iloc[-1] / plain["flops"].iloc[-1]
    assert ratio == pytest.approx((2 * forward + backward) / (forward + backward))  # it screened first


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


def test_the_same_seeds_give_the_same_table_for_any_number_of_workers(data):
    configs = [MnistConfig(m, seed=s, updates=30, eval_every=10) for m in ("pg", "dg") for s in (0, 1)]
    tables = []
    for workers in (1, 2):
        curves = {index: curve for index, curve, _ in mnist.run_many(configs, workers=workers, data=data)}
        tables.append(mnist.tidy(configs, [curves[index] for index in range(len(configs))]))
    pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ppo"}, "method must be one of pg, dg, .*, got 'ppo'"),
        ({"method": "pg", "rate": 0.1}, "a rate belongs to dg-k"),
        ({"method": "dg-k"}, "a rate belongs to dg-k"),
        ({"method": "dg-k", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"method": "gate"}, "a price belongs to gate"),
        (
            {"method": "gate", "price": 0.0, "temperature": -1.0},
            "temperature must be finite and at least 0, got -1.0",
        ),
        ({"method": "dg", "temperature": 0.0}, "temperature of dg must be above 0, got 0.0"),
        ({"method": "pg", "temperature": 1.0}, "a temperature belongs to gate and dg"),
        ({"method": "dg", "temperature": math.nan}, "temperature must be finite and at least 0, got nan"),
        ({"method": "pg", "updates": 0}, "updates must be at least 1, got 0"),
        ({"method": "pg", "seed": -1}, "seed must be at least 0, got -1"),
        ({"method": "pg", "learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
    ],
)
def test_bad_configurations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MnistConfig(**settings)


def test_a_diverged_run_is_named(data):
    with pytest.raises(ReportedError, match=r"PG, seed 0, learning rate 1e\+30 diverged: .* at update \d"):
        run(data, "pg", learning_rate=1e30)


def test_a_run_makes_no_tensor_on_the_default_device(data):
    """Under a meta default device a tensor made without a device has no values: the curve would differ."""
    for method, rate in (("dg-k", 0.03), ("dg", None), ("cross-entropy", None)):
        # Adam keeps its step count on the default device, whatever it is told: plain gradient descent stands in.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.optim, "Adam", torch.optim.SGD)
            plain = run(data, method, rate=rate, updates=3)
            with torch.device("meta"):
                elsewhere = run(data, method, rate=rate, updates=3)
        pd.testing.assert_frame_equal(plain, elsewhere, check_exact=True)


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
