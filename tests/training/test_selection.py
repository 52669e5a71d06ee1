"""Selection, the pure part of every gated step: against the gate itself, batch by batch, and what it counts."""

import math
from dataclasses import replace

import pytest
import torch
from waiting import Waits

from kondo_theory.gate import Gate, kept_count
from kondo_theory.training import Selection, select_samples

HARD = (Gate(rate=0.1), Gate(rate=1.0), Gate(price=0.2), Gate(price=-math.inf), Gate(price=math.inf))
SOFT = (Gate(price=0.1, temperature=0.5), Gate(rate=0.3, temperature=0.5))
each_gate = pytest.mark.parametrize("gate", [None, *HARD, *SOFT], ids=str)
S, B = 3, 50


def scores(seed=0):
    """Scores with many ties, (S, B)."""
    return torch.randn(S, B, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).round(decimals=1)


def uniforms():
    return torch.rand(S, B, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def masks():
    """Of 10, 20 and 50 valid samples."""
    return torch.arange(B) < torch.tensor([[10], [20], [B]])


@pytest.mark.parametrize("mask", [None, masks()], ids=["all", "masked"])
@pytest.mark.parametrize("gate", [*HARD, *SOFT], ids=str)
def test_it_keeps_what_the_gate_keeps_by_a_generator_or_by_its_numbers(gate, mask):
    expected = gate(scores(), torch.Generator().manual_seed(1), mask=mask)
    for rng in (torch.Generator().manual_seed(1), uniforms()):
        assert torch.equal(select_samples(scores(), gate, rng, mask=mask).keep, expected)


@pytest.mark.parametrize("gate", [Gate(rate=0.3), *SOFT], ids=str)
def test_negative_control_other_numbers_keep_others(gate):
    expected = gate(scores(), torch.Generator().manual_seed(1))
    assert not torch.equal(select_samples(scores(), gate, 1 - uniforms()).keep, expected)


@each_gate
def test_batches_side_by_side_are_each_its_own(gate):
    together = select_samples(scores(), gate, uniforms(), mask=masks())
    for place in range(S):
        alone = select_samples(scores()[place], gate, uniforms()[place], mask=masks()[place])
        assert torch.equal(together.keep[place], alone.keep)
        assert [together.n_valid[place], together.n_kept[place]] == [alone.n_valid, alone.n_kept]
        if gate is not None and gate.rate is not None:
            assert together.price[place] == alone.price


@each_gate
def test_what_is_no_number_is_never_kept_and_counted_but_padding_is_not(gate):
    score, coefficient = scores(), torch.ones(S, B, dtype=torch.float64)
    score[:, 3], score[:, 30], coefficient[:, 5] = math.nan, math.nan, math.inf
    selection = select_samples(score, gate, uniforms(), coefficient=coefficient, mask=masks(), check=False)
    assert not selection.keep[:, [3, 5, 30]].any()
    assert not selection.keep[~masks()].any()
    assert selection.n_invalid.tolist() == [2, 2, 3]
    assert selection.n_valid.tolist() == [10, 20, B]
    assert torch.equal(selection.n_kept, selection.keep.sum(-1))
    if gate is None:
        assert selection.n_kept.tolist() == [8, 18, B - 3]
    clean = select_samples(scores(), gate, uniforms(), mask=masks())
    assert clean.n_invalid.tolist() == [0, 0, 0], "negative control"
    assert gate == Gate(price=math.inf) or clean.keep.sum() > 0


@pytest.mark.parametrize("rate", [0.03, 0.29, 0.7, 1.0])
def test_the_number_kept_is_k_of_the_valid_or_all_that_are_eligible(rate):
    score = scores().masked_fill(torch.arange(B) % 5 > 0, -math.inf)  # a fifth are eligible
    selection = select_samples(score, Gate(rate=rate), uniforms(), mask=masks())
    eligible = [2, 4, 10]
    for kept, n_valid, most in zip(selection.n_kept.tolist(), (10, 20, B), eligible, strict=True):
        assert kept == min(kept_count(rate, n_valid), most)


def test_rows_are_in_order_and_padded_where_batches_are_side_by_side():
    keep = torch.tensor([[0, 1, 0, 1, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    numbers = torch.where(keep, 1.0, -1.0)
    selection = select_samples(numbers, Gate(price=0.0))
    rows, present = selection.padded_rows(3)
    assert [row[mask].tolist() for row, mask in zip(rows, present, strict=True)] == [[1, 3, 4], [0], []]
    assert rows.max() < 5
    assert [tuple(each.shape) for each in select_samples(numbers[2:], Gate(price=0.0)).padded_rows(0)] == [(1, 0)] * 2
    with pytest.raises(ValueError, match=r"rows must be of one batch, got \(3,\) batches side by side"):
        _ = selection.rows
    single = select_samples(numbers[0], Gate(price=0.0))
    assert single.rows.tolist() == [1, 3, 4]
    assert replace(single, keep=keep.T).rows.tolist() == [0, 1, 3, 4], "spread over what the rows are made of"


def test_the_price_separates_what_is_kept():
    score = torch.randperm(S * B, generator=torch.Generator().manual_seed(0)).view(S, B).double()  # no ties
    selection = select_samples(score, Gate(rate=0.1), mask=masks())
    assert torch.equal(selection.keep, masks() & (score > selection.price[:, None]))
    assert not torch.equal(selection.keep, masks() & (score >= selection.price[:, None])), "negative control"
    assert select_samples(score, None).price is None
    assert select_samples(score, Gate(price=0.3)).price == 0.3
    soft = Gate(rate=0.1, temperature=5.0)
    opened = ((score - select_samples(score, soft).price[:, None]) / 5.0).sigmoid().mean(-1)
    torch.testing.assert_close(opened, torch.full((S,), 0.1, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("mask", [None, masks()], ids=["all", "masked"])
@each_gate
def test_nothing_waits_without_check(gate, mask):
    score = scores()
    score[0, 0] = math.nan
    with Waits() as spy:
        selection = select_samples(score, gate, uniforms(), coefficient=score, mask=mask, check=False)
        selection.padded_rows(B)
        _ = selection.price
    assert spy.seen == []
    single = select_samples(score[1], gate, uniforms()[1], check=False)
    with Waits() as spy:
        _ = single.rows, single.rows
    assert spy.seen == ["nonzero"], "looked for once"


def test_a_gate_opens_as_often_as_its_probability():
    score = torch.full((1, 40_000), 0.3, dtype=torch.float64)
    numbers = torch.rand(1, 40_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    p = 1 / (1 + math.exp(-0.2 / 0.5))
    opened = float(select_samples(score, Gate(price=0.1, temperature=0.5), numbers).n_kept) / 40_000
    error = math.sqrt(p * (1 - p) / 40_000)
    assert abs(opened - p) < 4 * error
    assert abs(opened - 0.5) > 4 * error, "negative control"


def test_no_gradient_flows_through_a_selection():
    score = scores().requires_grad_()
    selection = select_samples(score, Gate(rate=0.1), uniforms(), coefficient=score)
    assert isinstance(selection, Selection)
    assert not selection.score.requires_grad


def test_it_reads_in_one_line():
    single = select_samples(scores()[0], Gate(rate=0.1), mask=masks()[1])
    assert repr(single) == f"Selection(keep=(50,), n_valid=20, n_kept=2, n_invalid=0, gate={single.gate!r})"
    side_by_side = repr(select_samples(scores(), None))
    assert side_by_side == "Selection(keep=(3, 50), n_valid=(3,), n_kept=(3,), n_invalid=(3,))"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: select_samples(scores(), Gate(rate=0.1), uniforms()[0]),
            ValueError,
            r"rng must be .* got \(50,\) and",
        ),
        (
            lambda: select_samples(scores(), Gate(rate=0.1), "dice"),
            TypeError,
            "rng must be a torch.Generator .* got str",
        ),
        (lambda: select_samples(scores(), None, mask=scores()), TypeError, "mask must be boolean"),
        (lambda: select_samples(scores(), Gate(rate=0.1), mask=masks()[:2]), ValueError, "mask must have the shape"),
        (lambda: select_samples(scores()[:, :0], Gate(rate=0.1)), ValueError, "at least one sample"),
        (lambda: select_samples(scores().long(), Gate(rate=0.1)), TypeError, "must have a real floating dtype"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
