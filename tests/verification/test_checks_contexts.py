"""The simulations of contexts, cost and approximate delight: they agree, and wrong formulas and gates fail them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ndtr

from kondo_theory import approximate, contexts, cost
from kondo_theory.claims import CLAIMS
from simulations.bandits.kernels import contexts as kernels
from simulations.bandits.kernels.statistics import EVERY, Batches
from simulations.bandits.many_contexts import METHODS
from simulations.randomness.streams import in_chunks, replicate_states
from simulations.tokens.keeps import keep_patterns
from simulations.verification import verify
from simulations.verification.checks import Context
from simulations.verification.checks.bandits import contexts as context_checks
from simulations.verification.checks.bandits import cost as cost_checks

SMOKE = Context("smoke", "cpu", 2, lambda _: None)
SIMULATIONS = {
    "context-allocation": context_checks.context_allocation,
    "step-cost": cost_checks.step_cost,
    "approximate-delight": cost_checks.approximate_delight,
}


def verdict(claim, rows):
    return verify.judge(CLAIMS[claim], True, rows, [])[0]


def replaced(module, **functions):
    """Return the formulas of a module with some of them wrong."""
    return SimpleNamespace(**{name: getattr(module, name) for name in module.__all__} | functions)


@pytest.mark.parametrize("claim", SIMULATIONS)
def test_the_simulation_agrees(claim):
    rows = SIMULATIONS[claim](SMOKE)
    assert len(rows) > 30
    assert all(row.within for row in rows), [row for row in rows if not row.within]
    assert verdict(claim, rows) == "holds in regime"


def wrong_weights(method, p, n_arms, baseline, *, price):
    """Forget the baseline's complement in the gate's weights, as if U were 1."""
    weights = contexts.context_weights(method, p, n_arms, baseline, price=price)
    return np.where(weights > 0, p, 0.0) if method == "kondo" else weights


@pytest.fixture
def one_population(monkeypatch):
    monkeypatch.setattr(context_checks, "POPULATIONS", context_checks.POPULATIONS[:1])


@pytest.mark.control("context-allocation")
@pytest.mark.usefixtures("one_population")
def test_negative_control_wrong_weights_and_wrong_methods_fail():
    assert verdict("context-allocation", context_checks.context_allocation(SMOKE, wrong_weights)) == "contradicted"
    swapped = {"pg": kernels.DG, "dg": kernels.PG, "kondo": kernels.KONDO}
    assert verdict("context-allocation", context_checks.context_allocation(SMOKE, methods=swapped)) == "contradicted"
    no_gate = dict(METHODS) | {"kondo": kernels.PG}
    assert verdict("context-allocation", context_checks.context_allocation(SMOKE, methods=no_gate)) == "contradicted"


def logical_everywhere(rate, backward_cost, accounting="physical", **_):
    return 1 + np.asarray(rate) * backward_cost


@pytest.mark.control("step-cost")
@pytest.mark.parametrize(
    "wrong",
    [
        {"step_cost": logical_everywhere},
        {"surviving_rows": lambda rate, n_tokens, *_: 1 - (1 - rate) ** n_tokens},  # clusters forgotten
        {"surviving_rows": lambda rate, *_: rate},  # as if skipped tokens were skipped rows
        {"expected_prefix": lambda rate, n_tokens, *_: n_tokens * (1 - (1 - rate) ** n_tokens)},  # the whole row
        {"surviving_rows_exact": lambda n, t, k: 1 - (1 - k / (n * t)) ** t},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_negative_control_wrong_costs_fail(wrong):
    assert verdict("step-cost", cost_checks.step_cost(SMOKE, replaced(cost, **wrong))) == "contradicted"


def noiseless(p, n_arms, baseline, noise, kind="additive", *, price=0.0):
    return approximate.noisy_moments(p, n_arms, baseline, 0.0, kind, price=price)


def absolute(p, n_arms, baseline, noise, kind="additive", *, price=0.0):
    return approximate.noisy_rate(p, n_arms, baseline, noise, "additive", price=price)


@pytest.mark.control("approximate-delight")
@pytest.mark.parametrize(
    "wrong",
    [
        {"noisy_moments": noiseless},
        {"noisy_rate": absolute},
        {"gaussian_recall": lambda rate, noise: ndtr(1 / noise)},
        {"undecided_band": lambda price, delta: (price * (1 - delta), price * (1 + delta))},
        {"rms_cosine": lambda moments, batch: moments.cosine},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_negative_control_wrong_noise_fails(wrong):
    rows = cost_checks.approximate_delight(SMOKE, replaced(approximate, **wrong))
    assert verdict("approximate-delight", rows) == "contradicted"


def noisy(kind, size, batch_size, n_batches):
    context, batches = kernels.SymmetricContext(0.3, 5, 0.4), Batches(batch_size, EVERY, n_batches, 0.9)
    return context, 0.0, kernels.DelightError(kind, size), batches


def test_negative_control_errors_above_the_bound_change_decisions():
    differing = kernels.noisy_batches(replicate_states(1, 4), *noisy(kernels.BOUNDED, 1.2, 100, 20))[1]
    # Uniform on ±1.2: the error passes −1 with probability 1/12.
    assert differing.mean() == pytest.approx(1 / 12, abs=0.02)


def test_results_do_not_depend_on_threads():
    population = context_checks.POPULATIONS[0]
    contexts = kernels.Contexts(population.p, population.arms, population.baselines(0.5).copy())
    arguments = (contexts, kernels.ContextGate(kernels.DG, 0.0, 1.0), 50)
    one, two = (in_chunks(kernels.context_gradients, replicate_states(3, 9), n, *arguments) for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    batches = noisy(kernels.ADDITIVE, 0.5, 20, 5)
    first, second = (in_chunks(kernels.noisy_batches, replicate_states(4, 9), n, *batches) for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_normals_are_normal():
    state = replicate_states(5, 1)[0]
    draws = np.sort([kernels.next_normal(state) for _ in range(20_000)])
    distance = np.max(np.abs(ndtr(draws) - (np.arange(20_000) + 0.5) / 20_000))
    assert distance < 1.95 / np.sqrt(20_000)  # Kolmogorov's 0.1 % quantile


@pytest.mark.parametrize(("clustering", "lag"), [("row", 3), ("run", 1)])
def test_keep_patterns_have_the_stated_rate_and_correlation(clustering, lag):
    keeps = keep_patterns(np.random.default_rng(6), 100_000, 4, 0.3, 0.4, clustering)
    assert keeps.mean() == pytest.approx(0.3, abs=0.005)
    assert np.corrcoef(keeps[:, 0], keeps[:, lag])[0, 1] == pytest.approx(0.4, abs=0.015)
