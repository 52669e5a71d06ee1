"""The functions of the theory broadcast over arrays, or say that they do not and refuse them by name."""

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from theory_calls import BROADCAST, INNER, OTHERWISE, SCALARS, SHAPES_OF_THEIR_OWN, SLOW

CALLS = [*BROADCAST.items(), *OTHERWISE]
ROOMS = (
    "approximate",
    "contexts",
    "cost",
    "estimators",
    "gambling",
    "geometry",
    "moments",
    "off_policy",
    "screening",
    "token_trap",
)


def functions(module):
    return {value for name in module.__all__ if inspect.isfunction(value := getattr(module, name))}


def name_of(function):
    return f"{function.__module__.removeprefix('kondo_theory.')}.{function.__name__}"


def label(value):
    return value if isinstance(value, str) else value.get("gate", "") if isinstance(value, dict) else name_of(value)


def parts(answer):
    """The arrays of an answer, whatever they come in."""
    if is_dataclass(answer):
        return [part for field in fields(answer) for part in parts(getattr(answer, field.name))]
    if isinstance(answer, tuple):
        return [part for each in answer for part in parts(each)]
    return [np.asarray(np.nan if answer is None else answer)]


def value_at(value, place):
    """The value of an argument at a place, or the values at an array of places."""
    return np.stack(value)[place] if isinstance(value, tuple) else value


def value_of(value, place):
    """The value of an argument at one place, as it was written."""
    return value[place] if isinstance(value, tuple) else value


def compare(function, call, places, shape):
    """Compare a call on arrays, by their places in the values of each argument, with the calls of their elements."""
    found = parts(function(**{name: value_at(value, places.get(name, 0)) for name, value in call.items()}))
    for at in np.ndindex(shape):
        of = {name: int(np.broadcast_to(place, shape)[at]) for name, place in places.items()}
        element = {name: value_of(value, of.get(name, 0)) for name, value in call.items()}
        for whole, one in zip(found, parts(function(**element)), strict=True):
            assert whole.shape[: len(shape)] == shape, f"{whole.shape} of {shape}"
            np.testing.assert_allclose(whole[at], one, rtol=1e-10, atol=1e-14)


def broadcast_names(call):
    return [name for name, value in call.items() if isinstance(value, tuple)]


@pytest.mark.parametrize(("function", "call"), CALLS, ids=label)
def test_arrays_in_all_arguments_give_what_their_elements_give(function, call):
    places = [np.array([0, 2])] * 2 if function in SLOW else [np.array([[0], [1]]), np.array([2, 0, 1])]
    arrays = {name: places[i % 2] for i, name in enumerate(broadcast_names(call))}
    if arrays:
        compare(function, call, arrays, np.broadcast_shapes(*(place.shape for place in arrays.values())))


@pytest.mark.parametrize(
    ("function", "call", "name"),
    [(function, call, name) for function, call in CALLS if function not in SLOW for name in broadcast_names(call)],
    ids=label,
)
def test_an_array_in_one_argument_gives_what_its_elements_give(function, call, name):
    compare(function, call, {name: np.array([0, 2])}, (2,))


@pytest.mark.parametrize(
    ("function", "name"),
    [(function, name) for function, call in SCALARS.items() for name in broadcast_names(call)],
    ids=label,
)
def test_an_array_where_scalars_alone_are_allowed_is_refused_by_name(function, name):
    call = {key: value[0] if isinstance(value, tuple) else value for key, value in SCALARS[function].items()}
    function(**call)
    message = rf"^{name} must be a scalar, got an array of shape \(2,\)$"
    for value in ([call[name]] * 2, np.full(2, call[name])):
        with pytest.raises(TypeError, match=message):
            function(**call | {name: value})
    said = " ".join(function.__doc__.lower().split())
    assert "scalars only" in said or "scalar only" in said


def test_every_public_function_has_declared_itself():
    listed = set(BROADCAST) | set(SCALARS) | set(SHAPES_OF_THEIR_OWN)
    found = set()
    for room in ROOMS:
        package = importlib.import_module(f"kondo_theory.{room}")
        names = [each.name for each in pkgutil.iter_modules(getattr(package, "__path__", []), f"{package.__name__}.")]
        modules = [package, *(importlib.import_module(name) for name in names if not name.endswith("__main__"))]
        found |= {function for module in modules if module not in INNER for function in functions(module)}
    assert found == listed, {name_of(function) for function in found ^ listed}
    for function, words in SHAPES_OF_THEIR_OWN.items():
        assert words in function.__doc__
    for module in INNER:
        for function in functions(module):
            assert any(words in function.__doc__ for words in ("(P,", "calar", "integers")), name_of(function)


def test_negative_control_a_wrong_element_is_found():
    def shifted(x):
        return np.asarray(x) + (np.ndim(x) > 0)

    def flattened(x, y):
        return np.sum(np.asarray(x) + y)

    with pytest.raises(AssertionError):
        compare(shifted, {"x": (1.0, 2.0, 3.0)}, {"x": np.array([0, 2])}, (2,))
    with pytest.raises(AssertionError):
        compare(flattened, {"x": (1.0, 2.0, 3.0), "y": 1.0}, {"x": np.array([0, 2])}, (2,))
