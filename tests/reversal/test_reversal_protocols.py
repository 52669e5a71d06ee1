"""The grid of protocols: its cells, what a preset trains of it, and the rule, on worlds whose answer is known."""

import inspect
from dataclasses import replace

import pytest
from protocol_worlds import EVERY, PUBLISHED, published_under, world
from tiny_runs import TINY

from simulations.errors import ResultError
from simulations.networks.transformer import Architecture
from simulations.results.tables import save
from simulations.reversal import plan as reversal_plan
from simulations.reversal.config import ReversalConfig
from simulations.reversal.plan import plan_reversal
from simulations.reversal.protocols import CELLS, KIND, PROTOCOLS, Protocol, cell_protocol, selected
from simulations.reversal.readings.protocols import (
    KEPT,
    SCREENED,
    errors_of,
    kept_protocols,
    readings,
    verdict,
    verdict_table,
)
from simulations.reversal.readings.published import FIGURES, within
from simulations.reversal.side_by_side.runs import run_many
from simulations.reversal.tables import committed_curves
from simulations.reversal.training import tidy

SPARE = Protocol("prefix", final_norm=False, baseline="batch-mean")


def test_the_cells_are_different_runs_with_labels_of_their_own():
    assert len(CELLS) == len(set(CELLS)) == len({(c.label, c.reward, c.learning_rate) for c in CELLS}) == 263
    assert CELLS[0] == ReversalConfig("pg", reward="prefix")
    for cell in CELLS:
        changes = str(cell_protocol(cell)).split(", ")[2:]
        assert cell.label == ", ".join([cell.name, *changes]), "a protocol is named in the words of labels"
    names = {config.name for config in CELLS}
    assert {name for figure in FIGURES.values() for name in figure.names} == names
    tried = [p for p in PROTOCOLS if p.reward == "prefix"]
    assert len(tried) == 2 * 2 * 2 * 3, "every combination"
    assert all(Protocol(each) in PROTOCOLS for each in ("fraction", "prefix", "exact"))


def test_presets_take_their_part_of_the_grid(tmp_path):
    assert selected(CELLS, "quick") == list(CELLS)
    smoke = selected(CELLS, "smoke")
    assert {cell_protocol(c) for c in smoke} == {Protocol("prefix")}
    with pytest.raises(ResultError, match="preset paper trains what the quick table of study protocols keeps, and"):
        selected(CELLS, "paper", tmp_path)
    path = tmp_path / f"{KIND}-quick.parquet"
    chosen = PROTOCOLS[3]
    save(world(published_under(chosen), EVERY), path, kind=KIND, config={}, sidecar={}, overwrite=False)
    assert {cell_protocol(c) for c in selected(CELLS, "paper", tmp_path)} == {chosen}
    nothing = world(published_under(None), EVERY)
    save(nothing, path, kind=KIND, config={}, sidecar={}, overwrite=True)
    with pytest.raises(ResultError, match="keeps none of its protocols"):
        selected(CELLS, "paper", tmp_path)


def test_parts_of_the_grid_are_put_together_and_what_they_lack_is_said(tmp_path):
    """A part without a choice has no columns of protocols, one without prefix none of its error."""
    chosen = PROTOCOLS[3]
    default, alone = Protocol("prefix", learning_rate=1e-4), tuple(p for p in EVERY if p not in PROTOCOLS)
    exact = tuple(p for p in PROTOCOLS if p.reward == "exact")
    others = tuple(p for p in PROTOCOLS if p != default and p.reward != "exact")
    for name, part, said in (
        ("default", (default,), "is not there"),
        ("exact", exact, "34 of 34 protocols"),
        ("others", others, f"31 of 34 protocols, {Protocol('prefix')} first are missing"),
        ("alone", alone, f"13 of 34 protocols, {Protocol('prefix')} first are missing"),
    ):
        with pytest.raises(ResultError, match=said):
            selected(CELLS, "paper", tmp_path)
        path = tmp_path / f"{KIND}-{name}-quick.parquet"
        save(world(published_under(chosen), part), path, kind=KIND, config={}, sidecar={}, overwrite=False)
    assert {cell_protocol(c) for c in selected(CELLS, "paper", tmp_path)} == {chosen}
    found = readings(committed_curves("protocols", tmp_path).frame)
    assert {Protocol(*each.protocol) for each in found} == {*EVERY}
    assert Protocol(*verdict(found)[1].protocol) == chosen
    own = world(published_under(None), (default,))
    assert len(errors_of(own, readings(own)[0], "PG")) == 2 * 2, "two seeds, two evaluations"


def test_a_part_is_methods_or_protocols(tmp_path):
    options = dict.fromkeys(inspect.signature(plan_reversal).parameters, ())
    options |= dict.fromkeys(("price", "temperature", "seeds", "updates", "workers"))
    options |= {"study": "protocols", "device": "cpu", "overwrite": False, "checkpoint_seconds": 30.0}
    options |= {"preset": "quick", "out": tmp_path / "t.parquet"}
    chosen = Protocol("prefix", final_norm=False, head="default")
    plan = plan_reversal(**options | {"only": [str(chosen)]})
    assert {cell_protocol(config) for config in plan.configs} == {chosen}
    assert len(plan.configs) == 3 * 10, "seven methods and the variants of PPO"
    both = plan_reversal(**options | {"only": [str(chosen), "PPO(β=1)"]})
    assert len(both.configs) == 3 * (10 + 3), "and of fraction, prefix and exact as they are"
    twice = plan_reversal(**options | {"only": [str(chosen), "PPO(β=1), no final norm, default head"]})
    assert twice.configs == plan.configs, "a cell that is named twice runs once"
    with pytest.raises(ValueError, match=r"has the methods and protocols PG; .*prefix, 0.0001, .* got 'prefix'"):
        plan_reversal(**options | {"only": ["prefix"]})


def test_the_plan_of_a_preset_is_its_part(monkeypatch, tmp_path):
    options = dict.fromkeys(inspect.signature(plan_reversal).parameters, ())
    options |= dict.fromkeys(("price", "temperature", "seeds", "updates", "workers"))
    options |= {"study": "protocols", "device": "cpu", "overwrite": False, "checkpoint_seconds": 30.0}
    for preset, cells, updates, seeds in (("smoke", 10, 50, 1), ("quick", 263, 1_000, 3)):
        plan = plan_reversal(**options | {"preset": preset, "out": tmp_path / "t.parquet"})
        assert (plan.preset, len(plan.configs)) == (preset, cells * seeds)
        assert {config.updates for config in plan.configs} == {updates}
    path = tmp_path / f"{KIND}-quick.parquet"
    save(world(published_under(PROTOCOLS[3]), EVERY), path, kind=KIND, config={}, sidecar={}, overwrite=False)
    monkeypatch.setattr(reversal_plan, "selected", lambda configs, preset: selected(configs, preset, tmp_path))
    plan = plan_reversal(**options | {"preset": "paper", "out": tmp_path / "t.parquet"})
    assert (plan.preset, len(plan.configs)) == ("paper", 7 * 10)
    assert {cell_protocol(config) for config in plan.configs} == {PROTOCOLS[3]}


@pytest.mark.parametrize(
    ("error", "published", "expected"),
    [
        (0.3, 0.6, True), (1.0, 0.6, True), (0.29, 0.6, False),
        (0.05, 0.1, True), (0.2, 0.1, True), (0.21, 0.1, False),
        (0.0, 1e-4, True), (1e-3, 1e-4, True), (1.1e-3, 1e-4, False),
    ],
)  # fmt: skip
def test_within_the_factor(error, published, expected):
    assert within(error, published) is expected


def test_a_world_that_has_the_published_errors_holds_under_its_protocol():
    said, best = verdict(readings(world(published_under(PROTOCOLS[2]))))
    assert (said, Protocol(*best.protocol), best.error, best.last) == ("holds", PROTOCOLS[2], "sequence_error", True)
    assert best.nearest["DG-K(3 %)"] == ("token gate(3 %)", 1e-4)


@pytest.mark.parametrize(
    "change", [{"PG": 0.29}, {"PPO": 0.65}, {"PMPO": 0.31}, {"DG": 2e-3}, {"PG": 0.5, "PPO": 0.55}]
)
def test_negative_control_one_figure_off_or_another_order_fails(change):
    others = {"token gate(3 %)": 0.9, "zero-price": 0.9, "row gate(3 %)": 0.9}
    table = world(lambda each, update: PUBLISHED | change if each == PROTOCOLS[2] else others)
    assert verdict(readings(table))[0] == "fails"


def test_what_held_before_the_end_alone_is_said_so():
    def errors(protocol, update):
        return PUBLISHED if protocol == PROTOCOLS[1] and update <= 150 else dict.fromkeys(PUBLISHED, 1e-5)

    found = readings(world(errors, updates=(0, 50, 100, 150, 200, 250, 300)))
    assert {each.update for each in found} == {150, 200, 250, 300}, "three evaluations each"
    said, best = verdict(found)
    assert (said, best.update, Protocol(*best.protocol)) == ("holds when stopped", 150, PROTOCOLS[1])
    assert verdict(found, "DG")[0] == "holds", "a figure by itself is reproduced at the end"


def test_the_end_of_short_runs_is_one_when_longer_runs_replace_them():
    """What held at 1,000 updates is not forgotten at 10,000, and a method that is longer than others ends nothing."""

    def errors(protocol, update):
        return PUBLISHED if update <= SCREENED else dict.fromkeys(PUBLISHED, 1e-5)

    long = world(errors, PROTOCOLS[1:2], (0, *range(800, 1_201, 50)))
    said, best = verdict(readings(long))
    assert (said, best.update, best.last) == ("holds", SCREENED, False)
    cut = long[(long["label"].str.startswith("PG")) | (long["update"] <= SCREENED)]
    assert {each.update for each in readings(cut) if each.last} == {SCREENED}


def test_any_variant_of_a_method_may_have_been_meant():
    """PPO with one step is nearest to its figure and above PG, PPO itself is in order."""
    variants = PUBLISHED | {"PG": 0.31, "PPO": 0.25, "PPO(1 epochs)": 0.311}
    found = [each for each in readings(world(lambda *_: variants, (Protocol("prefix"),))) if each.last]
    assert found[0].holds
    assert found[0].nearest["PPO"] == ("PPO", 0.25)
    alone = world(lambda *_: variants | {"PPO": 0.9}, (Protocol("prefix"),))
    assert not any(each.holds for each in readings(alone))


def test_short_runs_below_a_figure_are_dropped_and_the_nearest_are_kept_first():
    near, far = PUBLISHED | {"DG": 0.02}, PUBLISHED | {"DG": 0.3, "token gate(3 %)": 0.4}
    of = {PROTOCOLS[4]: near, PROTOCOLS[1]: far, PROTOCOLS[0]: far, PROTOCOLS[5]: PUBLISHED | {"PMPO": 0.049}}
    table = world(lambda each, update: of.get(each, dict.fromkeys(PUBLISHED, 1e-3)), PROTOCOLS[:6])
    found = [Protocol(*key) for key in kept_protocols(table)]
    assert found[0] == PROTOCOLS[4]
    assert len(found) == KEPT
    assert found[1] in (PROTOCOLS[0], PROTOCOLS[1])


def test_with_the_mean_of_the_others_dg_alone_is_its_own():
    """What the others' steps do not depend on is read from the mean of the whole group."""
    alone = Protocol("prefix", baseline="leave-one-out")
    table = world(lambda each, update: PUBLISHED | ({"DG": 0.02} if each != alone else {}), [PROTOCOLS[0], alone])
    found = [each for each in readings(table) if each.last and each.error == "sequence_error"]
    assert {Protocol(*each.protocol): each.nearest["DG"][1] for each in found} == {PROTOCOLS[0]: 0.02, alone: 1e-4}
    assert [Protocol(*each.protocol) for each in found if each.holds] == [alone]
    assert [Protocol(*key) for key in kept_protocols(table)] == [PROTOCOLS[0]], "both are one protocol in long runs"
    lent = world(lambda *_: PUBLISHED | {"PPO": 0.9, "PPO(1 epochs)": 0.9, "PPO(β=1)": 0.3}, [PROTOCOLS[0], alone])
    assert {Protocol(*each.protocol) for each in readings(lent) if each.holds} == {PROTOCOLS[0]}, (
        "a divergence is not lent"
    )


def test_cells_train_and_are_read(tmp_path):
    """The real runs at a tiny size, with a prefix error in their table; the terminal's table reads them."""
    small = {**TINY, "updates": 2, "eval_every": 1}
    cells = selected(CELLS, "smoke") + [c for c in CELLS if cell_protocol(c) == SPARE]
    configs = [
        replace(c, **small | {"network": replace(Architecture(8, 2, 1, 8), final_norm=c.network.final_norm)})
        for c in cells
    ]
    curves = {index: curve for index, curve, _ in run_many(configs)}
    table = tidy(configs, [curves[index] for index in range(len(configs))])
    assert (table["prefix_error"] >= table["token_error"]).all()
    assert (table["sequence_error"] >= table["prefix_error"]).all()
    found = readings(table)
    assert {Protocol(*each.protocol) for each in found} == {Protocol("prefix"), SPARE}
    assert len(found) == 2 * 6, "the mean of both evaluations"
    shown = verdict_table(table)
    assert len(shown.rows) == 1 + len(FIGURES)
    assert set(shown.columns[3].cells) <= {"prefix, 0.0003", "prefix, 0.0003, batch-mean baseline, no final norm"}
