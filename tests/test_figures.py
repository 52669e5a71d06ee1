"""The figures draw tables: no simulation at draw time, a user's tables where there are some, clear errors."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from paper_figs import tables
from paper_figs.catalogue import FIGURES, draw
from paper_figs.style import paper_style
from simulations.cli import main
from simulations.results import SWEEP, ResultError, load, save

mpl.use("Agg")

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "simulations" / "tables"


def reads_tables(name):
    """Whether a module of simulations reads or summarises tables and runs nothing."""
    return name in ("simulations.results", "simulations.statistics") or name.endswith(("_tables", "_summary"))


def simulation_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    return {name for name in found if name == "simulations" or name.startswith("simulations.")}


@pytest.mark.parametrize("path", sorted((ROOT / "paper_figs").glob("*.py")), ids=lambda path: path.name)
def test_figures_import_no_simulation(path):
    assert all(map(reads_tables, simulation_imports(path)))


def test_negative_control_the_reader_sees_a_simulation(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("def f():\n    from simulations.bandits import simulate_moments\n")
    assert not all(map(reads_tables, simulation_imports(sample)))


def test_figures_load_neither_numba_nor_torch():
    modules = ", ".join(f"paper_figs.{path.stem}" for path in (ROOT / "paper_figs").glob("[a-z]*.py"))
    code = f"import sys, {modules}; sys.exit(', '.join({{'numba', 'torch'}} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_the_committed_tables(name):
    from matplotlib import pyplot as plt

    module, function = FIGURES[name].function.split(":")
    module = __import__(module, fromlist=[function])
    with paper_style():
        figure = getattr(module, function)()
    assert figure.axes
    assert all(ax.has_data() for ax in figure.axes)
    plt.close(figure)


def copy(name, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for suffix in (".parquet", ".json"):
        shutil.copy(COMMITTED / f"{name}{suffix}", directory)


def shifted(name, directory, by):
    """Write a committed table with other estimates."""
    table = load(COMMITTED / f"{name}.parquet")
    frame = table.frame.assign(estimate=table.frame["estimate"] + by)
    save(frame, directory / f"{name}.parquet", kind=SWEEP, config=table.config, sidecar={})


def test_own_tables_come_before_the_committed_ones(tmp_path):
    shifted("noise", tmp_path / "noise-paper", 7.0)
    committed = tables.points("noise", "signal")["estimate"]
    with tables.results_from(tmp_path):
        assert tables.points("noise", "signal")["estimate"].to_list() == (committed + 7.0).to_list()
        assert not tables.table("graded").empty  # of which there is none here
    assert tables.points("noise", "signal")["estimate"].to_list() == committed.to_list()
    assert tables.names_in(tmp_path) == ["noise"]


def test_own_parts_of_a_study_of_token_reversal_are_completed(tmp_path):
    committed = tables.reversal_curves("quality").frame
    for label, name in (("PG", "quality-PG-paper"), ("DG", "quality-mine")):
        own = committed[committed["label"] == label].drop(columns="origin").assign(token_error=0.123)
        path = tmp_path / f"reversal-{name}.parquet"
        save(own, path, kind="reversal-quality", config={"preset": "paper"}, sidecar={})
    copy("reversal-token-trap-paper", tmp_path)
    with tables.results_from(tmp_path):
        found = tables.reversal_curves("quality").frame
    changed = found[found["token_error"] == 0.123]["label"].unique()
    assert list(changed) == ["PG", "DG"]
    assert list(found["label"].unique()) == list(committed["label"].unique())
    assert len(found) == len(committed)


def test_a_figure_changes_with_the_table(tmp_path):
    shifted("gate-frequency", tmp_path / "results", 0.05)
    old = [path.read_bytes() for path in draw(["gate-law"], tmp_path / "a")]
    same = [path.read_bytes() for path in draw(["gate-law"], tmp_path / "b")]
    new = [path.read_bytes() for path in draw(["gate-law"], tmp_path / "c", tmp_path / "results")]
    assert old == same
    assert old[1] != new[1]


def test_tables_that_are_not_there_or_not_clear(tmp_path):
    with pytest.raises(ResultError, match="no directory"), tables.results_from(tmp_path / "none"):
        tables.table("noise")
    with pytest.raises(ResultError, match="no table in"):
        tables.names_in(tmp_path)
    copy("noise", tmp_path / "one")
    copy("noise", tmp_path / "two")
    with pytest.raises(ResultError, match=r"noise is in .* more than once"):
        tables.names_in(tmp_path)
    with pytest.raises(ResultError, match="no result table at"):
        tables.table("nothing")


def test_a_table_without_the_rows_of_a_figure_is_refused(tmp_path):
    table = load(COMMITTED / "noise.parquet")
    frame = table.frame[table.frame["kind"] == "additive"]
    save(frame, tmp_path / "noise.parquet", kind=SWEEP, config=table.config, sidecar={})
    with pytest.raises(ResultError, match="table noise has no row at quantity = backward rate, kind = relative"):
        list(draw(["approximate-delight"], tmp_path / "out", tmp_path))
    with pytest.raises(ResultError, match="table noise has no column 'colour'"):
        tables.rows("noise", colour=1)


def test_selections_keep_order_and_leave_the_table_alone():
    whole = tables.table("noise")
    before = whole.copy()
    some = tables.rows("noise", kind="relative", quantity="signal")
    assert isinstance(some, pd.DataFrame)
    assert some["noise"].is_monotonic_increasing
    assert tables.table("noise").equals(before)


def test_the_command_reads_own_tables_and_says_so(tmp_path, capsys):
    copy("noise", tmp_path / "mine")
    out = str(tmp_path / "figures")
    with pytest.raises(SystemExit) as ended:
        main(["figures", "approximate-delight", "--results", str(tmp_path / "mine"), "--out", out])
    captured = capsys.readouterr()
    assert ended.value.code == 0
    assert "noise" in captured.err
    assert captured.out.count("wrote") == 2
    with pytest.raises(SystemExit) as ended:
        main(["figures", "gate-law", "--results", str(tmp_path / "none"), "--out", out])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.err.strip().splitlines()[-1].startswith("kondo: no directory")
