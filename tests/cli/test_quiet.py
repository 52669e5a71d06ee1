"""``--quiet``: errors, and what another option asks for, and not a word more."""

import json

import click
import pytest

from simulations.cli import main as cli
from simulations.report import page
from simulations.verification import verify
from simulations.verification.checks.evidence import Simulated
from simulations.verification.outcomes import Report

SWEEP = ("token-windows", "--set", "vocab_size=2", "--set", "n_tokens=3")
QUIET = {
    "verify": ("verify", "--claim", "gate-law"),
    "report": ("report", "verify.json"),
    "derive": ("derive", "forward-efficiency"),
    "figures": ("figures", "step-cost", "--out", "figures"),
    "sweep": ("sweep", *SWEEP, "--workers", "1"),
    "data check": ("data", "check"),
    "data fetch": ("data", "fetch"),
    "experiment mnist": (
        *("experiment", "mnist", "--preset", "smoke", "--rate", "0.03", "--seeds", "1"),
        *("--updates", "2", "--workers", "1"),
    ),
    "experiment reversal": (
        *("experiment", "reversal", "--preset", "smoke", "--method", "pg", "--seeds", "1"),
        *("--updates", "2", "--workers", "1"),
    ),
}


@pytest.fixture
def checks(monkeypatch):
    """Two claims, of which the second disagrees with its simulation."""

    def check(found, claim, context):
        context.progress("simulating")
        estimate = 1.001 if claim.id == "gate-law" else 2.0
        found.simulated = [Simulated("χ", 1.0, estimate, 0.001)]

    monkeypatch.setattr(verify._Found, "check", check)


def run(capfd, *arguments):
    """Run the command; return exit code, standard output and standard error, those of processes it starts too."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stopped.value.code, captured.out, captured.err


@pytest.mark.usefixtures("checks")
@pytest.mark.parametrize("command", QUIET)
def test_a_command_that_succeeds_says_nothing(capfd, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "explorers", tuple)  # their grids take seconds
    empty = Report("smoke", "cpu", "c", {}, [], date="2026-01-02").to_json()
    (tmp_path / "verify.json").write_text(json.dumps(empty))
    assert run(capfd, *QUIET[command], "--quiet") == (0, "", "")


@pytest.mark.usefixtures("checks")
@pytest.mark.parametrize("command", ["verify", "derive", "sweep", "data check"])
def test_negative_control_without_it_there_is_something_to_read(capfd, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capfd, *QUIET[command])
    assert (code, bool(out)) == (0, True)


def test_every_command_has_it():
    def leaves(group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield from leaves(command) if isinstance(command, click.Group) else [command]

    for command in leaves(cli.kondo):
        assert "--quiet" in [flag for option in command.params for flag in option.opts], command.name


def test_errors_are_printed_all_the_same(capfd):
    code, out, err = run(capfd, "verify", "--claim", "nope", "--quiet")
    assert (code, out, err.startswith("kondo: claim must be one of")) == (2, "", True)


def test_what_is_asked_for_is_printed_all_the_same(capfd, tmp_path):
    for arguments in (
        ("verify", "--list"),
        ("figures", "--list"),
        ("sweep", "--list"),
        ("sweep", *SWEEP, "--dry-run", "--out", tmp_path),
        ("derive", "forward-efficiency", "--latex"),
    ):
        code, out, err = run(capfd, *arguments, "--quiet")
        assert (code, bool(out), err) == (0, True, ""), arguments


@pytest.mark.usefixtures("checks")
def test_a_check_that_fails_is_one_line(capfd):
    code, out, err = run(capfd, "verify", "--claim", "gate-law", "--claim", "row-gate", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("kondo: row-gate is contradicted: ")
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("checks")
def test_the_json_is_all_there_is(capfd, tmp_path):
    code, out, err = run(capfd, "verify", "--claim", "gate-law", "--json", "-", "--quiet")
    assert (code, [claim["id"] for claim in json.loads(out)["claims"]], err) == (0, ["gate-law"], "")
    file = tmp_path / "report.json"
    assert run(capfd, "verify", "--claim", "gate-law", "--json", file, "--quiet") == (0, "", "")
    assert json.loads(file.read_text(encoding="utf-8"))["complete"] is True


def test_a_derivation_that_fails_is_one_line(capfd, monkeypatch):
    from kondo_theory.derivations import forward_efficiency
    from kondo_theory.derivations.proof import Derivation, Step

    failing = Derivation("x", "s", ("a",), (Step("χ", r"\chi", "proved", False),), {})
    monkeypatch.setattr(forward_efficiency, "derive", lambda: failing)
    assert run(capfd, "derive", "forward-efficiency", "--quiet") == (
        1,
        "",
        "kondo: a step of the derivation of forward-efficiency fails\n",
    )


def test_only_files_that_are_not_good_are_named(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("KONDO_DATA_DIR", str(tmp_path))
    code, out, err = run(capfd, "data", "check", "--quiet")
    assert (code, [line.split()[0] for line in out.splitlines()], err) == (1, ["missing"] * 4, "")


def test_the_benchmark_writes_its_rows_as_json(capfd, tmp_path, monkeypatch):
    from simulations.benchmark import suite
    from simulations.benchmark.cases import BenchmarkRow

    row = BenchmarkRow("step", "numba", "step", 1.5, 0.25, 1.0, 1000)
    monkeypatch.setattr(suite, "run", lambda **_: [row])
    monkeypatch.setattr(suite, "targets", lambda rows: [])
    code, out, err = run(capfd, "bench", "--quick", "--json", "-", "--quiet")
    (found,) = json.loads(out)
    assert (code, found["case"], found["microseconds"], found["peak_bytes"], err) == (0, "step", 1.5, 1000, "")
    code, out, err = run(capfd, "bench", "--quick", "--json", "-")
    assert json.loads(out) == [found], "the table is on standard error"
    assert "numba" in err
    assert run(capfd, "bench", "--json", tmp_path / "rows.json", "--quiet") == (0, "", "")
    assert json.loads((tmp_path / "rows.json").read_text()) == [found]
    assert run(capfd, "bench", "--json", tmp_path)[0] == 2
