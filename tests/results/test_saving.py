"""A result is never lost: no hard links, a full disk, another run in the same place, a kill between any two steps."""

import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from simulations.results import tables as results
from simulations.results.atomic import TakenError, atomic_path
from simulations.results.tables import ResultError

OLD, NEW = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4]})
STEPS = [(os, "link"), (os, "replace"), (os, "open"), (Path, "unlink"), (Path, "chmod"), (Path, "write_text")]


class Killed(BaseException):
    """What no code of ours catches."""


def save(frame, path, name, **options):
    return results.save(frame, path, kind="test", config={}, sidecar={"name": name, "seconds": [1.5]}, **options)


def kill_at(monkeypatch, step):
    """Let ``step`` calls that change files go through; after them nothing happens any more, no cleaning up either."""
    calls = []

    def guarded(function):
        def call(*arguments, **options):
            calls.append(function.__name__)
            if len(calls) > step:
                raise Killed
            return function(*arguments, **options)

        return call

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))
    return calls


def killed(monkeypatch, step, *arguments, **options):
    """Save, be killed after ``step`` calls, and return whether it came to the end."""
    with monkeypatch.context() as patched:
        kill_at(patched, step)
        try:
            save(*arguments, **options)
        except Killed:
            return False
    return True


def test_a_kill_at_any_step_of_an_overwrite_leaves_one_whole_pair(tmp_path, monkeypatch):
    seen, step, done = set(), 0, False
    while not done:
        path = tmp_path / f"{step}" / "t.parquet"
        save(OLD, path, "old")
        done = killed(monkeypatch, step, NEW, path, "new", overwrite=True)
        table = results.load(path)
        name = table.sidecar["name"]
        assert (table.frame["x"].to_list(), name) in (([1, 2], "old"), ([3, 4], "new"))
        assert table.sidecar["seconds"] == [1.5]
        assert "former" not in table.sidecar
        seen.add(name)
        save(NEW, path, "again", overwrite=True)  # and the next run is not disturbed
        assert results.load(path).sidecar["name"] == "again"
        assert "former" not in json.loads(path.with_suffix(".json").read_text())
        step += 1
    assert seen == {"old", "new"}
    assert step > 5  # negative control: there were steps to be killed at


@pytest.mark.parametrize("links", [True, False])
def test_a_kill_at_any_step_of_a_first_save_leaves_nothing_or_a_table(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    states, step, done = set(), 0, False
    while not done:
        path = tmp_path / f"{step}" / "t.parquet"
        done = killed(monkeypatch, step, NEW, path, "new")
        if path.exists():
            assert results.load(path).frame["x"].to_list() == [3, 4]
        states.add(path.exists())
        step += 1
    assert states == {False, True}
    assert results.load(path).sidecar["name"] == "new"


def refuse(code):
    def link(*_):
        raise OSError(code, os.strerror(code))

    return link


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV, errno.EACCES])
def test_without_hard_links_a_result_is_there_all_the_same(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "link", refuse(code))
    table = results.load(save(NEW, tmp_path / "t.parquet", "new"))
    assert (table.frame["x"].to_list(), table.sidecar["name"]) == ([3, 4], "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.json", "t.parquet"]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_runs_that_end_together_both_keep_table_and_sidecar(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.ENOTSUP))
    path = tmp_path / "t.parquet"
    write_table = results.pq.write_table

    def overtaken(*arguments, **options):
        write_table(*arguments, **options)
        monkeypatch.setattr(results.pq, "write_table", write_table)
        save(OLD, path, "first")

    monkeypatch.setattr(results.pq, "write_table", overtaken)
    with pytest.raises(TakenError, match=r"was written by another run in the meantime: this one's is .*t-") as late:
        save(NEW, path, "second")
    assert results.load(path).sidecar["name"] == "first"
    kept = results.load(late.value.kept)
    assert (kept.frame["x"].to_list(), kept.sidecar["name"]) == ([3, 4], "second")


def test_a_claim_that_a_killed_run_left_costs_a_name_and_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    path = tmp_path / "t.parquet"
    (tmp_path / ".t.parquet.claim").touch()
    with pytest.raises(TakenError) as taken:
        save(NEW, path, "new")
    assert results.load(taken.value.kept).frame["x"].to_list() == [3, 4]


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_cannot_be_put_in_its_place_is_kept_and_named(tmp_path, monkeypatch, overwrite):
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    monkeypatch.setattr(os, "replace", refuse(errno.EACCES))
    with (
        pytest.raises(ResultError, match=r"cannot write .*t\.txt: Permission denied; the result is .*") as refused,
        atomic_path(tmp_path / "t.txt", overwrite=overwrite) as temporary,
    ):
        temporary.write_text("hours of work")
    assert Path(str(refused.value).rsplit(" ", 1)[1]).read_text() == "hours of work"


def test_a_full_disk_leaves_the_old_pair(tmp_path, monkeypatch):
    path = save(OLD, tmp_path / "t.parquet", "old")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(results.pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        save(NEW, path, "new", overwrite=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_sidecar_that_cannot_be_written_costs_neither_the_old_pair_nor_the_new_table(tmp_path, monkeypatch):
    path = save(OLD, tmp_path / "t.parquet", "old")
    replace = os.replace

    def no_json(source, target):
        if str(target).endswith(".json"):
            raise OSError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", no_json)
    with pytest.raises(ResultError, match=r"cannot write .*t\.json: Permission denied; .*; the table is ") as refused:
        save(NEW, path, "new", overwrite=True)
    assert results.load(path).sidecar["name"] == "old"
    assert results.load(str(refused.value).rsplit(" ", 1)[1]).frame["x"].to_list() == [3, 4]


def test_an_old_table_that_was_damaged_can_be_replaced(tmp_path):
    path = save(OLD, tmp_path / "t.parquet", "old")
    path.write_bytes(path.read_bytes()[:-20])
    save(NEW, path, "new", overwrite=True)
    assert results.load(path).sidecar["name"] == "new"
    path.with_suffix(".json").write_text("[]")
    save(OLD, path, "old", overwrite=True)
    assert results.load(path).sidecar["name"] == "old"


def test_a_sidecar_of_which_a_field_was_altered_is_refused(tmp_path):
    path = save(OLD, tmp_path / "t.parquet", "old")
    sidecar = path.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace("1.5", "1.6"))
    with pytest.raises(ResultError, match=r"t\.json does not match its own hash: it was altered"):
        results.load(path)
