"""Which runs the options and studies of token reversal ask for, and the tables that come of them."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from simulations.networks.transformer import Architecture
from simulations.results.tables import load, save
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.reversal import plan as reversal_plan
from simulations.reversal import summary as reversal_summary
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.experiment import run_reversal
from simulations.reversal.plan import plan_reversal
from simulations.reversal.scaling import Scale
from simulations.reversal.studies import STUDIES
from simulations.reversal.tables import scaling_searches
from simulations.sweeps.cells.reversal import reversal as cell

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


def plan(tmp_path, **options):
    return plan_reversal(**OPTIONS | {"out": tmp_path / "t.parquet"} | options)


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
    alone = plan(tmp_path, methods=["token-gate", "pg"], rates=[0.1], temperature=0.3).configs
    assert {config.label for config in alone} == {"token gate(10 %, η=0.3)", "PG"}
    (priced,) = {c.label for c in plan(tmp_path, methods=["token-gate"], price=0.0).configs}
    assert priced == "zero-price"


def test_studies_are_unique_runs_at_the_presets_sizes(tmp_path):
    for name, study in STUDIES.items():
        if name == "protocols":  # presets take parts of it: test_reversal_protocols.py
            continue
        for preset, (updates, seeds) in {"smoke": (50, None), "quick": (1_000, None), "paper": (10_000, 10)}.items():
            configs = plan(tmp_path, study=name, preset=preset).configs
            # PPO has two seeds, six at the published size, once, at three learning rates and at two rewards.
            costly = {"quality": 1, "learning-rate": 3, "reward": 2, "speedup": 6}.get(name, 0)
            fewer = costly * max(0, study.seeds[preset] - (6 if preset == "paper" else 2))
            assert len(set(configs)) == len(configs) == len(study.methods) * study.seeds[preset] - fewer
            own = {("temperature", "quick"): 400, ("gambling", "quick"): 300}.get((name, preset), updates)
            assert {config.updates for config in configs} == {own}
            assert seeds is None or study.seeds[preset] == (5 if name in ("token-trap", "stall-escape") else seeds)
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
    parts = tmp_path / "parts"
    for number, only in enumerate((["PG, length"], ["PG, vocab_size", small[1].label])):
        out = parts / f"reversal-scaling-{number}-smoke.parquet"
        run_reversal(plan(tmp_path, study="scaling", only=only, out=out))
    whole = scaling_searches(directory=parts)
    assert whole is not None
    assert len(whole.parts) == 2
    key = ["axis", "label", "seed", "spent"]
    pd.testing.assert_frame_equal(*(each.sort_values(key, ignore_index=True) for each in (whole.frame, table.frame)))
    shutil.copytree(parts, tmp_path / "twice")
    run_reversal(
        plan(tmp_path, study="scaling", only=["PG"], out=tmp_path / "twice" / "reversal-scaling-9-smoke.parquet")
    )
    assert len(scaling_searches(directory=tmp_path / "twice").frame) == 8, "the part that is in another counts once"
    longer = load(table.path).frame.query("label == 'PG' and axis == 'length'").assign(most=9, largest=9)
    options = {"kind": "reversal-scaling", "config": {}, "sidecar": {}}
    save(longer, parts / "reversal-scaling-PG-paper.parquet", **options)
    frame = scaling_searches(directory=parts).frame
    assert len(frame) == 8
    most = frame.set_index(["label", "axis"])["most"]
    assert set(most["PG", "length"]) == {9}, "the search with larger sizes counts"
    assert set(most["PG", "vocab_size"]) == {2}
    own = scaling_searches([load(table.path)], parts)
    assert (own.path, set(own.frame["most"])) == (table.path, {2}), "a user's own before the committed"


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
            {"study": "scaling", "only": ["PG, width"]},
            r"study scaling has the searches PG, length; .*, got 'PG, width'; did you mean 'PG, length'",
        ),
        (
            {"methods": ["pg"], "only": ["PG"]},
            "a part can be taken of the studies quality, token-trap, stall-escape, screening, screening-tasks, "
            "neighbours, reward, tasks, speedup, learning-rate, temperature, gambling, protocols, scaling alone",
        ),
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
