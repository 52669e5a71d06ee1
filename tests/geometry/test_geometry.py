"""What every closed form of one context must do: refuse what lies outside its domain, and broadcast."""

import numpy as np
import pytest

from kondo_theory import geometry as geo


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geo.pg_moments(0.0, 3, 0.5), r"p_correct must be in \(0, 1\), got 0\.0"),
        (lambda: geo.pg_moments([0.5, 1.0], 3, 0.5), r"p_correct must be in \(0, 1\), got 1\.0"),
        (lambda: geo.pg_moments(np.nan, 3, 0.5), r"p_correct must be in \(0, 1\), got nan"),
        (lambda: geo.pg_moments(0.5, 1, 0.5), "n_arms must be an integer ≥ 2, got 1"),
        (lambda: geo.pg_moments(0.5, 2.5, 0.5), r"n_arms must be an integer ≥ 2, got 2\.5"),
        (lambda: geo.pg_moments(0.5, 3, np.inf), "baseline must be finite, got inf"),
        (lambda: geo.pg_moments(0.5, 3, "best"), "baseline must be one of value, confidence, got 'best'"),
        (lambda: geo.pg_moments(0.5, 3, 0.5, p_error=0.4), r"p_correct \+ p_error must be 1 .* got 0\.9"),
        (lambda: geo.symmetric_moments(0.5, 3, 0.5, 1.5, 0, bernoulli=True), r"weight_correct must be .* got 1\.5"),
        (lambda: geo.dg_noise_ratio(0.5, 3, 0.5, 0.0), r"temperature must be in \(0, inf\], got 0\.0"),
        (lambda: geo.learning_time("sgd", 3, 0.9, 0.5), "method must be one of pg, dg, zero-price, got 'sgd'"),
        (lambda: geo.learning_time("pg", 3, 0.9, 0.5, "seconds"), "unit must be one of forward, backward"),
        (lambda: geo.learning_time("pg", 3, 0.2, 0.5), r"p_end − p_start must be at least 0, got -0\.13"),
        (lambda: geo.learning_time("pg", 3, 0.9, 1.0), r"baseline must be in \[0, 1\), got 1\.0"),
        (lambda: geo.backward_passes_to_align("pg", 0.1, 3, 0.5, 1.0, 0.9), r"cosine must be in \(0, 1\), got 1\.0"),
        (lambda: geo.backward_passes_to_align("pg", 0.1, 3, 0.5, 0.9, 0.0), r"confidence must be in \(0, 1\), got 0"),
        (lambda: geo.alignment_probability("pg", 0.1, 3, 0.5, 1.5, 0.9), "n_samples must be an integer ≥ 1"),
        (lambda: geo.cosine_gap("pg", 0.1, 3, 0.5, 0), r"batch_size must be in \(0, inf\], got 0"),
        (lambda: geo.zero_price_cosine([0.5, 0.6], [0, 1]), r"sum of policy must be 1 .* got 1\.1"),
        (lambda: geo.zero_price_cosine([0.5, 0.5], [1, 1]), "advantage must vary over the arms played"),
        (lambda: geo.zero_price_cosine([0.5, 0.5], [1, 1, 0]), r"rewards must have 2 arms .* \(3,\)"),
        (lambda: geo.graded_worst_case(0), "n must be an integer ≥ 1, got 0"),
        (lambda: geo.frontier([0.5, 0.5], [1, 0], 0.0, -1.0), r"temperature must be in \[0, inf\), got -1\.0"),
        (lambda: geo.rate_value([1, 2], [0.5, 0.5], 1.5), r"rate must be in \[0, 1\], got 1\.5"),
        (lambda: geo.expected_rate([1, 2], [0.5, 0.6], 0.0), r"sum of probability must be 1 .* got 1\.1"),
    ],
)
def test_domains_are_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_functions_broadcast():
    p, n_arms = np.full((4, 1), 0.3), np.array([2, 5, 9])
    assert geo.pg_moments(p, n_arms, "confidence").signal.shape == (4, 3)
    assert geo.dg_noise_ratio(p, n_arms, 0.5, np.ones((2, 1, 1))).shape == (2, 4, 3)
    assert geo.learning_time("dg", n_arms, np.full((4, 1), 0.8), 0.5).shape == (4, 3)
    assert geo.backward_passes_to_align("pg", p, n_arms, 0.5, 0.9, 0.9).shape == (4, 3)
    assert geo.zero_price_cosine(np.full((2, 1, 4), 0.25), np.arange(12.0).reshape(3, 4)).shape == (2, 3)
    assert geo.forward_efficiency("dg", 0.3, 4, 0.5).shape == ()
