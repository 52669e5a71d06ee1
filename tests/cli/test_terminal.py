"""Closed pipes, encodings without our signs and full disks: every command keeps its exit code and prints what it can.

The commands run in processes of their own, many in a row in each, for it is the process's streams that break.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulations.cli.letters import in_plain_letters

RUN = """
import json, os, sys, traceback
from simulations.cli import main as cli
from simulations.verification import verify
from simulations.verification.checks.evidence import Simulated

def check(found, claim, context):
    context.progress(f"{claim.id}: χ ≤ λ")
    found.simulated = [Simulated("⟨χ⟩ ≤ ρ − ½", 1.0, 1.001 if claim.id == "gate-law" else 2.0, 0.001)]

verify._Found.check = check
runs = json.loads(sys.argv[1])
every = [words for run in runs for words in run["commands"]]
if any(words[0] == "report" and "--out" in words for words in every):  # the token trap's whole grid takes seconds
    from simulations.report.explorers import tokens
    tokens.VOCABULARIES, tokens.TOKENS, tokens.RATES = (2, 10), (2, 10, 30), (0.03, 0.1)
if ["bench"] in every:
    from simulations.benchmark import suite as benchmark
    benchmark.run = lambda **_: []
    benchmark.main_table = lambda rows: "kernel ≥ 2×"
    benchmark.target_table = lambda rows: "target ≤ 1"
for run in runs:
    mode, place, codes = run["mode"], run["place"], []
    report = open(os.path.join(place, "codes.json"), "w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding=run["encoding"], errors=stream.errors)
    for number, arguments in enumerate(run["commands"]):
        for descriptor in (1, 2):
            if mode == "closed":
                end, new = os.pipe()
                os.close(end)
            elif mode == "full":
                new = os.open("/dev/full", os.O_WRONLY)
            else:
                new = os.open(os.path.join(place, f"{number}.{descriptor}"), os.O_WRONLY | os.O_CREAT)
            os.dup2(new, descriptor)
            os.close(new)
        try:
            cli.main(arguments)
        except SystemExit as ended:
            codes.append(ended.code)
        except BaseException:
            codes.append(traceback.format_exc())
    json.dump(codes, report)
    report.close()
os._exit(0)
"""
TABLE = "{place}/t.parquet"
COMMANDS = {
    ("--help",): 0,
    ("nope",): 2,
    ("verify", "--claim", "gate-law", "--json", "{place}/holds.json"): 0,
    ("verify", "--claim", "gate-law", "--claim", "row-gate", "--json", "{place}/report.json"): 1,
    ("verify", "--claim", "χ"): 2,
    ("verify", "--list"): 0,
    ("report", "{place}/holds.json", "--out", "{place}/page"): 0,
    ("report", "{place}/nothing.json"): 2,
    ("derive", "forward-efficiency"): 0,
    ("derive", "forward-efficiency", "--latex"): 0,
    ("figures", "--list"): 0,
    ("figures", "quality-cost-frontier", "--out", "{place}/figures"): 0,
    ("sweep", "--list"): 0,
    ("sweep", "token-windows", "--set", "vocab_size=2", "--set", "n_tokens=3", "--out", "{place}/sweep"): 0,
    ("experiment", "mnist", "--rate", "0.03", "--updates", "2", "--seeds", "1", "--workers", "1", "--out", TABLE): 0,
    ("experiment", "mnist", "--rule", "χ"): 2,
    ("data", "check"): 0,
    ("bench",): 0,
}


HEAVY = ("experiment", "bench", "--out")
LIGHT = {command: code for command, code in COMMANDS.items() if not set(HEAVY) & set(command)}
"""The commands that need neither torch nor Numba nor Matplotlib."""


def run_all(runs, place):
    """Run the commands of every mode and encoding in one process, each in a directory; return the exit codes."""
    given = []
    for name, (mode, encoding, commands) in runs.items():
        (place / name).mkdir()
        typed = [[word.format(place=place / name) for word in command] for command in commands]
        given.append({"mode": mode, "encoding": encoding, "commands": typed, "place": str(place / name)})
    run = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(given)],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,  # pipes at first: a stream of a file would be sought in
        timeout=300,
        check=False,
        cwd=place,
    )
    assert run.returncode == 0
    return {
        name: dict(zip(commands, json.loads((place / name / "codes.json").read_text()), strict=True))
        for name, (*_, commands) in runs.items()
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The commands with closed pipes, the light ones in two encodings and, last, on a full disk: where, and codes."""
    place = tmp_path_factory.mktemp("streams")
    runs = {encoding: ("file", encoding, LIGHT) for encoding in ("ascii", "latin-1")}
    runs["closed"] = ("closed", "utf-8", COMMANDS)
    if Path("/dev/full").exists():
        runs["full"] = ("full", "utf-8", LIGHT)
    return place, run_all(runs, place)


def test_a_closed_pipe_is_no_failure_and_loses_no_result(ran):
    directory, codes = ran
    assert codes["closed"] == COMMANDS
    place = directory / "closed"
    report = json.loads((place / "report.json").read_text())
    assert [claim["verdict"] for claim in report["claims"]] == ["holds in regime", "contradicted"]
    assert report["complete"] is True
    assert (place / "t.parquet").exists()
    assert len(list((place / "figures").iterdir())) == 3  # PDF, PNG, captions
    assert (place / "sweep" / "token-windows.parquet").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_and_loses_no_result(ran):
    place, codes = ran
    assert codes["full"] == {command: code or 2 for command, code in LIGHT.items()}
    assert json.loads((place / "full" / "report.json").read_text())["exit_code"] == 1


@pytest.mark.parametrize(("encoding", "signs"), [("ascii", "<chi> <= rho - 1/2"), ("latin-1", "<chi> <= rho - ½")])
def test_signs_that_the_encoding_lacks_degrade(ran, encoding, signs):
    place, codes = ran
    assert codes[encoding] == LIGHT
    output = {}
    for number, command in enumerate(LIGHT):
        out, err = (
            (place / encoding / f"{number}.{descriptor}").read_text(encoding=encoding) for descriptor in (1, 2)
        )
        output[command] = out, err
        assert "Traceback" not in err
        assert bool(out) == (COMMANDS[command] != 2), command
        if COMMANDS[command] == 2:
            assert err.startswith("kondo: ")
            assert len(err.splitlines()) == 1
    (report,) = (out for command, (out, _) in output.items() if "row-gate" in command)
    assert signs in report
    assert "2 of 2" in report
    json.loads((place / encoding / "report.json").read_text(encoding="utf-8"))


def test_a_reader_that_leaves_early_gets_the_first_line_and_the_command_its_own_code(tmp_path):
    main = "from simulations.cli.main import main; main()"
    out = tmp_path / "code"
    for arguments, code in (("derive forward-efficiency", 0), ("verify --claim nope", 2), ("verify --list", 0)):
        line = f'({sys.executable} -c "{main}" {arguments} 2>&1; echo $? > {out}) | head -1'
        first = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert len(first.stdout.splitlines()) == 1
        assert first.stderr == ""
        assert int(out.read_text()) == code


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_not_there_are_no_failure(closed):
    line = f'{sys.executable} -c "from simulations.cli.main import main; main()" verify --claim nope {closed}'
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=False).returncode == 2


def test_every_sign_has_plain_letters():
    plain = "chi <= 1/2 - rho^2*Delta, w+ -> inf ... ||phi|| +-+|"
    assert in_plain_letters("χ ≤ ½ − ρ²·Δ, w₊ → ∞ … ‖φ‖ ┏━┓│") == plain
    assert in_plain_letters("10⁻¹⁴ χ² ḡ ϵ λ′ ŝ") == "10^-14 chi^2 g epsilon lambda' s", "a power is no factor"
    assert in_plain_letters("日\udcff") == "??"
    everywhere = "".join(map(chr, range(0x110000)))
    assert in_plain_letters(everywhere).isascii()
