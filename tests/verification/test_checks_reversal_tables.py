"""Which tables of token reversal are judged: committed, given, put together, or trained now."""

from dataclasses import replace

import pytest
from reversal_worlds import UPDATES, context, curve_of, world

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.results.table_sizes import sizes_of_runs
from simulations.results.tables import load, save
from simulations.reversal.plan import study_kind
from simulations.reversal.studies import STUDIES
from simulations.reversal.tables import SHARED, committed_curves
from simulations.reversal.training import tidy
from simulations.verification.checks.reversal import runs as reversal_runs
from simulations.verification.checks.reversal.cost import physical_cost, physical_cost_rows
from simulations.verification.checks.reversal.quality import quality, quality_rows, token_trap, token_trap_rows
from simulations.verification.verify import judge


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A directory with a table of each study, committed."""
    for study in ("quality", "token-trap", "learning-rate"):
        frame = world(study).frame.drop(columns="origin")
        path = tmp_path / f"reversal-{study}-quick.parquet"
        save(frame, path, kind=study_kind(study), config={"preset": "quick"}, sidecar={"date": "2026-01-01"})
    monkeypatch.setattr(reversal_runs, "COMMITTED", tmp_path)
    return tmp_path


def test_smoke_and_quality_read_the_committed_tables_and_train_nothing(committed, monkeypatch):
    monkeypatch.setattr(reversal_runs, "run_many", None)
    for preset, study in (("smoke", "token-trap"), ("smoke", "quality"), ("quick", "quality")):
        found = reversal_runs.curves(context(preset), study)
        assert sizes_of_runs(found.frame)["updates"] == 1_000
        assert found.origin().startswith(f"reversal-{study}-quick.parquet, 2026-01-01")


def test_quick_trains_a_few_runs_once_and_judges_them_with_the_committed_ones(committed, monkeypatch):
    asked = []

    def trained(configs, **options):
        asked.extend(configs)
        for index, config in enumerate(configs):
            yield index, curve_of(config, 0.42), None

    monkeypatch.setattr(reversal_runs, "run_many", trained)
    here = context("quick")
    fresh = reversal_runs.fresh_curves(here)
    assert reversal_runs.fresh_curves(here) is fresh
    assert [config.label for config in asked] == ["token gate(3 %)"] * 2 + ["token gate(30 %)"] * 2 + [
        "row gate(3 %, advantage)"
    ] * 2
    assert {config.updates for config in asked} == {1_000}
    assert {config.seed for config in asked} == {0}
    assert fresh.origin() == "measured now, cpu"
    rows = token_trap(here)
    now = [row for row in rows if row.quantity.endswith(", trained now")]
    origins = {row.quantity.partition(" (")[0]: row.origin for row in rows if row not in now}
    assert origins["share of runs below the critical rate that stall"].endswith("measured now, cpu")
    assert origins["stalled reward, M = 3, H = 6, ρ = 3 %"].startswith("reversal-token-trap-quick.parquet")
    assert origins["stalled reward, M = 2, H = 10, ρ = 3 %"].startswith("reversal-quality-quick.parquet")
    assert {row.origin for row in now} == {"measured now, cpu"}
    assert all(row.value == pytest.approx(0.42) for row in now if row.quantity.startswith(("stalled", "final")))
    shares = {row.quantity: row for row in rows if row.quantity.startswith("share")}
    stall, learn = (
        shares[f"share of runs {name}"]
        for name in ("below the critical rate that stall", "above the critical rate that learn")
    )
    committed_runs = 13, 10
    assert (stall.seeds, learn.seeds) == committed_runs, "seed 0 is in the tables too, and counts once"
    assert stall.value == pytest.approx(11 / 13), "the controls of the two that were trained now did not learn"
    assert learn.value == pytest.approx(8 / 10), "nor did the two gates"
    assert judge(CLAIMS["reversal-token-trap"], None, [], rows)[0] != "holds in regime"
    for other in (
        context("smoke"),
        context("paper"),
        context("quick", [load(committed / "reversal-token-trap-quick.parquet")]),
    ):
        assert reversal_runs.fresh_curves(other) is None


def test_methods_at_the_published_size_replace_those_of_quick(committed):
    """A study whose paper preset is committed in part: no row twice, each with its origin, the shortest counts."""
    paper = [replace(c, updates=10_000) for c in STUDIES["quality"].configs("quick") if c.method in ("pg", "dg")]
    long = tidy(paper, [curve_of(config, 0.97).assign(update=10 * UPDATES) for config in paper])
    counts = [name for name in long if name.endswith(("_rows", "_tokens", "_flops", "_steps"))]
    long[counts] *= 10
    path = committed / "reversal-quality-paper.parquet"
    save(long, path, kind=study_kind("quality"), config={"preset": "paper"}, sidecar={})
    found = reversal_runs.curves(context("smoke"), "quality")
    assert sizes_of_runs(found.frame)["updates"] == 1_000
    assert not found.frame.duplicated(["label", "seed", "update"]).any()
    origins = {row.quantity: row.origin for row in quality_rows(found)}
    assert origins["final token error, PG"].startswith("reversal-quality-paper.parquet")
    assert origins["final token error, PPO"].startswith("reversal-quality-quick.parquet")
    ratios = {row.quantity: row.value for row in physical_cost_rows(found)}
    assert ratios["training FLOPs, row gate(3 %) / PG"] == pytest.approx(0.03), "ten times the updates aside"


def test_parts_of_the_paper_preset_are_one_table(committed):
    """Parts measured one after the other: the published size only once every method has it."""
    paper = [replace(config, updates=10_000) for config in STUDIES["quality"].configs("quick")]
    labels = [config.label for config in STUDIES["quality"].methods]
    for part, name in ((labels[:3], ""), (labels[3:-1], "-2"), (labels[-1:], "-3")):
        configs = [config for config in paper if config.label in part]
        frame = tidy(configs, [curve_of(config, 0.97).assign(update=10 * UPDATES) for config in configs])
        path = committed / f"reversal-quality-paper{name}.parquet"
        save(frame, path, kind=study_kind("quality"), config={"preset": "paper"}, sidecar={})
        found = committed_curves("quality", committed)
        assert list(found.frame["label"].unique()) == labels, "the order of the study"
        assert sizes_of_runs(found.frame)["updates"] == (10_000 if name == "-3" else 1_000)
        last = found.frame.groupby("label")["update"].max()
        assert {label for label in labels if last[label] == 10_000} >= set(part)
        assert not found.frame.duplicated(["label", "seed", "update"]).any()
    assert found.origin().count("reversal-quality-paper") == 3
    assert "quick" not in found.origin()


def test_a_table_that_was_given_comes_first(committed):
    path = committed / "own.parquet"
    frame = world("quality").frame.drop(columns="origin")
    save(frame, path, kind=study_kind("quality"), config={"preset": "paper"}, sidecar={})
    found = reversal_runs.curves(context("quick", [load(path)]), "quality")
    assert [source.table for source in found.sources()] == ["own.parquet"]
    assert found.origin().startswith("own.parquet")


def test_without_a_committed_table_nothing_is_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(reversal_runs, "COMMITTED", tmp_path)
    for measure in (quality, physical_cost):
        with pytest.raises(
            ResultError, match=r"no curves of study quality in .*: neither reversal-quality-quick\.parquet nor"
        ):
            measure(context("quick"))
    with pytest.raises(RuntimeError, match="claim reversal-quality demands a quantity that its measurement lacks"):
        judge(CLAIMS["reversal-quality"], None, [], [])


def test_a_part_of_a_study_measured_elsewhere_is_completed(committed):
    """``--only`` under ``--results``: the other methods are those that are committed."""
    frame = world("quality").frame.drop(columns="origin")
    path = committed / "own.parquet"
    save(frame[frame["label"] == "PG"], path, kind=study_kind("quality"), config={"preset": "paper"}, sidecar={})
    found = reversal_runs.curves(context("quick", [load(path)]), "quality")
    assert sizes_of_runs(found.frame)["updates"] == 1_000
    origins = {row.quantity: row.origin for row in quality_rows(found)}
    assert origins["final token error, PG"].startswith("own.parquet")
    assert origins["final token error, DG"].startswith("reversal-quality-quick.parquet")


def test_parts_measured_elsewhere_are_put_together(committed):
    frame = world("quality").frame.drop(columns="origin")
    paths = [committed / f"own-{number}.parquet" for number in range(2)]
    for label, path, preset in zip(("PG", "DG"), paths, ("paper", "quick"), strict=True):
        save(frame[frame["label"] == label], path, kind=study_kind("quality"), config={"preset": preset}, sidecar={})
    given = context("quick", [load(path) for path in paths])
    origins = {row.quantity: row.origin for row in quality_rows(reversal_runs.curves(given, "quality"))}
    assert origins["final token error, PG"].startswith("own-0.parquet")
    assert origins["final token error, DG"].startswith("own-1.parquet")
    assert origins["final token error, PPO"].startswith("reversal-quality-quick.parquet")
    assert given.tables.unused == []


def test_runs_that_another_study_trains_are_those_of_that_study(committed):
    frame = world("quality").frame.drop(columns="origin").assign(update=lambda rows: 10 * rows["update"])
    path = committed / "reversal-quality-paper.parquet"
    save(frame, path, kind=study_kind("quality"), config={"preset": "paper"}, sidecar={})
    found = reversal_runs.curves(context("smoke"), "token-trap")
    assert sizes_of_runs(found.frame)["updates"] == 1_000, "the shortest run that is in it"
    first = found.frame[(found.frame["vocab_size"] == 2) & (found.frame["length"] == 10)]
    assert set(first.loc[first["update"] > 1_000, "label"]) == set(SHARED["token-trap"][1])
    shared = {c.label for c in STUDIES["quality"].methods} & set(SHARED["token-trap"][1])
    assert shared == set(SHARED["token-trap"][1]), "the labels are those of the study"
    rows = {row.quantity.partition(" (")[0]: row for row in token_trap_rows(found)}
    assert rows["stalled reward, M = 2, H = 10, ρ = 3 %"].origin.startswith("reversal-quality-paper.parquet")
    assert rows["stalled reward, M = 2, H = 10, ρ = 3 %"].seeds == 5
    assert rows["stalled reward, M = 2, H = 6, ρ = 3 %"].seeds == 2
