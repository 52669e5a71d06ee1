"""Colours tell methods apart for every reader: on white, and as seen with deuteranopia and tritanopia."""

from functools import cache
from itertools import combinations

import pytest
from coloraide import Color
from matplotlib.colors import to_hex

from paper_figs.arranging import CURVE
from paper_figs.catalogue import FIGURES
from paper_figs.marks import REFERENCE
from paper_figs.style import GREYS, METHODS, paper_style, shades

APART = 15.0
CONTRAST = 3.0


@cache
def apart(first, second):
    """How far two colours are apart in CIEDE2000, as the reader who sees the least difference sees them."""
    return min(
        Color(first).filter(kind).delta_e(Color(second).filter(kind), method="2000") for kind in ("deutan", "tritan")
    )


def colours_of(figure):
    """The colours of methods in the panels of a figure whose curves are not named at their ends or on the axis."""
    known = {style.colour for style in METHODS.values()}
    found = set()
    for ax in figure.panels:
        rows = ax.get_shared_y_axes().get_siblings(ax)
        labels = [label.get_text() for each in rows for label in each.get_yticklabels()]
        on_axis = any(label.strip("−-0123456789.,⁰¹²³⁴⁵⁶⁷⁸⁹≤ %") for label in labels)
        if on_axis or any(text.get_gid() == CURVE for text in ax.texts):
            continue
        found |= {
            to_hex(line.get_color()) for line in ax.lines if len(line.get_xdata()) and line.get_gid() != REFERENCE
        }
    return sorted(found & known)


@pytest.mark.parametrize("name", FIGURES)
def test_methods_that_share_a_figure_are_told_apart_by_every_reader(name, drawn_figure):
    near = {
        (first, second): apart(first, second)
        for first, second in combinations(colours_of(drawn_figure(name).figure), 2)
        if apart(first, second) < APART
    }
    assert not near


def test_negative_control_colours_that_were_too_near_are_seen():
    assert apart("#de8f05", "#d55e00") < APART  # as DG and zero price once were
    assert apart("#000000", "#ffffff") == pytest.approx(100, abs=1)


def test_the_colours_of_a_figure_are_found(drawn_figure):
    found = colours_of(drawn_figure("zero-price-geometry").figure)
    assert found == sorted(METHODS[name].colour for name in ("PG", "DG", "zero price"))


def contrast(colour):
    return Color(to_hex(colour)).contrast("white", method="wcag21")


def test_lines_stand_out_on_white():
    with paper_style():
        others = [*GREYS, *shades(2), *shades(5)]
    faint = {name: contrast(style.colour) for name, style in METHODS.items() if contrast(style.colour) < CONTRAST}
    assert not faint
    assert min(map(contrast, others)) >= CONTRAST
    assert contrast("0.7") < CONTRAST  # a negative control


def test_a_method_has_one_colour_and_one_marker():
    assert all(style.colour.startswith("#") and len(style.colour) == 7 for style in METHODS.values())
    for first, second in (("delight", "DG-K(3 %)"), ("exact k", "DG-K(3 %)")):
        assert METHODS[first].colour == METHODS[second].colour
