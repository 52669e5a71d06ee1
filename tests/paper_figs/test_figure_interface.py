"""Figures from a script and from the command: parameters, widths, formats, own tables, and no side effects."""

import io
import re
import subprocess
import sys

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from pypdf import PdfReader

import paper_figs
from paper_figs.catalogue import FIGURES
from paper_figs.drawing import drawn, figures_of
from paper_figs.parameters import checked, defaults
from paper_figs.tables import rows
from paper_figs.writing import CAPTIONS, write
from simulations.cli.main import main

ONE_PANEL = "gambling-false-positives"
FOREIGN = {"text.usetex": True, "font.size": 31.0, "axes.grid": True, "figure.dpi": 55.0, "lines.linestyle": "--"}


def kondo_figures(capsys, *arguments):
    """Run the command; return its exit code, what it printed and the last line of what it said."""
    with pytest.raises(SystemExit) as ended:
        main(["figures", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, (captured.err.strip().splitlines() or [""])[-1]


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def test_foreign_settings_neither_crash_a_figure_nor_change_it_nor_are_changed():
    code = f"""
import hashlib, io, json, sys
import matplotlib as mpl
def drawn():
    from paper_figs import draw
    figure, buffer = draw({ONE_PANEL!r}), io.BytesIO()
    figure.savefig(buffer, format="png", metadata={{"Software": None}})
    return hashlib.sha256(buffer.getvalue()).hexdigest()
plain = drawn()
for backend in ("svg", "template"):
    mpl.use(backend)
    mpl.rcParams.update({FOREIGN!r})
    before = dict(mpl.rcParams)
    assert drawn() == plain
    assert dict(mpl.rcParams) == before
    assert mpl.get_backend() == backend
assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_negative_control_a_figure_of_matplotlibs_own_heeds_the_settings():
    with mpl.rc_context({"font.size": 31.0}):
        figure = Figure()
        text = figure.text(0, 0, "large")
    assert text.get_fontsize() == 31.0


def test_a_figure_comes_back_with_its_caption(drawn_figure):
    figure, caption = drawn(ONE_PANEL)
    assert caption == figure.caption == drawn_figure(ONE_PANEL).caption
    assert figure.drawn_from == "sweep gambling-kept as committed"
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_figure_of_one_panel_is_drawn_on_given_axes():
    host = Figure(figsize=(4, 6))
    top, bottom = host.subplots(2)
    assert paper_figs.draw(ONE_PANEL, ax=bottom) is host
    assert bottom.lines
    assert bottom.get_title("left")
    assert not top.lines
    with pytest.raises(ValueError, match="ax takes a figure of one panel; this one has 2"):
        paper_figs.draw("gate-law", ax=top)


def test_parameters_change_what_is_drawn_and_simulated_points_only_where_there_are_any():
    usual, other = (paper_figs.draw("dg-noise-ratio", **given) for given in ({}, {"n_arms": 50}))
    (old, *_), (new, *_) = usual.panels[0].lines, other.panels[0].lines
    assert (old.get_xdata() == new.get_xdata()).all()
    assert not (old.get_ydata() == new.get_ydata()).any()
    assert "K = 50" in other.caption
    counts = [
        sum(len(line.get_xdata()) for line in f.panels[0].lines if line.get_marker() == "s") for f in (usual, other)
    ]
    assert counts[0] > 0 == counts[1]
    assert png(paper_figs.draw("dg-noise-ratio", n_arms=100)) == png(usual)


def test_two_arms_that_have_no_noise_are_drawn_and_said_so():
    noise = paper_figs.draw("approximate-delight", n_arms=2).panels[1].get_title("left")
    assert "two arms have no noise" in re.sub(r"\s+", " ", noise)


@pytest.mark.parametrize("name", [name for name in FIGURES if defaults(name)])
def test_defaults_are_parameters_that_can_be_set(name):
    assert checked(name, defaults(name)) == defaults(name)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["dg-noise-ratio", "--set", "n_arm=5"], "can set n_arms, baseline, got 'n_arm'; did you mean 'n_arms'?"),
        (["dg-noise-ratio", "--set", "n_arms=few"], "n_arms must be a whole number, as 100, got 'few'"),
        (["dg-noise-ratio", "--set", "n_arms=2.5"], "n_arms must be a whole number, as 100, got '2.5'"),
        (["dg-noise-ratio", "--set", "baseline=nan"], "baseline must be a number, as 0.5, got 'nan'"),
        (["dg-noise-ratio", "--set", "n_arms=1"], "n_arms"),
        (["baseline-dependence", "--set", "n_arms=2"], "drawn with n_arms = 2: two arms have no noise across ∇J"),
        (["dg-noise-ratio", "--set", "n_arms"], "--set must be KEY=VALUE, got 'n_arms'"),
        (["gate-law", "--set", "temperatures="], "temperatures must be numbers, as 0.1,0.5,2, got ''"),
        (["mnist-digits", "--set", "n_arms=5"], "figure mnist-digits has no parameter to set, got 'n_arms'"),
        (["--set", "n_arms=5"], "name the figures"),
        (["gate-law", "--format", "pfd"], "format must be one of pdf, png, svg, got 'pfd'; did you mean 'pdf'?"),
        (["gate-law", "--width", "colum"], "got 'colum'; did you mean 'column'?"),
        (["gate-law", "--width", "200"], "width must be column, page or inches from 2 to 20, got '200'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, capsys, arguments, problem):
    code, out, said = kondo_figures(capsys, *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert problem in said


def test_formats_widths_and_captions_of_the_command(tmp_path, capsys):
    given = ["--format", "svg,pdf", "--width", "4.5", "--out", tmp_path]
    assert kondo_figures(capsys, ONE_PANEL, *given)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [CAPTIONS, f"{ONE_PANEL}.pdf", f"{ONE_PANEL}.svg"]
    page = PdfReader(tmp_path / f"{ONE_PANEL}.pdf")
    assert float(page.pages[0].mediabox.width) == pytest.approx(4.5 * 72)
    text = (tmp_path / CAPTIONS).read_text()
    assert page.metadata.title == ONE_PANEL
    assert page.metadata.subject in text
    assert 'width="324pt"' in (tmp_path / f"{ONE_PANEL}.svg").read_text()
    assert kondo_figures(capsys, "gate-law", "--format", "png", "--out", tmp_path)[0] == 0
    both = (tmp_path / CAPTIONS).read_text()
    assert [line for line in both.splitlines() if line.startswith("## ")] == ["## gate-law", f"## {ONE_PANEL}"]
    assert page.metadata.subject in both


def test_equal_input_gives_equal_bytes_in_every_format(tmp_path):
    first, second = (
        {path.name: path.read_bytes() for path in write([ONE_PANEL], tmp_path / part, formats=("pdf", "png", "svg"))}
        for part in "ab"
    )
    assert first == second
    assert len(first) == 4
    other = {path.name: path.read_bytes() for path in write([ONE_PANEL], tmp_path / "c", width=5)}
    assert all(other[name] != first[name] for name in other if name != CAPTIONS)


def test_the_list_shows_widths_and_a_named_figures_parameters(capsys):
    code, out, _ = kondo_figures(capsys, "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(FIGURES)
    _, out, _ = kondo_figures(capsys, "gate-law", "--list")
    assert out.splitlines()[1:] == ["  --set temperatures=0.1,0.5,2"]
    assert kondo_figures(capsys, "gate-lew", "--list")[0] == 2


def test_a_csv_of_the_same_columns_is_drawn(tmp_path, capsys):
    frame = rows("gate-frequency")
    moved = frame.assign(estimate=frame["estimate"] * 0.5)
    (tmp_path / "mine").mkdir()
    moved.to_csv(tmp_path / "mine" / "gate-frequency.csv", index=False)
    moved.to_csv(tmp_path / "whatever.csv", index=False)
    named, single = (png(paper_figs.draw("gate-law", tmp_path / place)) for place in ("mine", "whatever.csv"))
    assert named == single != png(paper_figs.draw("gate-law"))
    code, _, said = kondo_figures(capsys, "gate-law", "--results", tmp_path / "whatever.csv", "--out", tmp_path / "o")
    assert (code, said) == (0, "gate-law: sweep gate-frequency from whatever.csv")


def test_a_csv_that_is_not_clear_or_lacks_a_column_is_refused_in_one_line(tmp_path, capsys):
    frame = rows("gate-frequency")
    short, empty, unknown = (tmp_path / f"{name}.csv" for name in ("short", "empty", "unknown"))
    frame.drop(columns="excess").to_csv(short, index=False)
    empty.write_text("")
    frame.to_csv(unknown, index=False)
    out = ["--out", tmp_path / "out"]
    for file, figure, problem in (
        (short, "gate-law", "figure gate-law needs 'excess', which short.csv lacks"),
        (empty, "gate-law", f"cannot read {empty}"),
        (unknown, "gambling-fixed-point", "is of no known table: name it after one of gambling, gambling-drift"),
    ):
        code, _, said = kondo_figures(capsys, figure, "--results", file, *out)
        assert code == 2
        assert problem in said


def test_a_claims_figures_are_found_its_own_first():
    assert figures_of("mnist-quality")[0] == "mnist-quality"
    assert set(figures_of("mnist-quality")) == {"mnist-quality", "mnist-learning-rate", "mnist-batch", "hero"}
    assert figures_of("additive-never-fixed") == ["additive-threshold"]
    assert figures_of("nothing") == []
    from kondo_theory.claims import CLAIMS

    assert [claim for claim in CLAIMS if not figures_of(claim)] == []


def test_asking_for_the_package_loads_no_matplotlib():
    code = "import sys, paper_figs; sys.exit('matplotlib' in sys.modules or not paper_figs.FIGURES)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
