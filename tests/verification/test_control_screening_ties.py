"""screening-ties: simulation and theory agree; broken ties, loose ties and each missed prediction contradict it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.screening_ties import KeptShare, share_with_ties
from simulations.reversal.ties.study import RULES
from simulations.verification.checks import Context
from simulations.verification.checks.reversal import ties
from simulations.verification.checks.tokens import screening_ties as checks
from simulations.verification.verify import judge

CLAIM = CLAIMS["screening-ties"]
SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def simulated(rows):
    return judge(replace(CLAIM, rule=replace(CLAIM.rule, criteria=())), True, rows, [])[0]


def test_the_simulation_agrees(monkeypatch):
    monkeypatch.setattr(checks, "POINTS", checks.POINTS[2:])
    rows = checks.screening_ties(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) == 3 * len(checks.POINTS)
    assert simulated(rows) == CLAIM.success


def exactly_k(p, T, P, n, rate, rule):
    """Forget that whatever ties is kept."""
    return replace(share_with_ties(p, T, P, n, rate, rule), kept=rate)


def all_moving(p, T, P, n, rate, rule):
    """Forget that the advantage of equally good answers is zero."""
    found = share_with_ties(p, T, P, n, rate, rule)
    return replace(found, moving=found.kept)


@pytest.mark.control("screening-ties")
@pytest.mark.parametrize(
    "changes",
    [{"predicted": exactly_k}, {"predicted": all_moving}, {"within": 0.02}],
    ids=["exactly k", "all move", "loose ties"],
)
def test_negative_control_wrong_shares_and_loose_ties_contradict_the_claim(monkeypatch, changes):
    monkeypatch.setattr(checks, "POINTS", (checks.POINTS[5], checks.POINTS[7], (0.9, 5, 4, 3, 0.1, "abs-advantage")))
    monkeypatch.setattr(checks, "N_BATCHES", {"smoke": 6_000})
    if "within" in changes:  # advantages a seventieth apart, and less
        monkeypatch.setattr(checks, "POINTS", ((0.5, 14, 4, 5, 0.1, "advantage"),))
    assert simulated(checks.screening_ties(SMOKE, **changes)) == "contradicted"


SEEDS, UPDATES = range(3), (0, 50, 400, 700, 800, 900, 1000)
ERRORS = {
    "k": {"advantage": 0.009, "abs-advantage": 0.0002, "delight": 0.43, "uniform": 0.32},
    "ties": {"advantage": 0.005, "abs-advantage": 0.0003, "delight": 0.43, "uniform": 0.0005},
}
SHARES = {"advantage": 0.15, "abs-advantage": 0.6, "delight": 0.0301, "uniform": 1.0}


def curve(rule, seed, error, share, early=0.45):
    """Return a run that keeps the same share all along, and has learnt what it will by update 400."""
    update = np.array(UPDATES)
    frame = pd.DataFrame({"update": update, "seed": seed, "rule": rule})
    frame["token_error"] = np.where(update <= 50, early, error)
    for name, part in (("forward", 1.0), ("backward", share), ("moving", 0.02)):
        frame[f"{name}_tokens"] = 1_000.0 * update * part
    points = {f"points_{n}": 0.0 for n in range(10)}
    return frame.assign(**points, points_10=np.diff(100 * update, prepend=0))


def rows_of(change=lambda kind, rule: {}):
    """Return the rows of made-up runs; ``change`` says what is different of one kind by a rule."""
    frames = {"ties": [], "k": [], "pg": []}
    for kind in ("ties", "k"):
        for rule in (*RULES, "uniform"):
            made = {"error": ERRORS[kind][rule], "share": SHARES[rule] if kind == "ties" else 0.03}
            where = "pg" if (kind, rule) == ("ties", "uniform") else kind
            frames[where] += [curve(rule, seed, **(made | change(kind, rule))) for seed in SEEDS]
    tied, exact, pg = (pd.concat(frames[name], ignore_index=True) for name in ("ties", "k", "pg"))
    longer = pg[pg["update"] == 1000].assign(update=10_000, token_error=1e-9, backward_tokens=1e7)
    pg = pd.concat(
        [pg, longer, longer.assign(update=9_000)], ignore_index=True
    )  # a longer run counts to update 1,000
    rows = ties.tie_rows(tied, exact, pg, "test", lambda law, P, n, m, rule: KeptShare(SHARES[rule], 0.0))
    return [replace(row, sizes={"updates": 1_000, "seeds": 3}) for row in rows]


def measured(rows):
    return judge(CLAIM, True, [], rows)


def test_where_predictions_come_true_the_claim_holds():
    rows = rows_of()
    assert measured(rows)[0] == CLAIM.success
    found = {row.quantity: row.value for row in rows}
    assert len(found) == len(rows)
    assert found["share kept with ties that moves, advantage"] == pytest.approx(0.02)
    assert found["final token error, exactly k over ties kept, the random choice"] == pytest.approx(640)


@pytest.mark.control("screening-ties")
@pytest.mark.parametrize(
    ("where", "change", "missed"),
    [
        (("ties", "advantage"), {"share": 0.05}, "share kept with ties, advantage"),
        (("ties", "advantage"), {"share": 0.4}, "share kept with ties in the last third, advantage"),
        (("ties", "abs-advantage"), {"share": 0.3}, "share kept with ties in the last third, |advantage|"),
        (("ties", "delight"), {"share": 0.032}, "share kept with ties, delight"),
        (("ties", "advantage"), {"share": 0.11}, "over the closed form's, advantage"),
        (("ties", "abs-advantage"), {"share": 0.8}, "over the closed form's, |advantage|"),
        (("ties", "advantage"), {"error": 0.001}, "exactly k over ties kept, advantage"),
        (("ties", "delight"), {"error": 0.3}, "exactly k over ties kept, delight"),
        (("ties", "abs-advantage"), {"error": 0.004}, "with ties, advantage over |advantage|"),
        (("ties", "uniform"), {"error": 0.004}, "with ties, advantage over the random choice"),
        (("k", "uniform"), {"error": 0.01}, "at exactly k, advantage over the random choice"),
        (("k", "delight"), {"share": 0.031}, "most over least of the rules"),
        (("ties", "uniform"), {"early": 0.2}, "at as many backward tokens"),
    ],
)
def test_negative_control_each_criterion_can_be_missed(where, change, missed):
    verdict, reason = measured(rows_of(lambda kind, rule: change if (kind, rule) == where else {}))
    assert verdict == "contradicted"
    assert missed in reason
