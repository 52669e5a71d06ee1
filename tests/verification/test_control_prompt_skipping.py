"""prompt-skipping: simulation and theory agree, and another share, wait or rule contradicts the claim."""

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import visit_probability, visit_share
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.groups.prompt_skipping import prompt_skipping
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
