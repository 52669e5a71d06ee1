"""Tables measured elsewhere, and the report that is judged by them."""

import json

import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from simulations.cli.main import main
from simulations.errors import ReportedError, ResultError
from simulations.mnist.config import KIND
from simulations.results import tables as results
from simulations.results.merging import MeasuredTables
from simulations.results.tables import load
from simulations.verification.evidence_json import measured_json
from simulations.verification.verify import verify

COMMITTED = results.COMMITTED / "mnist-quick.parquet"


def save(path, kind="a", preset="quick", date="2026-01-01", rows=1):
    config, sidecar = {"preset": preset}, {"date": date, "device": "cuda: A100", "commit": "0123456789abcdef"}
    return results.save(pd.DataFrame({"x": range(rows)}), path, kind=kind, config=config, sidecar=sidecar)


def test_the_largest_table_wins_whatever_its_label_and_date_and_two_such_are_refused(tmp_path):
    save(tmp_path / "a.parquet", preset="paper", date="2026-03-01", rows=1)
    save(tmp_path / "inside" / "c.parquet", preset="smoke", date="2026-02-01", rows=2)
    save(tmp_path / "d.parquet", kind="other")
    tables = MeasuredTables.read(tmp_path)
    assert tables.find("a").path.name == "c.parquet"
    assert tables.find("none") is None
    assert sorted(path.name for path in tables.unused) == ["a.parquet", "d.parquet"]
    save(tmp_path / "b.parquet", preset="huge", date="2026-01-01", rows=2)
    with pytest.raises(ResultError, match=r"b\.parquet and .*c\.parquet are equally large tables of a \(2 rows\)"):
        MeasuredTables.read(tmp_path).find("a")


def test_the_origin_names_file_date_device_and_commit(tmp_path):
    assert load(save(tmp_path / "a.parquet")).origin == "a.parquet, 2026-01-01, cuda: A100, commit 0123456789ab"


def test_what_cannot_be_merged_is_refused_by_name(tmp_path):
    with pytest.raises(ResultError, match="no directory of results"):
        MeasuredTables.read(tmp_path / "none")
    with pytest.raises(ResultError, match="holds no result table"):
        MeasuredTables.read(tmp_path)
    (tmp_path / "foreign.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResultError, match=r"foreign\.parquet is not a readable Parquet file"):
        MeasuredTables.read(tmp_path)
    (tmp_path / "foreign.parquet").unlink()
    save(tmp_path / "odd.parquet", kind=KIND)
    with pytest.raises(
        ResultError, match=r"odd\.parquet is no table of kind mnist-learning-curves: it lacks .*update"
    ):
        MeasuredTables.read(tmp_path).find(KIND)


def merged(tmp_path, **changes):
    """Verify ``mnist-quality`` from a copy of the committed table, changed."""
    table = load(COMMITTED, kind=KIND)
    frame = changes.get("frame", table.frame)
    config = dict(table.config) | {"preset": changes.get("preset", table.config["preset"])}
    sidecar = dict(table.sidecar) | {"device": "cuda: A100"}
    results.save(frame, tmp_path / "gpu-box.parquet", kind=KIND, config=config, sidecar=sidecar)
    return verify("smoke", device="cpu", claims=["mnist-quality"], tables=MeasuredTables.read(tmp_path))


def test_a_claim_is_judged_by_the_merged_table_and_says_so(tmp_path):
    (outcome,) = merged(tmp_path).outcomes
    assert outcome.verdict == CLAIMS["mnist-quality"].success  # at smoke size it would be "not run"
    assert all(row.origin.startswith("gpu-box.parquet, 2026-") for row in outcome.measured)
    assert all("cuda: A100" in row.origin for row in outcome.measured)
    row = measured_json(outcome.measured[0])
    assert (row["table"], row["preset"], row["device"]) == ("gpu-box.parquet", "quick", "cuda: A100")
    assert (row["seeds"], row["updates"], row["date"][:5], len(row["commit"])) == (10, 3_000, "2026-", 40)


@pytest.mark.control("mnist-quality")
def test_negative_control_other_numbers_give_another_verdict(tmp_path):
    frame = load(COMMITTED).frame.copy()
    frame.loc[frame["label"] == "DG-K(3 %)", "test_error"] += 0.2
    (outcome,) = merged(tmp_path, frame=frame).outcomes
    assert outcome.verdict == "fails"


def cut(updates=3_000, seeds=10, labels=None):
    """The committed curves, of some methods up to an update and of a few seeds."""
    frame = load(COMMITTED).frame
    other = ~frame["label"].isin(labels) if labels else False
    return frame[other | ((frame["update"] <= updates) & (frame["seed"] < seeds))]


@pytest.mark.parametrize("label", ["smoke", "quick", "paper", "huge", None])
@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"updates": 300, "seeds": 2}, "300 updates and 2 seeds; the rule asks for 3,000 and 10"),
        ({"updates": 300}, "300 updates; the rule asks for 3,000"),
        ({"seeds": 9}, "9 seeds; the rule asks for 10"),
        ({"updates": 2_900, "labels": ["DG"]}, "2,900 updates; the rule asks for 3,000"),
        ({"seeds": 1, "updates": 2_900, "labels": ["zero-price"]}, ""),  # which the claim does not compare
        ({}, ""),
    ],
)
def test_a_table_is_judged_by_the_sizes_that_it_holds_and_by_no_label(tmp_path, label, sizes, reason):
    (outcome,) = merged(tmp_path, frame=cut(**sizes), preset=label).outcomes
    expected = ("not run", reason) if reason else (CLAIMS["mnist-quality"].success, outcome.reason)
    assert (outcome.verdict, outcome.reason) == expected


def test_methods_of_other_seeds_are_not_compared(tmp_path):
    frame = cut()
    frame.loc[frame["label"] == "DG", "seed"] += 10
    with pytest.raises(ReportedError, match=r"other seeds for each method, and mnist-quality compares seed by seed"):
        merged(tmp_path, frame=frame)


def test_a_table_that_lacks_a_method_is_refused(tmp_path):
    frame = load(COMMITTED).frame
    with pytest.raises(ReportedError, match=r"gpu-box\.parquet lacks PG, which mnist-quality compares"):
        merged(tmp_path, frame=frame[frame["label"] != "PG"])


def test_the_command_merges_and_names_what_it_did_not_use(tmp_path, capsys):
    merged(tmp_path)
    save(tmp_path / "other.parquet", kind="other")
    report = tmp_path / "report.json"
    arguments = ["verify", "--claim", "mnist-quality", "--preset", "smoke", "--results", tmp_path, "--json", report]
    with pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    assert raised.value.code == 0
    assert "other.parquet" in capsys.readouterr().err.replace("\n", "")
    (claim,) = json.loads(report.read_text())["claims"]
    assert claim["measured"][0]["origin"].startswith("gpu-box.parquet")


def test_a_bad_directory_ends_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["verify", "--results", str(tmp_path)])
    assert raised.value.code == 2
    assert capsys.readouterr().err.strip().splitlines() == [f"kondo: {tmp_path} holds no result table (*.parquet)"]
