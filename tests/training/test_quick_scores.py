"""Delight and selection by fewer operations say what their definitions say, and take the same random numbers."""

import math

import pytest
import torch

from kondo_theory.gate import Gate, delight
from kondo_theory.training import StreamingGate, select_samples
from kondo_theory.training.policies import draw
from kondo_theory.training.quick import scores
from kondo_theory.training.quick.scores import quick_delight, quick_selection

GATES = [
    Gate(rate=0.03), Gate(rate=0.3), Gate(rate=1.0), Gate(price=0.0), Gate(price=-math.inf), Gate(price=0.3),
    Gate(price=0.1, temperature=0.5), Gate(rate=0.3, temperature=0.5), None,
]  # fmt: skip
SHAPES = [(1,), (2,), (50,), (3, 50)]


def spoiled(kind, shape, dtype):
    """Scores and coefficients of a kind."""
    generator = torch.Generator().manual_seed(len(kind))
    score = torch.randn(shape, generator=generator, dtype=dtype)
    coefficient = torch.randn(shape, generator=generator, dtype=dtype)
    if kind == "ties":
        score = score.round()
    elif kind == "all equal":
        score.zero_()
    elif kind == "mostly ruled out":
        score[..., 1:] = -math.inf
    elif kind == "no number":
        score[..., 0] = math.nan
    elif kind == "infinite":
        score[..., 0] = math.inf
    elif kind == "infinite coefficient":
        coefficient[..., 0], coefficient[..., -1] = math.inf, math.nan
    return score, coefficient


KINDS = ("plain", "ties", "all equal", "mostly ruled out", "no number", "infinite", "infinite coefficient")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("gate", GATES, ids=str)
def test_a_quick_selection_is_the_selection(gate, shape):
    for kind in KINDS:
        for dtype in (torch.float32, torch.float64):
            score, coefficient = spoiled(kind, shape, dtype)
            for given in (coefficient, None):
                mine, reference = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
                found = quick_selection(score, gate, mine, coefficient=given, check=False)
                expected = select_samples(score, gate, reference, coefficient=given, check=False)
                assert torch.equal(mine.get_state(), reference.get_state()), kind
                for name in ("keep", "n_valid", "n_kept", "n_invalid", "score"):
                    own, other = getattr(found, name), getattr(expected, name)
                    assert (own.dtype, own.shape) == (other.dtype, other.shape), (kind, name)
                    assert torch.equal(own, other), (kind, name)
                width = int(found.n_kept.amax())
                assert all(map(torch.equal, found.padded_rows(width), expected.padded_rows(width)))


def test_given_numbers_break_ties_as_they_do_in_the_definition():
    score, uniforms = spoiled("ties", (4, 60), torch.float64)[0], torch.rand(4, 60, dtype=torch.float64)
    for values in (score, score + 1e-3 * uniforms):
        found, expected = (each(values, Gate(rate=0.1), uniforms) for each in (quick_selection, select_samples))
        assert torch.equal(found.keep, expected.keep)
    with pytest.raises(ValueError, match="rng must be a generator or uniform numbers of the shape"):
        quick_selection(score, Gate(rate=0.1), uniforms[:, :3])


def test_a_streaming_gate_remembers_the_same():
    gates = StreamingGate(0.1, 30), StreamingGate(0.1, 30)
    for update in range(4):
        score = torch.randn(20, generator=torch.Generator().manual_seed(update), dtype=torch.float64)
        keeps = [
            select(score, gate, torch.Generator().manual_seed(2), coefficient=score).keep
            for select, gate in zip((quick_selection, select_samples), gates, strict=True)
        ]
        assert torch.equal(*keeps)


def test_negative_control_a_quick_selection_that_ignores_ties_is_noticed(monkeypatch):
    asked = []
    monkeypatch.setattr(scores, "select_samples", lambda *given, **options: asked.append(given))
    quick_selection(spoiled("all equal", (50,), torch.float64)[0], Gate(rate=0.3))
    assert len(asked) == 1
    quick_selection(spoiled("plain", (50,), torch.float64)[0], Gate(rate=0.3))
    assert len(asked) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_quick_delight_is_delight(dtype):
    most, least = torch.finfo(dtype).max, torch.finfo(dtype).tiny
    special = torch.tensor([0.0, -0.0, 1.0, -1.0, most, -most, least, -least, math.nan, math.inf, -math.inf])
    one, other = (each.to(dtype).flatten() for each in torch.meshgrid(special, special, indexing="ij"))
    ordinary = torch.randn(50, generator=torch.Generator().manual_seed(0)).to(dtype)
    for pair in ((one, other), (ordinary, ordinary.abs() + 1), (ordinary, ordinary.double().abs())):
        found, expected = quick_delight(*pair), delight(*pair, check=False)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    finite = one.isfinite() & other.isfinite() & (one != 0) & (other != 0) & (other.abs() >= 1)
    pair = one[finite], other[finite]
    torch.testing.assert_close(quick_delight(*pair), delight(*pair, check=False), rtol=0, atol=0)


def test_quick_draws_are_the_draws():
    log_policy = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    log_policy[:, 3] = -math.inf
    mine, reference = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for _ in range(3):
        assert torch.equal(draw(log_policy, mine, quick=True), draw(log_policy, reference))
    assert torch.equal(mine.get_state(), reference.get_state())
