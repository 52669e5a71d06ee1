"""What titles and labels say is computed from the tables: it changes with them."""

import re

import numpy as np
import pandas as pd
import pytest

from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.drawing import draw
from paper_figs.mnist.batches import batch, pack, price_of
from paper_figs.panels import panels
from paper_figs.ratio_maps import ratio_map
from paper_figs.reversal.style import TOTAL
from paper_figs.style import paper_style
from paper_figs.tables import step_times
from simulations.results.tables import COMMITTED, load, save, with_seconds

CURVES = "mnist-quick"


def ratio_in(figure):
    """How many times fewer backward samples a figure's title says."""
    (title,) = (ax.get_title("left") for ax in figure.panels if "times" in ax.get_title("left"))
    return float(re.search(r"(\d+)\s+times", title).group(1))


def test_the_ratio_of_backward_samples_follows_the_table(tmp_path):
    table = load(COMMITTED / f"{CURVES}.parquet")
    save(table.frame, tmp_path / "one" / "t.parquet", kind=table.kind, config=table.config, sidecar={})
    more = table.frame.copy()
    more.loc[more["label"] == "PG", "backward_samples"] *= 3
    save(more, tmp_path / "more" / "t.parquet", kind=table.kind, config=table.config, sidecar={})
    before, after = (draw("mnist-quality", tmp_path / name) for name in ("one", "more"))
    assert ratio_in(after) / ratio_in(before) == pytest.approx(3, rel=0.05)
    assert any(
        "fewer" in text.get_text() and f"{ratio_in(after):g}" in text.get_text() for text in after.panels[1].texts
    )


def test_stuck_seeds_are_counted_where_there_are_any(tmp_path):
    table = load(COMMITTED / f"{CURVES}.parquet")
    stuck = table.frame.copy()
    stuck["test_error"] = stuck["test_error"].where(stuck["update"] < 1_000, 0.02)
    stuck.loc[(stuck["label"] == "DG") & (stuck["seed"] < 2), "test_error"] = 0.5
    save(stuck, tmp_path / "t.parquet", kind=table.kind, config=table.config, sidecar={})
    (said,) = [t.get_text() for t in draw("mnist-quality", tmp_path).panels[0].texts if "stuck" in t.get_text()]
    assert said.endswith("DG: 2 of 10 seeds")
    assert "PG" not in said


def test_a_table_that_lacks_a_method_is_refused_in_one_line(tmp_path):
    table = load(COMMITTED / f"{CURVES}.parquet")
    few = table.frame[table.frame["label"] != "DG"]
    save(few, tmp_path / "t.parquet", kind=table.kind, config=table.config, sidecar={})
    with pytest.raises(ValueError, match=r"mnist-quality needs 'DG', which t\.parquet lacks"):
        draw("mnist-quality", tmp_path)


def test_the_break_even_line_parts_what_saves_from_what_does_not():
    with paper_style():
        _, (ax,) = panels()
        ratio_map(ax, pd.DataFrame([[1.2, 0.8], [0.5, np.nan]], index=[1, 2], columns=[10, 100]))
    sides = [(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in ax.lines]
    assert sides == [((1, 1), (0, 1)), ((0, 1), (1, 1))]
    assert [text.get_text() for text in ax.texts] == ["1.20", "0.80", "0.50"]
    with paper_style():
        _, (ax,) = panels()
        ratio_map(ax, pd.DataFrame([[0.9, 0.8]], index=[1], columns=[10, 100]))
    assert not ax.lines


def test_seconds_on_a_cpu_and_a_gpu_are_those_of_the_tables(drawn_figure):
    figure = drawn_figure("when-it-saves").figure
    title = re.sub(r"\s+", " ", figure.panels[1].get_title("left"))
    for device, table in step_times().items():
        rows = with_seconds(table)
        rows = rows[rows["answers"] == 100].set_index("label")["seconds"]
        gate, full = (np.array(rows[label])[:, TOTAL] for label in ("row gate(3 %)", "PG"))
        assert f"{np.median(gate / full):.2f}" in title, device


def test_the_hero_keeps_what_is_above_the_price_and_stalls_on_the_line(drawn_figure):
    table = batch()
    early = table.frame[table.frame["update"] == table.frame["update"].min()]
    price = price_of(early["delight"], 3)
    assert (early["delight"] > price).sum() == 3
    figure = drawn_figure("hero").figure
    assert tuple(figure.get_size_inches()) == (6.9, 2.4)
    assert "Keep 3 of 100" in figure.panels[0].get_title("left")
    stalls = [line for line in figure.panels[2].lines if group_stall_point(0.03, 2, 10, 10) in line.get_xdata()]
    below = [line for line in stalls if max(line.get_ydata()) < 0.9]
    assert len(below) == 1
    np.testing.assert_allclose(below[0].get_ydata(), below[0].get_xdata(), atol=0.01)


def test_digits_stand_at_their_delight_and_none_is_lost():
    pixels = np.full((28, 28), 9, np.uint8).tobytes()
    frame = pd.DataFrame({"delight": [0.05, 0.05, 0.05, 0.95], "pixels": [pixels] * 4})
    picture, moved = pack(frame, 0.0, 1.0, columns=10, rows=2)
    cells = picture.reshape(2, 28, 10, 28).max(axis=(1, 3)) > 0
    assert cells.astype(int).tolist() == [[1] + [0] * 9, [1, 1, *[0] * 7, 1]]
    assert moved == pytest.approx(0.1)
