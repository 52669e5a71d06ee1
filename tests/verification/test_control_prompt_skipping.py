"""prompt-skipping: simulation and theory agree, and another share, wait or rule contradicts the claim."""

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import expected_wait, visit_probability, visit_share
from simulations.verification.checks import Context
from simulations.verification.checks.groups.prompt_skipping import (
    answer_cost,
    prompt_skipping,
    wait_where_none_taught,
)
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 1, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["prompt-skipping"], True, rows, [])[0]


def test_the_simulation_agrees():
    rows = prompt_skipping(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 15
    assert verdict(rows) == CLAIMS["prompt-skipping"].success


@pytest.mark.control("prompt-skipping")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda q, xi, longest: 1 - q + q * xi,  # the probability after one idle visit, whatever came before
        lambda q, xi, longest: 1 - q,  # all that has spread, and no more
        lambda q, xi, longest: visit_share(q, xi, longest + 1),
    ],
    ids=["one visit", "oracle", "another cap"],
)
def test_negative_control_another_share_of_visits_is_seen(wrong):
    assert verdict(prompt_skipping(SMOKE, share=wrong)) == "contradicted"


@pytest.mark.control("prompt-skipping")
@pytest.mark.parametrize("wrong", [lambda T, xi: 1 / xi, lambda T, xi: T * (1 - xi) / xi])
def test_negative_control_another_wait_is_seen(wrong):
    assert verdict(prompt_skipping(SMOKE, wait=wrong)) == "contradicted"


@pytest.mark.control("prompt-skipping")
def test_negative_control_a_rule_that_forgets_is_seen():
    """One idle visit counts as many do."""

    def forgetful(n_idle, exploration, longest=np.inf):
        return visit_probability(np.minimum(n_idle, 1), exploration)

    assert verdict(prompt_skipping(SMOKE, chance=forgetful)) == "contradicted"


@pytest.mark.control("prompt-skipping")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda q, prices, rate: answer_cost(0.0, prices, rate),  # groups without spread get updates too
        lambda q, prices, rate: answer_cost(q, prices, rate) - (0 if rate is None else prices.screening),
        lambda q, prices, rate: (1 if rate is None else rate) * answer_cost(q, prices, None),  # no sampling either
    ],
    ids=["no spread", "free screening", "gate before sampling"],
)
def test_negative_control_another_cost_is_seen(wrong):
    rows = prompt_skipping(SMOKE, cost=wrong)
    assert verdict(rows) == "contradicted"
    assert {row.quantity.split()[0] for row in rows if row.within is False} == {"cost"}


@pytest.mark.control("prompt-skipping")
def test_negative_control_who_could_have_taught_does_not_wait_as_long_as_who_could_not():
    rows = prompt_skipping(SMOKE, untaught=lambda T, xi, q: expected_wait(T, xi))
    assert verdict(rows) == "contradicted"
    assert [row.parameters["p"] for row in rows if row.within is False] == [0.95]


def test_the_wait_where_none_taught_is_that_of_the_claim_where_none_could():
    for T, xi in ((0, 0.5), (5, 0.5), (40, 0.9)):
        assert wait_where_none_taught(T, xi, 1.0) == pytest.approx(expected_wait(T, xi), rel=1e-12)
        assert wait_where_none_taught(T, xi, 0.6) <= expected_wait(T, xi)
    assert wait_where_none_taught(1, 0.5, 0.6) == pytest.approx(2.0), "the first visit is certain"
    assert wait_where_none_taught(2, 0.5, 0.6) == pytest.approx((0.5 * 2 + 0.3 * 4) / 0.8)
