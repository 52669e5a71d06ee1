"""reversal-speedup: where gains grow the claim holds, and each part of it can be missed; spending by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from reversal_worlds import UPDATES, curve_of, world

from kondo_theory.claims import CLAIMS
from simulations.errors import ResultError
from simulations.reversal.readings.speedup import Spending, reached, seconds_an_update
from simulations.reversal.tables import Curves, with_shared
from simulations.verification.checks.reversal.speedup import judged_rows, speedup_rows
from simulations.verification.verify import judge

CLAIM = CLAIMS["reversal-speedup"]
GROWING = {(5, 2): 300, (10, 2): 400, (20, 2): 600, (10, 4): 700}
"""Updates of PG to 5 % token error where gains grow; the gate always takes 300."""


def at(setting, updates):
    """A world in which PG takes so many updates to the error at each setting, seed by seed a little more."""

    def change(config, _):
        there = (config.length, config.vocab_size)
        takes = (updates | setting).get(there, 400) if config.method == "pg" else 300
        takes *= 1 + 0.02 * config.seed
        error = 0.5 + (0.05 - 0.5) * UPDATES / takes
        return curve_of(config, 0.97).assign(token_error=error)

    return with_shared(world("speedup", change), "speedup", lambda study: world(study, change))


def verdict(**settings):
    return judge(CLAIM, None, [], judged_rows(at(settings.get("setting", {}), GROWING)))


@pytest.fixture(scope="module")
def rows():
    """Those of the world where gains grow, with the seconds of one setting."""
    found = at({}, GROWING)
    return speedup_rows(found, seconds_an_update(timed(found.frame)))


def timed(frame):
    """Runs of one setting with a sidecar in which each took a second longer than the one before."""
    frame = frame[frame["length"] == 5]
    n_runs = frame.groupby(["label", "seed"], sort=False).ngroups
    phases = [{"sampling": 1.0 + n, "screening": 0.0, "training": 2.0, "evaluation": 100.0} for n in range(n_runs)]
    return SimpleNamespace(frame=frame, sidecar={"seconds": phases}, path="t.parquet")


def test_where_gains_grow_the_claim_holds(rows):
    assert judge(CLAIM, None, [], rows)[0] == "holds in regime"
    values = {row.quantity: row.value for row in rows}
    assert len(values) == len(rows)
    assert values["answers to 5 % token error, PG, H = 20, M = 2"] == pytest.approx(600 * 1.04 * 100)
    assert values["growth of the speed-up at c = 4 from H = 5 to H = 20, M = 2"] == pytest.approx(2)
    for c in (0, 1, 4, 8, 16):
        name = f"speed-up at c = {c} to 5 % token error, row gate(3 %) over PG, H = 5, M = 2"
        assert values[name] == pytest.approx((1 + c) / (1 + 0.03 * c)), "by step-cost, at as many answers"
        name = f"speed-up at c = {c} to 5 % token error, DG over PG, H = 20, M = 2"
        assert values[name] == pytest.approx(2)
    measured, predicted = (
        values[f"speed-up in FLOPs{words} to 5 % token error, row gate(3 %) over PG, H = 20, M = 2"]
        for words in ("", ", predicted from the answers")
    )
    assert measured == pytest.approx(2 * 67 / (10 + 0.03 * 57))
    assert predicted == pytest.approx(measured)


BREAKS = {
    "smallest setting": ({(5, 2): 60}, "fails"),
    "from H = 5 to H = 20": ({(20, 2): 280}, "fails"),
    "from M = 2 to M = 4": ({(10, 4): 300}, "fails"),
}


@pytest.mark.control("reversal-speedup")
@pytest.mark.parametrize("missed", BREAKS)
def test_negative_control_gains_that_do_not_grow_fail_the_claim(missed):
    setting, expected = BREAKS[missed]
    found, reason = verdict(setting=setting)
    assert found == expected
    assert missed in reason
    assert "(2 of 3 hold)" in reason


def test_growth_that_seeds_do_not_agree_on_is_undecided():
    found = at({}, GROWING)
    frame = found.frame
    slow = (frame["length"] == 20) & (frame["label"] == "PG") & (frame["seed"] > 2)
    late = frame.assign(
        token_error=frame["token_error"].where(~slow, np.maximum(0.5 - 0.45 * frame["update"] / 250, 0))
    )
    assert judge(CLAIM, None, [], judged_rows(Curves(late)))[0] == "undecided"


def test_a_method_that_never_gets_there_takes_infinitely_long():
    frame = at({}, GROWING).frame
    never = frame.assign(token_error=frame["token_error"].where(frame["label"] != "PG", 0.4))
    assert np.isinf(Spending(never).speedups("row gate(3 %)", (5, 2), 4.0, 0.05)).all()
    never = frame.assign(token_error=0.4)
    assert Spending(never).speedups("row gate(3 %)", (5, 2), 4.0, 0.05).empty


def run_of(errors):
    n = np.arange(len(errors))
    flops = {f"{phase}_flops": 7 * n for phase in ("sampling", "screening", "training")}
    counts = {"update": 50 * n, "forward_rows": 5_000 * n, "backward_tokens": 600 * n, "length": 4}
    return pd.DataFrame({**counts, **flops, "token_error": errors})


def test_what_was_spent_is_interpolated_by_hand():
    spent = reached(run_of([0.5, 0.3, 0.1, 0.02]), 0.2)
    assert spent == pytest.approx({"update": 75, "forward_rows": 7_500, "backward_samples": 225, "flops": 31.5})
    assert reached(run_of([0.1, 0.02]), 0.2)["update"] == 0
    assert reached(run_of([0.5, 0.1, 0.5, 0.1]), 0.2)["update"] == pytest.approx(37.5), "the first time"
    assert set(reached(run_of([0.5, 0.2]), 0.2).values()) == {np.inf}, "below, not at"


def test_seconds_of_a_sidecar_go_to_their_runs(rows):
    table = timed(at({}, GROWING).frame)
    seconds = seconds_an_update(table)
    assert seconds[(5, 2), "PG"].to_dict() == pytest.approx({n: (3 + n) / 1_000 for n in range(5)})
    assert seconds[(5, 2), "row gate(3 %)"][0] == pytest.approx(8 / 1_000)
    found = {row.quantity: row.value for row in rows}
    saved = 5 / 10  # in the median of five seeds: of the third one
    assert found["CPU seconds of an update, PG over row gate(3 %), H = 5, M = 2"] == pytest.approx(saved)
    name = "speed-up in CPU seconds to 5 % token error, row gate(3 %) over PG, H = 5, M = 2"
    assert found[name] == pytest.approx(saved), "at as many answers"
    assert not any("CPU seconds" in name and "H = 20" in name for name in found)
    table.sidecar["seconds"] = table.sidecar["seconds"][1:]
    with pytest.raises(ResultError, match=r"t.parquet needs a sidecar with the seconds of each of its 14 runs"):
        seconds_an_update(table)


def test_fewer_seeds_are_not_run_and_a_setting_that_is_lacking_is_named():
    frame = at({}, GROWING).frame
    assert judge(CLAIM, None, [], judged_rows(Curves(frame[frame["seed"] < 4])))[0] == "not run"
    with pytest.raises(ResultError, match="lack PG at H = 20, M = 2, which reversal-speedup compares"):
        judged_rows(Curves(frame[frame["length"] != 20]))
