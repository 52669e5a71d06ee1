"""unbiased-gates: simulation and theory agree; other weights, draws, masks or batch sizes contradict the claim."""

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.estimators import biased_below
from simulations.bandits.estimators.subsets import cut_or_skipped, rest_share
from simulations.verification.checks import Context
from simulations.verification.checks.estimators.unbiased_gates import horvitz_thompson, unbiased_gates
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["unbiased-gates"], True, rows, [])[0]


def test_the_simulation_agrees():
    rows = unbiased_gates(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 90
    assert verdict(rows) == CLAIMS["unbiased-gates"].success


@pytest.mark.control("unbiased-gates")
@pytest.mark.parametrize(
    "wrong",
    [
        {"weighting": lambda keep: (keep > 0) * 1.0},
        {"weighting": lambda keep: horvitz_thompson(keep) ** 0.5},
        {"share": lambda scores, n_sure: min(1.0, rest_share(scores, 0))},
        {"mask": lambda rng, keep, kind, n: cut_or_skipped(rng, keep, "tokens", n)},
        {"mask": lambda rng, keep, kind, n: cut_or_skipped(rng, np.sqrt(keep), kind, n)},
        {"crossing": lambda p, n_arms, b: 1.2 * biased_below(p, n_arms, b)},
    ],
    ids=["weight one", "square root", "rest not scaled", "tokens apart", "kept more often", "20 % more samples"],
)
def test_negative_control_what_is_wrong_contradicts_the_claim(wrong):
    assert verdict(unbiased_gates(SMOKE, **wrong)) == "contradicted"
