"""``kondo experiment reversal`` as a user meets it: tables, resuming after a kill, one line for every mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from simulations.cli import main as cli
from simulations.networks.transformer import Architecture
from simulations.results.tables import load
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.reversal import plan as reversal_plan
from simulations.reversal import summary as reversal_summary
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.experiment import run_reversal
from simulations.reversal.plan import plan_reversal, study_kind
from simulations.reversal.scaling import Scale
from simulations.reversal.studies import STUDIES
from simulations.sweeps.cells.reversal import reversal as cell

SMALL = (
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
    "60",
)
OPTIONS = {
    "preset": "smoke",
    "study": None,
    "methods": [],
    "rates": [],
    "price": None,
    "temperature": None,
    "rules": [],
    "lengths": [],
    "vocab_sizes": [],
    "rewards": [],
    "learning_rates": [],
    "seeds": None,
    "updates": None,
    "device": "cpu",
    "workers": 1,
    "overwrite": False,
    "checkpoint_seconds": 0.0,
}


def run(capsys, *arguments):
    """Run the command; return exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["experiment", "reversal", "--device", "cpu", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


def plan(tmp_path, **options):
    return plan_reversal(**OPTIONS | {"out": tmp_path / "t.parquet"} | options)


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
    command = [sys.executable, "-c", code, "experiment", "reversal", "--device", "cpu", *SMALL, "--updates", "150"]
    command += ["--workers", "1", "--checkpoint-seconds", "0", "--out", str(path), *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_command_goes_on_to_the_same_bytes_and_holds_a_lock(capsys, tmp_path):
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    assert run(capsys, *SMALL, "--updates", 150, "--workers", 1, "--out", whole)[0] == 0
    process = start(killed)
    second = killed.with_suffix(".partial") / "run-0001.pt"
    deadline = time.monotonic() + 120
    while not second.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    code, _, err = run(capsys, *SMALL, "--updates", 150, "--out", killed)
    assert code == 2
    assert "another run is writing to" in err
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not killed.exists()
    assert second.exists()
    mine = json.loads((second.parent / "identity.json").read_text())
    assert len(mine["configuration"]["runs"]) == 4
    code, _, err = run(capsys, *SMALL, "--updates", 151, "--out", killed)
    assert code == 2
    assert "has checkpoints with another configuration" in err.replace("\n", " ")
    assert run(capsys, *SMALL, "--updates", 150, "--workers", 1, "--out", killed)[0] == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_negative_control_another_seed_has_other_bytes(capsys, tmp_path):
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path, seeds in zip(paths, ("0-1", "1-2"), strict=True):
        assert run(capsys, *SMALL, "--seeds", seeds, "--workers", 1, "--out", path)[0] == 0
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
    (("--rate", "0.1", "--temperature", "1"), "a temperature belongs to dg and to a price, got 1.0 without a price"),
    (("--method", "row-gate"), "method row-gate needs a --rate or a --price"),
    (("--rate", "0.1", "--rule", "joy"), "rule must be one of delight, .*, got 'joy'"),
    (("--reward", "joy"), "reward must be one of fraction, prefix, exact, got 'joy'"),
    (("--learning-rate", "-1"), "learning_rate must be above 0, got -1"),
    (("--seeds", "x"), "seeds must be a number such as 5"),
    (("--updates", "0"), "0 is not in the range x>=1"),
    (
        ("--study", "joy"),
        "study must be one of quality, token-trap, screening, screening-tasks, reward, learning-rate, scaling, "
        "step-times, got 'joy'",
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


def test_options_multiply_and_settings_go_to_the_methods_that_take_them(tmp_path):
    found = plan(
        tmp_path,
        methods=["pg", "dg", "token-gate", "row-gate"],
        rates=[0.1, 0.2],
        rules=["delight", "advantage"],
        temperature=2.0,
        lengths=[3, 4],
        learning_rates=[1e-3],
        updates=7,
    ).configs
    assert len(found) == 2 * (1 + 1 + 4 + 4) * 2
    assert {config.updates for config in found} == {7}
    assert {config.temperature for config in found} == {None, 2.0}
    assert {config.method for config in found if config.temperature} == {"dg"}
    (priced,) = {c.label for c in plan(tmp_path, methods=["token-gate"], price=0.0).configs}
    assert priced == "zero-price"


def test_studies_are_unique_runs_at_the_presets_sizes(tmp_path):
    for name, study in STUDIES.items():
        for preset, (updates, seeds) in {"smoke": (50, None), "quick": (1_000, None), "paper": (10_000, 10)}.items():
            configs = plan(tmp_path, study=name, preset=preset).configs
            # PPO has two seeds, six at the published size, once, at three learning rates and at two rewards.
            of_ppo = {"quality": 1, "learning-rate": 3, "reward": 2}.get(name, 0)
            fewer = of_ppo * max(0, study.seeds[preset] - (6 if preset == "paper" else 2))
            assert len(set(configs)) == len(configs) == len(study.methods) * study.seeds[preset] - fewer
            assert {config.updates for config in configs} == {updates}
            assert seeds is None or study.seeds[preset] == (5 if name == "token-trap" else seeds)
    seeds = pd.Series([config.label for config in plan(tmp_path, preset="quick").configs]).value_counts()
    assert seeds.pop("PPO") == 2
    assert set(seeds) == {5}
    assert len(STUDIES["quality"].configs("quick", [7])) == 8
    every = {(c.label, c.learning_rate) for c in STUDIES["learning-rate"].methods}
    assert every == {(c.label, rate) for c in STUDIES["quality"].methods for rate in (1e-4, 3e-4, 1e-3)}


def test_a_table_is_labelled_with_the_sizes_that_it_has(tmp_path):
    """A run of fewer updates or seeds than its preset must not be judged as that preset."""
    labels = [
        plan(tmp_path, study="quality", preset="quick", **changes).preset
        for changes in ({}, {"updates": 999}, {"seeds": "4"}, {"updates": 10_000}, {"updates": 10_000, "seeds": "10"})
    ]
    assert labels == ["quick", "smoke", "smoke", "quick", "paper"]
    assert plan(tmp_path, preset="paper", methods=["pg"]).preset == "paper"


def test_the_scaling_study_writes_its_table(tmp_path, monkeypatch):
    """The real command at a tiny size; one worker and two write the same bytes."""
    network = Architecture(width=16, heads=2, layers=1, feed_forward=16)
    methods = [ReversalConfig("pg"), ReversalConfig("row-gate", rate=0.1)]
    small = [
        replace(m, network=network, learning_rate=1e-2, prompts=4, answers=4, eval_every=20, eval_prompts=50)
        for m in methods
    ]
    scale = Scale((1_600,), (160,), seeds=1, most=2, longest=tuple(small), broadest=tuple(small))
    monkeypatch.setattr(reversal_plan, "SCALES", {"smoke": scale})
    chosen = plan(tmp_path, study="scaling")
    table = load(run_reversal(chosen, command="kondo"), kind="reversal-scaling")
    assert len(table.frame) == 2 * 2 * 2
    found = table.frame.set_index(["label", "axis", "spent"])["largest"]
    assert found["PG", "length", "forward_rows"] >= 1
    assert (found.xs("vocab_size", level="axis") >= 1).all()
    assert not chosen.checkpoints.exists()
    assert (table.sidecar["command"], table.config["scale"]["most"]) == ("kondo", 2)
    shown = reversal_summary.scaling_table(table.frame)
    assert [next(iter(column.cells)) for column in shown.columns[:4]] == ["PG", "H, at M = 2", "forward", "1,600"]
    assert next(iter(shown.columns[4].cells)) == str(found["PG", "length", "forward_rows"])
    again = run_reversal(replace(chosen, out=tmp_path / "again.parquet", workers=2))
    assert again.read_bytes() == table.path.read_bytes()


def test_a_part_of_a_study_can_be_run(tmp_path):
    chosen = plan(tmp_path, study="quality", preset="paper", only=["PG", "row gate(3 %)"])
    assert {config.label for config in chosen.configs} == {"PG", "row gate(3 %)"}
    assert len(chosen.configs) == 20
    assert (chosen.preset, chosen.study) == ("paper", "quality")
    assert plan(tmp_path, study="quality", preset="quick", only=["PPO"]).preset == "quick", (
        "two seeds are what it gets"
    )
    default = plan_reversal(**OPTIONS | {"study": "quality", "only": ["PG", "row gate(3 %, advantage)"]}, out=None)
    assert str(default.out) == "results/reversal-quality-PG-row-gate-3-advantage-smoke.parquet"
    for options, message in (
        ({"only": ["SARSA"]}, r"study quality has the methods PG; DG; zero-price; .*, got 'SARSA'"),
        (
            {"study": "scaling", "only": ["PG"]},
            "a part can be taken of the studies quality, token-trap, screening, screening-tasks, reward, "
            "learning-rate",
        ),
        ({"methods": ["pg"], "only": ["PG"]}, "a part can be taken of the studies"),
    ):
        with pytest.raises(ValueError, match=message):
            plan(tmp_path, **options)


def test_another_process_is_refused(tmp_path):
    chosen = plan(tmp_path, methods=["pg"], lengths=[2], updates=5, seeds="1")
    with (
        CheckpointDirectory(chosen.checkpoints, {"who": "somebody"}),
        pytest.raises(RuntimeError, match="another run"),
    ):
        run_reversal(chosen)


def curves(errors, label="PG"):
    """Learning curves of one method: token errors of each seed at updates 0, 50, …"""
    rows = [
        {
            "label": label, "vocab_size": 2, "length": 10, "reward": "fraction", "learning_rate": 3e-4, "seed": seed,
            "update": 50 * number, "forward_rows": 5_000 * number, "token_error": error, "sequence_error": error,
            "greedy_token_error": 0.0, "greedy_sequence_error": 0.0,
        }
        for seed, column in enumerate(errors)
        for number, error in enumerate(column)
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_final_errors_and_crossings_by_hand():
    table = curves([[0.5, 0.2, 0.009, 0.03], [0.5, 0.4, 0.3, 0.2]])
    assert reversal_summary.final(table, "token_error") == pytest.approx([0.239 / 3, 0.3])
    assert reversal_summary.spent_to_error(table, 0.01, "forward_rows").tolist() == [10_000, float("inf")]
    assert reversal_summary.spent_to_error(table, 0.2, "update").tolist() == [100, float("inf")], "below, not at"
    assert reversal_summary.seeds_of(table) == [0, 1]
    shown = reversal_summary.summary_table(pd.concat([table, curves([[0.5, 0.001]], "DG")]))
    assert [list(column.cells) for column in (shown.columns[0], shown.columns[-2], shown.columns[-1])] == [
        ["PG", "DG"], ["1 of 2", "1 of 1"], ["never", "5,000"],
    ]  # fmt: skip


def test_the_sweep_cell_is_the_same_run(tmp_path):
    table = cell(method="row-gate", rate=0.1, length=2, updates=20, n_seeds=2)
    plain = run_reversal(plan(tmp_path, methods=["row-gate"], rates=[0.1], lengths=[2], updates=20, seeds="2"))
    frame = load(plain).frame
    pd.testing.assert_frame_equal(table, frame[table.columns], check_exact=True)
    with pytest.raises(ValueError, match="needs either a rate or a price"):
        cell(method="token-gate", updates=5)


def test_the_default_is_the_quality_study(tmp_path):
    assert plan(tmp_path).study == "quality"
    assert plan(tmp_path, lengths=[3]).study is None
    labels = {config.label for config in plan(tmp_path, lengths=[3]).configs}
    assert labels == {config.label for config in QUALITY_METHODS}
    assert isinstance(plan(tmp_path).configs[0], ReversalConfig)
