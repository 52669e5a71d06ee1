"""A refused argument is named: for every public function of the closed forms, each argument in turn is no number."""

import inspect
import math

import numpy as np
import pytest
from theory_calls import BROADCAST, OTHERWISE, SCALARS

from kondo_theory import gambling, gate, moments, screening, token_trap
from kondo_theory.advantage import group_advantage
from kondo_theory.gambling import single_arm

CALLS = {
    gambling.dg_threshold: {"noise_ratio": 0.5, "temperature": 1.0},
    gambling.drift: {"x": 0.2, "noise_ratio": 0.5, "gate": "dg", "temperature": 1.0, "n_arms": 2},
    gambling.expected_path: {"speed": lambda x: 1.0, "x_start": 0.3, "learning_rate": 0.1, "n_steps": 3},
    gambling.false_positive_bound: {"x": 0.2, "noise_ratio": 0.5},
    gambling.false_positive_probability: {"x": 0.2, "noise_ratio": 0.5},
    gambling.fixed_point: {"noise_ratio": 0.5, "gate": "dg", "temperature": 1.0, "n_arms": 2},
    gambling.log_false_positive_probability: {"x": 0.2, "noise_ratio": 0.5},
    gambling.log_fixed_point: {"noise_ratio": 0.5, "gate": "dg", "temperature": 1.0, "n_arms": 2},
    gambling.log_small_noise_floor: {"noise_ratio": 0.5, "gate": "dg", "temperature": 1.0},
    moments.gradient_moments: {
        "policy": np.array([0.5, 0.3, 0.2]),
        "advantage": np.array([0.5, -0.5, -0.5]),
        "first": np.ones(3),
        "second": np.ones(3),
        "direction": np.array([0.5, -0.3, -0.2]),
        "kernel": np.eye(3),
        "behaviour": np.array([0.4, 0.3, 0.3]),
    },
    screening.additive_odds_limit: {"alpha": 0.5, "n_arms": 3, "reward_gap": 1.0},
    screening.kept_at_rate: {"policy": np.array([0.5, 0.5]), "score": np.array([1.0, 0.0]), "rate": 0.3},
    token_trap.critical_rate: {"vocab_size": 10, "n_tokens": 3, "gate": "token"},
    token_trap.critical_temperature: {"vocab_size": 10},
    token_trap.drift: {
        "p": 0.3,
        "n_tokens": 3,
        "vocab_size": 10,
        "rate": 0.1,
        "gate": "token",
        "temperature": 1.0,
        "rule": "delight",
    },
    token_trap.low_rates_stall: {"vocab_size": 10, "n_tokens": 3},
    token_trap.stall_point: {
        "rate": 0.1,
        "vocab_size": 10,
        "n_tokens": 3,
        "gate": "token",
        "temperature": 1.0,
        "rule": "delight",
        "start": 0.2,
    },
    token_trap.stalling_rates: {"vocab_size": 10, "n_tokens": 3, "gate": "token"},
    token_trap.stalling_temperatures: {"vocab_size": 10, "n_tokens": 3},
}
IGNORED = {(gambling.expected_path, "speed"), (screening.kept_at_rate, "score")}  # a callable; NaN scores have a test
CASES = [(function, name) for function, call in CALLS.items() for name in call if (function, name) not in IGNORED]


def test_every_function_is_called():
    for module in (gambling, moments, token_trap):
        functions = {value for name in module.__all__ if inspect.isfunction(value := getattr(module, name))}
        assert functions <= set(CALLS), module


@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_the_call_itself_is_allowed_with_every_argument(function):
    assert set(CALLS[function]) == set(inspect.signature(function).parameters)
    function(**CALLS[function])


@pytest.mark.parametrize(("function", "name"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_a_refused_argument_is_named(function, name):
    value = CALLS[function][name]
    bad = "no such" if isinstance(value, str) else np.full_like(value, np.nan) if np.ndim(value) else math.nan
    with pytest.raises((ValueError, TypeError), match=rf"^(the sum of )?(every )?{name}\b"):
        function(**CALLS[function] | {name: bad})


def test_no_argument_of_the_gate_hides_a_function_of_it():
    functions = [getattr(gate, name) for name in gate.__all__]
    arguments = {name for function in functions for name in inspect.signature(function).parameters}
    arguments |= inspect.signature(gate.Gate.__call__).parameters.keys()
    assert "score" in arguments
    assert not arguments & set(gate.__all__)


TWO = np.ones(2)
ARRAYS = {
    "advantage": [
        lambda bad: gate.delight(bad, TWO),
        lambda bad: screening.screen_context(TWO / 2, bad, "delight", 0.5),
    ],
    "surprisal": [lambda bad: gate.delight(TWO, bad)],
    "probability": [gate.sample_gate],
    "tie_breakers": [lambda bad: gate.select_exactly(TWO, 1, bad)],
    "score": [
        lambda bad: gate.gate_probability(bad, 0.0),
        lambda bad: gate.select(bad, 0.5),
        lambda bad: screening.kept_at_rate(TWO / 2, bad, 0.5),
    ],
    "reward": [lambda bad: group_advantage(bad, 1)],
    "groups": [lambda bad: group_advantage(TWO, bad)],
    "n_steps": [lambda bad: gambling.expected_path(lambda x: 1.0, 0.3, 0.1, bad)],
}


@pytest.mark.parametrize("bad", ["text", np.ma.masked_array([1.0, 2.0], mask=[False, True])], ids=["text", "masked"])
@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in ARRAYS.items() for call in calls])
def test_an_array_that_is_refused_is_named(name, call, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must "):
        call(bad)


def test_two_shapes_that_do_not_fit_are_named_and_shown():
    with pytest.raises(
        ValueError, match=r"^advantage and surprisal must have the same shape, got \(2,\) and \(2, 1\)$"
    ):
        gate.delight(TWO, TWO[:, None])
    with pytest.raises(ValueError, match=r"^tie_breakers must have the shape of score, got \(3,\) and \(2,\)$"):
        gate.select_exactly(TWO, 1, np.ones(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_start": 1.0}, r"^x_start must be in \(0, 1\), got 1\.0$"),
        ({"x_start": 0.0}, r"^x_start must be in \(0, 1\), got 0\.0$"),
        ({"x_start": 1.5}, r"^x_start must be in \(0, 1\), got 1\.5$"),
        ({"n_steps": -1}, r"^n_steps must be an integer ≥ 0, got -1\.0$"),
        ({"n_steps": 2.5}, r"^n_steps must be an integer ≥ 0, got 2\.5$"),
    ],
)
def test_the_expected_path_refuses_by_name_and_value(change, message):
    with pytest.raises(ValueError, match=message):
        gambling.expected_path(**CALLS[gambling.expected_path] | change)


def test_a_gate_that_the_drift_does_not_treat_is_not_taken_for_another(monkeypatch):
    monkeypatch.setattr(single_arm, "GATES", (*gambling.GATES, "new"))
    with pytest.raises(ValueError, match=r"^gate 'new' is not treated here: only zero-price, dg, pg$"):
        gambling.drift(0.1, 1.0, "new")


def test_brackets_that_are_none_are_a_slip_of_ours():
    from kondo_theory import _domain

    with pytest.raises(RuntimeError, match="brackets"):
        _domain.interval("x", 0.5, 0, 1, "X()X")


def test_the_expected_path_is_eulers_of_the_mean_update():
    """In log-odds of arm 2 a step is −2·lr·x(1−x)·f: against ẋ, whose factor x(1−x) is the slope of the logistic."""
    rate, start = 1e-3, 0.3
    path = gambling.expected_path(lambda x: x - 0.1, start, rate, 4)
    x, expected = start, []
    z = math.log(start / (1 - start))
    for _ in range(4):
        z -= 2 * rate * x * (1 - x) * (x - 0.1)
        x = 1 / (1 + math.exp(-z))
        expected.append(z)
    np.testing.assert_allclose(path, expected, rtol=1e-13)
    assert gambling.expected_path(lambda x: 1.0, start, rate, 0).shape == (0,)


HALVES = [
    (function, name, call)
    for function, call in [*BROADCAST.items(), *OTHERWISE, *SCALARS.items()]
    for name, value in call.items()
    if all(type(each) is int for each in (value if isinstance(value, tuple) else (value,)))
]


@pytest.mark.parametrize(("function", "name", "call"), HALVES, ids=lambda case: getattr(case, "__name__", None))
def test_two_and_a_half_is_never_taken_for_two(function, name, call):
    """A count with a half is refused by name, or the formula has a value between those of whole counts."""
    call = {key: value[0] if isinstance(value, tuple) else value for key, value in call.items()}
    try:
        found, said = function(**call | {name: call[name] + 0.5}), None
    except ValueError as error:
        found, said = None, str(error)
    if said is None:
        assert not np.array_equal(found, function(**call))
    else:
        assert f"{name} must be an integer" in said
