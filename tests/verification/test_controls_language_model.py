"""Claims on a language model are judged from tables: each criterion is met, missed and left open by made-up ones."""

from dataclasses import replace

import pytest
from language_model_worlds import END, SHARE, frozen, runs, steps

from kondo_theory.claims import CLAIMS
from simulations.language_model.tables import RUN
from simulations.results.merging import MeasuredTables
from simulations.verification.checks import Context
from simulations.verification.checks.language_model import learning, savings
from simulations.verification.checks.language_model import runs as runs_of_a_claim
from simulations.verification.checks.language_model.runs import Runs
from simulations.verification.checks.language_model.spending import spending_rows
from simulations.verification.verify import judge

MEASURES = {
    "language-model-savings": savings.savings,
    "language-model-quality": learning.quality,
    "language-model-delight": learning.delight,
}
RANDOM, DELIGHT, EIGHTH = "row gate(12.5 %, uniform)", "row gate(12.5 %)", "row gate(12.5 %, abs-advantage)"


@pytest.fixture(autouse=True)
def nothing_committed(tmp_path, monkeypatch):
    """Committed tables are not looked at: these tests are about what is given."""
    monkeypatch.setattr(runs_of_a_claim, "committed", lambda study: None)


def judged(claim, *tables):
    context = Context("quick", "cpu", 1, lambda _: None, MeasuredTables(tables))
    return judge(CLAIMS[claim], None, [], MEASURES[claim](context))


@pytest.mark.parametrize("claim", MEASURES)
def test_without_a_table_a_claim_is_not_run(claim):
    verdict, reason = judged(claim)
    assert (verdict, reason[:2]) == ("not run", "0 ")


# What a step costs.


def test_a_step_that_costs_its_share_meets_every_criterion(tmp_path):
    assert judged("language-model-savings", steps(tmp_path / "t.parquet"))[0] == "holds in regime"


@pytest.mark.control("language-model-savings")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"backward": 5.0}, "seconds of a step, 4 of 32 rows / all, all parameters ≤ 0.5"),
        ({"few": 1.7}, "seconds of forward and backward, 4 of 32 rows / all, all parameters ≤ 0.2"),
        ({"memory": 3.0}, "peak bytes of forward and backward, 4 of 32 rows / all, all parameters ≤ 0.35"),
        ({"flops": 1.2}, "0.9 ≤ FLOPs of forward and backward / (share of rows × all), furthest from one ≤ 1.1"),
        ({"backward": 60.0, "few": 1.5}, "seconds of a step / model, highest ≤ 1.2"),
        ({"backward": 60.0, "few": 0.5}, "seconds of a step / model, lowest ≥ 0.833333"),
    ],
)
def test_negative_control_each_criterion_of_savings_can_be_missed(tmp_path, change, missed):
    verdict, reason = judged("language-model-savings", steps(tmp_path / "t.parquet", **change))
    assert verdict == "contradicted"
    assert reason == f"missed: {missed} (5 of 6 hold)"


def test_two_rounds_are_too_few(tmp_path):
    verdict, reason = judged("language-model-savings", steps(tmp_path / "t.parquet", rounds=2))
    assert (verdict, reason) == ("not run", "2 rounds; the rule asks for 3")


# What is learnt.


def of_quality(tmp_path, seeds=5, **change):
    return judged("language-model-quality", runs(tmp_path / "t.parquet", "learning", seeds, **change))


def test_gates_that_end_where_pg_does_meet_every_criterion(tmp_path):
    assert of_quality(tmp_path)[0] == "holds in regime"


@pytest.mark.control("language-model-quality")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        *(
            ({"end": END | {label: 0.4}}, f"final reward, {label} − PG ≥ -0.05")
            for label in ("zero-price rows", "row gate(25 %, abs-advantage)")
        ),
        ({"end": dict.fromkeys(END, 0.25)}, "reward that PG gained, lowest of the tasks ≥ 0.1"),
    ],
)
def test_negative_control_each_criterion_of_quality_on_a_language_model_can_be_missed(tmp_path, change, missed):
    verdict, reason = of_quality(tmp_path, **change)
    assert verdict == "contradicted"
    assert reason == f"missed: {missed} (2 of 3 hold)"


def test_an_eighth_that_learns_less_and_a_zero_price_that_saves_nothing_are_reported_not_judged(tmp_path):
    change = {"end": END | {EIGHTH: 0.3}, "share": SHARE | {"zero-price rows": 1.0}}
    assert of_quality(tmp_path, **change)[0] == "holds in regime"
    rows = {
        row.quantity: row
        for row in learning.quality_rows(Runs.read([runs(tmp_path / "u.parquet", "learning", 5, **change)]))
    }
    assert rows[f"final reward, {EIGHTH} − PG"].value < -0.1
    assert rows["share of answers that go backward, zero-price rows / PG, highest of the tasks"].value > 0.9


def test_runs_that_differ_much_leave_quality_open(tmp_path):
    verdict, reason = of_quality(tmp_path, seeds=5, noise=0.2)
    assert (verdict, reason[:5]) == ("undecided", "open:")


def test_four_seeds_are_too_few_and_parts_with_more_seeds_are_put_together(tmp_path):
    assert of_quality(tmp_path, seeds=4) == ("not run", "4 seeds; the rule asks for 5")
    table = runs(tmp_path / "all.parquet", "learning", 3)
    few = {"PG", "zero-price rows"}
    frames = [table.frame[table.frame["seed"] < 2], table.frame[table.frame["seed"] == 2]]
    frames[1] = frames[1][frames[1]["label"].isin(few)]
    found = learning.quality_rows(Runs.read([table_of(table, tmp_path, n, each) for n, each in enumerate(frames)]))
    seeds = {row.quantity: (row.seeds, row.sizes["seeds"]) for row in found}
    assert seeds["final reward, zero-price rows − PG"] == (6, 3), "pairs of two tasks, seeds"
    assert seeds[f"final reward, {EIGHTH} − PG"] == (4, 2)


def table_of(table, tmp_path, number, frame):
    return replace(table, frame=frame.reset_index(drop=True), path=tmp_path / f"{number}.parquet")


def test_a_method_that_is_lacking_is_not_run(tmp_path):
    table = runs(tmp_path / "t.parquet", "learning", 3)
    frame = table.frame[table.frame["label"] != "zero-price rows"].reset_index(drop=True)
    rows = learning.quality_rows(Runs.read([table_of(table, tmp_path, 1, frame)]))
    assert judge(CLAIMS["language-model-quality"], None, [], rows)[0] == "not run"


# What delight picks.


def of_delight(tmp_path, **change):
    tables = [runs(tmp_path / f"{study}.parquet", study, seeds) for study, seeds in STUDIES]
    return judged("language-model-delight", *tables, frozen(tmp_path / "frozen.parquet", **change))


STUDIES = (("learning", 3), ("methods", 2))


def test_rows_by_delight_that_are_lucky_long_and_surprising_meet_every_criterion(tmp_path):
    assert of_delight(tmp_path)[0] == "holds in regime"


@pytest.mark.control("language-model-delight")
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"tokens": 0.8}, f"tokens of a kept answer, {DELIGHT} / {EIGHTH} > 1"),
        ({"reward": 0.3}, f"reward of a kept answer, {DELIGHT} − {RANDOM} > 0"),
        ({"surprisal": 0.7}, f"surprisal of a kept token, {DELIGHT} / {EIGHTH} > 1"),
    ],
)
def test_negative_control_each_criterion_of_delight_can_be_missed(tmp_path, change, missed):
    verdict, reason = of_delight(tmp_path, **change)
    assert verdict == "contradicted"
    assert reason == f"missed: {missed} (4 of 5 hold)"


@pytest.mark.control("language-model-delight")
def test_negative_control_an_alignment_that_is_no_worse_fails_the_claim(tmp_path):
    better = frozen(tmp_path / "frozen.parquet")
    rows = better.frame["gate"] == DELIGHT
    frame = better.frame.assign(drift=better.frame["drift"].mask(rows, 0.9))
    tables = [runs(tmp_path / f"{study}.parquet", study, seeds) for study, seeds in STUDIES]
    verdict, reason = judged("language-model-delight", *tables, replace(better, frame=frame))
    assert verdict == "contradicted"
    assert "task spelling, temperature 1 < 0" in reason
    assert "(3 of 5 hold)" in reason


def test_answers_that_are_hardly_longer_leave_delight_open(tmp_path):
    assert of_delight(tmp_path, tokens=1.01)[0] == "undecided"


def test_alignments_are_compared_at_each_temperature(tmp_path):
    warm = frozen(tmp_path / "warm.parquet")
    cold = replace(warm, frame=warm.frame.assign(temperature=0.5))
    rows = {row.quantity: row for table in (warm, cold) for row in learning.alignment_rows(table)}
    assert len(rows) == 2 * 2 * 2
    found = rows["alignment, row gate(12.5 %) − row gate(12.5 %, uniform), task spelling, temperature 0.5"]
    assert (found.value, found.low, found.high) == pytest.approx((-0.1,) * 3)
    assert found.parameters["temperature"] == 0.5
    assert found.all_sizes == {"blocks": 5}


def test_methods_are_compared_where_they_have_spent_as_much(tmp_path):
    """Zero price sends 0.55 of PG's rows backward and learns as fast an update; both take 300 seconds in all."""
    found = Runs.read([runs(tmp_path / "learning.parquet", "learning", 3, noise=0.0)])
    rows = {row.quantity: row for row in spending_rows(found)}
    ahead = rows["reward at equal backward rows, zero-price rows − PG"]
    assert ahead.value == pytest.approx(0.3 * (1 - 0.55))
    assert (ahead.seeds, ahead.parameters["spent"]) == (2 * 3, "backward rows")
    assert rows["reward at equal CPU seconds, zero-price rows − PG"].value == pytest.approx(0)
    assert len(rows) == 4 * 2


def test_seconds_of_two_devices_are_not_compared(tmp_path):
    whole = runs(tmp_path / "learning.parquet", "learning", 2, noise=0.0)
    parts = []
    for device, chosen in (("cpu: a", whole.frame["label"] == "PG"), ("cpu: b", whole.frame["label"] != "PG")):
        frame = whole.frame[chosen].reset_index(drop=True)
        seconds = whole.sidecar["seconds"][: frame.groupby(RUN).ngroups]
        parts.append(replace(whole, frame=frame, sidecar={"seconds": seconds, "device": device}))
    rows = {row.quantity: row for row in spending_rows(Runs.read(parts))}
    assert len(rows) == 4, "backward rows alone"
    assert not any("seconds" in name for name in rows)


def test_one_task_of_two_cannot_judge_quality(tmp_path):
    table = runs(tmp_path / "t.parquet", "learning", 5)
    frame = table.frame[table.frame["task"] == "spelling"].reset_index(drop=True)
    rows = learning.quality_rows(Runs.read([replace(table, frame=frame)]))
    assert judge(CLAIMS["language-model-quality"], None, [], rows) == ("not run", "1 task; the rule asks for 2")
