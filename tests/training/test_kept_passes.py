"""What a step with ``reuse=True`` keeps, for how long, and that its errors are those of the second pass."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from plain_loops import KEPT, SECOND, Loop, assert_same
from torch import nn
from torch.overrides import TorchFunctionMode

from kondo_theory.gate import Gate
from kondo_theory.training.policies import draw


@pytest.mark.parametrize(
    "options", [{"check": True}, {"check": False, "tolerance": 1e-9}], ids=["check", "tolerance"]
)
def test_a_batch_that_changes_through_shared_memory_behind_the_first_kept_row_is_refused(options):
    loop = Loop(Gate(rate=0.2), **options).screen()
    rows = loop.step.select(loop.screening, loop.advantage).rows
    loop.observations.numpy()[int(rows[0]) + 1 :] *= 1.5
    with pytest.raises(ValueError, match="the two forward passes must be one policy"):
        loop.finish()


def test_a_step_keeps_one_pass_and_an_earlier_batch_has_its_second_pass():
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse, check=False)
        batches = [(loop.screen().observations, loop.screening, loop.advantage) for _ in range(3)]
        paths = []
        for observations, screening, advantage in batches:
            selection = loop.step.select(screening, advantage)
            loop.step.backward(observations, screening, advantage, selection)
            paths.append(loop.step.path)
        assert paths == [SECOND, SECOND, KEPT if reuse else SECOND]
        results.append(loop)
    assert_same(*results)


def no_number_kept(loop):
    loop.step.gate = Gate(price=9.0)


def refused(loop):
    loop.observations = loop.observations.clone()


def screened_again(loop):
    loop.step.act(torch.zeros(2, 6, dtype=torch.float64))
    loop.finish = lambda: None


def screened_without(loop):
    loop.step.reuse = False
    screened_again(loop)


@pytest.mark.parametrize("end", [no_number_kept, refused, screened_again, screened_without, lambda loop: None])
def test_activations_go_with_their_use_or_refusal_or_the_next_batch(end):
    loop = Loop().screen()
    held = [weakref.ref(each) for each in loop.screening.kept._held[1:] + loop.screening.kept._parameters]
    assert all(each() is not None for each in held)
    end(loop)
    loop.finish()
    gc.collect()
    assert loop.screening.kept is not None
    assert all(each() is None for each in held)


def test_copies_of_a_screening_and_of_a_step_have_no_pass():
    loop = Loop().screen()
    for made in (copy.deepcopy(loop.screening), pickle.loads(pickle.dumps(loop.screening))):
        assert made.kept is None
        assert torch.equal(made.actions, loop.screening.actions)
    for step in (copy.deepcopy(loop.step), pickle.loads(pickle.dumps(loop.step))):
        step.act(loop.observations)
    loop.finish()
    assert loop.step.path == KEPT  # that others screened did not concern it


def test_a_policy_of_no_number_and_an_empty_batch_have_the_errors_of_the_second_pass():
    for reuse in (True, False):
        loop = Loop(reuse=reuse, check=False)
        with pytest.raises(ValueError, match="the batch must hold at least one observation"):
            loop.step.act(torch.zeros(0, 6, dtype=torch.float64))
        with torch.no_grad():
            loop.policy[0].weight.fill_(torch.nan)
        with pytest.raises(RuntimeError, match="probability tensor contains"):
            loop.screen()
    with pytest.raises(RuntimeError, match="probability tensor contains"):
        draw(torch.full((3, 2), torch.nan), quick=True)


def test_a_policy_of_another_dtype_goes_the_way_of_the_second_pass():
    loop = Loop().screen()
    loop.policy.float()
    with pytest.raises(RuntimeError, match="same dtype"):
        loop.finish()
    assert loop.step.path == SECOND


def test_a_scale_of_one_number_may_have_any_shape():
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse).screen()
        selection = loop.step.select(loop.screening, loop.advantage)
        scale = torch.full((1, 1), 2.0)
        loop.step.backward(loop.observations, loop.screening, loop.advantage, selection, scale=scale)
        assert loop.step.path == (KEPT if reuse else SECOND)
        results.append(loop)
    assert_same(*results)


def test_an_optimizer_without_a_state_may_step():
    class Descent:
        def __init__(self, parameters, lr):
            self.inner = torch.optim.SGD(parameters, lr)
            self.param_groups, self.step = self.inner.param_groups, self.inner.step

        def zero_grad(self, set_to_none):
            self.inner.zero_grad(set_to_none)

    results = []
    for reuse in (True, False):
        loop = Loop(optimizer=Descent, reuse=reuse)
        for _ in range(2):
            loop.screen().finish()
        assert loop.step.path == (KEPT if reuse else SECOND)
        results.append(loop)
    assert_same(*results)


def test_inference_mode_is_refused():
    for reuse in (True, False):
        loop = Loop(reuse=reuse).screen()
        with torch.inference_mode(), pytest.raises(ValueError, match=r"outside of torch\.inference_mode"):
            loop.finish()


@pytest.mark.parametrize("late", [False, True], ids=["before act", "before backward"])
@pytest.mark.parametrize(
    ("at", "name"), [(nn.Linear, "forward"), (nn.ReLU, "forward"), (nn.Module, "__call__"), (nn.functional, "linear")]
)
def test_patched_classes_go_through_the_second_pass(monkeypatch, at, name, late):
    loop = Loop(check=False)
    own = getattr(at, name)
    if late:
        loop.screen()
    monkeypatch.setattr(at, name, lambda *given: own(*given))
    if not late:
        loop.screen()
    loop.finish()
    assert loop.step.path == SECOND


class Doubled(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        return 2 * found if func is nn.functional.linear else found


def test_function_modes_go_through_the_second_pass():
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse)
        with Doubled():
            loop.screen().finish()
        assert loop.step.path == SECOND
        results.append(loop)
    assert_same(*results, tolerance=0)
