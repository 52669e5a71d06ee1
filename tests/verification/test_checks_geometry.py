"""The simulations of the claims about one context agree with theory, and fail when fed a wrong gate or formula."""

import math
from itertools import product

import numpy as np
import pytest

from kondo_theory import geometry as closed
from kondo_theory.claims import CLAIMS
from simulations.bandits.estimates import jackknife
from simulations.bandits.learning_times import Run, times_to_reach
from simulations.bandits.simulation import Gate
from simulations.verification import verify
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.alignment import COSINE, GATES, backward_passes_to_align, exact_failure
from simulations.verification.checks.bandits.delightful import dg_cosine_gap, dg_noise_ratio
from simulations.verification.checks.bandits.geometry import baseline_dependence, forward_efficiency, pg_noise
from simulations.verification.checks.bandits.graded import family_cosine, graded_rewards
from simulations.verification.checks.bandits.learning import learning_time

SMOKE = Context("smoke", "cpu", 2, lambda _: None)
SIMULATIONS = {
    "dg-noise-ratio": dg_noise_ratio,
    "baseline-dependence": baseline_dependence,
    "forward-efficiency": forward_efficiency,
    "graded-rewards": graded_rewards,
    "backward-passes-to-align": backward_passes_to_align,
    "learning-time": learning_time,
}


def verdict(claim, rows, measured=()):
    return verify.judge(CLAIMS[claim], True, rows, measured)[0]


@pytest.fixture(scope="module")
def agreeing():
    """Rows of every claim as it stands, simulated once."""
    return {claim: simulate(SMOKE) for claim, simulate in SIMULATIONS.items()}


@pytest.mark.parametrize("claim", SIMULATIONS)
def test_theory_agrees_with_the_simulation(claim, agreeing):
    rows = agreeing[claim]
    assert len(rows) >= 19
    assert all(row.within is True for row in rows), [row for row in rows if row.within is not True]
    assert len({row.quantity for row in rows}) == len(rows)
    measured = dg_cosine_gap(SMOKE) if claim == "dg-noise-ratio" else ()
    assert verdict(claim, rows, measured) == "holds in regime"


def test_the_published_cosine_gaps_are_met_and_the_criteria_can_fail(agreeing):
    rows = agreeing["dg-noise-ratio"]
    measured = dg_cosine_gap(SMOKE)
    assert [row.published for row in measured] == [4.0, 1.0]
    assert all(row.high - row.low < 0.2 for row in measured)
    with pytest.raises(RuntimeError, match="demands a quantity that its measurement lacks"):
        verdict("dg-noise-ratio", rows, measured[:1])
    # w₋² in place of (w₋/κ)² would have missed what was published.
    criteria = CLAIMS["dg-noise-ratio"].rule.criteria
    for criterion, error in zip(criteria, (0.5, 0.1), strict=True):
        share = 100 * float(closed.dg_noise_ratio(1 - error, 100, 0.5, 1.0))
        assert criterion.judge(share, share) == "fails"


def _inverse_square(*args, **kwargs):
    """Number of samples with 1/p² in place of 1/p."""
    return closed.forward_samples_to_align(*args, **kwargs) / args[1]


def _constant_law(method, p, n_arms, baseline, *rest):
    """PG's law of a constant baseline alone, wherever the baseline is the value."""
    if baseline == "value":
        return 1 + closed.forward_samples_to_align(method, p, n_arms, 0.5, *rest) * (p / 0.5) ** 2
    return closed.forward_samples_to_align(method, p, n_arms, baseline, *rest)


def _linear_baseline(method, p, n_arms, baseline, *rest):
    """PG's noise with b in place of b²."""
    found = closed.forward_samples_to_align(method, p, n_arms, baseline, *rest)
    return found / baseline if method == "pg" and baseline != "value" else found


def _forward_for_backward(*args, **kwargs):
    """F in place of Γ."""
    return closed.learning_time(*args[:4], "forward", **kwargs)


def _same_for_value(method, n_arms, p_end, baseline, unit, **kwargs):
    """Γ alone, without 1/(2ε²), for the value baseline."""
    return closed.learning_time(method, n_arms, p_end, 0.0 if baseline == "value" else baseline, unit, **kwargs)


WRONG = {
    "dg-noise-ratio": {
        "w₋ for w₋²": {"noise_ratio": lambda *point: closed.dg_weights(*point)[1]},
        "w₋² for (w₋/κ)²": {"gap_ratio": closed.dg_noise_ratio},
        "another temperature": {"noise_ratio": lambda p, k, b, eta: closed.dg_noise_ratio(p, k, b, 1.02 * eta)},
    },
    "baseline-dependence": {
        "b for b²": {"noise": lambda p, k, b: pg_noise(p, k, math.sqrt(b))},
        "K − 1 for K − 2": {"noise": lambda p, k, b: (1 - p) * b**2},
        "DG for zero price": {"gate": Gate("dg")},
        "PG for zero price": {"gate": Gate("pg")},
    },
    "forward-efficiency": {
        "DG for zero price": {"gate": Gate("dg")},
        "ε/p for every method": {"formula": lambda _, *point: closed.forward_efficiency("zero-price", *point)},
        "PG for every method": {"formula": lambda _, *point: closed.forward_efficiency("pg", *point)},
    },
    "graded-rewards": {
        "PG for zero price": {"gate": Gate("pg")},
        "DG for zero price": {"gate": Gate("dg")},
        "one arm more": {"family": lambda n: family_cosine(n + 1)},
        "direction kept": {"cosine": lambda policy, rewards: 1.0},
    },
    "backward-passes-to-align": {
        "1/p² for 1/p": {"forward": _inverse_square},
        "small-p form at every p": {"forward": lambda *a, **k: closed.forward_samples_to_align(*a, **k) * 1.02},
        "PG for zero price": {"gates": {**GATES, "zero-price": Gate("pg")}},
        "DG for PG": {"gates": {**GATES, "pg": Gate("dg")}},
        "b for b²": {"forward": _linear_baseline},
        "one law for every baseline": {"forward": _constant_law},
        "every sample backpropagated": {"backward": closed.forward_samples_to_align},
    },
    "learning-time": {
        "F for Γ": {"time": _forward_for_backward},
        "Γ for b = p": {"time": _same_for_value},
        "PG's time for DG": {
            "time": lambda method, *rest, **kwargs: closed.learning_time(
                "pg" if method == "dg" else method, *rest, **kwargs
            )
        },
        "no α": {"time": lambda m, k, *rest, **kw: closed.learning_time(m, k, *rest, **kw) * k / (k - 1)},
    },
}  # fmt: skip


@pytest.mark.control(
    "dg-noise-ratio",
    "baseline-dependence",
    "forward-efficiency",
    "graded-rewards",
    "backward-passes-to-align",
    "learning-time",
)
@pytest.mark.parametrize(("claim", "wrong"), [(claim, name) for claim in WRONG for name in WRONG[claim]])
def test_negative_control_a_wrong_gate_or_formula_fails_the_claim(claim, wrong):
    rows = SIMULATIONS[claim](SMOKE, **WRONG[claim][wrong])
    assert verdict(claim, rows) == "contradicted"


@pytest.mark.parametrize(("n_arms", "n"), [(3, 5), (4, 4)])
def test_the_exact_failure_probability_agrees_with_listing_every_batch(n_arms, n):
    p, b = 0.3, 0.4
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    advantage = np.where(np.arange(n_arms) == 0, 1 - b, -b)
    contributions = advantage[:, None] * (np.eye(n_arms) - policy)
    direction = (np.eye(n_arms)[0] - policy) / np.linalg.norm(np.eye(n_arms)[0] - policy)
    failure = 0.0
    for batch in product(range(n_arms), repeat=n):
        gradient = contributions[list(batch)].sum(axis=0)
        aligned = gradient @ direction >= COSINE * np.linalg.norm(gradient)
        failure += 0.0 if aligned else math.prod(policy[list(batch)])
    assert exact_failure(p, n_arms, b, n) == pytest.approx(failure, rel=1e-12)


def test_a_jackknife_ratio_has_the_error_of_the_delta_method():
    rng = np.random.default_rng(0)
    x, y = 2 + 0.1 * rng.standard_normal(4_000), 4 + 0.1 * rng.standard_normal(4_000)
    found = jackknife(np.divide, x, y)
    assert found.value == pytest.approx(x.mean() / y.mean(), abs=1e-6)
    assert found.standard_error == pytest.approx(0.1 / 4 * math.sqrt(1 + 0.25) / math.sqrt(4_000), rel=0.05)


def test_times_converge_to_gradient_flow_as_steps_shrink():
    run = Run("zero-price", 0.5, 10)
    flow = float(closed.learning_time("zero-price", 10, 0.9, 0.5, "backward"))
    gaps = [abs(times_to_reach(run, rate, 8, 0, 1)[1].mean() / flow - 1) for rate in (1.0, 0.5, 0.25)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.6 * gaps[1]
