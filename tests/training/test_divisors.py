"""What a screened step divides its sum by: the batch, or how many were kept."""

from dataclasses import replace

import pytest
import torch

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep, Screening
from simulations.networks.mlp import PolicyMLP

SIZES, SIZE = (12, 16, 5), 64
GATES = (Gate(rate=0.03), Gate(rate=0.3), Gate(rate=1.0), Gate(price=0.0), Gate(price=0.1, temperature=0.5), None)


def policy():
    return PolicyMLP(SIZES, seed=0).to(torch.float64)


def batch():
    """Observations, the actions of a screening from elsewhere, and advantages of both signs."""
    generator = torch.Generator().manual_seed(1)
    observations = torch.randn(SIZE, SIZES[0], generator=generator, dtype=torch.float64)
    screening = Screening(
        torch.randint(SIZES[-1], (SIZE,), generator=generator), torch.linspace(0.1, 2, SIZE).double()
    )
    return observations, screening, torch.where(torch.arange(SIZE) % 3 == 0, 0.7, -0.3).double()


def masked_gradients(coefficient, divisor):
    """The reference: backpropagate the whole batch with dropped samples multiplied by zero."""
    whole, (observations, screening, _) = policy(), batch()
    log_prob = whole(observations).log_softmax(-1)[torch.arange(SIZE), screening.actions]
    (-(coefficient * log_prob).sum() / divisor).backward()
    return [parameter.grad for parameter in whole.parameters()]


def step_of(gate, **options):
    own = policy()
    sgd = torch.optim.SGD(own.parameters(), lr=0.1)
    return ScreenedStep(own, sgd, gate, generator=torch.Generator().manual_seed(3), **options)


def updated(gate, *, weight=None, **options):
    """Gradients of one update, the mask of the kept, and the parameters after it."""
    step = step_of(gate, **options)
    keep = step.update(*batch(), weight=weight)
    return [each.grad for each in step.policy.parameters()], keep, [*step.policy.parameters()]


def near(found, expected):
    difference, size = (sum(float(each.square().sum()) for each in all_of) for all_of in (
        [one - other for one, other in zip(found, expected, strict=True)], expected))  # fmt: skip
    return difference < 1e-20 * size


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_it_is_the_masked_full_batch_divided_by_the_kept(gate):
    found, keep, _ = updated(gate, normalise="kept")
    coefficient = keep * batch()[2]
    assert near(found, masked_gradients(coefficient, int(keep.sum())))
    if not keep.all():
        assert not near(found, masked_gradients(coefficient, SIZE)), "a negative control"


@pytest.mark.parametrize("gate", [Gate(rate=0.3), Gate(price=0.0), None], ids=str)
def test_the_batch_is_the_divisor_unless_another_is_asked_for(gate):
    plain, named = updated(gate), updated(gate, normalise="batch")
    for one, other in zip(plain, named, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert near(plain[0], masked_gradients(plain[1] * batch()[2], SIZE))


@pytest.mark.parametrize("gate", [Gate(price=1e6), None], ids=["closed", "nothing valid"])
def test_where_nothing_is_kept_nothing_moves(gate):
    options = {"check": False, "weight": torch.full((SIZE,), torch.nan).double()} if gate is None else {}
    found, keep, after = updated(gate, normalise="kept", **options)
    assert not keep.any()
    assert all(each.count_nonzero() == 0 for each in found)
    assert all(torch.equal(one, other) for one, other in zip(after, policy().parameters(), strict=True))


def test_parts_of_a_batch_accumulate_by_their_shares_of_the_kept():
    observations, screening, advantage = batch()
    step = step_of(Gate(price=0.0), normalise="kept")
    parts = []
    for rows in (slice(0, 20), slice(20, SIZE)):
        part = Screening(screening.actions[rows], screening.surprisal[rows])
        parts.append((observations[rows], part, advantage[rows], step.select(part, advantage[rows])))
    kept = sum(int(selection.n_kept) for *_, selection in parts)
    for *part, selection in parts:
        step.backward(*part, selection, scale=int(selection.n_kept) / kept)
    found = [each.grad for each in step.policy.parameters()]
    assert near(found, masked_gradients(advantage.clamp(min=0), kept))


@pytest.mark.parametrize("normalise", ["batch", "kept"])
def test_parts_of_one_selection_accumulate_by_their_shares(normalise):
    """One gate for the whole batch; each part has its own rows of what it keeps."""
    observations, screening, advantage = batch()
    step = step_of(Gate(rate=0.3), normalise=normalise)
    whole = step.select(screening, advantage)
    for rows in (slice(0, 20), slice(20, SIZE)):
        part, keep = Screening(screening.actions[rows], screening.surprisal[rows]), whole.keep[rows]
        share = {"batch": len(keep) / SIZE, "kept": int(keep.sum()) / int(whole.n_kept)}[normalise]
        step.backward(observations[rows], part, advantage[rows], replace(whole, keep=keep), scale=share)
    found = [each.grad for each in step.policy.parameters()]
    divisor = SIZE if normalise == "batch" else int(whole.n_kept)
    assert near(found, masked_gradients(whole.keep * advantage, divisor))


def test_an_unknown_divisor_is_refused_by_name():
    with pytest.raises(ValueError, match="normalise must be one of batch, kept, got 'rows'"):
        step_of(Gate(rate=0.3), normalise="rows")
