"""``kondo verify --report`` and ``kondo report``: what is written when, and what mistakes and Ctrl-C leave."""

import json

import pytest

from simulations.cli import main as cli
from simulations.report import page
from simulations.verification import verify
from simulations.verification.checks.evidence import Simulated

CLAIMS = ["row-gate", "token-dg", "gate-law"]
OPTIONS = ["--preset", "smoke", "--device", "cpu", *(word for claim in CLAIMS for word in ("--claim", claim))]


@pytest.fixture
def kondo(monkeypatch, capsys, tmp_path):
    """Run the command in an empty directory with a function in the place of the checks, and draw nothing."""

    def run(*arguments, check=lambda claim: None):
        def checked(found, claim, context):
            check(claim.id)
            found.simulated = [Simulated("χ", 1.0, 1.001, 0.001)]

        monkeypatch.setattr(verify._Found, "check", checked)
        with pytest.raises(SystemExit) as ended:
            cli.main([*map(str, arguments)])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "figures_of", lambda claim: [])
    monkeypatch.setattr(page, "explorers", tuple)
    return run


@pytest.fixture
def stored(kondo, tmp_path):
    assert kondo("verify", *OPTIONS, "--json", "verify.json")[0] == 0
    return tmp_path / "verify.json"


def articles(path):
    """The claims that have a section in a page."""
    text = path.read_text(encoding="utf-8")
    return [claim for claim in CLAIMS if f'<h3 id="{claim}">' in text]


def test_verify_writes_a_page_at_the_end_and_says_where(kondo, tmp_path):
    place = tmp_path / "new" / "report"

    def check(claim):
        assert not place.parent.exists(), "tried before the first claim, made after the last"

    code, out, err = kondo("verify", *OPTIONS, "--report", place, check=check)
    assert code == 0
    assert err.rstrip().endswith(f"the report is {place / 'index.html'}")
    assert "index.html" not in out
    assert articles(place / "index.html") == CLAIMS
    assert list(place.iterdir()) == [place / "index.html"]


def test_an_interruption_leaves_a_page_of_what_is_done(kondo, tmp_path):
    def check(claim):
        if claim == CLAIMS[2]:
            raise KeyboardInterrupt

    code, _, err = kondo("verify", *OPTIONS, "--report", tmp_path / "r", check=check)
    path = tmp_path / "r" / "index.html"
    assert code == 130
    assert [line for line in err.splitlines() if line] == [
        "2 of 3 claims are done", f"the report is {path}", "kondo: interrupted"
    ]  # fmt: skip
    assert articles(path) == CLAIMS[:2]
    assert "The run ended early: 2 of 3 claims are done." in path.read_text(encoding="utf-8")


def test_before_anything_runs_another_page_is_left_alone(kondo, tmp_path):
    other = tmp_path / "index.html"
    other.write_text("mine", encoding="utf-8")
    ran = []
    code, _, err = kondo("verify", *OPTIONS, "--report", tmp_path, check=ran.append)
    assert (code, ran, other.read_text(encoding="utf-8")) == (2, [], "mine")
    assert err == f"kondo: {other} exists and is no report of kondo: name another directory\n"


def test_a_stored_file_gives_the_page(kondo, stored, tmp_path):
    assert kondo("report", stored) == (0, "wrote report/index.html\n", "")
    assert articles(tmp_path / "report" / "index.html") == CLAIMS
    assert kondo("report", stored, "--quiet") == (0, "", ""), "and replaces it"


def cut(text):
    return text[: len(text) // 2]


def with_schema(text):
    return json.dumps(json.loads(text) | {"schema": 3})


def without_date(text):
    return json.dumps({key: value for key, value in json.loads(text).items() if key != "date"})


def with_a_word_for_a_number(text):
    document = json.loads(text)
    document["claims"][1]["seconds"] = "long"
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "is not JSON: "),
        (with_schema, "has schema 3; this version of kondo reads schema 2"),
        (without_date, "is not the JSON that kondo verify --json writes: date: Field required"),
        (with_a_word_for_a_number, "claims.1.seconds: Input should be a valid number"),
    ],
)
def test_a_file_that_is_not_the_json_is_one_line(kondo, stored, tmp_path, change, said):
    stored.write_text(change(stored.read_text(encoding="utf-8")), encoding="utf-8")
    code, out, err = kondo("report", stored)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"kondo: {stored} ")
    assert said in err
    assert list(tmp_path.iterdir()) == [stored], "nothing half-written"


def test_tables_that_are_not_there_are_one_line(kondo, stored, tmp_path):
    code, _, err = kondo("report", stored, "--results", "nowhere")
    assert (code, err) == (2, "kondo: no directory of results at nowhere\n")
    assert list(tmp_path.iterdir()) == [stored]
