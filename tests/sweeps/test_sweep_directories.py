"""Directories that a sweep must not use: of others, damaged, or in use."""

from dataclasses import replace

import pandas as pd
import pytest
from small_sweeps import DRAWS, PRODUCT, SCRIPT, start

from simulations.results.tables import ResultError, load
from simulations.sweeps import run_sweep
from simulations.sweeps.store import Store


def test_a_second_writer_is_refused(tmp_path):
    with Store(tmp_path, PRODUCT.checked()), pytest.raises(ResultError, match="another run is writing to"):
        run_sweep(PRODUCT, tmp_path, workers=1)
    run_sweep(PRODUCT, tmp_path, workers=1)


def test_two_processes_on_one_directory(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    first = start(script, tmp_path / "out", 1)
    first.stdout.readline()
    second = start(script, tmp_path / "out", 1)
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 1)
    assert "another run is writing to" in errors.splitlines()[-1]


def test_foreign_directories_and_files_are_refused_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResultError, match=r"is not a sweep's directory: it holds thesis.txt"):
        run_sweep(PRODUCT, tmp_path, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]
    with pytest.raises(ResultError, match="is not a directory"):
        run_sweep(PRODUCT, tmp_path / "thesis.txt", workers=1)


def test_cells_of_another_function_are_refused(tmp_path):
    run_sweep(PRODUCT, tmp_path, workers=1)
    with pytest.raises(ResultError, match=r"holds cells of sweep_cells:product, not of sweep_cells:draws"):
        run_sweep(DRAWS, tmp_path, workers=1)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("damage", ["half", "foreign", "altered"])
def test_damaged_shards_are_refused_by_name(tmp_path, damage, partial):
    run_sweep(PRODUCT, tmp_path, workers=1)
    shard = sorted(tmp_path.glob("cells-*.parquet"))[0]
    content = shard.read_bytes()
    if damage == "half":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "foreign":
        pd.DataFrame({"x": [1]}).to_parquet(shard)
    else:
        shard.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    match = rf"{shard.name} does not match its hash"
    with pytest.raises(ResultError, match=match):
        load(tmp_path, partial=True) if partial else run_sweep(PRODUCT, tmp_path, workers=1)
    shard.unlink()  # as the message says
    assert len(run_sweep(PRODUCT, tmp_path, workers=1).frame) == 200


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is damaged"),
        ('{"schema_version": 1}', "is damaged"),
        ('{"schema_version": 1, "function": "x", "shards": [{"file": "../x"}]}', "is damaged"),
        ('{"schema_version": 9, "function": "x", "shards": []}', "has schema version 9, this code reads 1"),
        ('{"schema_version": 1, "function": "x", "shards": {}}', "is damaged: shards: "),
        ('{"schema_version": 1, "function": "x", "shards": [{"file": 5}]}', "is damaged: shards.0.file: "),
    ],
)
def test_damaged_indexes_are_refused_by_name(tmp_path, text, problem):
    run_sweep(PRODUCT, tmp_path, workers=1)
    (tmp_path / "index.json").write_text(text)
    for action in (lambda: run_sweep(PRODUCT, tmp_path, workers=1), lambda: load(tmp_path)):
        with pytest.raises(ResultError, match=rf"index\.json.* {problem}"):
            action()


def test_loading_a_directory_says_what_is_wrong(tmp_path):
    with pytest.raises(ResultError, match=r"it has no index\.json"):
        load(tmp_path)
    run_sweep(PRODUCT, tmp_path, workers=1)
    run_sweep(replace(PRODUCT, name="twin"), tmp_path, workers=1)
    with pytest.raises(ResultError, match=r"several tables, name one: product.parquet, twin.parquet"):
        load(tmp_path)
