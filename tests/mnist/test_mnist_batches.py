"""A batch as the gate sees it, early and late in training."""

import numpy as np
import pytest
import torch
from mnist_images import mnist

from simulations.mnist.digits import BatchConfig, batches

CPU = torch.device("cpu")
SHORT = BatchConfig(updates=(5, 10), batch_size=30)


@pytest.fixture(scope="module")
def data():
    return mnist()


@pytest.fixture(scope="module")
def found(data):
    return batches(SHORT, data, CPU)


def test_a_batch_has_the_delight_of_its_advantage_and_surprisal(found, data):
    assert found.groupby("update").size().to_dict() == {5: 30, 10: 30}
    np.testing.assert_allclose(found["delight"], found["advantage"] * found["surprisal"], rtol=1e-6)
    np.testing.assert_allclose(found["surprisal"], -np.log(found["probability"]), rtol=1e-5)
    right = found["label"] == found["action"]
    assert ((found["advantage"] > 0) == right).all()
    assert 0 < right.sum() < len(found)
    for _, digit in found.iterrows():
        assert digit["pixels"] == data.train_images[digit["image"]].tobytes()
        assert data.train_labels[digit["image"]] == digit["label"]


def test_negative_control_another_seed_draws_another_batch(found, data):
    assert batches(SHORT, data, CPU).equals(found)
    other = batches(BatchConfig(updates=(5, 10), batch_size=30, seed=1), data, CPU)
    assert set(other["image"]) != set(found["image"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"updates": (0, 5)}, r"updates must rise from at least 1, got \(0, 5\)"),
        ({"updates": (2, 5)}, r"updates must be multiples of the first, got \(2, 5\)"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BatchConfig(**settings)
