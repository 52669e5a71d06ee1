"""The digits at the ends of delight, and the figure of the learning rate."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from mnist_images import mnist

from paper_figs import draw
from simulations.mnist.digits import DigitsConfig, extreme_digits, write_table
from simulations.results.tables import SWEEP, save

mpl.use("Agg")

CPU = torch.device("cpu")
SHORT = DigitsConfig(updates=(5, 10), digits=3)


@pytest.fixture(scope="module")
def data():
    return mnist()


@pytest.fixture(scope="module")
def found(data):
    return extreme_digits(SHORT, data, CPU)


def test_digits_are_the_ends_of_delight(found, data):
    assert found.groupby(["update", "side"]).size().tolist() == [3] * 4
    for (_, side), digits in found.groupby(["update", "side"]):
        descending = digits["delight"].is_monotonic_decreasing
        assert descending == (side == "highest")
        assert digits["image"].is_unique
        right = digits["label"] == digits["action"]
        assert right.all() == (side == "highest"), "delight has the sign of right and wrong"
        # χ = (R − b)·ℓ with a baseline b between 1/10 and 1.
        surprisal = -np.log(digits["probability"])
        advantage = digits["delight"] / surprisal
        assert advantage.between(0, 0.9).all() if side == "highest" else advantage.between(-1, -0.1).all()
    for _, digit in found.iterrows():
        assert np.array_equal(
            np.frombuffer(digit["pixels"], np.uint8).reshape(28, 28), data.train_images[digit["image"]]
        )
        assert data.train_labels[digit["image"]] == digit["label"]


def test_negative_control_another_seed_picks_other_digits(found, data):
    again = extreme_digits(SHORT, data, CPU)
    assert again.equals(found)
    other = extreme_digits(DigitsConfig(updates=(5, 10), digits=3, seed=1), data, CPU)
    assert not set(other["image"]) & set(found["image"])


def test_no_tensor_is_made_on_the_default_device(found, data):
    with torch.device("meta"):
        assert extreme_digits(SHORT, data, CPU).equals(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"updates": ()}, r"updates must rise from at least 1, got \(\)"),
        ({"updates": (0, 5)}, r"updates must rise from at least 1, got \(0, 5\)"),
        ({"updates": (5, 5)}, r"updates must rise from at least 1, got \(5, 5\)"),
        ({"updates": (2, 5)}, r"updates must be multiples of the first, got \(2, 5\)"),
        ({"digits": 0}, "digits must be from 1 to 100, got 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DigitsConfig(**settings)


def test_an_existing_table_is_not_overwritten(tmp_path):
    (tmp_path / "t.parquet").write_text("")
    with pytest.raises(ValueError, match="exists: pass --overwrite"):
        write_table("digits", "quick", tmp_path / "t.parquet")


def learning_rates(directory):
    """A sweep of two methods, three learning rates and three seeds; errors 1 %, 2 % and 6 % of the rate's place."""
    rows = []
    for label in ("PG", "DG-K(3 %)"):
        for place, learning_rate in enumerate((1e-4, 1e-3, 1e-2), start=1):
            for seed, error in enumerate((0.01, 0.02, 0.06)):
                for update in range(100, 1_100, 100):
                    late = error * place if update > 500 else 0.9
                    row = {"label": label, "learning_rate": learning_rate, "seed": seed, "update": update}
                    rows.append(row | {"method": "x", "rate": 0.03, "batch_size": 100, "test_error": late})
    save(pd.DataFrame(rows), directory / "mnist-learning-rate.parquet", kind=SWEEP, config={}, sidecar={})


def test_the_figure_of_the_learning_rate_shows_the_mean_of_the_last_five_evaluations(tmp_path):
    learning_rates(tmp_path)
    figure = draw("mnist-learning-rate", tmp_path)
    (ax,) = figure.axes
    named = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(named["DG-K(3 %)"], (2, 4, 6))
    pale = [line for line in ax.lines if line.get_alpha() is not None]
    assert [len(line.get_ydata()) for line in pale] == [9, 9], "every seed at every rate"
    assert "3 seeds" in figure.caption
    assert "DG-K(3\u00a0%) 2.0\u00a0%" in ax.get_title("left")
