"""Escape times against integrated logits and other closed forms; late rates; rest points of shared logits."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from kondo_theory import geometry as geo
from kondo_theory.geometry.corners import escape_time, kept_updates, late_error, shared_rest_point

CORNER = np.array([0.01, 0.9, 0.07, 0.02])


def _softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()


@pytest.mark.parametrize("baseline", [0.3, "value"])
@pytest.mark.parametrize("method", ["pg", "zero-price"])
def test_escape_times_match_integrated_logits(method, baseline):
    def speed(_, state):
        """Logits, then backward passes."""
        pi = _softmax(state[:-1])
        kept = 1.0 if method == "pg" else 1 - (pi[0] if baseline == "value" else baseline)
        gradient = kept * pi[0] * (np.eye(4)[0] - pi)
        return [*gradient, 1.0 if method == "pg" else pi[0]]

    def there(_, state):
        return _softmax(state[:-1])[0] - 0.9

    there.terminal = True
    start = [*np.log(CORNER), 0.0]
    run = solve_ivp(speed, (0, 1e5), start, events=there, rtol=1e-10, atol=1e-12, method="DOP853")
    assert escape_time(method, CORNER, baseline, p_end=0.9) == pytest.approx(run.t_events[0][0], rel=1e-8)
    found = escape_time(method, CORNER, baseline, "backward", p_end=0.9)
    assert found == pytest.approx(run.y_events[0][0][-1], rel=1e-8)


@pytest.mark.parametrize("unit", ["forward", "backward"])
@pytest.mark.parametrize("baseline", [0.3, "value"])
@pytest.mark.parametrize("n_arms", [2, 5, 100])
def test_equal_wrong_arms_take_the_learning_time(n_arms, baseline, unit):
    starts = np.array([1e-9, 1e-3, 0.4])
    policy = np.column_stack([starts, *[(1 - starts) / (n_arms - 1)] * (n_arms - 1)])
    ends = np.array([0.5, 0.9, 0.999])
    found = escape_time("zero-price", policy, baseline, unit, p_end=ends)
    expected = geo.learning_time("zero-price", n_arms, ends, baseline, unit, p_start=starts)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_backward_passes_are_a_sum_of_logarithms_and_a_polynomial():
    """The closed form of the derivation, at the s of even odds of three arms."""
    y, a, c = CORNER[0], 0.9, 0.09
    low, high = 0.0, 100.0
    for _ in range(200):
        s = (low + high) / 2
        above = y * (1 + s * a) * (1 + s * c) > a / (1 + s * a) + c / (1 + s * c)
        low, high = (low, s) if above else (s, high)
    polynomial = y * (s + (a + c) * s**2 / 2 + a * c * s**3 / 3)
    expected = (np.log1p(s * a) + np.log1p(s * c) + polynomial) / 0.7
    assert escape_time("zero-price", [y, a, c], 0.3, "backward") == pytest.approx(expected, rel=1e-12)


def test_updates_by_the_kept_lie_between_backward_passes_and_samples():
    sizes = np.array([1, 10, 1e3, 1e12, np.inf])
    found = kept_updates(CORNER, 0.3, sizes)
    assert np.all(np.diff(found) <= 0)
    assert found[0] == pytest.approx(escape_time("zero-price", CORNER, 0.3), rel=1e-12)
    assert found[-1] == pytest.approx(escape_time("zero-price", CORNER, 0.3, "backward"), rel=1e-12)
    rare = kept_updates([1e-6, 1 - 1e-6], 0.3, [10, np.inf])
    assert rare[0] > 0.99 * escape_time("zero-price", [1e-6, 1 - 1e-6], 0.3) / 10  # linear again at r ≫ B
    assert rare[1] < 15


@pytest.mark.parametrize(("method", "baseline"), [("pg", "value"), ("zero-price", 0.3), ("zero-price", "value")])
def test_late_errors_are_those_of_the_flow(method, baseline):
    error = 1e-7 if baseline == 0.3 or method == "pg" else 1e-5
    policy = [0.2, 0.7, 0.1]
    time = escape_time(method, policy, baseline, p_end=1 - error)
    assert late_error(method, 3, time, baseline) == pytest.approx(error, rel=1e-3)


def test_dg_rests_where_both_contexts_push_alike():
    q, b, eta = 0.4, 0.5, 0.7
    p = float(shared_rest_point("dg", q, b, temperature=eta))
    pushes = []
    for success, share in ((p, 1 - q), (1 - p, q)):
        right, wrong = geo.dg_weights(success, 2, b, eta)
        pushes.append(share * success * (1 - success) * (right * (1 - b) + wrong * b))
    assert pushes[0] == pytest.approx(pushes[1], rel=1e-12)
    assert 0.5 < p < 1


def test_where_shared_logits_rest():
    q = np.array([0.1, 0.24, 0.26, 0.45])
    np.testing.assert_array_equal(shared_rest_point("pg", q, "value"), 1)
    np.testing.assert_array_equal(shared_rest_point("zero-price", q, 0.5), 1)
    np.testing.assert_array_equal(shared_rest_point("zero-price", q, "value"), 1 - q)
    for eta in (0.1, 1.0, 3.0):
        assert list(shared_rest_point("dg", q, 0.5, temperature=eta) < 1) == [False, False, True, True]
    cold = shared_rest_point("dg", 0.45, 0.5, temperature=[0.1, 1e-2, 1e-3, 1e-4])
    assert np.all(np.diff(cold) > 0)
    assert cold[-1] > 0.999


def test_bad_arguments_are_refused_by_name():
    for call, words in (
        (lambda: escape_time("dg", CORNER, 0.5), "method must be one of pg, zero-price"),
        (lambda: escape_time("pg", CORNER, 0.5, p_end=0.001), "p_end − the first arm of policy must be at least 0"),
        (lambda: escape_time("pg", [0.0, 1.0], 0.5), "the first arm of policy must be in"),
        (lambda: escape_time("zero-price", CORNER, 1.0), "baseline must be in"),
        (lambda: kept_updates(CORNER, 0.5, 0.5), "batch_size must be in"),
        (lambda: late_error("pg", 3, 0.0, 0.5), "time must be in"),
        (lambda: shared_rest_point("pg", 0.5, 0.5), "minority must be in"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
