"""``kondo sweep`` as a user meets it."""

import pytest
import sweep_cells as cells

from simulations.cli.main import main
from simulations.results.tables import load
from simulations.sweeps import Sweep
from simulations.sweeps.named.catalogue import SWEEPS


def kondo(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return raised.value.code, captured.out, captured.err


FRONTIER = ("sweep", "frontier", "--preset", "smoke", "--set", "p_correct=0.2", "--set", "n_arms=10", "--workers", 1)


def test_the_command_writes_a_table_and_resumes(tmp_path, capsys):
    code, out, _ = kondo(capsys, *FRONTIER, "--out", tmp_path / "out")
    assert (code, "rows in" in out) == (0, True)
    assert load(tmp_path / "out").frame["n_arms"].unique().tolist() == [10]
    assert kondo(capsys, *FRONTIER, "--out", tmp_path / "out")[0] == 0


def test_the_dry_run_counts_and_writes_nothing(tmp_path, capsys):
    code, out, _ = kondo(capsys, *FRONTIER, "--out", tmp_path / "out", "--dry-run")
    cells_named = sum(
        1 for _ in SWEEPS["frontier"].with_values({"p_correct": (0.2,), "n_arms": (10,)}).checked().cells()
    )
    assert code == 0
    assert f"frontier: {cells_named:,} cells" in out
    assert "core seconds" in out
    assert not (tmp_path / "out").exists()


def test_the_list_names_every_sweep(capsys):
    code, out, _ = kondo(capsys, "sweep", "--list")
    assert code == 0
    assert all(name in out for name in SWEEPS)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a sweep or a file"),
        (("frontiers",), "a sweep must be a file"),
        (("frontier", "--set", "p_correct=2.0"), "p_correct is 2.0"),
        (("frontier", "--set", "price="), "the grid is empty"),
        (("frontier", "--set", "p=1"), "unknown key 'p'"),
        (("missing.toml",), "no such file"),
        (("frontier", "--scheduler", "nowhere", "--workers", "2"), "not both"),
    ],
)
def test_bad_input_ends_in_one_line_exit_2_and_no_file(tmp_path, capsys, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    code, _, errors = kondo(capsys, "sweep", *arguments)
    assert code == 2
    assert problem in errors.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_grid_of_a_million_million_cells_ends_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    axis = "{ start = 0.1, stop = 0.2, num = 1000000 }"
    (tmp_path / "huge.toml").write_text(
        f'sweep = "frontier"\n[grid]\np_correct = {axis}\nprice = {axis}\ntemperature = 1.0\n'
    )
    code, _, errors = kondo(capsys, "sweep", "huge.toml")
    assert code == 2
    assert "at most 1,000,000 cells are allowed, got 1,000,000,000,000" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["huge.toml"]


def test_failing_cells_exit_1(tmp_path, capsys, monkeypatch):
    failing = Sweep("half", cells.fails_on_odd, ({"a": (0, 1, 2)},))
    monkeypatch.setattr("simulations.cli.sweeping.SWEEPS", {"half": failing})
    code, _, errors = kondo(capsys, "sweep", "half", "--out", tmp_path / "out", "--workers", 1)
    assert code == 1
    assert "1 of 3 cells failed" in errors
    assert "a=1: ValueError: 1 is odd" in errors
