"""The commands that torchrun starts, by one process alone: tables, refusals in one line, who speaks."""

import signal
import socket

import pytest
from small_runs import DATA

from simulations.mnist import images
from simulations.mnist.__main__ import mnist
from simulations.ranks.command import main
from simulations.results import load
from simulations.reversal.__main__ import reversal

SMALL = (
    "--length",
    "2",
    "--prompts",
    "2",
    "--answers",
    "2",
    "--eval-prompts",
    "4",
    "--updates",
    "2",
    "--eval-every",
    "1",
)
COMMANDS = {"simulations.reversal": reversal, "simulations.mnist": mnist}


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; return its exit code and the lines that it wrote to standard error."""
    monkeypatch.setattr(images, "load_mnist", lambda: DATA)
    before = signal.getsignal(signal.SIGTERM)

    def run(module, *arguments):
        with pytest.raises(SystemExit) as ended:
            main(COMMANDS[module], module, [str(each) for each in arguments])
        return ended.value.code, capsys.readouterr().err.splitlines()

    yield run
    signal.signal(signal.SIGTERM, before)


def test_token_reversal_writes_its_learning_curve(run, tmp_path):
    table = tmp_path / "curve.parquet"
    assert run("simulations.reversal", *SMALL, "--out", table, "--shard", "--dtype", "float64") == (0, [])
    found = load(table, kind="reversal-learning-curves")
    assert found.frame["update"].tolist() == [0, 1, 2]
    assert found.frame["label"].unique().tolist() == ["row gate(3 %)"]
    assert found.sidecar["ranks"] == 1
    assert found.config["dtype"] == "float64"
    code, lines = run("simulations.reversal", *SMALL, "--out", table)
    assert code == 2
    assert lines == [f"simulations.reversal: {table} exists: pass --overwrite to replace it, or name another place"]
    assert run("simulations.reversal", *SMALL, "--out", table, "--overwrite") == (0, [])


def test_mnist_writes_its_learning_curve(run, tmp_path):
    table = tmp_path / "curve.parquet"
    given = ("--batch-size", "20", "--updates", "2", "--eval-every", "2", "--out", table)
    assert run("simulations.mnist", *given) == (0, [])
    found = load(table, kind="mnist-learning-curves").frame
    assert found["label"].unique().tolist() == ["DG-K(3 %)"]
    assert found[["update", "forward_samples", "backward_samples"]].to_numpy().tolist() == [[0, 0, 0], [2, 40, 2]]


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("simulations.reversal", ("--rate", "2"), "rate must be in (0, 1], got 2.0"),
        (
            "simulations.reversal",
            ("--method", "pg", "--rate", "0.1"),
            "a gate needs either a rate or a price",
        ),
        ("simulations.reversal", ("--method", "pmpo"), "over ranks no method may look at the whole batch, as pmpo"),
        (
            "simulations.reversal",
            ("--rule", "entropy-band"),
            "over ranks no rule may look at the whole batch",
        ),
        ("simulations.reversal", ("--updates", "0"), "Invalid value for '--updates': 0 is not in the range x>=1"),
        ("simulations.reversal", ("--out", "curve.csv"), "the table must be named *.parquet, got curve.csv"),
        ("simulations.reversal", ("--timeout", "0"), "Invalid value for '--timeout': 0.0 is not in the range x>0"),
        ("simulations.mnist", ("--method", "gate"), "method gate needs a price, got none"),
        ("simulations.mnist", ("--method", "screen", "--rule", "entropy-band"), "over ranks no rule may look at the"),
        ("simulations.mnist", ("--nonsense",), "No such option"),
    ],
)
def test_bad_input_is_refused_in_one_line(run, tmp_path, monkeypatch, module, arguments, message):
    given = ("--out", tmp_path / "curve.parquet", *arguments)
    code, (line,) = run(module, *given)
    assert code == 2
    assert line.startswith(f"{module}: {message}")
    assert list(tmp_path.iterdir()) == []


def test_rank_0_speaks_for_all(run, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert run("simulations.reversal", "--rate", "2", "--out", tmp_path / "curve.parquet") == (2, [])


def test_ranks_that_do_not_meet_are_reported(run, tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": taken.getsockname()[1]}
        for name, value in address.items():
            monkeypatch.setenv(name, str(value))
        code, lines = run("simulations.reversal", *SMALL, "--timeout", "1", "--out", tmp_path / "curve.parquet")
    assert code == 2
    assert lines[-1].startswith("simulations.reversal: the ranks did not meet within 1 s: ")


def test_the_checkpoint_of_another_run_is_refused(run, tmp_path):
    table = tmp_path / "curve.parquet"
    (tmp_path / "curve.partial").mkdir()
    (tmp_path / "curve.partial" / "identity.json").write_text('{"configuration": 1}', encoding="utf-8")
    code, (line,) = run("simulations.reversal", *SMALL, "--out", table)
    assert code == 2
    assert "has checkpoints with another code and configuration and device: remove it to start afresh" in line


def test_a_part_of_the_batch_for_each_rank():
    from simulations.errors import InputError
    from simulations.ranks.placing import Placement

    class Fake:
        size = 3

    for size in (3, 4, 10):
        parts = []
        for rank in range(3):
            fake = Fake()
            fake.rank = rank
            parts += range(size)[Placement(fake, None, None).own(size)]
        assert parts == list(range(size))
    with pytest.raises(InputError, match="every rank needs a part of the batch, got 2 for 3 ranks"):
        Placement(fake, None, None).own(2)
