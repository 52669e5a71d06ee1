"""The figures draw tables: no simulation at draw time, a user's tables where there are some, clear errors."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from paper_figs import tables
from paper_figs.catalogue import FIGURES
from paper_figs.writing import CAPTIONS, write
from simulations.cli.main import main
from simulations.results.tables import SWEEP, ResultError, load, save

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "simulations" / "tables"


def reads_tables(name):
    """Whether a module of simulations reads or summarises tables and runs nothing."""
    plain = ("simulations.errors", "simulations.statistics", "simulations.results")
    plain += ("simulations.language_model.predictions", "simulations.language_model.frozen.estimates")
    plain += ("simulations.reversal.stale.rests",)
    readings = ("simulations.results.", "simulations.reversal.readings.")
    return name in plain or name.startswith(readings) or name.endswith((".tables", ".summary"))


def simulation_imports(path):
    """The modules of simulations that a file imports; of its packages, those that it takes from them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            of_package = node.module in (
                "simulations",
                "simulations.mnist",
                "simulations.reversal",
                "simulations.language_model",
            )
            found.update({f"{node.module}.{alias.name}" for alias in node.names} if of_package else {node.module})
    return {name for name in found if name == "simulations" or name.startswith("simulations.")}


@pytest.mark.parametrize("path", sorted((ROOT / "paper_figs").rglob("*.py")), ids=lambda path: path.name)
def test_figures_import_no_simulation(path):
    assert all(map(reads_tables, simulation_imports(path)))


def test_negative_control_the_reader_sees_a_simulation(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("def f():\n    from simulations.bandits.simulation import simulate_moments\n")
    assert not all(map(reads_tables, simulation_imports(sample)))


def test_figures_load_neither_numba_nor_torch_and_are_drawn_without(tmp_path):
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "paper_figs").rglob("[a-z]*.py"))
    modules = ", ".join(".".join(path.parts) for path in paths)
    code = (
        f"import pathlib, sys, {modules};"
        "list(paper_figs.writing.write(['mnist-decomposition', 'mnist-screening'], pathlib.Path(sys.argv[1])));"
        "sys.exit(', '.join({'numba', 'torch'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path], check=False).returncode == 0
    assert len(list(tmp_path.glob("mnist-*.p*"))) == 4


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_the_committed_tables(name, drawn_figure):
    drawn = drawn_figure(name)
    assert not drawn.reading.own
    assert set(drawn.reading.committed) == set(FIGURES[name].reads), "what it reads is what it says"
    assert drawn.figure.axes
    assert all(ax.has_data() for ax in drawn.figure.axes)


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
    with tables.results_from(tmp_path) as reading:
        assert tables.points("noise", "signal")["estimate"].to_list() == (committed + 7.0).to_list()
        assert not tables.table("graded").empty  # of which there is none here
    assert (reading.own, reading.committed) == ({"sweep noise": "noise.parquet"}, ["sweep graded"])
    assert tables.points("noise", "signal")["estimate"].to_list() == committed.to_list()


def test_own_parts_of_a_study_of_token_reversal_are_completed(tmp_path):
    committed = tables.reversal_curves("quality").frame
    for label, name in (("PG", "quality-PG-paper"), ("DG", "quality-mine")):
        own = committed[committed["label"] == label].drop(columns="origin").assign(token_error=0.123)
        path = tmp_path / f"{name}.parquet"
        save(own, path, kind="reversal-quality", config={"preset": "paper"}, sidecar={})
    copy("reversal-token-trap-paper", tmp_path)
    with tables.results_from(tmp_path) as reading:
        found = tables.reversal_curves("quality").frame
    changed = found[found["token_error"] == 0.123]["label"].unique()
    assert list(changed) == ["PG", "DG"]
    assert list(found["label"].unique()) == list(committed["label"].unique())
    assert len(found) == len(committed)
    assert reading.own == {"reversal-quality": "quality-PG-paper.parquet and quality-mine.parquet"}


def test_a_figure_changes_with_the_table(tmp_path):
    shifted("gate-frequency", tmp_path / "results", 0.05)
    old = [path.read_bytes() for path in write(["gate-law"], tmp_path / "a")]
    same = [path.read_bytes() for path in write(["gate-law"], tmp_path / "b")]
    new = [path.read_bytes() for path in write(["gate-law"], tmp_path / "c", tmp_path / "results")]
    assert old == same
    assert old[1] != new[1]


def test_tables_that_are_not_there_or_not_clear(tmp_path):
    with pytest.raises(ResultError, match="no directory"), tables.results_from(tmp_path / "none"):
        pass
    with pytest.raises(ResultError, match="holds no result table"), tables.results_from(tmp_path):
        pass
    copy("noise", tmp_path / "one")
    copy("noise", tmp_path / "two")
    with tables.results_from(tmp_path), pytest.raises(ResultError, match=r"one/noise.* and .*two/noise.* equally"):
        tables.table("noise")
    with pytest.raises(ResultError, match="no result table at"):
        tables.table("nothing")


def test_a_table_without_the_rows_of_a_figure_is_refused(tmp_path):
    table = load(COMMITTED / "noise.parquet")
    frame = table.frame[table.frame["kind"] == "additive"]
    save(frame, tmp_path / "noise.parquet", kind=SWEEP, config=table.config, sidecar={})
    with pytest.raises(ResultError, match="table noise has no row at quantity = backward rate, kind = relative"):
        list(write(["approximate-delight"], tmp_path / "out", tmp_path))
    with pytest.raises(ResultError, match="table noise has no column 'colour'"):
        tables.rows("noise", colour=1)


def test_selections_keep_order_and_leave_the_table_alone():
    whole = tables.table("noise")
    before = whole.copy()
    some = tables.rows("noise", kind="relative", quantity="signal")
    assert isinstance(some, pd.DataFrame)
    assert some["noise"].is_monotonic_increasing
    assert tables.table("noise").equals(before)


def kondo_figures(capsys, out, *arguments):
    """Run the command; return its exit code, what it wrote and what it said of it."""
    with pytest.raises(SystemExit) as ended:
        main(["figures", *map(str, arguments), "--out", str(out)])
    captured = capsys.readouterr()
    return ended.value.code, sorted(path.name for path in out.glob("*")), captured.err.strip()


def renamed(name, path):
    """Copy a committed table under another file name, with its sidecar."""
    table = load(COMMITTED / f"{name}.parquet")
    return save(table.frame, path, kind=table.kind, config=table.config, sidecar=table.sidecar)


def test_the_command_reads_own_tables_and_says_so(tmp_path, capsys):
    copy("noise", tmp_path / "mine")
    out = tmp_path / "figures"
    code, files, said = kondo_figures(capsys, out, "approximate-delight", "--results", tmp_path / "mine")
    assert (code, files) == (0, ["approximate-delight.pdf", "approximate-delight.png", CAPTIONS])
    assert said == "approximate-delight: sweep noise from noise.parquet"
    code, files, said = kondo_figures(capsys, out, "gate-law", "--results", tmp_path / "none")
    assert code == 2
    assert said.splitlines()[-1].startswith("kondo: no directory")


@pytest.mark.parametrize(
    ("name", "figure", "kind"),
    [
        ("mnist-quick", "mnist-quality", "mnist-learning-curves"),
        ("mnist-digits-quick", "mnist-digits", "mnist-digits"),
        ("mnist-moments-quick", "mnist-screening", "mnist-moments"),
        ("graded", "graded-rewards", "sweep graded"),
        ("reversal-scaling-quick", "reversal-scaling", "reversal-scaling"),
        ("reversal-learning-rate-quick", "reversal-learning-rate", "reversal-learning-rate"),
    ],
)
def test_a_table_is_found_by_what_it_holds_whatever_its_name(tmp_path, capsys, name, figure, kind):
    renamed(name, tmp_path / "mine" / "gpu-box" / "tuesday.parquet")
    out = tmp_path / "figures"
    code, files, said = kondo_figures(capsys, out, figure, "--results", tmp_path / "mine")
    assert (code, len(files)) == (0, 3)
    assert said.startswith(f"{figure}: {kind} from tuesday.parquet")


def test_a_figure_that_the_directory_does_not_feed_is_refused_and_nothing_is_written(tmp_path, capsys):
    renamed("mnist-quick", tmp_path / "mine" / "noise.parquet")
    out = tmp_path / "figures"
    code, files, said = kondo_figures(
        capsys, out, "mnist-quality", "approximate-delight", "--results", tmp_path / "mine"
    )
    assert (code, files) == (2, [])
    assert said == (
        f"kondo: nothing in {tmp_path / 'mine'} feeds figure approximate-delight: looked for tables of sweep noise; "
        "it holds noise.parquet (mnist-learning-curves)"
    )


def test_without_names_the_figures_are_drawn_that_the_directory_feeds(tmp_path, capsys):
    renamed("reversal-step-times-paper", tmp_path / "mine" / "a.parquet")
    out = tmp_path / "figures"
    code, files, said = kondo_figures(capsys, out, "--results", tmp_path / "mine")
    assert code == 0
    assert {Path(name).stem for name in files} == {
        "reversal-quality-supplement",
        "reversal-physical-cost",
        "when-it-saves",
        "captions",
    }
    assert "reversal-step-times from a.parquet; reversal-quality as committed" in said
    renamed("additive", tmp_path / "other" / "a.parquet")
    code, files, said = kondo_figures(capsys, tmp_path / "none", "--results", tmp_path / "other")
    assert (code, files) == (2, [])
    assert said.endswith("feeds any figure; it holds a.parquet (sweep additive)")


@pytest.mark.parametrize(("name", "figure"), [("mnist-quick", "device-agreement")])
def test_a_table_of_the_right_kind_that_cannot_be_shown_does_not_feed_the_figure(tmp_path, capsys, name, figure):
    renamed(name, tmp_path / "mine" / "cpu.parquet")
    out = tmp_path / "figures"
    code, files, said = kondo_figures(capsys, out, figure, "--results", tmp_path / "mine")
    assert (code, files) == (2, [])
    assert "none of those that are there can be shown; it holds cpu.parquet" in said


def test_a_smaller_table_does_not_count_and_is_named(tmp_path, capsys):
    renamed("mnist-quick", tmp_path / "mine" / "paper.parquet")
    table = load(COMMITTED / "mnist-quick.parquet")
    few = table.frame[table.frame["seed"] < 2]
    config = dict(table.config) | {"preset": "paper"}  # a label is no size
    save(few, tmp_path / "mine" / "whole.parquet", kind=table.kind, config=config, sidecar={})
    code, _, said = kondo_figures(capsys, tmp_path / "figures", "mnist-quality", "--results", tmp_path / "mine")
    assert code == 0
    assert said.replace("\n", " ") == (
        "mnist-quality: mnist-learning-curves from paper.parquet "
        f"{tmp_path / 'mine' / 'whole.parquet'} does not count: {tmp_path / 'mine' / 'paper.parquet'} is larger"
    )
