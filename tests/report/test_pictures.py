"""The pictures of the page: fewer bytes, and what is seen is the same."""

import io

import numpy as np
from PIL import Image

from paper_figs.drawing import drawn
from simulations.report.pictures import few_colours


def furthest(image, other):
    return np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(other, int)).max()


def test_few_colours_look_the_same_and_are_smaller():
    buffer = io.BytesIO()
    figure, _ = drawn("graded-rewards", None)  # a map of many colours, and lines
    figure.savefig(buffer, format="png", dpi=80)
    image = Image.open(buffer)
    few = few_colours(image)
    assert len(few.getcolors()) <= 256 < len(image.convert("RGB").getcolors(1 << 20))
    assert furthest(image, few) <= 20
    assert furthest(image, image.convert("RGB").quantize(8).convert("RGB")) > 20, "negative control"
    size, smaller = io.BytesIO(), io.BytesIO()
    image.convert("RGB").save(size, "webp", lossless=True)
    few.save(smaller, "webp", lossless=True)
    assert len(smaller.getvalue()) < 0.9 * len(size.getvalue())
