"""One grammar in every figure: hollow is simulated, filled is measured; names stand at curves and hide nothing."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from paper_figs import tables
from paper_figs.arranging import label_at, stack_names
from paper_figs.catalogue import FIGURES
from paper_figs.marks import EXACT, MEASURED, PUBLISHED, SIMULATED, draw_exact, draw_measured, draw_points, named
from paper_figs.panels import finish, panels
from paper_figs.style import METHODS, MethodStyle, paper_style

MOST = 5
"""Curves that are named without a legend, at most."""
STYLE = MethodStyle("#2a80ff", "o")


def simulated_tables(name):
    """The tables of a figure that hold simulations: those with estimates."""
    sweeps = [source.removeprefix("sweep ") for source in FIGURES[name].reads if source.startswith("sweep ")]
    return [frame for frame in map(tables.table, sweeps) if "estimate" in frame]


def marked(ax):
    """The lines of a panel that have markers, other than the caps of intervals, and something to show."""
    return [line for line in ax.lines if line.get_marker() not in (*"|_ ", "", "None") and len(line.get_xdata())]


def misdrawn(ax, *, simulated, measured):
    """What breaks the grammar in a panel of a figure that has simulated rows, or measured ones."""
    found = []
    for line in marked(ax):
        kind, white = line.get_gid(), to_rgba(line.get_markerfacecolor()) == to_rgba("white")
        allowed = {
            SIMULATED: simulated and white,
            MEASURED: measured and not white,
            EXACT: line.get_marker() == "x",
            PUBLISHED: line.get_marker() == "*" and to_rgba(line.get_color()) == to_rgba("black"),
        }
        if not allowed.get(kind, False):
            found.append((kind, line.get_marker(), white))
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_hollow_points_are_simulated_and_filled_ones_measured(name, drawn_figure):
    simulated = simulated_tables(name)
    sources = [source for source in FIGURES[name].reads if not source.startswith("sweep ")]
    measured = bool(sources) or name == "mnist-learning-rate"  # whose table is a sweep of trainings
    for ax in drawn_figure(name).figure.panels:
        assert misdrawn(ax, simulated=bool(simulated), measured=measured) == []


def test_negative_control_points_that_break_the_grammar_are_seen():
    with paper_style():
        _, (ax,) = panels()
        draw_points(ax, [1], [1], [0.1], STYLE)
        draw_measured(ax, [1, 2], [1, 2], [0, 1], [2, 3], STYLE)
        draw_measured(ax, [1, 2], [1, 2], [0, 1], [2, 3], STYLE, marks=2)
        draw_exact(ax, 1, 1, "black")
    assert misdrawn(ax, simulated=True, measured=True) == []
    assert len(misdrawn(ax, simulated=False, measured=True)) == 1
    assert len(misdrawn(ax, simulated=True, measured=False)) == 2
    with paper_style():
        _, (ax,) = panels()
        ax.plot([1], [1], "o")  # of no kind
        draw_points(ax, [1], [1], [0.1], STYLE)
        marked(ax)[-1].set_markerfacecolor("blue")  # simulated, but filled
        draw_measured(ax, [1], [1], [0], [2], STYLE, mfc="white")  # measured, but hollow
    assert misdrawn(ax, simulated=True, measured=True) == [(None, "o", False), (SIMULATED, "o", False),
                                                           (MEASURED, "o", True)]  # fmt: skip


def values_of(name):
    """The estimates in a figure's simulated tables: plain, and in thousandths."""
    values = np.concatenate([frame["estimate"].to_numpy(float) for frame in simulated_tables(name)])
    return np.concatenate([values, 1e3 * values])


@pytest.mark.parametrize("name", ["gambling-top-rate", "equal-noise", "token-dg", "token-screening"])
def test_what_is_exact_is_not_drawn_as_simulated(name, drawn_figure):
    estimates, hollow = values_of(name), 0
    for ax in drawn_figure(name).figure.panels:
        for line in marked(ax):
            if line.get_gid() == SIMULATED:
                hollow += len(line.get_ydata())
                assert np.isin(np.asarray(line.get_ydata(), float), estimates).all()
    assert hollow >= 5
    assert not np.isin([0.123456], estimates).any()  # a negative control


def legends_of(figure):
    return [*figure.legends, *(ax.legend_ for ax in figure.panels if ax.legend_ is not None)]


def curves_of(legend):
    """The entries of a legend that are curves; others say what a marker or a shade is."""
    return [handle for handle in legend.legend_handles if getattr(handle, "get_linestyle", str)() == "-"]


@pytest.mark.parametrize("name", FIGURES)
def test_up_to_five_curves_are_named_without_a_legend(name, drawn_figure):
    for legend in legends_of(drawn_figure(name).figure):
        assert not 0 < len(curves_of(legend)) <= MOST


def test_negative_control_a_legend_of_few_curves_is_seen():
    with paper_style():
        _, (ax,) = panels()
        ax.legend(handles=[named(name, METHODS[name], mark="curve") for name in ("PG", "DG")])
    assert [len(curves_of(legend)) for legend in legends_of(ax.figure)] == [2]


def test_names_stand_at_their_curves_and_stacked_ones_below_each_other():
    with paper_style():
        figure, (ax,) = panels()
        ax.plot([0, 1], [0, 1], color="blue", label="up")
        ax.plot([0, 0.5], [1, np.nan], color="red", label="down")
        label_at(ax, {"up": (0.5, 3, 2), "down": (np.inf, -3, -2)})
        up, down = ax.texts
        stack_names(ax, (0.98, 0.02))
        finish(figure, "")
        figure.draw_without_rendering()
        first, second = (text.get_window_extent() for text in ax.texts[2:4])
    assert first.y0 > second.y1
    assert (up.xy, up.get_color(), up.get_ha(), up.get_va()) == ((0.5, 0.5), "blue", "left", "bottom")
    assert (down.xy, down.get_color(), down.get_ha(), down.get_va()) == ((0.0, 1.0), "red", "right", "top")
    assert [text.get_text() for text in ax.texts[2:4]] == ["up", "down"]


def test_a_marker_at_the_edge_is_drawn_whole_where_its_line_stays_inside():
    with paper_style():
        figure, (ax,) = panels()
        inside, outside = (ax.plot([0, 1], [0, top], "o")[0] for top in (1, 2))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        finish(figure, "")
    assert not inside.get_clip_on()
    assert outside.get_clip_on()
