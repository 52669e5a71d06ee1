"""Figures on a language model: drawn from tables of one's own, and left out in one line while none is committed."""

from pathlib import Path

import pytest
from language_model_worlds import aligned, runs, steps

from paper_figs import tables
from paper_figs.catalogue import FIGURES
from paper_figs.drawing import read_and_drawn
from paper_figs.tables import NotCommittedError
from paper_figs.writing import write
from simulations.results.merging import MeasuredTables

OURS = [name for name, figure in FIGURES.items() if "language-model-learning" in figure.reads]


@pytest.fixture(scope="module")
def own():
    at = Path("made-up.parquet")
    return [steps(at), runs(at, "learning", 3), runs(at, "methods", 2), aligned(at)]


@pytest.mark.parametrize("name", ["language-model-savings", *OURS])
def test_a_figure_is_drawn_from_tables_of_ones_own(own, name):
    figure, caption, reading = read_and_drawn(name, MeasuredTables(own))
    assert set(reading.own) == set(FIGURES[name].reads)
    assert caption
    assert all(ax.has_data() and ax.get_title("left") for ax in figure.axes)


def test_a_figure_without_its_table_is_left_out_in_one_line_and_refused_when_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tables.language_model_tables, "committed", lambda study: None)
    monkeypatch.setattr("paper_figs.writing.FIGURES", {name: FIGURES[name] for name in OURS})
    said = []
    assert list(write(None, tmp_path, say=said.append)) == []
    assert [line.partition(":")[0] for line in said] == [f"{name} is left out" for name in OURS]
    assert all("\n" not in line and "--study learning --preset paper" in line for line in said)
    with pytest.raises(NotCommittedError, match="no table of kind language-model-learning is committed yet"):
        list(write(OURS[:1], tmp_path))
