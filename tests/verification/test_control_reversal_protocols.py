"""reversal-protocols: one protocol with the published errors is enough, and near misses, or half a grid, are not."""

import pytest
from protocol_worlds import EVERY, PUBLISHED, published_under, world

from kondo_theory.claims import CLAIMS
from simulations.results.tables import save
from simulations.reversal.protocols import KIND, PROTOCOLS, Protocol
from simulations.reversal.tables import Curves, committed_curves
from simulations.verification.checks.reversal import protocols as check
from simulations.verification.verify import judge

CLAIM = CLAIMS["reversal-protocols"]
UPDATES = (0, 850, 900, 950, 1_000)


def rows_of(errors_of, protocols=EVERY, seeds=(0, 1, 2)):
    return check.protocol_rows(Curves(world(errors_of, protocols, UPDATES, seeds).assign(origin="made up")))


def verdict(errors_of, *more):
    return judge(CLAIM, None, [], rows_of(errors_of, *more))


def test_one_protocol_with_the_published_errors_is_enough():
    rows = rows_of(published_under(PROTOCOLS[30]))
    assert judge(CLAIM, None, [], rows)[0] == "holds in regime"
    found = {row.quantity: row for row in rows}
    assert len(found) == len(rows)
    counted = found[check.COUNTED]
    assert counted.value == 1
    assert counted.parameters["updates"] == ("1000",)
    assert counted.parameters["protocols"] == (str(PROTOCOLS[30]),)
    assert counted.all_sizes == {"updates": 1_000, "seeds": 3, "protocols": 34}
    assert found["protocols with the error of PMPO, at the end of their runs"].value == 1
    nearest = found["sequence error under the nearest protocol, PMPO"]
    assert (nearest.value, nearest.published, nearest.seeds) == (0.1, 0.1, 3)
    said = [nearest.parameters[name] for name in ("reward", "learning rate", "b", "final norm", "head")]
    assert said == ["fraction", 1e-3, "mean", "yes", "zero"]
    assert str(PROTOCOLS[30]) == "fraction, 0.001"


@pytest.mark.control("reversal-protocols")
@pytest.mark.parametrize("change", [{"PG": 0.29}, {"PMPO": 0.31}, {"DG": 2e-3}, {"PG": 0.5, "PPO": 0.55}])
def test_negative_control_one_figure_off_or_another_order_fails_the_claim(change):
    others = {"token gate(3 %)": 0.9, "zero-price": 0.9, "row gate(3 %)": 0.9}
    found, reason = verdict(lambda each, update: PUBLISHED | change if each == PROTOCOLS[2] else others)
    assert found == "fails"
    assert "(0 of 1 hold)" in reason


def test_negative_control_an_earlier_end_does_not_count():
    rows = rows_of(lambda each, update: PUBLISHED if update < 1_000 else dict.fromkeys(PUBLISHED, 0.02))
    assert judge(CLAIM, None, [], rows)[0] == "fails"
    found = {row.quantity: row.value for row in rows}
    assert found["protocols with all five figures in their order at an earlier evaluation alone"] == 34 + 13


@pytest.mark.parametrize(
    ("part", "seeds", "said"),
    [
        (tuple(p for p in EVERY if p != PROTOCOLS[-1]), (0, 1, 2), "33 protocols; the rule asks for 34"),
        (PROTOCOLS, (0, 1, 2), "21 protocols; the rule asks for 34"),
        (EVERY, (0, 1), "2 seeds; the rule asks for 3"),
    ],
)
def test_a_part_of_the_grid_is_not_judged(part, seeds, said):
    assert verdict(published_under(PROTOCOLS[1]), part, seeds) == ("not run", said)


def test_a_protocol_that_lacks_a_method_does_not_complete_the_grid():
    table = world(published_under(PROTOCOLS[1]), EVERY, UPDATES, (0, 1, 2))
    table = table[~((table["label"] == "PPO(β=1)") & (table["reward"] == "exact"))]
    rows = check.protocol_rows(Curves(table.assign(origin="made up")))
    assert judge(CLAIM, None, [], rows) == ("not run", "33 protocols; the rule asks for 34")


def test_parts_are_committed_one_by_one_and_put_together(tmp_path):
    default = Protocol("prefix", learning_rate=1e-4)
    for name, part in (("one", (default,)), ("two", tuple(p for p in EVERY if p != default))):
        table = world(published_under(PROTOCOLS[3]), part, UPDATES, (0, 1, 2))
        save(table, tmp_path / f"{KIND}-{name}-quick.parquet", kind=KIND, config={}, sidecar={}, overwrite=False)
    other = world(published_under(None), PROTOCOLS[:1], UPDATES, (0, 1, 2))
    path = tmp_path / f"{KIND}-ties-quick.parquet"
    save(other, path, kind=f"{KIND}-ties", config={}, sidecar={}, overwrite=False)
    rows = check.protocol_rows(committed_curves("protocols", tmp_path))
    assert judge(CLAIM, None, [], rows)[0] == "holds in regime"


def test_errors_of_a_reading_are_those_of_its_seeds():
    def errors(protocol, update):
        return PUBLISHED | {"PG": {900: 0.6, 950: 0.5, 1_000: 0.4}.get(update, 0.9)}

    rows = {row.quantity: row for row in rows_of(errors, PROTOCOLS[:3])}
    assert rows["sequence error under the nearest protocol, PG"].value == pytest.approx(0.5)
