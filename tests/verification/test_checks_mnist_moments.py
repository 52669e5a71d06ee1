"""Moments along training on MNIST: the paths, and what the rows of the two claims say of a table."""

import numpy as np
import pandas as pd
import pytest
import torch
from mnist_images import mnist

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import SAMPLE_RULES
from simulations.mnist import decomposition, paths
from simulations.mnist.paths import PathConfig
from simulations.networks.image_bandits import DIRECTIONS
from simulations.results.merging import MeasuredTables
from simulations.results.sources import Source
from simulations.results.table_sizes import sizes_of_paths
from simulations.results.tables import load, save
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.mnist.moments import decomposition_rows, screening, screening_rows
from simulations.verification.verify import judge

CPU = torch.device("cpu")
TINY = {"n_images": 40, "accuracies": (0.2,), "max_updates": 60, "check_every": 10, "hidden": (16,)}
TARGETS = (0.0, 0.5, 0.8, 0.9, 0.95)


@pytest.fixture(scope="module")
def data():
    return mnist()


@pytest.fixture(scope="module")
def measured(data):
    """One real path of each kind, tiny."""
    return pd.concat([decomposition.measure_path(PathConfig(path, **TINY), data, CPU) for path in paths.PATHS])


def test_checkpoints_are_the_first_policies_at_an_accuracy(data):
    config = PathConfig(seed=1, **TINY | {"accuracies": (0.2, 0.3), "max_updates": 100})
    held_out = torch.tensor(data.test_images[::5]).flatten(1) / 255
    labels = torch.tensor(data.test_labels[::5])
    found = []
    for target, update, accuracy, policy in paths.checkpoints(config, data, CPU):
        assert accuracy == pytest.approx(float((policy(held_out).argmax(-1) == labels).float().mean()), abs=1e-6)
        found.append((target, update, accuracy))
    assert [target for target, _, _ in found] == [0.0, 0.2, 0.3]
    assert found[0][1] == 0
    for target, update, accuracy in found[1:]:
        assert accuracy >= target
        shorter = PathConfig(seed=1, **TINY | {"accuracies": (target,), "max_updates": update - config.check_every})
        if shorter.max_updates > 0:
            assert len(list(paths.checkpoints(shorter, data, CPU))) == 1, "nothing reached it before"


def test_a_path_that_does_not_arrive_ends(data):
    config = PathConfig(**TINY | {"accuracies": (0.99,), "max_updates": 10})
    assert [point.target for point in paths.checkpoints(config, data, CPU)] == [0.0]


def test_paths_share_their_streams_and_seeds_do_not():
    first, second = (PathConfig(path, seed=3).streams() for path in paths.PATHS)
    assert first == second
    assert len({*first.values(), *PathConfig(seed=4).streams().values()}) == 2 * len(first)


def test_the_table_is_tidy_and_the_gate_of_the_path_matters(measured):
    keys = ["path", "seed", "target", "model", "label", "direction"]
    assert not measured.duplicated(keys).any()
    assert set(measured["model"]) == set(decomposition.MODELS)
    assert np.isfinite(measured.select_dtypes("number").drop(columns=["rate", "alpha"])).all().all()
    network = measured[measured["model"] == "network"]
    screened = network[(network["kind"] == "rate") & network["alpha"].isna()]
    assert set(screened["rule"]) == set(SAMPLE_RULES)
    start = network[network["target"] == 0].set_index(["path", "label", "direction"])["signal"]
    pd.testing.assert_series_equal(start["DG-K(3 %)"], start["PG"])
    later = network[network["target"] > 0].set_index(["path", "label", "direction"])["signal"]
    assert not np.allclose(later["DG-K(3 %)"], later["PG"])


def test_the_same_seeds_give_the_same_table_for_any_number_of_workers(data):
    configs = [PathConfig(seed=seed, **TINY) for seed in (0, 1)]
    tables = []
    for workers in (1, 2):
        found = dict(decomposition.measure_paths(configs, workers=workers, data=data))
        tables.append(pd.concat([found[0], found[1]], ignore_index=True))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert set(tables[0]["seed"]) == {0, 1}
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        list(decomposition.measure_paths(configs, workers=0, data=data))


def test_a_path_makes_no_tensor_on_the_default_device(data):
    """Under a meta default device a tensor made without a device has no values: the table would differ."""
    # Adam keeps its step count on the default device, whatever it is told: plain gradient descent stands in.
    config = PathConfig(**TINY | {"accuracies": (0.05,), "max_updates": 10})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", torch.optim.SGD)
        plain = decomposition.measure_path(config, data, CPU)
        with torch.device("meta"):
            elsewhere = decomposition.measure_path(config, data, CPU)
    pd.testing.assert_frame_equal(plain, elsewhere, check_exact=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "ppo"}, "path must be one of DG-K.*, PG, got 'ppo'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"accuracies": (0.8, 0.5)}, r"accuracies must rise within \(0, 1\), got \(0.8, 0.5\)"),
        ({"accuracies": (0.5, 1.0)}, r"accuracies must rise within \(0, 1\)"),
        ({"n_images": 0}, "n_images must be from 1 to 60,000, got 0"),
        ({"n_images": 60_001}, "n_images must be from 1 to 60,000, got 60001"),
        ({"max_updates": 0}, "max_updates must be at least 1, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0 and finite, got nan"),
    ],
)
def test_bad_configurations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PathConfig(**settings)


def world(change=lambda row: row, n_seeds=5):
    """A table in which the network does what one context does, altered row by row."""
    parts = {"PG": (2.0, 0.4), "DG": (0.5, 0.1), "zero-price": (0.1, 0.0)}
    rows = []
    for path in paths.PATHS:
        for seed in range(n_seeds):
            for target in TARGETS:
                for model in decomposition.MODELS:
                    for direction in DIRECTIONS:
                        key = {"path": path, "seed": seed, "target": target, "model": model, "direction": direction}
                        for label, (across, own) in parts.items():
                            row = {
                                "label": label, "cosine": 0.99, "var_parallel": 0.5, "signal": 0.1,
                                "backward_rate": 1.0, "var_perpendicular": across, "var_own_perpendicular": own,
                            }  # fmt: skip
                            rows.append(change(key | row))
                        rows += [change(key | row) for row in screened(direction)]
    return pd.DataFrame(rows)


def screened(direction):
    """Delight captures most: 1 against 0.9 of every rule, and 0.5 of every α; the oracle 2."""
    captures = {"DG-K(3 %)": 1.0, f"oracle, {direction}(3 %)": 2.0}
    captures |= {f"{rule}(3 %)": 0.9 for rule in SAMPLE_RULES if rule != "delight"}
    captures |= {f"additive, α = {alpha:g}(3 %)": 0.5 for alpha in decomposition.ALPHAS}
    rate = {"var_parallel": 0.1, "var_perpendicular": 1.0, "var_own_perpendicular": 0.1, "cosine": 0.5}
    return [{"label": k, "signal": 0.03 * v, "backward_rate": 0.03} | rate for k, v in captures.items()]


def verdicts(table):
    rows = {
        "mnist-decomposition": decomposition_rows(table, "test"),
        "mnist-screening": screening_rows(table, "test"),
    }
    sized = {name: attributed(found, Source("test"), sizes_of_paths(table)) for name, found in rows.items()}
    return {name: judge(CLAIMS[name], None, [], found)[0] for name, found in sized.items()}


def by_name(rows):
    assert len({row.quantity for row in rows}) == len(rows)
    return {row.quantity: row.value for row in rows}


def test_in_a_world_where_the_theory_transfers_both_claims_hold():
    table = world()
    assert verdicts(table) == dict.fromkeys(("mnist-decomposition", "mnist-screening"), "holds in regime")
    rows = by_name(decomposition_rows(table, "test"))
    assert rows["Var_⊥, zero price / PG, highest"] == pytest.approx(0.05)
    assert rows["Var_⊥(DG) / Var_⊥(PG), measured over predicted, lowest"] == pytest.approx(0.5 / 2.0 / (0.1 / 0.4))
    assert rows["share of PG's variance within images across their own gradient, at 80 % accuracy"] == 0.4 / 2.5
    rows = by_name(screening_rows(table, "test"))
    name = "signal per backward pass along PG's gradient"
    assert rows[f"{name}, delight / best other rule, lowest"] == pytest.approx(1 / 0.9)
    assert rows[f"{name}, best single α / delight, lowest"] == pytest.approx(0.5)
    assert rows[f"{name}, delight / oracle, at initialisation"] == pytest.approx(0.5)


def at(target, label, column, value, *, model="network", path="DG-K(3 %)"):
    """Alter one number at one checkpoint."""
    where = {"target": target, "label": label, "model": model, "path": path}
    return lambda row: row | {column: value} if all(row[k] == v for k, v in where.items()) else row


@pytest.mark.control("mnist-decomposition", "mnist-screening")
@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (at(0.95, "zero-price", "cosine", 0.9), "mnist-decomposition"),
        (at(0.0, "zero-price", "var_perpendicular", 0.5), "mnist-decomposition"),
        (at(0.5, "DG", "var_perpendicular", 0.1), "mnist-decomposition"),
        (at(0.5, "DG", "var_perpendicular", 1.9), "mnist-decomposition"),
        (at(0.8, "zero-price", "cosine", 0.5, model="independent"), "mnist-decomposition"),
        (at(0.95, "surprisal(3 %)", "signal", 0.09), "mnist-screening"),
    ],
)
def test_negative_control_one_checkpoint_that_differs_fails_its_claim(change, failed):
    found = verdicts(world(change))
    assert found.pop(failed) == "fails"
    assert set(found.values()) == {"holds in regime"}


def test_one_alpha_that_is_good_everywhere_fails_the_claim_and_two_that_take_turns_do_not():
    def everywhere(row):
        return row | {"signal": 0.03} if row["label"] == "additive, α = 0.3(3 %)" else row

    def in_turns(row):
        good = "additive, α = 0.3(3 %)" if row["target"] < 0.85 else "additive, α = 0.8(3 %)"
        return row | {"signal": 0.03} if row["label"] == good else row

    assert verdicts(world(everywhere))["mnist-screening"] == "fails"
    assert verdicts(world(in_turns))["mnist-screening"] == "holds in regime"


def test_pgs_own_path_does_not_decide():
    assert (
        verdicts(world(at(0.8, "zero-price", "cosine", 0.5, path="PG")))["mnist-decomposition"] == "holds in regime"
    )


def test_a_seed_that_does_not_arrive_counts_with_what_it_reached():
    table = world()
    short = table[~((table["seed"] == 2) & (table["target"] > 0.9))]
    rows = {row.quantity: row for row in decomposition_rows(short, "test")}
    assert rows["Var_⊥, zero price / PG, at 95 % accuracy"].seeds == 4
    assert rows["Var_⊥, zero price / PG, highest"].seeds == 5


def test_a_real_table_has_every_quantity_that_the_claims_demand(measured):
    for name, rows in (
        ("mnist-decomposition", decomposition_rows(measured, "test")),
        ("mnist-screening", screening_rows(measured, "test")),
    ):
        demanded = {criterion.quantity for criterion in CLAIMS[name].rule.criteria}
        assert demanded <= {row.quantity for row in rows}
    rows = by_name(decomposition_rows(measured, "test"))
    # Whatever the network does between images: an image's own noise is gone, as the theory has it.
    assert rows["noise of an image across its own gradient, zero price / PG, highest"] < 1e-6


def test_a_table_measured_elsewhere_is_used(tmp_path):
    config = {"preset": "quick"}
    save(world(), tmp_path / "t.parquet", kind=decomposition.KIND, config=config, sidecar={})
    context = Context("smoke", "cpu", 1, lambda _: None, MeasuredTables([load(tmp_path / "t.parquet")]))
    rows = screening(context)
    assert {row.sources for row in rows} == {(Source("t.parquet", "quick", device="device unknown"),)}
    assert {tuple(row.sizes.items()) for row in rows} == {(("seeds", 5), ("checkpoints", 5))}
    assert rows[0].value == pytest.approx(1 / 0.9)


def test_write_table_refuses_what_it_could_not_write_before_it_measures(tmp_path):
    (tmp_path / "t.parquet").write_text("")
    with pytest.raises(ValueError, match="exists: pass --overwrite"):
        decomposition.write_table("smoke", tmp_path / "t.parquet")
