"""Cells of the named sweeps: their estimates agree with their closed forms, and come from the configuration alone."""

import numpy as np
import pytest

from kondo_theory.geometry.normalised import exact_moments
from simulations.bandits.one_sample import decide
from simulations.bandits.simulation import Gate
from simulations.sweeps.cells.bandits import (
    additive,
    alignment,
    best_gates,
    contexts,
    gate,
    graded,
    learning,
    moments,
    noise,
    normalised_gates,
    stale_gates,
)
from simulations.sweeps.cells.bandits import screening as screening_cells
from simulations.sweeps.cells.gambling import noise_aware
from simulations.sweeps.cells.gambling import runs as gambling
from simulations.sweeps.cells.tokens import training as tokens
from simulations.verification.checks.evidence import Simulated

# Exact rows agree within 5 standard errors, or within a stated share of the prediction for what hardly varies, where
# a rare event that did not happen leaves no standard error.
N_STANDARD_ERRORS, RESOLUTION = 5.0, 2e-3

BATCHES = {"n_batches": 100, "n_replicates": 200}
NOISY_BATCH = {"rate": 0.2, "batch_size": 20, "n_batches": 10_000}
CASES = {
    "PG": (moments.moments, {"method": "pg", "p_correct": 0.3, **BATCHES}),
    "PG, confidence": (moments.moments, {"method": "pg", "p_correct": 0.3, "baseline": "confidence", **BATCHES}),
    "DG": (moments.moments, {"method": "dg", "p_correct": 0.1, "n_arms": 100, **BATCHES}),
    "zero price": (moments.moments, {"method": "zero-price", "p_correct": 0.3, "baseline": "value", **BATCHES}),
    "price": (moments.moments, {"method": "price", "p_correct": 0.2, "price": 0.1, "temperature": 0.5, **BATCHES}),
    "exact k": (
        moments.moments,
        {"method": "exact-k", "p_correct": 0.3, "constant_baseline": 0.25, "rate": 0.3, "batch_size": 40, **BATCHES},
    ),
    "price at a rate": (moments.moments, {"method": "price-at-rate", "p_correct": 0.3, "rate": 0.6, **BATCHES}),
    "direction": (alignment.batch_direction, {"method": "zero-price", "p_correct": 0.01, "n_samples": 100}),
    "two arms": (alignment.batch_direction, {"method": "pg", "p_correct": 0.1, "n_arms": 2, "n_samples": 3}),
    "alignment": (alignment.samples_to_align, {"method": "zero-price", "p_correct": 0.02}),
    "learning time": (learning.learning_time, {"method": "zero-price", "n_arms": 10}),
    "graded": (graded.graded_direction, {"family_size": 10}),
    "gate": (gate.gate_frequency, {"excess": 0.5, "temperature": 0.5, "n_draws": 20_000}),
    "value of a rate": (gate.rate_value, {"batch_size": 8, "n_kept": 3}),
    "top failures": (additive.top_failures, {"rule": "additive", "log_odds": 3.0, "n_batches": 4_000}),
    "top failures, delight": (additive.top_failures, {"rule": "delight", "log_odds": -2.0, "n_batches": 4_000}),
    "screening": (screening_cells.screening, {"rule": "surprisal", "rate": 0.8, "n_batches": 200}),
    "screening, delight": (screening_cells.screening, {"rule": "delight", "rate": 0.4, "n_batches": 200}),
    "gamble": (gambling.gambling_drift, {"x": 0.3, "noise_ratio": 1.0}),
    "gamble, DG": (gambling.gambling_drift, {"gate": "dg", "x": 0.3, "noise_ratio": 2.0, "equal_noise": True}),
    "gamble, rate": (gambling.gambling_drift, {"gate": "rate", "rate": 0.1, "x": 0.3, "noise_ratio": 1.0}),
    "kept gambles": (gambling.gambling_kept, {"x": 0.5, "noise_ratio": 1.0}),
    "gamble, extremes": (
        noise_aware.noise_aware_drift,
        {"gate": "extremes", "rate": 0.1, "x": 0.3, "noise_ratio": 1.0},
    ),
    "gamble, margin": (
        noise_aware.noise_aware_drift,
        {"gate": "margin", "margin": 0.5, "x": 0.3, "noise_ratio": 1.0},
    ),
    "gamble, second draw": (noise_aware.noise_aware_drift, {"gate": "second-draw", "x": 0.3, "noise_ratio": 1.0}),
    "contexts": (contexts.context_cosine, {"method": "dg", "baseline": "value", "spread": 1.5}),
    "contexts, best price": (contexts.context_cosine, {"method": "best-price", "spread": 2.5}),
    "noise": (noise.noisy_delight, {"kind": "additive", "noise": 1.25}),
    "survival": (noise.survival, {"rate": 0.05, "correlation": 0.2}),
    "normalised": (normalised_gates.normalised_gates, {"method": "normalised", **NOISY_BATCH}),
    "exact k, noisy": (normalised_gates.normalised_gates, {"method": "exact-k", **NOISY_BATCH}),
    "price, noisy": (normalised_gates.normalised_gates, {"method": "price", **NOISY_BATCH}),
    "best gate": (best_gates.best_gates, {"gate": "best", "rate": 0.6}),
    "stale": (stale_gates.stale_gates, {"method": "dg", "error": 0.1, "corruption": 0.1}),
}


def disagreeing(rows):
    """Quantities whose exact prediction is not within 5 standard errors of the estimate."""
    found = []
    for row in rows:
        check = Simulated(row["quantity"], row["predicted"], row["estimate"], row["standard_error"])
        near = abs(check.estimate - check.predicted) <= RESOLUTION * abs(check.predicted)
        if row["exact"] and not near and check.distance > N_STANDARD_ERRORS:
            found.append((check.quantity, check.distance))
    return found


@pytest.mark.parametrize("case", CASES)
def test_estimates_agree_with_exact_predictions(case):
    function, config = CASES[case]
    rows = function(**config)
    assert disagreeing(rows) == []
    assert any(row["exact"] for row in rows)


def always(kind):
    """A gate constructor that ignores the method asked for."""
    return lambda *arguments, **keywords: Gate(kind)


def half(function):
    return lambda *arguments, **keywords: 0.5 * np.asarray(function(*arguments, **keywords))


WRONG = {
    "PG": (moments, "Gate", always("zero-price")),
    "PG, confidence": (moments, "symmetric_moments", lambda p, k, b, *w, **o: CLOSED(p, k, b + 0.05, *w, **o)),
    "DG": (moments, "dg_weights", lambda p, n_arms, b, eta: (1.0, 0.0)),
    "zero price": (moments, "Gate", always("pg")),
    "price": (
        moments,
        "frontier",
        lambda policy, advantage, price, eta: FRONTIER(policy, advantage, price + 0.2, eta),
    ),
    "exact k": (moments, "Gate", always("zero-price")),
    "price at a rate": (moments, "price_weights", lambda p, rate: (rate, rate)),
    "direction": (alignment, "Gate", always("pg")),
    "two arms": (alignment, "alignment_probability", half(alignment.alignment_probability)),
    "alignment": (alignment, "Gate", always("dg")),
    "learning time": (learning, "closed_time", half(learning.closed_time)),
    "graded": (graded, "Gate", always("pg")),
    "gate": (gate, "sample_gate", lambda law, rng: rng.random(law.shape) < law + 0.03),
    "value of a rate": (gate, "select", lambda scores, rate, rng: SELECT(-scores, rate, rng)),
    "top failures": (additive, "RULES", {"additive": lambda advantage, surprisal, entropy, alpha: advantage}),
    "screening": (screening_cells, "claimed_order", lambda rule, at: "correct-first"),
    "gamble": (gambling, "expected_drift", lambda x, gamble: 1.0),
    "gamble, rate": (gambling, "estimate_drift", lambda gamble, *sizes: DRIFT(gambling.Gamble(1.0), *sizes)),
    "kept gambles": (gambling, "false_positive_probability", lambda x, r: 0.5),
    "gamble, extremes": (noise_aware, "estimate_drift", lambda _, *sizes: DRIFT(gambling.Gamble(1.0), *sizes)),
    "gamble, margin": (noise_aware, "expected_drift", lambda x, gamble: 1.0),
    "gamble, second draw": (noise_aware, "estimate_drift", lambda _, *sizes: DRIFT(gambling.Gamble(1.0), *sizes)),
    "contexts": (contexts, "METHODS", dict.fromkeys(contexts.METHODS, contexts.METHODS["pg"])),
    "noise": (noise, "noisy_moments", lambda *at, price: NOISY(*at[:3], 0.8 * at[3], at[4], price=price)),
    "survival": (noise, "keep_patterns", lambda rng, n, t, rate, r, how: rng.random((n, t)) < rate),
    "normalised": (normalised_gates, "normalised_moments", lambda kept, size: exact_moments(kept)),
    "exact k, noisy": (normalised_gates, "select", lambda scores, rate, rng: scores > np.quantile(scores, 1 - rate)),
    "price, noisy": (normalised_gates, "price_moments", exact_moments),
    "best gate": (best_gates, "cost_of_signal", half(best_gates.cost_of_signal)),
    "stale": (stale_gates, "decide", lambda method, surprisal: decide("pg")),
}
FRONTIER, CLOSED, SELECT = moments.frontier, moments.symmetric_moments, gate.select
DRIFT, NOISY = gambling.estimate_drift, noise.noisy_moments


@pytest.mark.parametrize("case", WRONG)
def test_negative_control_a_wrong_gate_or_formula_disagrees(case, monkeypatch):
    module, name, wrong = WRONG[case]
    monkeypatch.setattr(module, name, wrong)
    function, config = CASES[case]
    assert disagreeing(function(**config))


def test_ends_of_learning_lie_at_the_limits_they_extrapolate_to():
    cases = [
        (gambling.gambling_end, {"noise_ratio": 1.5}, 0.01),
        (gambling.gambling_end, {"noise_ratio": 3.0}, 0.01),
        (gambling.gambling_end, {"gate": "rate", "rate": 0.1, "noise_ratio": 1.0}, 0.01),
        (noise_aware.margin_end, {"noise_ratio": 2.0, "margin": 0.5}, 0.01),
        (gambling.gambling_learning, {"noise_ratio": 1.4, "x_start": 0.5, "n_steps": 200, "batch_size": 2_000}, 0.02),
    ]
    small = {"learning_rate": 5.0, "batch_size": 2_000, "n_steps": 400}
    cases.append((tokens.token_end, {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, **small}, 0.01))
    for function, config, margin in cases:
        row = function(**config)[0]
        assert abs(row["estimate"] - row["predicted"]) < margin, (config, row)
        assert not row["exact"]


def test_negative_control_another_gates_stall_point_is_far_from_the_end(monkeypatch):
    config = {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, "learning_rate": 5.0, "batch_size": 500, "n_steps": 200}
    monkeypatch.setattr(tokens.closed, "stall_point", lambda *_: None)  # as of the row gate
    reward, learned = tokens.token_end(**config)
    assert abs(reward["estimate"] - reward["predicted"]) > 0.5
    assert learned["estimate"] != learned["predicted"]


def test_training_on_tokens_follows_the_expected_update():
    rows = tokens.token_learning(
        vocab_size=10, n_tokens=10, gate="row", rate=0.3, learning_rate=2.0, batch_size=5_000, n_steps=60
    )
    assert [row["update"] for row in rows][-1] == 60
    for row in rows:
        assert row["low"] <= row["estimate"] <= row["high"]
        assert abs(row["estimate"] - row["predicted"]) < 0.01


@pytest.mark.parametrize("case", ["PG", "gate", "screening", "survival", "contexts", "kept gambles"])
def test_numbers_come_from_the_configuration_alone(case):
    function, config = CASES[case]
    first, again, other = function(**config), function(**config), function(**config, seed=1)
    assert first == again
    assert [row["estimate"] for row in first] != [row["estimate"] for row in other]
    assert [row["predicted"] for row in first] == [row["predicted"] for row in other]
