"""Every step with a price from a window: what all steps must do holds with this gate too."""

import math

import pytest
import test_pieces
import test_steps
import torch
from steps import ONE_POLICY, STEPS, Answering, N, Screened, Sequence, Stacked
from waiting import Waits

from kondo_theory.training import StreamingGate

one_policy = pytest.mark.parametrize("kind", ONE_POLICY, ids=lambda kind: kind.__name__)


def gate(temperature=0.0):
    return StreamingGate(0.25, 64, temperature)


CASES = [(kind, bad) for kind in STEPS for bad in (math.nan, math.inf)]
CASES.remove((Stacked, math.inf))  # the caller computes the delight, and an infinite one saturates


@pytest.mark.parametrize("temperature", [0.0, 0.5])
@pytest.mark.parametrize(("kind", "bad"), CASES, ids=str)
def test_what_is_no_number_is_never_kept_never_remembered_and_counted(kind, bad, temperature):
    test = test_steps.test_an_advantage_that_is_no_number_is_never_kept_and_is_counted
    own = gate(temperature)
    test(kind, own, bad)
    state = own.state_dict()
    assert int(state["written"].sum()) == 3 * (N - 2)
    assert not state["scores"].isinf().any()


@one_policy
def test_zero_advantages_count_in_the_rate(kind):
    own = StreamingGate(0.25, 4 * N)
    driver = kind(own, check=False)
    for _ in range(3):
        advantage = driver.screen()
        advantage[: N // 2] = 0.0
        selection = driver.select(advantage)
        assert int(selection.n_valid) == N
    assert int(own.state_dict()["written"]) == 3 * N


@pytest.mark.parametrize("temperature", [0.0, 0.5])
@one_policy
def test_an_update_is_its_pieces_one_by_one(kind, temperature):
    whole, pieces = (kind(gate(temperature), optimizer=test_pieces.adam) for _ in range(2))
    for _ in range(3):
        whole.update(whole.screen())
        advantage = pieces.screen()
        pieces.step.optimizer.zero_grad()
        selection = pieces.select(advantage)
        pieces.backward(advantage, selection)
        expected = test_pieces.masked_gradient(pieces, advantage, selection.keep)
        if selection.keep.any():
            assert test_pieces.distance(test_pieces.gradients(pieces), expected) < 1e-10
        pieces.step.step()
        test_pieces.assert_same(test_pieces.copies(pieces), test_pieces.copies(whole))


@pytest.mark.parametrize(
    ("kind", "waits"), [(Screened, ["nonzero"]), (Stacked, []), (Sequence, None), (Answering, [])]
)
def test_a_window_waits_for_nothing(kind, waits):
    driver = kind(gate(), check=False)
    for _ in range(2):
        advantage = driver.screen()
        with Waits() as spy:
            driver.update(advantage)
        assert waits is None or spy.seen == waits


@pytest.mark.parametrize("level", ["row", "token", "group"])
def test_the_window_of_answers_holds_what_their_level_gates(level):
    own = gate()
    driver = Answering(own, level=level, check=False)
    advantage = driver.screen()
    driver.step.update(driver.answers, advantage, groups=4)
    counted = {"row": N, "token": int(driver.answers.answered.sum()), "group": N // 4}[level]
    assert int(own.state_dict()["written"]) == counted


def test_a_stack_of_seeds_has_a_window_each():
    own = gate()
    driver = Stacked(own)
    driver.update(driver.screen())
    assert tuple(own.state_dict()["scores"].shape) == (2, 64)
    assert torch.equal(own.state_dict()["written"], torch.tensor([N // 2, N // 2]))
