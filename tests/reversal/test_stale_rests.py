"""Where learners rest while their actors stand still: closed forms, and drifts by drawing answers."""

import numpy as np
import pytest

from simulations.reversal.stale.rests import Estimator, drift, resting_probability

PG, ZERO = Estimator("pg"), Estimator("token-gate")
N = 10


@pytest.mark.parametrize(("p", "q", "H", "corruption"), [(0.5, 0.5, 4, 0.0), (0.9, 0.4, 6, 0.0), (0.7, 0.7, 3, 0.2)])
def test_pg_drifts_alike_wherever_the_learner_is(p, q, H, corruption):
    found = drift(PG, p, q, H, 2, corruption)
    assert found == pytest.approx((1 - corruption) * q * (1 - q) * (N - 1) / (N * H), rel=1e-12)


def test_pg_rests_nowhere_ppo_where_its_clip_ends_and_weights_that_are_cut_before_the_end():
    assert resting_probability(PG, 4, 2) == 1
    assert resting_probability(Estimator("ppo"), 4, 2) == pytest.approx(0.6, abs=1e-5)
    assert resting_probability(Estimator("ppo", clip=0.1), 4, 2) == pytest.approx(0.55, abs=1e-5)
    assert resting_probability(Estimator("pg", correction="answers"), 6, 2) == 1
    assert resting_probability(Estimator("pg", correction="answers", bound=10), 6, 2) < 0.9


def drawn(estimator, p, q, H, corruption, n_groups=200_000):
    """The drift as a mean over drawn groups: its value and standard error."""
    rng = np.random.default_rng(0)
    right = rng.random((n_groups, N, H)) < q
    pay = np.where(rng.random((n_groups, N)) < corruption, H, right.sum(-1))
    advantage = (pay - pay.mean(-1, keepdims=True)) / H
    nats = np.where(right, -np.log(p), -np.log(1 - p))
    advantage = np.repeat(advantage[..., None], H, -1)
    weight = {
        "dg": lambda: 1 / (1 + np.exp(-advantage * nats)),
        "token-gate": lambda: advantage > 1e-9,
        "pg": lambda: np.where(right, p / q, (1 - p) / (1 - q)),
    }[estimator.method]()
    one = (advantage * weight * np.where(right, 1 - p, -p)).mean((1, 2))
    return one.mean(), one.std() / n_groups**0.5


CASES = [
    (Estimator("dg"), 0.8, 0.5, 3, 0.1),
    (ZERO, 0.7, 0.5, 4, 0.0),
    (ZERO, 0.8, 0.8, 3, 0.1),
    (Estimator("pg", correction="tokens"), 0.8, 0.6, 3, 0.0),
]


def test_weights_of_independent_tokens_leave_no_trace_of_the_actors():
    found = [drift(Estimator("pg", correction="tokens"), 0.8, q, 3, 2) for q in (0.8, 0.6, 0.4)]
    assert found == pytest.approx([0.8 * 0.2 * (N - 1) / (N * 3)] * 3, rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].method}, q={case[2]}, r={case[4]}")
def test_drifts_are_those_of_drawn_answers(case):
    value, error = drawn(*case, n_groups=40_000)
    assert drift(*case[:4], 2, case[4]) == pytest.approx(value, abs=4 * error)
    assert error < 0.03 * abs(value)
    assert drift(case[0], case[1] - 0.1, *case[2:4], 2, case[4]) != pytest.approx(value, abs=8 * error), "a control"


@pytest.mark.parametrize("method", ["token-gate", "row-gate"])
def test_gates_keep_their_rate_and_a_rate_of_all_winners_is_zero_price(method):
    """With an odd number of points no advantage is zero: half of the answers win."""
    right, actor = (resting_probability(Estimator(method, 0.1, surprisal=who), 3, 2) for who in ("learner", "actor"))
    assert right < actor, "the learner's surprisal lets in rare wrong tokens, and rows that hold them"
    everything = Estimator(method, 1.0)
    assert drift(everything, 0.7, 0.5, 3, 2) == pytest.approx(drift(PG, 0.7, 0.5, 3, 2), rel=1e-9)


def test_false_pay_makes_a_row_gate_below_its_rate_rest():
    gate = Estimator("row-gate", 0.03)
    assert resting_probability(gate, 4, 2, late=False) == 1
    assert resting_probability(gate, 4, 2, late=False, corruption=0.1) == pytest.approx(0.556, abs=0.001)
    assert resting_probability(ZERO, 4, 2, late=False, corruption=0.1) == 1
