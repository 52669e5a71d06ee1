"""corner-escape: simulation and theory agree; other gates and wrong formulas contradict the claim."""

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.geometry.corners import escape_time, shared_rest_point
from simulations.bandits.updates.corners import weigh
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.updates import corners
from simulations.verification.checks.bandits.updates.corners import corner_escape
from simulations.verification.verify import judge

PARTS = {"_escapes", "_late", "_delightful", "_first_updates", "_kept_updates", "_shared"}
SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    return judge(CLAIMS["corner-escape"], True, rows, [])[0]


def two_arms(method, policy, *rest, **ends):
    return escape_time(method, (policy[0], 1 - policy[0]), *rest, **ends)


def even_arms(method, policy, *rest, **ends):
    n = len(policy) - 1
    return escape_time(method, (policy[0], *[(1 - policy[0]) / n] * n), *rest, **ends)


def logarithmic(method, policy, baseline, unit="forward", **ends):
    """Take the logarithm of the ratio for forward samples as well."""
    return escape_time("zero-price", policy, baseline, "backward", **ends)


def never_matched(method, minority, baseline, temperature):
    return (
        np.ones(()) if baseline == "value" else shared_rest_point(method, minority, baseline, temperature=temperature)
    )


def soft(method, advantage, surprisal, temperature):
    """The soft gate's limit: half of what is worth nothing, and failures by DG's weight."""
    return weigh("dg" if method == "zero-price" else method, advantage, surprisal, temperature)


def hotter(method, advantage, surprisal, temperature):
    return weigh(method, advantage, surprisal, 1.1 * temperature)


def test_the_simulation_agrees():
    rows = corner_escape(SMOKE)
    assert len({row.quantity for row in rows}) == len(rows) > 25
    assert verdict(rows) == CLAIMS["corner-escape"].success


@pytest.mark.control("corner-escape")
@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("_escapes", {"time": two_arms}),
        ("_escapes", {"time": even_arms}),
        ("_escapes", {"time": logarithmic}),
        ("_shared", {"rest": never_matched}),
        ("_delightful", {"decide": hotter}),
        ("_first_updates", {"decide": soft}),
    ],
    ids=["two arms", "even arms", "logarithmic in samples", "never matched", "temperature", "failures are kept"],
)
def test_negative_control_other_gates_and_formulas_contradict(monkeypatch, part, options):
    for other in PARTS - {part}:  # what the formula does not touch need not run
        monkeypatch.setattr(corners, other, lambda *rest: [])
    assert verdict(corner_escape(SMOKE, **options)) == "contradicted"
