"""optimal-baseline: simulation and theory agree; another baseline or step contradicts the claim."""

from dataclasses import replace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.estimators import best_baseline, best_step, dg_baseline, median_baseline
from simulations.verification.checks import Context
from simulations.verification.checks.estimators.optimal_baseline import optimal_baseline
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["optimal-baseline"], True, rows, [])[0]


def shifted(found, by):
    return replace(found, baseline=found.baseline + by)


def test_the_simulation_agrees():
    rows = optimal_baseline(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 50
    assert verdict(rows) == CLAIMS["optimal-baseline"].success


@pytest.mark.control("optimal-baseline")
@pytest.mark.parametrize(
    "wrong",
    [
        {"best": lambda *at, **how: shifted(best_baseline(*at, **how), 0.25)},
        {"median": lambda *at: shifted(median_baseline(*at), 0.2)},
        {"own": lambda p, n_arms, eta: 0.5 * dg_baseline(p, n_arms, eta)},
        {"step": lambda moments, length, size, smooth: best_step(moments, length, 2 * size, smooth)},
    ],
    ids=["higher", "not the median", "half of DG's", "twice the batch"],
)
def test_negative_control_what_is_wrong_contradicts_the_claim(wrong):
    assert verdict(optimal_baseline(SMOKE, **wrong)) == "contradicted"
