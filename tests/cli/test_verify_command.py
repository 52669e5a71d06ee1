"""``kondo verify`` as it goes: what is written and printed when, and what an error or an interruption leaves."""

import json
from collections import Counter

import pytest

from kondo_theory.claims import CLAIMS
from simulations.cli import main as cli
from simulations.cli import verifying
from simulations.errors import ReportedError
from simulations.verification import report, verify
from simulations.verification.checks.evidence import Simulated
from simulations.verification.outcomes import Report

IDS = ["gate-law", "row-gate", "token-dg", "mnist-quality"]
OPTIONS = ["--preset", "smoke", "--device", "cpu", *(word for claim in IDS[:3] for word in ("--claim", claim))]
AGREES = [Simulated("χ", 1.0, 1.001, 0.001)]


@pytest.fixture
def kondo(monkeypatch, capsys):
    """Run ``kondo verify`` with a function in the place of the checks; return exit code, output, errors."""

    def run(check, *arguments):
        def checked(found, claim, context):
            context.progress(f"{claim.id}: simulating")
            found.simulated = check(claim.id) or AGREES

        monkeypatch.setattr(verify._Found, "check", checked)
        with pytest.raises(SystemExit) as ended:
            cli.main(["verify", *map(str, arguments)])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_each_claim_is_written_and_then_printed_when_it_is_done(kondo, tmp_path, capsys, monkeypatch):
    file, seen, events = tmp_path / "report.json", [], []
    monkeypatch.setattr(verifying, "write_json", lambda value, path, write=verifying.write_json: (
        write(value, path), events.append(("written", len(value["claims"])))
    ))  # fmt: skip
    monkeypatch.setattr(report, "show_outcome", lambda found, screen, show=report.show_outcome: (
        events.append(("printed", len(found.outcomes))), show(found, screen)
    ))  # fmt: skip

    def check(claim):
        so_far = read(file) if file.exists() else {"claims": [], "complete": False, "exit_code": None}
        seen.append(([entry["id"] for entry in so_far["claims"]], so_far["complete"], so_far["exit_code"]))

    code, out, err = kondo(check, *OPTIONS, "--json", file)
    assert code == 0
    assert seen == [(IDS[:done], False, None) for done in range(3)]
    assert events == [(what, done) for done in (1, 2, 3) for what in ("written", "printed")], "JSON first"
    assert (read(file)["complete"], read(file)["exit_code"], read(file)["chosen"]) == (True, 0, IDS[:3])
    places = [out.index(f"{claim} ({number} of 3") for number, claim in enumerate(IDS[:3], start=1)]
    assert places == sorted(places)
    assert out.count(" left)") == 2, "of all but the last"
    assert f"wrote {file}" in err
    assert list(tmp_path.iterdir()) == [file]


def test_an_exception_breaks_its_claim_and_no_other(kondo, tmp_path):
    def check(claim):
        if claim == "row-gate":
            return {}["no such key"]
        return None

    code, out, _ = kondo(check, *OPTIONS, "--json", tmp_path / "report.json")
    assert code == 1
    assert "Traceback" not in out
    found = read(tmp_path / "report.json")
    assert [claim["verdict"] for claim in found["claims"]] == ["holds in regime", "broken", "holds in regime"]
    assert (found["complete"], found["exit_code"]) == (True, 1)
    (broken,) = (claim for claim in found["claims"] if claim["id"] == "row-gate")
    assert broken["reason"].startswith("KeyError: 'no such key' (tests/cli/test_verify_command.py:")
    assert broken["reason"] in " ".join(out.split())
    assert broken["broken"]["type"] == "KeyError"
    assert broken["broken"]["where"].endswith(" in check")
    assert "return {}" in broken["broken"]["traceback"]


def test_what_a_claim_cannot_use_is_bad_input_once_the_others_are_done(kondo, tmp_path):
    def check(claim):
        if claim == "gate-law":
            raise ReportedError("t.parquet lacks PG")

    code, out, err = kondo(check, *OPTIONS, "--json", tmp_path / "report.json")
    assert code == 2
    assert err.strip().splitlines()[-1] == "kondo: t.parquet lacks PG"
    found = read(tmp_path / "report.json")
    verdicts = {claim["id"]: (claim["verdict"], claim["reason"]) for claim in found["claims"]}
    assert verdicts["gate-law"] == ("broken", "t.parquet lacks PG")
    assert [verdicts[claim][0] for claim in IDS[1:3]] == ["holds in regime"] * 2
    assert "row-gate" in out


def test_an_interruption_keeps_what_is_done(kondo, tmp_path):
    def check(claim):
        if claim == "token-dg":
            raise KeyboardInterrupt

    file = tmp_path / "report.json"
    code, out, err = kondo(check, *OPTIONS, "--json", file)
    assert code == 130
    assert [claim["id"] for claim in read(file)["claims"]] == IDS[:2]
    assert (read(file)["complete"], read(file)["exit_code"]) == (False, None)
    assert "row-gate (2 of 3" in out
    assert [line for line in err.splitlines() if line] == [
        f"2 of 3 claims are done and kept in {file}",
        "kondo: interrupted",
    ]
    assert list(tmp_path.iterdir()) == [file]


def test_an_interruption_before_the_first_claim_leaves_an_old_report_alone(kondo, tmp_path):
    def check(claim):
        raise KeyboardInterrupt

    file = tmp_path / "report.json"
    file.write_text("old")
    assert kondo(check, *OPTIONS, "--json", file)[0] == 130
    assert file.read_text() == "old"


@pytest.mark.parametrize("interrupted", [False, True])
def test_json_to_standard_output_leaves_it_to_the_json(kondo, tmp_path, monkeypatch, interrupted):
    monkeypatch.chdir(tmp_path)

    def check(claim):
        if interrupted and claim == "token-dg":
            raise KeyboardInterrupt

    code, out, err = kondo(check, *OPTIONS, "--json", "-")
    assert code == (130 if interrupted else 0)
    found = json.loads(out)
    assert (found["complete"], len(found["claims"])) == (not interrupted, 3 - interrupted)
    assert "row-gate (2 of 3" in err
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_ends_in_one_line(kondo, tmp_path):
    directory = tmp_path / "a"

    def check(claim):
        directory.joinpath("report.json").unlink(missing_ok=True)
        directory.rmdir()
        directory.write_text("a file where the directory was")

    code, _, err = kondo(check, *OPTIONS, "--json", directory / "report.json")
    assert code == 2
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith(f"kondo: cannot write {directory}")


def test_the_claims_are_listed(kondo, tmp_path):
    code, out, _ = kondo(None, "--list")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == list(CLAIMS)
    kinds = Counter(line[27:57].strip() for line in lines)
    assert kinds == {"derived, simulated": 34, "derived, simulated, measured": 13, "measured": 20}


def test_what_is_special_is_no_place_for_the_json(kondo):
    code, _, err = kondo(None, *OPTIONS, "--json", "/dev/null")
    assert (code, err) == (2, "kondo: cannot write /dev/null: it is no regular file\n")


def test_the_time_left_is_that_of_the_claims_so_far():
    def after(seconds, chosen):
        outcomes = [verify.Outcome(CLAIMS["gate-law"], None, [], [], "holds", "", spent) for spent in seconds]
        return report.time_left(Report("quick", "cpu", "c", {}, outcomes, IDS[:chosen]))

    assert after([10.0, 30.0], 4) == "about 40 s left"
    assert after([100.0, 300.0], 4) == "about 7 min left"
    assert after([1.0] * 4, 4) == ""


def test_the_table_of_verdicts_counts_the_steps_of_derivations_and_fits():
    steps = {"ok": True, "proved": 12, "argued": 3, "checked": 1}
    outcomes = [
        verify.Outcome(CLAIMS[claim], derived, AGREES, [], "holds in regime", "")
        for claim, derived in (
            ("backward-passes-to-align", steps),
            ("gate-law", steps | {"argued": 0, "checked": 0}),
            ("row-gate", steps | {"ok": False}),
            ("mnist-approximate-delight", None),
        )
    ]
    screen = report.console()
    with screen.capture() as captured:
        report.show_verdicts(Report("quick", "cpu", "c", {}, outcomes, IDS), screen)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 118
    cells = [[cell.strip() for cell in line.split("│")] for line in text.splitlines() if line.startswith("│")]
    derived = " ".join(cell for _, _, _, cell, *_ in cells)
    assert derived == "12 proved, 3 argued, 1 checked 12 proved NO, 12 proved, 3 argued, 1 checked –"
