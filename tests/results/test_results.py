"""Result tables: what is written comes back, nothing is overwritten silently, foreign files are refused by name."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from simulations.errors import ResultError
from simulations.results import tables as results
from simulations.results.atomic import atomic_path, require_writable
from simulations.results.provenance import provenance

FRAME = pd.DataFrame({"seed": [0, 1], "test_error": [0.5, 0.25]})
CONFIG = {"preset": "smoke", "runs": [{"method": "pg"}]}


def save(path, **options):
    return results.save(
        FRAME, path, kind="test", config=CONFIG, sidecar={"device": "cpu: x", "date": "2026"}, **options
    )


def test_round_trip(tmp_path):
    table = results.load(save(tmp_path / "new" / "t.parquet"), kind="test")
    pd.testing.assert_frame_equal(table.frame, FRAME)
    assert table.config == CONFIG
    assert table.sidecar["device"] == "cpu: x"
    assert table.origin == "t.parquet, 2026, cpu: x, commit unknown"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["t.json", "t.parquet"]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    assert save(tmp_path / "a.parquet").read_bytes() == save(tmp_path / "b.parquet").read_bytes()


def test_nothing_is_overwritten_silently(tmp_path):
    path = save(tmp_path / "t.parquet")
    with pytest.raises(ResultError, match=r"t.parquet exists: pass --overwrite"):
        save(path)
    save(path, overwrite=True)


def test_a_failure_leaves_neither_half_a_table_nor_a_temporary_file(tmp_path, monkeypatch):
    def fail(table, where, **options):
        Path(where).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_refused_early(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot write"):
        require_writable(tmp_path / "file" / "t.parquet", overwrite=False)


def test_foreign_and_damaged_files_are_refused_by_name(tmp_path):
    with pytest.raises(ResultError, match=r"no result table at .*missing.parquet"):
        results.load(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ResultError, match=r"text.parquet is not a readable Parquet file"):
        results.load(tmp_path / "text.parquet")
    FRAME.to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(ResultError, match=r"foreign.parquet is a Parquet file, but not a result table"):
        results.load(tmp_path / "foreign.parquet")
    path = save(tmp_path / "t.parquet")
    with pytest.raises(ResultError, match="holds 'test', expected 'other'"):
        results.load(path, kind="other")
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(ResultError, match=r"t.parquet (does not match the hash|is not a readable|is damaged)"):
        results.load(path)
    path.write_bytes(whole[:-200])
    with pytest.raises(ResultError, match=r"t.parquet is not a readable Parquet file"):
        results.load(path)


def test_a_foreign_sidecar_is_refused(tmp_path):
    path = save(tmp_path / "t.parquet")
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps({"table_sha256": "0" * 64, "date": "1999"}))
    with pytest.raises(ResultError, match=r"does not match the hash in t.json"):
        results.load(path)
    sidecar.write_text("{")
    with pytest.raises(ResultError, match=r"t.json is not the sidecar of a result table"):
        results.load(path)


def test_a_file_in_the_sidecars_place_is_not_overwritten(tmp_path):
    (tmp_path / "t.json").write_text("mine")
    with pytest.raises(ResultError, match=r"t.json exists: pass --overwrite"):
        save(tmp_path / "t.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_a_directory_is_refused_early(tmp_path):
    with pytest.raises(ResultError, match="it is a directory"):
        require_writable(tmp_path, overwrite=True)


def test_of_two_runs_that_end_together_neither_is_lost(tmp_path):
    path = tmp_path / "t.parquet"

    def write_late():
        with atomic_path(path, overwrite=False) as temporary:
            temporary.write_text("late")
            path.write_text("early")

    with pytest.raises(ResultError, match=r"was written by another run in the meantime: this one's is .*t-") as late:
        write_late()
    assert path.read_text() == "early"
    kept = Path(str(late.value).rsplit(" ", 1)[1])
    assert kept.read_text() == "late"
    assert len(list(tmp_path.iterdir())) == 2


def rewrite_header(path, **changes):
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"kondo"]) | changes
    metadata = dict(table.schema.metadata) | {b"kondo": json.dumps(header).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    path.with_suffix(".json").unlink(missing_ok=True)


def test_another_schema_and_an_altered_configuration_are_refused(tmp_path):
    path = save(tmp_path / "t.parquet")
    rewrite_header(path, config={"preset": "paper"})
    with pytest.raises(ResultError, match="does not match its hash"):
        results.load(path)
    rewrite_header(path, schema_version=99)
    with pytest.raises(ResultError, match="has schema version 99, this code reads 1"):
        results.load(path)


def test_provenance_names_versions_commit_and_device():
    record = provenance("cpu: x")
    assert record["device"] == "cpu: x"
    assert {"python", "numpy", "torch", "kondo-theory"} <= set(record["versions"])
    assert record["commit"] == "unknown" or len(record["commit"].removesuffix("-dirty")) == 40
