"""What was predicted of stale actors on MNIST: all comparisons can be missed; the docs have the numbers of tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

from simulations.errors import ResultError
from simulations.mnist.stale import predictions
from simulations.mnist.stale.contenders import CONTENDERS, SETTINGS
from simulations.mnist.stale.predictions import ACTORS, PREDICTIONS, at_the_end, error_table, held
from simulations.results.tables import COMMITTED, load
from simulations.verification.checks.mnist.stale import prediction_rows

DOCS = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
TABLES = [
    path for path in (COMMITTED / f"mnist-stale-{name}.parquet" for name in ("quick", "paper")) if path.exists()
]


def world(errors=None, right=0.9):
    """Runs of three seeds in which every prediction comes true, but for other errors by contender and actors."""
    changed, rows = errors or {}, []
    for place, contender in enumerate(CONTENDERS):
        for actors, setting in ACTORS.items():
            lost = 0.3 if contender.label == "PG" and actors not in ("no friction", "10 late") else 0.0
            error = changed.get((place, actors), 0.1 + 0.001 * (place == 1) + lost)
            head = {"label": f"{contender.label}; {setting}", "right": right}
            for seed in range(3):
                rows += [head | {"seed": seed, "update": at, "test_error": error + (at == 0)} for at in (0, 600)]
    return pd.DataFrame(rows)


def test_where_all_comes_true_all_is_held():
    assert held(world()) == {1: (8, 8), 2: (4, 4), 3: (1, 1), 4: (1, 1), 5: (1, 1), 6: (3, 3), 7: (1, 1)}


@pytest.mark.parametrize("place", range(len(PREDICTIONS)), ids=lambda place: PREDICTIONS[place].title)
def test_negative_control_each_comparison_can_be_missed(place):
    each = PREDICTIONS[place]
    rises = each.high < float("inf")
    key = CONTENDERS.index(each.contender), each.actors
    changed = {key: 0.5} if rises else {key: 0.0}
    frame = world(changed, right=0.97 if each.column == "right" else 0.9)
    assert not each.holds(frame)
    right, of = held(frame)[each.prediction]
    assert right < of


def test_actors_are_the_settings_that_they_say():
    assert tuple(ACTORS.values()) == SETTINGS
    for name, setting in ACTORS.items():
        number = int(re.sub(r"\D", "", name) or 0)
        said = {"late": setting.delay, "random": 100 * setting.random, "pay": 100 * setting.corruption}
        for word, value in said.items():
            assert value == (number if name.endswith(word) else 0) or name == "all three"
    assert all(vars(ACTORS["all three"]).values())


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_docs_have_the_errors_of_each_committed_table(path):
    assert path.name in DOCS, f"{path.name} is committed: experiments.md must have its errors and what came of it"
    assert error_table(load(path).frame) in DOCS.partition(path.name)[2]


def test_negative_control_a_column_in_another_place_is_seen(monkeypatch):
    names = list(ACTORS)
    names[1], names[4] = names[4], names[1]
    monkeypatch.setattr(predictions, "ACTORS", {name: ACTORS[name] for name in names})
    assert error_table(load(TABLES[0]).frame) not in DOCS


def test_rows_say_how_many_hold_what_is_compared_and_every_error():
    rows = {row.quantity: row for row in prediction_rows(world({(5, "10 late"): 0.2}), "test")}
    assert len(rows) == 7 + len(PREDICTIONS) + len(CONTENDERS) * len(ACTORS)
    assert rows["share of comparisons of prediction 1 that hold on MNIST"].value == 7 / 8
    gain = rows["prediction 1 on MNIST: error, zero-price, 10 late − zero-price, no friction (percentage points)"]
    assert (gain.value, gain.low, gain.high) == pytest.approx((10, 10, 10))
    assert rows["final test error on MNIST, DG, 1,000 late (percent)"].value == pytest.approx(10)
    with pytest.raises(ResultError, match="lacks the run PG; delay 0"):
        at_the_end(pd.DataFrame({"label": ["DG"], "update": [1]}), CONTENDERS[0], "no friction")
