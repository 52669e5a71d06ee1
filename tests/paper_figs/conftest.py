"""Every figure drawn once from the committed tables, with its PDF: the tests of figures share them."""

import io
from dataclasses import dataclass
from functools import cache

import pytest

from paper_figs.drawing import read_and_drawn
from paper_figs.tables import NotCommittedError, Reading


@dataclass(frozen=True)
class Drawn:
    """A figure of the catalogue with its caption and what it read."""

    figure: object
    caption: str
    reading: Reading

    @property
    def pdf(self):
        return pdf_of(self.figure)


@cache
def pdf_of(figure):
    """A figure as the bytes of a PDF."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf")
    figure.draw_without_rendering()  # a PDF has 72 dots an inch: places on the sheet are asked for at its own
    return buffer.getvalue()


@cache
def _drawn(name):
    try:
        return Drawn(*read_and_drawn(name))
    except NotCommittedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def drawn_figure():
    """Return the function that draws a figure of the catalogue, once in all tests."""
    return _drawn
