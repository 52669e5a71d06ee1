"""stale-actors on token reversal: where the predictions come true the claim holds, and each of them can be missed."""

from dataclasses import replace
from functools import partial

import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.networks.actors import Setting
from simulations.results.table_sizes import sizes_of_runs
from simulations.reversal.stale.contenders import CONTENDERS, SIZES
from simulations.reversal.stale.study import cells
from simulations.statistics import bootstrap
from simulations.verification.checks.off_policy import stale_answers
from simulations.verification.checks.off_policy.stale_answers import answer_rows, estimator_of, named_settings
from simulations.verification.verify import judge

QUICK = replace(SIZES["quick"], length=3, only=None)
FRICTIONS = ("no friction", "late actors", "broken answers", "false pay", "all three")
NAMES = dict(zip(QUICK.settings, FRICTIONS, strict=True))
CRITERIA, KINDS = CLAIMS["stale-actors"].rule.criteria, (0, 6, 8, 9, 12, 17, 22, 24, 25)
"""One of each kind: rests, no rests, whose surprisal, learning with each friction, losing, floors."""
LOST = {("row gate(3 %)", "false pay"): 0.46, ("row gate(3 %)", "all three"): 0.46}
SEQUENCES = {("zero-price", "all three"): 0.05}


@pytest.fixture(scope="module", autouse=True)
def rests():
    """Made-up rests, and intervals that take no second."""
    found = {contender: 0.9 + 0.001 * place for place, contender in enumerate(CONTENDERS)}
    by_estimator = {estimator_of(contender): rest for contender, rest in found.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stale_answers, "resting_probability", lambda estimator, *_: by_estimator[estimator])
        patch.setattr(stale_answers, "bootstrap", partial(bootstrap, n_resamples=50))
        yield found


def world(rests, changes=()):
    """Token errors at the first delay's end are the rests, those at the end small but for what is lost."""
    rows = []
    changes = dict(changes)
    for contender, setting in cells(QUICK):
        label, where = contender.label, NAMES[setting]
        ends = {150: 1 - rests[contender], 250: LOST.get((label, where), 0.002)}
        ends |= changes.get((label, where), {})
        sequence = SEQUENCES.get((label, where), 0.01) if ends[250] < 0.9 else ends[250] - 0.9
        head = {"label": f"{label}; {setting}", "contender": label, "length": 3, "vocab_size": 2}
        head |= {"setting": where, "delay": setting.delay, "random": setting.random, "corruption": setting.corruption}
        rows += [
            head | {"seed": seed, "update": update, "token_error": error, "sequence_error": sequence}
            for seed in range(2)
            for update, error in ends.items()
        ]
    return pd.DataFrame(rows)


def rows_of(table):
    return {row.quantity: replace(row, sizes=sizes_of_runs(table)) for row in answer_rows(table, "test")}


@pytest.fixture(scope="module")
def true(rests):
    return rows_of(world(rests))


def judged(rows):
    return judge(CLAIMS["stale-actors"], True, [], list(rows.values()))


def test_in_a_world_where_it_comes_true_the_measured_claim_holds(true):
    assert judged(true)[0] == "holds in regime"
    short = {name: replace(row, sizes={"updates": 200, "seeds": 2}) for name, row in true.items()}
    assert judged(short)[0] == "not run"


@pytest.mark.control("stale-actors")
@pytest.mark.parametrize("criterion", [CRITERIA[place] for place in KINDS], ids=lambda each: each.quantity)
def test_negative_control_each_criterion_can_be_missed(rests, true, criterion):
    """In a world in which that quantity, and what goes along with it, lies beyond its margin."""
    quantity, where = criterion.quantity, "late actors"
    beyond = (criterion.high + 5 if criterion.high < 100 else criterion.low - 5) / 100
    if quantity.startswith("token error at the end of the first delay"):
        label = quantity.removeprefix("token error at the end of the first delay, ")
        label = label.partition(" (percent")[0].partition(", less the predicted")[0]
        label = label.replace(", actor's − learner's surprisal", ", actor's surprisal")
        change = {150: 0.9}
    elif "sequence" in quantity:
        label, where, change = "zero-price", "all three", {250: 0.9}  # no wrong sequence
    else:
        label, where = quantity.removeprefix("final token error, ").removesuffix(" (percent)").rsplit(", ", 1)
        change = {250: beyond}
    table = world(rests, changes={(label, where): change})
    same = table["contender"].isin([label, "DG", "token gate(30 %)"]) & table["setting"].isin([where, "late actors"])
    verdict, reason = judged(true | rows_of(table[same]))
    assert verdict == "contradicted"
    assert quantity in reason


def test_of_several_delays_the_longest_one_counts():
    table = pd.DataFrame([{"delay": d, "random": 0.0, "corruption": 0.0} for d in (0, 10, 1_000)])
    assert named_settings(table) == {"no friction": Setting(), "late actors": Setting(delay=1_000)}


def test_a_table_without_late_actors_is_refused():
    table = pd.DataFrame([{"delay": 0, "random": 0.0, "corruption": 0.0}])
    with pytest.raises(ResultError, match="x: stale-actors is judged from actors that are late"):
        answer_rows(table, "x")
