"""Configurations, studies and plans of a language model; no language model is needed."""

import ast
import json
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import pytest

from kondo_theory.gate import Gate
from simulations import language_model
from simulations.language_model.config import METHODS, PRESETS, STREAMS, LanguageModelConfig, parse_trainable
from simulations.language_model.plan import plan_language_model
from simulations.language_model.studies import STUDIES
from simulations.language_model.weights import NAME

ROWS = LanguageModelConfig("row-gate", rate=0.25, rule="abs-advantage")


EXTRA = {"accelerate", "gguf", "peft", "safetensors", "tokenizers", "transformers"}
MODULES = sorted(Path(language_model.__file__).parent.glob("*.py"))


def at_import(tree):
    """What is imported as a file is."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_package_can_be_imported_without_its_extra(path):
    assert not EXTRA & set(at_import(ast.parse(path.read_text(encoding="utf-8"))))
    import_module(f"simulations.language_model.{path.stem}")


def test_negative_control_an_import_of_the_extra_is_seen():
    assert EXTRA & set(at_import(ast.parse("from safetensors.torch import save_file")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "grpo"}, "method must be one of pg, dg"),
        ({"rate": None}, "a gate needs either a rate or a price"),
        ({"price": 0.0}, "a gate needs either a rate or a price"),
        ({"method": "pg"}, "no other method takes one: got pg with rate 0.25"),
        ({"rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"rule": "delite"}, "did you mean 'delight'"),
        ({"rate": None, "price": 0.0}, "belongs to a gate at a rate, got abs-advantage"),
        ({"row_surprisal": "max"}, "row_surprisal must be one of sum, mean"),
        ({"task": "reversal-5"}, "task must be one of"),
        ({"trainable": "last"}, r"trainable must be all, last-N \(blocks\) or lora-R \(rank\).*got 'last'"),
        ({"trainable": "last-0"}, "got 'last-0'"),
        ({"answers": 1}, "answers must be at least 2, got 1"),
        ({"updates": 0}, "updates must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and finite, got 0.0"),
        ({"tolerance": float("inf")}, "tolerance must be above 0 and finite, got inf"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(ROWS, **changes)


def test_a_size_that_is_no_whole_number_is_refused():
    with pytest.raises(TypeError, match=r"prompts must be an integer, got 2\.5"):
        replace(ROWS, prompts=2.5)


def test_what_learns_is_read_from_its_name():
    assert [parse_trainable(name) for name in ("all", "last-6", "lora-16")] == [("all", 0), ("last", 6), ("lora", 16)]


def test_methods_have_their_gates_levels_and_labels():
    described = {
        LanguageModelConfig("pg"): (None, "row", "PG"),
        LanguageModelConfig("dg"): (None, "row", "DG"),
        ROWS: (Gate(rate=0.25), "row", "row gate(25 %, abs-advantage)"),
        LanguageModelConfig("row-gate", price=0.0): (Gate(price=0.0), "row", "zero-price rows"),
        LanguageModelConfig("token-gate", rate=0.03): (Gate(rate=0.03), "token", "token gate(3 %)"),
        LanguageModelConfig("group-gate", price=0.5): (Gate(price=0.5), "group", "group gate(λ=0.5)"),
    }
    for config, expected in described.items():
        assert (config.gate, config.level, config.label) == expected
    assert {config.method for config in described} == set(METHODS)


def test_streams_differ_and_methods_share_them():
    seeds = ROWS.streams()
    assert tuple(seeds) == STREAMS
    assert len(set(seeds.values())) == len(STREAMS)
    assert seeds == replace(ROWS, method="pg", rate=None, rule="delight").streams()
    assert set(seeds.values()).isdisjoint(replace(ROWS, seed=1).streams().values())


def test_the_study_has_the_sizes_of_its_presets():
    quick, paper = (STUDIES["learning"].configs(preset) for preset in ("quick", "paper"))
    assert [len(quick), len(paper)] == [4 * 2, 2 * 5 * 5]
    assert {(config.updates, config.eval_prompts) for config in quick} == {(40, 200)}
    assert {config.task for config in paper} == {"reversal-3", "spelling"}
    assert len({config.label for config in quick}) == 4
    assert len(set(paper)) == len(paper)
    assert asdict(quick[0])["model"] == NAME


def test_the_other_studies_have_fewer_seeds_and_share_nothing_with_the_first():
    sizes = {name: len(study.configs("paper")) for name, study in STUDIES.items()}
    assert sizes == {"learning": 50, "methods": 13 * 2 * 2, "tasks": 5 * 5 * 2, "learning-rate": 12 * 2}
    every = [config for study in STUDIES.values() for config in study.configs("paper")]
    assert len(set(every)) == len(every)
    assert [config.seed for config in STUDIES["tasks"].configs("paper", [7])] == 25 * [7]
    labels = [config.label for config in STUDIES["methods"].methods]
    assert len(set(labels)) == len(labels)
    assert "row gate(12.5 %, delight, surprisal per token)" in labels
    assert {config.learning_rate for config in STUDIES["learning-rate"].configs("quick")} == {3e-5, 1e-4, 1e-3, 3e-3}


def plan(tmp_path, **given):
    return plan_language_model(**({"preset": "quick", "study": None, "out": tmp_path / "t.parquet"} | given))


def test_without_anything_the_study_runs(tmp_path):
    found = plan(tmp_path)
    assert (found.study, found.preset, found.kind, len(found.configs)) == (
        "learning",
        "quick",
        "language-model-learning",
        8,
    )
    assert found.described["runs"] == json.loads(json.dumps(found.records))


def test_runs_of_ones_own_say_so(tmp_path):
    found = plan(tmp_path, method="row-gate", rate=0.5, tasks=("spelling", "digits"), seeds="3", trainable="all")
    assert (found.study, found.kind, len(found.configs)) == (None, "language-model-own", 6)
    assert {(config.task, config.trainable) for config in found.configs} == {("spelling", "all"), ("digits", "all")}
    assert {config.label for config in plan(tmp_path, tasks=("digits",)).configs} == {"PG"}


def test_a_part_of_a_study_is_named_by_its_labels(tmp_path):
    found = plan(tmp_path, only=("PG", "token gate(3 %)"), out=None)
    assert [config.label for config in found.configs] == ["PG"] * 2 + ["token gate(3 %)"] * 2
    assert found.out.name == "language-model-learning-PG-token-gate-3-quick.parquet"
    some = plan(tmp_path, study="tasks", preset="paper", tasks=("addition-2", "digits"), only=("PG",), out=None)
    assert [(config.label, config.task) for config in some.configs] == [
        *[("PG", "digits")] * 2,
        *[("PG", "addition-2")] * 2,
    ]
    assert some.out.name == "language-model-tasks-addition-2-digits-PG-quick.parquet"
    assert some.study == "tasks"


@pytest.mark.parametrize(("given", "preset"), [({"updates": 10}, "smoke"), ({"seeds": "1"}, "smoke"), ({}, "quick")])
def test_a_table_is_labelled_by_what_it_holds(tmp_path, given, preset):
    assert plan(tmp_path, **given).preset == preset
    assert PRESETS["smoke"].updates < 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"study": "lerning"},
            "one of learning, methods, tasks, learning-rate, cost, frozen, frozen-tasks, frozen-temperature, "
            "answers, got 'lerning'; "
            "did you mean 'learning'",
        ),
        ({"study": "learning", "method": "pg"}, "a study names its own methods, got study learning with others"),
        ({"study": "learning", "tasks": ("digits",)}, "a task of the study must be one of reversal-3, got 'digits'"),
        ({"only": ("PGG",)}, "a method of the study must be one of PG, .*, got 'PGG'; did you mean 'PG'"),
        ({"only": ("PG",), "tasks": ("digits",)}, "a part can be taken of a study alone"),
        ({"method": "row-gate"}, "a gate needs either a rate or a price"),
        ({"tasks": ("nothing",)}, "task must be one of"),
        ({"tasks": ("builtins:repr",)}, "must return a prompt"),
    ],
    ids=str,
)
def test_what_cannot_run_is_refused_before_anything_is_loaded(tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        plan(tmp_path, **given)


def test_a_model_that_is_no_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a Hugging Face directory with its config\.json, got .*nothing"):
        plan(tmp_path, model=tmp_path / "nothing")


def test_a_model_is_named_by_its_files(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    first = plan(tmp_path, model=tmp_path / "mine").configs[0].model
    (tmp_path / "mine" / "model.safetensors").write_text("x")
    second = plan(tmp_path, model=tmp_path / "mine").configs[0].model
    assert first.startswith("mine-")
    assert second.startswith("mine-")
    assert first != second


def test_the_code_of_a_task_of_ones_own_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "def task(rng):\n    return 'a', lambda answer: {}.0\n"
    (tmp_path / "a_task_here.py").write_text(source.format(1))
    given = {"tasks": ("a_task_here:task",)}
    first = plan(tmp_path, **given).code
    (tmp_path / "a_task_here.py").write_text(source.format(25))
    assert plan(tmp_path, **given).code != first
    assert plan(tmp_path).code == first.partition("-")[0]
