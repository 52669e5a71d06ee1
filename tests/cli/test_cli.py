"""The command line as a user meets it: real runs, and one line with exit code 2 for every mistake."""

import json
import re

import pytest

from simulations.cli import main as cli
from simulations.results import tables as results


def run(capsys, *arguments):
    """Run the command; return exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


def test_help_and_version(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in ("verify", "report", "derive", "figures", "sweep", "experiment", "data", "bench", "advise"):
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    assert run(capsys, "--version")[1].startswith("kondo, version ")
    assert run(capsys)[0] == 0


MISTAKES = [
    (
        ("nope",),
        "No such command 'nope' among verify, report, derive, .*, bench, advise$",
    ),
    (("verfy",), "No such command 'verfy' .*; did you mean 'verify'"),
    (("experiment", "mnits"), "No such command 'mnits' .*; did you mean 'mnist'"),
    (("data", "fetsh"), "No such command 'fetsh' .*; did you mean 'fetch'"),
    (("verify", "--clam", "gate-law"), "No such option.*--clam.*--claim"),
    (("experiment", "mnist", "--lerning-rate", "1"), "No such option.*--lerning-rate.*--learning-rate"),
    (("verify", "--quite"), "No such option.*--quite.*--quiet"),
    (("bench", "--json", "."), "cannot write .*: it is a directory"),
    (("verify", "--preset", "huge"), "'huge' is not one of 'smoke', 'quick', 'paper'"),
    (("verify", "--claim", "nope"), "claim must be one of gate-law, .*, got 'nope'"),
    (("verify", "--device", "tpu"), "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
    (("verify", "--json", "{file}/x.json"), "cannot write .*x.json"),
    (("verify", "--json", "."), "cannot write .*: it is a directory"),
    (("verify", "--json", "x" * 300), "x: File name too long"),
    (("verify", "--results", "x" * 300), "x: File name too long"),
    (("verify", "--report", "{file}"), "cannot write .*file/index.html: (File exists|Not a directory)"),
    (("verify", "--report", "x" * 300), "x/index.html: File name too long"),
    (("report",), "Missing argument 'FILE'"),
    (("report", "none.json"), "cannot read none.json: No such file"),
    (("report", "{file}"), "file is not JSON: Expecting value"),
    (("report", "x" * 300), "cannot read x+: File name too long"),
    (("verify", "--claim", "mnist-qualty"), "got 'mnist-qualty'; did you mean 'mnist-quality'"),
    (("verify", "--workers", "0"), "0 is not in the range x>=1"),
    (("derive", "nope"), "got 'nope'"),
    (("derive", "mnist-quality"), "measured, not derived"),
    (("derive", "Row-Gate"), "got 'Row-Gate'; did you mean 'row-gate'"),
    (("figures", "nope"), "figure must be one of .*, got 'nope'$"),
    (("figures", "mnist-qualty"), "got 'mnist-qualty'; did you mean 'mnist-quality'"),
    (("sweep", "gate-freqency"), "got 'gate-freqency'; did you mean 'gate-frequency'"),
    (("sweep", "gate-frequency", "--set", "exess=1"), "unknown key 'exess'.*; did you mean 'excess'"),
    (("experiment", "mnist", "--study", "screener"), "got 'screener'; did you mean 'screeners'"),
    (("experiment", "reversal", "--study", "steptimes"), "got 'steptimes'; did you mean 'step-times'"),
    (("experiment", "mnist", "--method", "DGK"), "got 'DGK'; did you mean 'dg-k'"),
    (("experiment", "mnist", "--rule", "surprise"), "got 'surprise'; did you mean 'surprisal'"),
    (("experiment", "reversal", "--method", "token_gate"), "got 'token_gate'; did you mean 'token-gate'"),
    (
        ("experiment", "reversal", "--method", "token-gate", "--rate", "0.1", "--rule", "delite"),
        "got 'delite'; did you mean 'delight'",
    ),
    (("experiment", "reversal", "--reward", "fractional"), "got 'fractional'; did you mean 'fraction'"),
    (("experiment", "reversal", "--study", "quality", "--only", "pg"), "got 'pg'; did you mean 'PG'"),
    (("data", "fetch", "mnits"), "'mnits' is not one of 'mnist', 'language-model'"),
    (("experiment", "language-model", "--study", "lerning"), "got 'lerning'; did you mean 'learning'"),
    (("experiment", "language-model", "--task", "reversal3"), "got 'reversal3'; did you mean 'reversal-3'"),
    (("experiment", "language-model", "--task", "nowhere:f"), "task 'nowhere:f' is not a function of a module"),
    (("experiment", "language-model", "--model", "{file}"), "must be a Hugging Face directory with its config.json"),
    (("experiment", "language-model", "--study", "cost", "--model", "nowhere"), "must be a Hugging Face directory"),
    (("experiment", "language-model", "--trainable", "lora"), "trainable must be all, last-N"),
    (("figures", "--out", "{file}/x"), "cannot write"),
    (("figures", "--out", "a", "--quiet", "--out", "b"), "--out takes one value, got it 2 times"),
    (("experiment", "mnist", "--seeds=3", "--seeds", "4"), "--seeds takes one value, got it 2 times"),
    (("sweep", "gate-frequency", "--out", "a", "--out", "b"), "--out takes one value, got it 2 times"),
    (
        ("experiment", "reversal", "--study", "stale", "--only", "PG"),
        "got --study stale with --only: it takes --preset, --device, --out, --overwrite and no other",
    ),
    (
        ("experiment", "language-model", "--study", "cost", "--only", "PG"),
        "got --study cost with --only: it takes --preset, --device, --out, --overwrite and no other",
    ),
    (
        ("experiment", "reversal", "--study", "scaling", "--only", "SARSA"),
        "study scaling has the searches PG, length; ",
    ),
    (("experiment", "mnist", "--method", "ppo"), "method must be one of .*, got 'ppo'"),
    (("experiment", "mnist", "--method", "pg", "--rate", "0.1"), "a rate belongs to method dg-k"),
    (("experiment", "mnist", "--rate", "1.5"), r"rate must be in \(0, 1\], got 1.5"),
    (("experiment", "mnist", "--rate", "much"), "'much' is not a valid float"),
    (("experiment", "mnist", "--method", "gate"), "method gate needs a --price"),
    (("experiment", "mnist", "--method", "pg", "--price", "1"), "a price belongs to method gate"),
    (("experiment", "mnist", "--seeds", "x"), "seeds must be a number such as 5"),
    (("experiment", "mnist", "--learning-rate", "-1"), "learning_rate must be above 0, got -1.0"),
    (("experiment", "mnist", "--out", "{file}/t.parquet"), "cannot write"),
    (("experiment", "mnist", "--method", "dg", "--temperature", "nan"), "temperature must be finite"),
    (("experiment", "mnist", "--rate", "0.03", "--rate", "0.03000001"), "methods must have different names"),
    (("experiment", "mnist", "--out", "t.csv"), r"must be named \*.parquet, got t.csv"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: " ".join(value) if value else "")
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")  # a file where a directory is needed
    code, out, err = run(capsys, *(argument.replace("{file}", str(tmp_path / "file")) for argument in arguments))
    assert code == 2
    assert out == ""
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"], "nothing half-written"


def test_an_absent_device_is_named(capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for command in (("verify", "--claim", "mnist-quality"), ("experiment", "mnist")):
        code, _, err = run(capsys, *command, "--device", "cuda")
        assert (code, len(err.strip().splitlines())) == (2, 1)
        assert "device cuda is not available on this machine: use cpu or auto" in err


def test_verify_prints_the_table_and_writes_the_report(capsys, tmp_path):
    file = tmp_path / "report.json"
    code, out, err = run(capsys, "verify", "--preset", "smoke", "--claim", "zero-price-geometry", "--json", file)
    assert code == 0
    assert "holds in regime" in out
    assert f"wrote {file.name}" in err.replace(str(tmp_path) + "/", "").replace("\n", "")
    report = json.loads(file.read_text())
    assert report["preset"] == "smoke"
    assert [claim["id"] for claim in report["claims"]] == ["zero-price-geometry"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_slip_in_a_proof_is_no_mistake_of_the_users(monkeypatch):
    """An error of the same type as that of an unknown id, from the proof itself: no exit code 2, but a traceback."""
    from kondo_theory.derivations import forward_efficiency
    from simulations.verification.verify import verify

    def slip():
        raise ValueError("a slip of ours")

    monkeypatch.setattr(forward_efficiency, "derive", slip)
    with pytest.raises(ValueError, match="a slip of ours"):
        cli.main(["derive", "forward-efficiency"])
    (outcome,) = verify("smoke", device="cpu", claims=["forward-efficiency"]).outcomes
    assert (outcome.verdict, outcome.broken.message) == ("broken", "a slip of ours")


def test_derive_prints_steps_and_latex(capsys):
    code, out, _ = run(capsys, "derive", "zero-price-geometry")
    assert code == 0
    assert "FAILED" not in out
    counts = re.search(r"^(\d+) steps: (\d+) proved, (\d+) argued, (\d+) defined$", out, re.MULTILINE)
    assert counts
    out = " ".join(out.split())  # a kind may stand on two lines
    assert out.count("[proved by SymPy]") == int(counts[2]) > 10
    assert out.count("[argued]") == int(counts[3])
    assert out.count("[definition]") == int(counts[4])
    assert sum(map(int, counts.groups()[1:])) == int(counts[1])
    _, out, _ = run(capsys, "derive", "screening-at-rate")
    assert "[checked at 12 points]" in " ".join(out.split())
    code, out, _ = run(capsys, "derive", "zero-price-geometry", "--latex")
    assert code == 0
    assert out.startswith("\\begin{align*}")


def test_experiment_writes_a_table_and_never_overwrites_it(capsys, tmp_path):
    table = tmp_path / "t.parquet"
    options = (
        "--preset",
        "smoke",
        "--rate",
        "0.03",
        "--seeds",
        "2",
        "--updates",
        "20",
        "--workers",
        "1",
        "--out",
        table,
    )
    assert run(capsys, "experiment", "mnist", *options)[0] == 0
    before = table.read_bytes()
    code, _, err = run(capsys, "experiment", "mnist", *options, "--learning-rate", "0.01")
    assert code == 2
    assert "exists: pass --overwrite" in err
    code, out, _ = run(capsys, "experiment", "mnist", *options)
    assert (code, out.splitlines()[-1]) == (0, f"{table} is complete: nothing to do")
    assert run(capsys, "experiment", "mnist", *options, "--overwrite")[0] == 0
    assert table.read_bytes() == before, "the same seeds, the same bytes"
    loaded = results.load(table)
    assert set(loaded.frame["label"]) == {"DG-K(3 %)"}
    assert loaded.frame["backward_samples"].max() == 60
    assert {"commit", "versions", "device", "seconds", "date", "workers"} <= set(loaded.sidecar)


def test_missing_data_offline_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KONDO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    for command in (("data", "fetch"), ("experiment", "mnist", "--out", tmp_path / "t.parquet")):
        code, _, err = run(capsys, *command)
        assert code == 2
        assert "put train-images-idx3-ubyte" in err
        assert len(err.strip().splitlines()[-1:]) == 1
        assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    code, out, _ = run(capsys, "data", "check")
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == ["missing"] * 4


def test_data_check(capsys):
    code, out, _ = run(capsys, "data", "check")
    assert code == 0
    assert out.count("ok ") == 4


@pytest.mark.parametrize("slip", [TypeError, ValueError, KeyError])
def test_a_slip_of_our_own_while_drawing_reads_as_no_bad_input(monkeypatch, tmp_path, slip):
    from paper_figs import writing

    def draw(*arguments, **named):
        yield tmp_path / "first.pdf"
        raise slip("ours")

    monkeypatch.setattr(writing, "_write", draw)
    with pytest.raises(slip, match="ours"):
        cli.main(["figures", "gate-law", "--out", str(tmp_path)])


def test_a_disk_that_is_full_while_drawing_is_one_line(capsys, monkeypatch, tmp_path):
    from paper_figs import writing

    def draw(*arguments, **named):
        yield tmp_path / "first.pdf"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_write", draw)
    code, _, err = run(capsys, "figures", "gate-law", "--out", tmp_path)
    assert (code, err) == (2, f"kondo: cannot write {tmp_path}: No space left on device\n")


def test_figures_list(capsys):
    from kondo_theory.claims import CLAIMS

    code, out, _ = run(capsys, "figures", "--list")
    assert code == 0
    for claim in CLAIMS:
        assert claim in out
    code, out, _ = run(capsys, "figures", "--list", "cascade")
    assert (code, out.split()[0]) == (0, "mnist-cascade"), "the first figure that shows the claim"
