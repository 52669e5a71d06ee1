"""MNIST, read and checked once a process, and its first images for what does not depend on how many there are."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from simulations.mnist.images import Mnist, load_mnist

__all__ = ["few_images", "mnist"]

mnist = cache(load_mnist)


@cache
def few_images() -> Mnist:
    """Return the first 2,000 images and the first 500 of the test: an evaluation takes a twentieth of the time."""
    data = mnist()
    return replace(
        data,
        train_images=data.train_images[:2_000],
        train_labels=data.train_labels[:2_000],
        test_images=data.test_images[:500],
        test_labels=data.test_labels[:500],
    )
