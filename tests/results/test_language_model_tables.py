"""Tables of a language model: their sizes, and parts that are put together by task, what learns and learning rate."""

from dataclasses import replace

import pandas as pd
import pytest

from simulations.errors import ResultError
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.runs import tidy
from simulations.results.merging import MeasuredTables
from simulations.results.table_sizes import sizes_of
from simulations.results.tables import load, save

KIND = "language-model-learning"
PG = LanguageModelConfig("pg")
GATE = LanguageModelConfig("row-gate", rate=0.25, rule="abs-advantage")


def write(path, configs, kind=KIND, last=2):
    curves = [pd.DataFrame({"update": [0, 1, last], "reward": 0.5 + config.seed / 10}) for config in configs]
    frame = tidy([replace(config, updates=last) for config in configs], curves)
    return save(frame, path, kind=kind, config={}, sidecar={})


def runs(*methods, seeds=(0, 1), **changes):
    return [replace(method, seed=seed, **changes) for method in methods for seed in seeds]


def test_a_table_has_the_updates_of_its_shortest_run_and_the_seeds_of_its_rarest_method(tmp_path):
    path = write(tmp_path / "a.parquet", [*runs(PG, seeds=(0, 1, 2)), *runs(GATE)])
    assert sizes_of(load(path)) == {"updates": 2, "seeds": 2}


@pytest.mark.parametrize("changes", [{"task": "spelling"}, {"trainable": "all"}, {"learning_rate": 1e-3}], ids=str)
def test_what_a_label_does_not_say_makes_another_method(tmp_path, changes):
    path = write(tmp_path / "a.parquet", [*runs(PG), *runs(PG, seeds=(0,), **changes)])
    assert sizes_of(load(path)) == {"updates": 2, "seeds": 1}


@pytest.mark.parametrize("changes", [{"task": "spelling"}, {"trainable": "all"}, {"learning_rate": 1e-3}], ids=str)
def test_the_same_seeds_of_another_task_are_a_part(tmp_path, changes):
    write(tmp_path / "a.parquet", runs(PG, GATE))
    write(tmp_path / "b.parquet", runs(PG, GATE, **changes))
    whole = MeasuredTables.read(tmp_path).find(KIND)
    assert len(whole.frame) == 2 * 2 * 2 * 3
    assert whole.origin.count(".parquet") == 2


def test_more_seeds_of_some_methods_are_a_part(tmp_path):
    write(tmp_path / "a.parquet", runs(PG, GATE))
    write(tmp_path / "b.parquet", runs(PG, seeds=(2, 3)))
    whole = MeasuredTables.read(tmp_path).find(KIND)
    assert whole.frame.groupby("label")["seed"].nunique().to_dict() == {PG.label: 4, GATE.label: 2}


@pytest.mark.parametrize("changes", [{"model": "another"}, {"answers": 4}, {"most_tokens": 9}], ids=str)
def test_another_protocol_makes_no_part(tmp_path, changes):
    write(tmp_path / "a.parquet", runs(PG, GATE))
    write(tmp_path / "b.parquet", runs(PG, seeds=(2,), **changes))
    assert MeasuredTables.read(tmp_path).find(KIND).path.name == "a.parquet"


def test_the_same_runs_twice_are_refused(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.parquet", runs(PG, GATE))
    with pytest.raises(ResultError, match=r"equally large tables of language-model-learning \(2 updates, 2 seeds\)"):
        MeasuredTables.read(tmp_path).find(KIND)


def test_timed_steps_count_answers_and_rows(tmp_path):
    frame = pd.DataFrame({"trainable": ["all", "all", "last-6"], "answers": 32, "rate": [1.0, 0.25, 1.0]})
    path = save(frame, tmp_path / "c.parquet", kind="language-model-cost", config={}, sidecar={})
    assert sizes_of(load(path)) == {"answers": 32, "rows": 3}
