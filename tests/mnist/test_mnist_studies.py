"""``kondo experiment mnist --study NAME`` as a user meets it: tables, resuming, one line for every mistake."""

import re

import pytest

from simulations.cli import main as cli
from simulations.mnist import approximate as mnist_approximate
from simulations.mnist import cost as mnist_cost
from simulations.mnist import decomposition as mnist_decomposition
from simulations.mnist.cascade import study as mnist_cascade
from simulations.mnist.cost import StepSize
from simulations.mnist.gambles import training as mnist_gambles
from simulations.mnist.stale import training as mnist_stale
from simulations.mnist.studies import STUDIES, plan_study
from simulations.results.tables import load
from simulations.verification.verify import CHECKS


def run(capsys, *arguments):
    """Run the command; return exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["experiment", "mnist", *map(str, arguments)])
    return (stopped.value.code, *capsys.readouterr())


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two contenders of each study, and a tiny step that is timed for a moment."""
    few = {name: contenders[:2] for name, contenders in mnist_approximate.STUDIES.items()}
    monkeypatch.setattr(mnist_approximate, "STUDIES", few)
    monkeypatch.setattr(mnist_cascade, "CONTENDERS", mnist_cascade.CONTENDERS[:1])
    monkeypatch.setattr(mnist_gambles, "CONTENDERS", mnist_gambles.CONTENDERS[1:3])
    monkeypatch.setattr(mnist_stale, "CONTENDERS", mnist_stale.CONTENDERS[3:5])
    monkeypatch.setattr(mnist_stale, "SETTINGS", mnist_stale.SETTINGS[-1:])
    monkeypatch.setattr(mnist_cost, "sizes", lambda device: [StepSize(20, 8), StepSize(40, 8)])
    monkeypatch.setattr(mnist_cost, "BLOCK_SECONDS", 0.005)


@pytest.mark.parametrize("study", list(STUDIES))
def test_every_study_writes_its_table(capsys, tmp_path, study):
    out = tmp_path / "table.parquet"
    code, shown, _ = run(capsys, "--study", study, "--preset", "smoke", "--out", out)
    assert (code, shown) == (0, f"wrote {out} and table.json\n")
    table = load(out, kind=f"mnist-{study}")
    assert table.config["preset"] == table.sidecar["preset"] == "smoke"
    assert table.sidecar["command"].startswith("kondo")
    assert table.sidecar["device"].startswith("cpu: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.json", "table.parquet"]
    untimed = ("moments", "adam", "gains", "best-gates", "neighbours", "digits", "batch")
    if study not in untimed:
        assert table.sidecar["clock"] == "CPU seconds"
    before = out.read_bytes()
    code, shown, _ = run(capsys, "--study", study, "--preset", "smoke", "--out", out)
    assert (code, shown, out.read_bytes()) == (0, f"{out} is complete: nothing to do\n", before)
    code, _, err = run(capsys, "--study", study, "--preset", "quick", "--out", out)
    if study != "cost":  # both of its sizes here are those of preset smoke
        assert code == 2
        assert re.fullmatch(
            r"(training\n)?kondo: .*table\.parquet exists: pass --overwrite .* holds another configuration\n", err
        )


def test_an_interrupted_study_goes_on_where_it_was(capsys, tmp_path, monkeypatch):
    real, calls = mnist_cost.measure, []

    def measure(size, *arguments, **options):
        calls.append(size)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(size, *arguments, **options)

    monkeypatch.setattr(mnist_cost, "measure", measure)
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    arguments = ("--study", "cost", "--preset", "smoke", "--out", tmp_path / "cost.parquet")
    assert run(capsys, *arguments)[0] == 130
    assert not (tmp_path / "cost.parquet").exists()
    assert run(capsys, *arguments)[0] == 0
    assert [size.batch_size for size in calls] == [20, 40, 40], "the first size is measured once"


def test_paths_that_were_measured_are_kept(capsys, tmp_path, monkeypatch):
    real, asked = mnist_decomposition.measure_paths, []

    def measure_paths(configs, **options):
        asked.append([config.path for config in configs])
        for place, table in real(configs, **options):
            yield place, table
            if len(asked) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(mnist_decomposition, "measure_paths", measure_paths)
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    monkeypatch.setattr(mnist_decomposition, "available_cores", lambda: 1)
    whole = tmp_path / "whole.parquet"
    arguments = ("--study", "moments", "--preset", "smoke", "--out")
    assert run(capsys, *arguments, tmp_path / "moments.parquet")[0] == 130
    assert run(capsys, *arguments, tmp_path / "moments.parquet")[0] == 0
    assert asked == [["DG-K(3 %)", "PG"], ["PG"]]
    assert run(capsys, *arguments, whole)[0] == 0
    assert (tmp_path / "moments.parquet").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--study", "joy"),
            "one of noise, screeners, cascade, moments, adam, gains, best-gates, neighbours, curves, temperature, "
            "cost, gamble, stale, digits, batch, got 'joy'",
        ),
        (("--study", "cost", "--seeds", "3"), "a study has settings of its own, got --study cost with --seeds"),
        (("--study", "noise", "--method", "pg"), "a study has settings of its own, got --study noise with --method"),
        (("--study", "noise", "--learning-rate", "1"), "got --study noise with --learning-rate"),
        (("--study", "cost", "--out", "x.csv"), r"the table must be named \*\.parquet, got x\.csv"),
        (("--study", "cost", "--device", "cuda"), "device cuda is not available on this machine"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_tables_are_named_by_study_and_preset():
    plan = plan_study("noise", preset="paper", device="cpu", out=None, overwrite=False)
    assert str(plan.out) == "results/mnist-noise-paper.parquet"
    assert {"mnist-savings", "mnist-approximate-delight"} <= set(CHECKS)
