"""A large batch on a CPU is gated in parts: the same mask and the same random numbers as the plain definition."""

import math
import tracemalloc

import array_api_compat as api
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from kondo_theory import gate
from kondo_theory._arrays import settled
from kondo_theory.gate import order, selection

MANY = order.LARGE + 3
NUMBERS = [math.nan, -math.inf, -1.0, -0.0, 0.0, 0.5, 0.5, 2.0, math.inf]
DTYPES = {
    "float16": lambda values: values.astype(np.float16),
    "float32": lambda values: values.astype(np.float32),
    "float64": lambda values: values,
    "torch float16": lambda values: torch.from_numpy(values).half(),
    "torch bfloat16": lambda values: torch.from_numpy(values).bfloat16(),
    "torch float32": lambda values: torch.from_numpy(values).float(),
    "torch float64": torch.from_numpy,
}


@pytest.fixture
def small_is_large(monkeypatch):
    """Go through batches and stacks of more than eight in parts of five."""
    for module in (order, selection):
        monkeypatch.setattr(module, "LARGE", 8)
        monkeypatch.setattr(module, "PART", 5)


def plainly(scores, n_kept, tie_breakers, mask=None):
    """The definition, in one piece."""
    xp = api.array_namespace(scores)
    scores, _ = settled(scores, False, mask)
    rows, ranks = xp.reshape(scores, (-1, scores.shape[-1])), np.broadcast_to(n_kept, (*scores.shape[:-1], 1)).ravel()
    ties = xp.reshape(tie_breakers, rows.shape)
    kept = [
        selection._keep_top(xp, row, int(k), tied, look=False) if k else row != row
        for row, k, tied in zip(rows, ranks, ties, strict=True)
    ]
    return xp.reshape(xp.stack(kept), scores.shape)


def like(scores, values):
    return torch.from_numpy(values) if isinstance(scores, torch.Tensor) else values


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(data=st.data())
def test_in_parts_is_the_definition(small_is_large, dtype, data):
    """Ties, both zeros, infinities, NaN; k from 1 to B; single batches and stacks, of long rows and of short ones."""
    shape = data.draw(st.sampled_from([(9,), (23,), (40,), (3, 12), (2, 2, 9), (30, 1), (6, 7), (2, 3, 4)]))
    size = math.prod(shape)
    scores = np.array(data.draw(st.lists(st.sampled_from(NUMBERS), min_size=size, max_size=size))).reshape(shape)
    ties = np.array(
        data.draw(st.lists(st.sampled_from([math.nan, 0.0, 0.25, 0.5, 0.75]), min_size=size, max_size=size))
    ).reshape(shape)
    scores = DTYPES[dtype](scores)
    ties, mask = (
        like(scores, ties),
        like(scores, np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(shape)),
    )
    n_kept = data.draw(st.integers(1, shape[-1]))
    assert order.worth_parts(api.array_namespace(scores), scores)
    for valid in (None, mask):
        found = gate.select_exactly(scores, n_kept, ties, check=False, mask=valid)
        assert_array_equal(found, plainly(scores, n_kept, ties, valid), strict=True)
    rate = n_kept / shape[-1]
    n_valid = np.asarray(mask).sum(-1, keepdims=True)
    counts = np.array([gate.kept_count(rate, int(n)) if n else 0 for n in n_valid.ravel()]).reshape(n_valid.shape)
    found = gate.select(scores, rate, ties, check=False, mask=mask)
    assert_array_equal(found, plainly(scores, counts, ties, mask), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(data=st.data())
def test_the_kth_largest_of_many_is_the_librarys(small_is_large, dtype, data):
    values = data.draw(st.lists(st.sampled_from(NUMBERS[1:]), min_size=9, max_size=60))
    values = DTYPES[dtype](np.array(values))
    xp = api.array_namespace(values)
    for k in {1, 2, data.draw(st.integers(1, len(values))), len(values) - 1, len(values)}:
        expected = order.by_library(xp, values, k)
        for rank in (k, xp.asarray([k])):
            found = order.kth_largest(xp, values, rank)
            assert found.dtype == values.dtype
            assert tuple(found.shape) == (1,)
            assert found == expected


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize(
    "bracket", [(-2.0, -1.5), (1.5, 2.0), (0.0, 0.0), (math.inf, math.inf), (-math.inf, math.inf)]
)
def test_a_bracket_that_misses_costs_time_alone(small_is_large, monkeypatch, as_array, bracket):
    values = as_array(np.random.default_rng(0).standard_normal(99).round(1))
    xp = api.array_namespace(values)
    monkeypatch.setattr(order, "_bracket", lambda values, k: tuple(np.array([end]) for end in bracket))
    falling = np.sort(np.asarray(values))[::-1]
    found = [float(order.kth_largest(xp, values, k)[0]) for k in range(1, 100)]
    assert_array_equal(found, falling)


def generators(scores):
    if isinstance(scores, torch.Tensor):
        generator = torch.Generator().manual_seed(1)
        return generator, lambda: torch.rand(scores.shape, generator=generator, dtype=torch.float64)
    rng = np.random.default_rng(1)
    return rng, lambda: rng.random(scores.shape)


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("shape", [(MANY,), (MANY // 100 + 1, 100)])
@pytest.mark.parametrize("decimals", [7, 1])
def test_the_random_numbers_are_those_of_the_batch_in_one_piece(as_array, shape, decimals):
    """At the size from which parts are taken: one number a sample, in order, whether or not there are ties."""
    scores = as_array(np.random.default_rng(0).standard_normal(shape, dtype=np.float32).round(decimals))
    xp, n_kept = api.array_namespace(scores), gate.kept_count(0.03, shape[-1])
    generator, _ = generators(scores)
    kept = gate.select(scores, 0.03, generator)
    again, draw = generators(scores)
    expected = selection._keep_top(xp, scores, n_kept, draw(), look=True)
    assert_array_equal(kept, expected)
    assert_array_equal(xp.count_nonzero(kept, axis=-1), n_kept)
    if isinstance(again, torch.Generator):
        assert torch.equal(generator.get_state(), again.get_state())
    else:
        assert generator.bit_generator.state == again.bit_generator.state
    if decimals == 1:
        assert not np.array_equal(kept, gate.select(scores, 0.03, generator)), "negative control: other numbers"


def peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("decimals", [7, 1])
def test_what_is_held_is_less_than_the_scores(decimals):
    scores = np.random.default_rng(0).standard_normal(4 * MANY, dtype=np.float32).round(decimals)
    rng = np.random.default_rng(1)
    assert peak(lambda: gate.select(scores, 0.03, rng)) < scores.nbytes
    assert peak(lambda: gate.quantile_price(scores, 0.03)) < scores.nbytes
    plain = peak(lambda: selection._keep_top(np, scores, 100_000, rng.random(scores.shape), look=True))
    assert plain > 3 * scores.nbytes, "negative control: in one piece"


def test_the_bracket_holds_few_of_the_values(monkeypatch):
    sizes, by_library = [], order.by_library
    monkeypatch.setattr(
        order, "by_library", lambda xp, values, k: sizes.append(len(values)) or by_library(xp, values, k)
    )
    values = np.random.default_rng(0).standard_normal(MANY, dtype=np.float32)
    for arranged in (values, np.sort(values), np.sort(values)[::-1]):
        for k in (1, 1_000, MANY // 2, MANY - 1_000, MANY):
            assert order.kth_largest(np, arranged, k) == by_library(np, values, k)
    assert len(sizes) == 15
    assert max(sizes) < 0.08 * MANY


def test_only_many_numbers_on_a_cpu_are_gone_through_in_parts(monkeypatch):
    """A graph that is being traced has no values to read, and a GPU waits for those that it is asked for."""
    many = torch.zeros(MANY)
    xp = api.array_namespace(many)
    assert order.worth_parts(xp, many)
    assert order.worth_parts(np, np.zeros((MANY, 1)))
    assert not order.worth_parts(xp, many[: order.LARGE])
    assert not order.worth_parts(xp, many.to("meta"))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not order.worth_parts(xp, many)
