"""More seeds extend an experiment's table to the bytes of one call; the same command finished has nothing to do."""

import json

import pytest

from simulations.cli import main as cli
from simulations.mnist import experiment
from simulations.mnist import runs as mnist_runs
from simulations.results.tables import load, save
from simulations.reversal import plan as reversal_plan
from simulations.reversal.side_by_side import runs as reversal_runs

MNIST = ("experiment", "mnist", "--updates", "10", "--method", "dg-k", "--method", "zero-price", "--workers", "1")
REVERSAL = (
    "experiment", "reversal", "--updates", "2", "--length", "2", "--method", "pg", "--method", "row-gate",
    "--rate", "0.1", "--workers", "1",
)  # fmt: skip


def run(capsys, *arguments):
    """Run the command; return exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(map(str, arguments)))
    return (stopped.value.code, *capsys.readouterr())


@pytest.fixture
def trained(monkeypatch):
    """The seeds that are trained, in their order."""
    seen = []

    def noting(train):
        def noted(configs, *arguments, **options):
            seen.extend((config.label, config.seed) for config in configs)
            return train(configs, *arguments, **options)

        return noted

    for module in (mnist_runs, reversal_runs):
        monkeypatch.setattr(module, "train", noting(module.train))
    for module in (experiment, reversal_plan):
        monkeypatch.setattr(module, "code_version", lambda function: "code")
    return seen


@pytest.mark.parametrize("command", [MNIST, REVERSAL], ids=["mnist", "reversal"])
def test_more_seeds_extend_the_table_to_the_bytes_of_one_call(capsys, tmp_path, trained, command):
    grown, whole = tmp_path / "grown.parquet", tmp_path / "whole.parquet"
    assert run(capsys, *command, "--seeds", "1,3", "--out", grown)[0] == 0
    first = load(grown).sidecar
    trained.clear()
    code, shown, _ = run(capsys, *command, "--seeds", "5", "--out", grown)
    assert (code, shown.splitlines()[-1]) == (0, f"wrote {grown} and grown.json")
    assert {seed for _, seed in trained} == {0, 2, 4}
    assert len(trained) == len(set(trained)) == 6
    assert run(capsys, *command, "--seeds", "5", "--out", whole)[0] == 0
    assert grown.read_bytes() == whole.read_bytes()
    ours, theirs = load(grown).sidecar, load(whole).sidecar
    assert ours["seeds"] == theirs["seeds"] == [0, 1, 2, 3, 4]
    assert len(ours["seconds"]) == len(theirs["seconds"]) == 10
    assert [ours["seconds"][at] for at in (1, 3, 6, 8)] == first["seconds"]
    assert ours["extends"] == [{name: first[name] for name in ("date", "commit", "command", "seeds")}]
    assert "extends" not in theirs


@pytest.mark.parametrize("command", [MNIST, REVERSAL], ids=["mnist", "reversal"])
def test_the_same_command_finished_has_nothing_to_do(capsys, tmp_path, trained, command):
    out = tmp_path / "t.parquet"
    assert run(capsys, *command, "--seeds", "2", "--out", out)[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    trained.clear()
    code, shown, err = run(capsys, *command, "--seeds", "2", "--out", out)
    assert (code, err) == (0, "")
    assert shown.splitlines()[-1] == f"{out} is complete: nothing to do"
    assert trained == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run(capsys, *command, "--seeds", "2", "--out", out, "--overwrite")[0] == 0
    assert len(trained) == 4


@pytest.mark.parametrize(
    ("command", "change", "why"),
    [
        (MNIST, ("--seeds", "3", "--learning-rate", "0.01"), "it holds other methods or settings"),
        (MNIST, ("--seeds", "3", "--method", "pg"), "it holds other methods or settings"),
        (MNIST, ("--seeds", "1"), "it holds more of the same, seeds 1, than was asked for"),
        (MNIST, ("--seeds", "2-4"), "it holds more of the same, seeds 0, 1, than was asked for"),
        (REVERSAL, ("--seeds", "3", "--length", "4"), "it holds other methods or settings"),
        (REVERSAL, ("--seeds", "3", "--reward", "exact"), "it holds other methods or settings"),
        (REVERSAL, ("--seeds", "1"), "it holds more of the same, seeds 1, than was asked for"),
    ],
)
def test_another_configuration_is_refused_in_one_line(capsys, tmp_path, trained, command, change, why):
    out = tmp_path / "t.parquet"
    assert run(capsys, *command, "--seeds", "2", "--out", out)[0] == 0
    before = out.read_bytes()
    trained.clear()
    code, _, err = run(capsys, *command, "--out", out, *change)
    assert code == 2
    assert err == f"kondo: {out} exists: pass --overwrite to replace it, or name another place; {why}\n"
    assert (trained, out.read_bytes()) == ([], before)


def test_a_table_of_other_code_or_another_device_is_not_extended(capsys, tmp_path, trained, monkeypatch):
    out = tmp_path / "t.parquet"
    assert run(capsys, *MNIST, "--seeds", "2", "--out", out)[0] == 0
    monkeypatch.setattr(experiment, "code_version", lambda function: "newer")
    for seeds in ("2", "3"):
        code, _, err = run(capsys, *MNIST, "--seeds", seeds, "--out", out)
        assert (code, "its code is code, and here it is newer" in err) == (2, True)
    monkeypatch.setattr(experiment, "code_version", lambda function: "code")
    monkeypatch.setattr(experiment, "describe", lambda device: "cpu: another")
    code, _, err = run(capsys, *MNIST, "--seeds", "3", "--out", out)
    assert (code, "and here it is cpu: another" in err) == (2, True)
    out.with_suffix(".json").unlink()
    code, _, err = run(capsys, *MNIST, "--seeds", "3", "--out", out)
    assert (code, "its code is unknown" in err) == (2, True)


def test_an_extension_that_was_interrupted_goes_on_and_the_old_table_stays(capsys, tmp_path, trained, monkeypatch):
    out, whole = tmp_path / "t.parquet", tmp_path / "whole.parquet"
    assert run(capsys, *REVERSAL, "--seeds", "2", "--out", out)[0] == 0
    before = out.read_bytes()
    noted, left = reversal_runs.train, [2]

    def interrupted(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return noted(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(reversal_runs, "train", interrupted)
        assert run(capsys, *REVERSAL, "--seeds", "4", "--out", out)[0] == 130
    assert out.read_bytes() == before
    assert load(out).sidecar["seeds"] == [0, 1]
    assert run(capsys, *REVERSAL, "--seeds", "4", "--out", out)[0] == 0
    assert run(capsys, *REVERSAL, "--seeds", "4", "--out", whole)[0] == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not out.with_suffix(".partial").exists()


def test_a_table_whose_rows_are_not_those_of_its_configuration_is_not_extended(capsys, tmp_path, trained):
    out = tmp_path / "t.parquet"
    assert run(capsys, *MNIST, "--seeds", "2", "--out", out)[0] == 0
    table = load(out)
    few = table.frame[table.frame["seed"] == 0]
    save(few, out, kind=table.kind, config=table.config, sidecar=table.sidecar, overwrite=True)
    code, _, err = run(capsys, *MNIST, "--seeds", "3", "--out", out)
    assert (code, "it has 2 runs where its configuration names 4" in err) == (2, True)
    assert json.loads(out.with_suffix(".json").read_text())["code"] == "code"
