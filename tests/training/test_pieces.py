"""``select``, ``backward``, ``step`` one by one, and what fits between: clipping, scaling, sums, further losses."""

import math

import pytest
import torch
from steps import ONE_POLICY, N, Screened, Sequence
from test_steps import GATES, TWO_PASSES, assert_same, copies, gradients
from torch.nn.utils import clip_grad_norm_

from kondo_theory.gate import Gate
from kondo_theory.training import Screening

EMPTY = Gate(price=1e9)
each_step = pytest.mark.parametrize("kind", ONE_POLICY, ids=lambda kind: kind.__name__)
each_gate = pytest.mark.parametrize("gate", [*GATES, EMPTY], ids=str)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def distance(found, expected):
    """The largest difference of two sets of gradients over the largest entry."""
    largest = max(float(each.abs().max()) for each in expected.values())
    return max(float((found[name] - each).abs().max()) for name, each in expected.items()) / largest


def masked_gradient(driver, advantage, keep, further=None):
    """The reference: backpropagate the whole batch, dropped units multiplied by zero, and a further loss."""
    parameters = driver.parameters()
    loss = driver.masked_loss(advantage, keep)
    found = torch.autograd.grad(loss if further is None else loss + further(driver), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def backward(driver, advantage, **options):
    selection = driver.select(advantage)
    driver.backward(advantage, selection, **options)
    return selection.keep


@each_gate
@each_step
def test_an_update_is_its_pieces_one_by_one(kind, gate):
    whole, pieces = kind(gate, optimizer=adam), kind(gate, optimizer=adam)
    for _ in range(3):
        keep = whole.update(whole.screen())
        advantage = pieces.screen()
        pieces.step.optimizer.zero_grad()
        selection = pieces.select(advantage)
        pieces.backward(advantage, selection)
        pieces.step.step()
        assert torch.equal(selection.keep.view(N, -1).any(1), keep)
        assert_same(gradients(pieces), gradients(whole))
        assert_same(copies(pieces), copies(whole))
    assert repr(pieces.step.counts) == repr(whole.step.counts)


@pytest.mark.parametrize("gate", [None, *TWO_PASSES], ids=str)
@each_step
def test_clipping_between_clips_the_masked_full_batch(kind, gate):
    driver = kind(gate)
    advantage, before = driver.screen(), copies(driver)
    keep = backward(driver, advantage)
    expected = masked_gradient(driver, advantage, keep)
    norm = math.sqrt(sum(float(each.square().sum()) for each in expected.values()))
    found = clip_grad_norm_(driver.policy.parameters(), norm / 3)
    assert float(found) == pytest.approx(norm, rel=1e-10)
    driver.step.step()
    for name, parameter in driver.parameters().items():
        taken = (before[name] - parameter.detach()) / 0.1
        torch.testing.assert_close(taken, expected[name] / 3, rtol=1e-5, atol=1e-8)
    assert norm > 1e-3, "negative control: there was something to clip"


@pytest.mark.parametrize("gate", [None, Gate(price=0.0), Gate(price=-1e9)], ids=str)
@each_step
def test_two_halves_accumulate_to_the_full_batch(kind, gate):
    found = []
    for scale in (0.5, 1.0):
        driver = kind(gate)
        advantage, keeps = driver.screen(), []
        for units in (slice(0, N // 2), slice(N // 2, N)):
            keeps.append(backward(driver.part(units), advantage[units], scale=scale))
        found.append(gradients(driver))
    expected = masked_gradient(driver, advantage, torch.cat(keeps))
    assert distance(found[0], expected) < 1e-10
    assert distance(found[1], expected) > 0.5, "negative control: without the scale it is twice as long"


@each_step
def test_halves_of_a_batch_with_nothing_kept_in_one_accumulate_too(kind):
    driver = kind(Gate(price=0.0))
    advantage = driver.screen()
    advantage[: N // 2] = -advantage[: N // 2].abs() - 0.1
    keeps = [
        backward(driver.part(units), advantage[units], scale=0.5) for units in (slice(N // 2, N), slice(0, N // 2))
    ]
    assert keeps[0].any()
    assert not keeps[1].any()
    assert distance(gradients(driver), masked_gradient(driver, advantage, torch.cat(keeps[::-1]))) < 1e-10


@pytest.mark.parametrize("gate", [None, *TWO_PASSES, EMPTY], ids=str)
@each_step
def test_a_gradient_scaler_fits(kind, gate):
    plain, scaled = kind(gate), kind(gate)
    plain.update(plain.screen())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    advantage, before = scaled.screen(), copies(scaled)
    backward(scaled, advantage, scale=scaler.scale(torch.ones(())))
    reference = gradients(plain)
    assert_same({name: each / 1024 for name, each in gradients(scaled).items()}, reference)
    scaled.step.step(scaler.step)
    scaler.update()
    assert_same(copies(scaled), copies(plain))
    assert repr(scaled.step.counts) == repr(plain.step.counts)
    moved = any(not torch.equal(each, before[name]) for name, each in copies(scaled).items())
    assert moved == (gate != EMPTY)


@each_step
def test_a_gradient_scaler_skips_what_overflowed(kind):
    driver = kind(Gate(rate=0.25))
    advantage, before = driver.screen(), copies(driver)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scale = scaler.scale(torch.ones(()))
    backward(driver, advantage, scale=scale * math.inf)
    driver.step.step(scaler.step)
    assert_same(copies(driver), before)


def decay(driver):
    return 0.3 * sum(parameter.square().sum() for parameter in driver.policy.parameters())


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@each_gate
@each_step
def test_a_further_loss_adds_to_the_gradient(kind, gate, first):
    driver = kind(gate)
    advantage = driver.screen()
    if first:
        decay(driver).backward()
    keep = backward(driver, advantage)
    if not first:
        decay(driver).backward()
    assert distance(gradients(driver), masked_gradient(driver, advantage, keep, decay)) < 1e-10
    driver.update(driver.screen())
    assert distance(gradients(driver), masked_gradient(driver, advantage, keep, decay)) > 1e-3, "update clears"


@each_step
def test_where_nothing_is_kept_backward_adds_zero_and_update_writes_it(kind):
    driver = kind(EMPTY, frozen=(kind.a_frozen_part,))
    advantage = driver.screen()
    selection = driver.select(advantage)
    assert not selection.keep.any()
    driver.backward(advantage, selection)
    for name, gradient in gradients(driver).items():
        assert (gradient is None) == (kind.a_frozen_part in name), "as after a backward pass of the masked batch"
        assert gradient is None or not gradient.any()
    decay(driver).backward()
    before = gradients(driver)
    driver.backward(advantage, selection)
    assert_same(gradients(driver), before)
    driver.update(advantage)
    assert not any(each.any() for each in gradients(driver).values() if each is not None)


@pytest.mark.parametrize("gate", [None, *TWO_PASSES, EMPTY], ids=str)
@each_step
def test_after_an_error_what_has_accumulated_is_as_before(kind, gate):
    driver = kind(gate)
    advantage = driver.screen()
    selection = driver.select(advantage)
    if kind is Screened and gate is None:
        driver.screening = Screening(driver.screening.actions, driver.screening.surprisal)
    decay(driver).backward()
    before = gradients(driver)
    driver.policy.requires_grad_(False)
    for call in (lambda: driver.backward(advantage, selection), lambda: driver.update(advantage)):
        with pytest.raises(ValueError, match="must depend on a trainable parameter"):
            call()
        assert_same(gradients(driver), before)


@each_gate
@each_step
def test_gradients_are_written_where_the_caller_records_none(kind, gate):
    outside, inside = kind(gate), kind(gate)
    outside.update(outside.screen())
    with torch.no_grad():
        inside.update(inside.screen())
    assert_same(copies(inside), copies(outside))


@pytest.mark.parametrize("scale", [math.nan, math.inf, torch.ones(3)], ids=str)
@each_step
def test_a_scale_that_is_none_is_refused(kind, scale):
    driver = kind(Gate(rate=0.25))
    advantage = driver.screen()
    with pytest.raises(ValueError, match=r"scale must be (finite, got \w+|a single number, got .* \(3,\))"):
        backward(driver, advantage, scale=scale)
    assert all(each is None for each in gradients(driver).values())


def test_a_selection_of_another_batch_is_refused():
    driver = Screened(Gate(rate=0.25))
    advantage = driver.screen()
    selection = driver.part(slice(0, 8)).select(advantage[:8])
    with pytest.raises(ValueError, match=r"selection must be of the batch's 40 rows, got \(8,\)"):
        driver.backward(advantage, selection)


def test_the_graph_of_a_full_batch_serves_one_backward_pass():
    driver = Screened(None)
    advantage = driver.screen()
    backward(driver, advantage)
    before = gradients(driver)
    with pytest.raises(RuntimeError, match="a second time"):
        backward(driver, advantage)
    assert_same(gradients(driver), before)


def test_records_read_in_one_line():
    driver = Screened(Gate(rate=0.25))
    driver.update(driver.screen())
    assert repr(driver.screening) == "Screening(actions=(40,), surprisal=(40,), log_policy=(40, 4))"
    assert repr(driver.step.counts).startswith("StepCounts(updates=1, forward_samples=40, rerun_samples=10, ")
    driver = Sequence(Gate(rate=0.25))
    driver.update(driver.screen())
    assert repr(driver.rollout) == "Rollout(tokens=(40, 6), log_policy=(40, 3, 5))"
    assert repr(driver.step.counts).startswith("SequenceCounts(optimizer_steps=1, forward_rows=40, ")
    assert "tensor" not in repr(driver.step.counts)
