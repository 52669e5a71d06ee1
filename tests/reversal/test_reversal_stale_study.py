"""Study stale of token reversal as a command: its cells, its table, its continuation, and what it refuses."""

from dataclasses import replace

import pytest
from tiny_runs import tiny

from simulations.cli.main import main
from simulations.networks.actors import Setting
from simulations.networks.transformer import Architecture
from simulations.results.tables import load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.stale import study
from simulations.reversal.stale.contenders import CONTENDERS, SIZES, Contender, StaleSize, friction_streams
from simulations.reversal.stale.seeds import StaleSeeds

SMALL = StaleSize(2, 2, 2, (1,), 1, 2, Architecture(8, 2, 1, 8))
PAIR = (Contender(tiny(ReversalConfig("pg"))), Contender(tiny(ReversalConfig("dg")), surprisal="actor"))


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["experiment", "reversal", "--study", "stale", *map(str, arguments)])
    found = capsys.readouterr()
    return ended.value.code, found.out, found.err


def test_a_table_is_written_and_an_interrupted_one_goes_on(capsys, tmp_path, monkeypatch):
    trained, train = [], StaleSeeds.train_batch

    def interrupted(self):
        trained.append((self.contender.label, self.setting, self.update))
        if len(trained) == 4:
            raise KeyboardInterrupt
        train(self)

    monkeypatch.setattr(study, "SIZES", {"smoke": SMALL})
    monkeypatch.setattr(study, "CONTENDERS", PAIR)
    every = study.cells(SMALL, PAIR)
    monkeypatch.setattr(study, "cells", lambda size: every[:3])
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    monkeypatch.setattr(StaleSeeds, "train_batch", interrupted)
    out = tmp_path / "stale.parquet"
    arguments = ("--preset", "smoke", "--device", "cpu", "--out", out)
    assert run(capsys, *arguments)[0] == 130
    assert not out.exists()
    code, shown, _ = run(capsys, *arguments)
    assert code == 0
    assert "token error after 2 updates, percent" in shown
    assert [each[2] for each in trained] == [0, 1, 0, 1, 0, 1, 0, 1], "the first cell trains once, the second anew"
    table = load(out, kind=study.KIND)
    assert len(table.frame) == 3 * 2 * 2
    assert table.frame["contender"].unique().tolist() == ["PG", "DG, actor's surprisal"]
    assert table.config["size"]["delays"] == [1]
    assert table.sidecar["seeds"] == [0, 1]
    assert {"commit", "versions", "command", "code"} <= set(table.sidecar)
    before = out.read_bytes()
    assert run(capsys, *arguments)[0] == 0
    assert (len(trained), out.read_bytes()) == (8, before), "finished: there is nothing to do"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "3"), "a study has settings of its own, got --study stale with --seeds"),
        (("--out", "x.csv"), "the table must be named *.parquet, got x.csv"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_variants_train_where_others_than_the_learner_act():
    size = replace(SIZES["quick"], only=None)
    assert set(study.cells(SIZES["quick"])) < set(study.cells(size))
    every = study.cells(size)
    assert len(every) == 3 * 11 + 2 * 6
    assert len({f"{contender.label}; {setting}" for contender, setting in every}) == len(every)
    assert {setting.off_policy for contender, setting in every if not contender.plain} == {True}
    assert size.settings[-1] == Setting(50, 0.3, 0.1)


def test_streams_of_frictions_are_nobody_elses():
    config = CONTENDERS[0].method
    found = {seed for number in range(3) for seed in friction_streams(number).values()}
    assert len(found) == 6
    assert not found & set(config.streams().values())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Contender(ReversalConfig("dg"), "answers"), "correction belongs to method pg, got answers with DG"),
        (lambda: Contender(ReversalConfig("pg"), "clip"), "correction must be one of none, tokens, answers"),
        (lambda: Contender(ReversalConfig("dg"), surprisal="ours"), "surprisal must be one of learner, actor"),
    ],
)
def test_bad_contenders_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
