"""Some hundreds of damaged files: refused in one line or read as they were; tests/long/fuzz_tables.py does more."""

import importlib.util
import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from simulations.results import sidecars
from simulations.results import tables as results

SOURCE = Path(__file__).parents[1] / "long" / "fuzz_tables.py"


@pytest.fixture(scope="module")
def fuzzer():
    spec = importlib.util.spec_from_file_location("fuzz_tables", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_tables"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_are_refused_in_one_line_or_read_as_they_were(fuzzer, seed):
    counts, wrong = fuzzer.fuzz(350, seed)
    assert not wrong, wrong
    assert sum(counts.values()) > 340
    names = {name for name, _ in counts}
    assert names == {"table", "table alone", "sidecar", "checkpoint", "identity", "index", "shard"}
    assert all(counts[name, "refused"] > 20 for name in names)


def test_negative_control_without_its_hash_damage_of_a_sidecar_goes_unseen(fuzzer, monkeypatch):
    monkeypatch.setattr(sidecars, "_seal", lambda *_: "the same")
    counts, _ = fuzzer.fuzz(350, 0)
    assert [name for name, found in counts if found == "wrong"] == ["sidecar"]


@pytest.mark.parametrize("change", ["name", "value", "row"])
def test_rows_that_are_not_those_that_were_saved_are_seen_without_a_sidecar(tmp_path, monkeypatch, change):
    path = results.save(pd.DataFrame({"label": [1, 2]}), tmp_path / "t.parquet", kind="t", config={}, sidecar={})
    path.with_suffix(".json").unlink()
    table = pq.read_table(path)
    other = {
        "name": table.rename_columns(["lafel"]),
        "value": table.set_column(0, "label", [[1, 3]]),
        "row": table.slice(1),
    }[change]
    pq.write_table(other.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(results.ResultError, match="rows that do not match their hash"):
        results.load(path)
    digest = json.loads(table.schema.metadata[b"kondo"])["content_sha256"]
    monkeypatch.setattr(results, "_content_hash", lambda *_: digest)  # negative control: without the hash
    assert len(results.load(path).frame) in (1, 2)
