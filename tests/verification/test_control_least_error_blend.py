"""least-error-blend: simulation and theory agree; another weight or another error contradicts the claim."""

from dataclasses import replace

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.estimators import best_blend, zero_price_blend
from simulations.verification.checks import Context
from simulations.verification.checks.estimators.least_error_blend import least_error_blend
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["least-error-blend"], True, rows, [])[0]


def independent(policy, advantage, keep, batch_size, **how):
    """The best weight, were the two gradients from batches of their own."""
    found = best_blend(policy, advantage, keep, batch_size, **how)
    return replace(found, weight=found.gated_error / (found.gated_error + found.pg_error))


def test_the_simulation_agrees():
    rows = least_error_blend(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 130
    assert verdict(rows) == CLAIMS["least-error-blend"].success


@pytest.mark.control("least-error-blend")
@pytest.mark.parametrize(
    "wrong",
    [
        {"closed": independent},
        {"closed": lambda *at, **how: best_blend(*at[:3], 2 * at[3], **how)},
        {"weight": lambda p, n_arms, b, size: zero_price_blend(p, n_arms, b, size + 1)},
        {"weight": lambda p, n_arms, b, size: zero_price_blend(p, 2, b, size)},
        {"seen": lambda p, n_arms, b, size: zero_price_blend(p, 2, b, size)},
    ],
    ids=["as if independent", "twice the batch", "one sample more", "as at K = 2", "estimated as at K = 2"],
)
def test_negative_control_what_is_wrong_contradicts_the_claim(wrong):
    assert verdict(least_error_blend(SMOKE, **wrong)) == "contradicted"
