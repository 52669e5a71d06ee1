"""stale-actors, disfavoured-actions: simulation and theory agree; wrong gates and formulas contradict the claims."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from simulations.bandits.one_sample import PaidArms, decide
from simulations.verification.checks import Context
from simulations.verification.checks.off_policy.disfavoured_actions import disfavoured_actions
from simulations.verification.checks.off_policy.stale_actors import LEARNER, older_policy, stale_actors
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(claim, rows):
    """Of the simulation alone: what is measured on token reversal has made-up worlds of its own."""
    own = CLAIMS[claim]
    return judge(replace(own, rule=replace(own.rule, criteria=())), True, rows, [])[0]


def replaced(own, **options):
    """Return decisions, of which one method's is another's."""

    def decision(name, temperature, rate, surprisal):
        at = {"method": name, "temperature": temperature, "rate": rate, "surprisal": surprisal}
        return decide(**(at | options if name == own else at))

    return decision


@pytest.mark.parametrize(
    ("claim", "check"), [("stale-actors", stale_actors), ("disfavoured-actions", disfavoured_actions)]
)
def test_the_simulation_agrees(claim, check):
    rows = check(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 30
    assert verdict(claim, rows) == CLAIMS[claim].success


@pytest.mark.control("stale-actors")
@pytest.mark.parametrize(
    "options",
    [
        {"decision": replaced("zero-price", method="pg")},
        {"decision": replaced("importance-weighted", method="pg")},
        {"decision": replaced("dg", surprisal="actor")},
        {"decision": replaced("dg", temperature=2.0)},
        {"decision": replaced("rate", rate=0.4)},
        {"shift": 0.01},
    ],
    ids=["failures are kept", "no weights", "the actor's surprisal", "temperature", "rate", "floor"],
)
def test_negative_control_other_gates_and_another_floor_contradict(options):
    assert verdict("stale-actors", stale_actors(SMOKE, **options)) == "contradicted"


@pytest.mark.control("disfavoured-actions")
@pytest.mark.parametrize(
    "options",
    [
        {"decision": replaced("dg", method="pg")},
        {"decision": replaced("pg", method="dg")},
        {"bound": lambda x, advantage, temperature: x ** (-2 * advantage / temperature)},
        {"kernel": np.eye(3)},
    ],
    ids=["DG is PG", "PG is DG", "a lower bound", "nothing shared"],
)
def test_negative_control_other_weights_and_bounds_contradict(options):
    assert verdict("disfavoured-actions", disfavoured_actions(SMOKE, **options)) == "contradicted"


def test_an_older_policy_is_where_the_flow_came_from():
    old = older_policy(LEARNER, 6.0)
    assert old[0] < LEARNER[0] - 0.2
    logits = np.log(old)
    for _ in range(20_000):  # forwards, by smaller steps
        pi = np.exp(logits) / np.exp(logits).sum()
        logits += 6.0 / 20_000 * pi[0] * ((np.arange(5) == 0) - pi)
    assert np.exp(logits) / np.exp(logits).sum() == pytest.approx(LEARNER, abs=5e-3)


def test_chances_are_those_of_arms_and_payments():
    arms = PaidArms(np.full(2, 0.5), np.array([0.25, 0.75]), np.array([1.0, 0.2]), 0.5)
    assert arms.chances == pytest.approx(np.array([[0.25, 0.15], [0.0, 0.6]]))
