"""``kondo experiment reversal`` as a user meets it: tables, resuming after a kill, one line for every mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from simulations.cli import main as cli
from simulations.results.tables import load
from simulations.reversal.plan import study_kind

SMALL = [
    "--method",
    "pg",
    "--method",
    "row-gate",
    "--rate",
    "0.05",
    "--length",
    "2",
    "--seeds",
    "2",
    "--updates",
    "20",
]
LONGER = [*SMALL[:-1], "60"]


def run(capsys, *arguments):
    """Run the command; return exit code, standard output, standard error."""
    device = [] if "--device" in arguments else ["--device", "cpu"]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["experiment", "reversal", *device, *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


def test_the_command_writes_the_same_bytes_for_any_number_of_workers_and_never_overwrites(capsys, tmp_path):
    paths = [tmp_path / name for name in ("one.parquet", "two.parquet")]
    for workers, path in zip((1, 2), paths, strict=True):
        code, out, _ = run(capsys, *SMALL, "--workers", workers, "--out", path)
        assert code == 0
        assert re.search(r"PG .*row gate\(5", out, re.DOTALL)
        assert f"wrote {path}" in out.replace("\n", "")
        assert not path.with_suffix(".partial").exists()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    table = load(paths[0], kind=study_kind(None))
    assert table.frame.groupby("label", sort=False)["seed"].nunique().to_dict() == {"PG": 2, "row gate(5 %)": 2}
    assert table.config["preset"] == "smoke", "20 updates are not those of quick"
    assert [record["seed"] for record in table.config["runs"]] == [0, 1, 0, 1]
    assert {"commit", "versions", "device", "date", "command", "workers", "seeds"} <= set(table.sidecar)
    assert len(table.sidecar["seconds"]) == 4
    assert all(seconds["sampling"] > 0 for seconds in table.sidecar["seconds"])
    before = paths[0].read_bytes()
    code, _, err = run(capsys, *SMALL, "--reward", "exact", "--out", paths[0])
    assert (code, paths[0].read_bytes()) == (2, before)
    assert "exists: pass --overwrite" in err


def start(path, *more):
    code = "from simulations.cli.main import main; main()"
    command = [sys.executable, "-c", code, "experiment", "reversal", "--device", "cpu", *LONGER]
    command += ["--workers", "1", "--checkpoint-seconds", "0", "--out", str(path), *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_command_goes_on_to_the_same_bytes_and_holds_a_lock(capsys, tmp_path):
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    assert run(capsys, *LONGER, "--workers", 1, "--out", whole)[0] == 0
    process = start(killed)
    second = killed.with_suffix(".partial") / "program-0001.pt"
    deadline = time.monotonic() + 120
    while not second.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)  # it waits for the second writer
    code, _, err = run(capsys, *LONGER, "--out", killed)
    assert code == 2
    assert "another run is writing to" in err
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not killed.exists()
    assert second.exists()
    mine = json.loads((second.parent / "identity.json").read_text())
    assert len(mine["configuration"]["runs"]) == 4
    code, _, err = run(capsys, *LONGER[:-1], 61, "--out", killed)
    assert code == 2
    assert "has checkpoints with another configuration" in err.replace("\n", " ")
    assert run(capsys, *LONGER, "--workers", 1, "--out", killed)[0] == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_negative_control_another_seed_has_other_bytes(capsys, tmp_path):
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path, seeds in zip(paths, ("0-1", "1-2"), strict=True):
        arguments = list(SMALL)
        arguments[arguments.index("--seeds") + 1] = seeds
        assert run(capsys, *arguments, "--workers", 1, "--out", path)[0] == 0
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_a_diverging_run_ends_in_one_line_with_its_last_good_checkpoint(capsys, tmp_path):
    out = tmp_path / "t.parquet"
    code, _, err = run(capsys, *SMALL, "--learning-rate", "1e38", "--workers", 1, "--out", out)
    last = err.strip().splitlines()[-1]
    assert code == 2
    assert "Traceback" not in err
    assert re.search(r"kondo: PG, seed 0, learning rate 1e\+38 diverged after update \d+: ", last)
    assert "last good checkpoint: " in last
    assert "ReversalConfig(method='pg'" in last
    assert not out.exists()


MISTAKES = [
    (("--method", "reinforce"), "method must be one of pg, dg, .*, got 'reinforce'"),
    (("--length", "0"), "length must be at least 1, got 0"),
    (("--vocab-size", "0"), "vocab_size must be at least 1, got 0"),
    (("--vocab-size", "two"), "'two' is not a valid integer"),
    (("--rate", "1.5"), r"rate must be in \(0, 1\], got 1.5"),
    (("--rate", "0"), r"rate must be in \(0, 1\], got 0"),
    (("--method", "pg", "--rate", "0.1"), "a rate belongs to method token-gate or row-gate, got rate 0.1 with pg"),
    (("--method", "pg", "--price", "0"), "a price belongs to method token-gate or row-gate"),
    (("--method", "ppo", "--rule", "advantage"), "a rule belongs to method token-gate or row-gate"),
    (("--method", "pg", "--temperature", "1"), "a temperature belongs to method token-gate or row-gate or dg"),
    (("--price", "0", "--rule", "advantage"), "a rule belongs to a gate at a rate, got advantage without a rate"),
    (("--rate", "0.1", "--temperature", "-1"), "temperature must be finite and at least 0, got -1.0"),
    (("--method", "row-gate"), "method row-gate needs a --rate or a --price"),
    (("--rate", "0.1", "--rule", "joy"), "rule must be one of delight, .*, got 'joy'"),
    (("--reward", "joy"), "reward must be one of fraction, prefix, exact, bag, got 'joy'"),
    (("--task", "joy"), "task must be one of reverse, copy, flip, reverse-flip, got 'joy'"),
    (("--study", "tasks", "--task", "flip"), "a study names its own methods and tasks, got study tasks with others"),
    (("--learning-rate", "-1"), "learning_rate must be above 0, got -1"),
    (("--seeds", "x"), "seeds must be a number such as 5"),
    (("--updates", "0"), "0 is not in the range x>=1"),
    (
        ("--study", "joy"),
        "study must be one of quality, token-trap, stall-escape, screening, screening-tasks, neighbours, reward, "
        "tasks, speedup, learning-rate, temperature, gambling, protocols, "
        "scaling, step-times, stale, stall-noise, row-gates, screening-ties, got 'joy'",
    ),
    (
        ("--study", "gambling", "--captured"),
        "study gambling has zero prompts and noise, which are not recorded, got --captured",
    ),
    (
        ("--study", "quality", "--length", "3"),
        "a study names its own methods and tasks, got study quality with others",
    ),
    (("--study", "scaling", "--seeds", "1"), "study scaling trains to a target with its preset's seeds, got updates"),
    (("--learning-rate", "1e-3", "--learning-rate", "0.001"), "every run must be asked for once"),
    (("--out", "t.csv"), r"must be named \*.parquet, got t.csv"),
    (("--out", "{file}/t.parquet"), "cannot write"),
    (("--preset", "huge"), "'huge' is not one of 'smoke', 'quick', 'paper'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: " ".join(value) if value else "")
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")  # a file where a directory is needed
    code, out, err = run(capsys, *(argument.replace("{file}", str(tmp_path / "file")) for argument in arguments))
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"], "nothing half-written"


def test_an_absent_device_is_named(capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = run(capsys, "--device", "cuda")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "device cuda is not available on this machine: use cpu or auto" in err
