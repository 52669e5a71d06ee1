"""The second pass serves wherever kept activations may not: what is not plain, and what changed since."""

import copy
from dataclasses import replace

import pytest
import torch
from plain_loops import ADAM, KEPT, SECOND, Loop, N, assert_same, plain
from torch import nn

from kondo_theory.training import ScreenedStep, Screening
from kondo_theory.training.quick import layers


def hooked_parameter(loop):
    loop.policy[0].weight.register_hook(lambda gradient: 2 * gradient)


def hooked_accumulation(loop):
    def double(parameter):
        parameter.grad.mul_(2)

    loop.policy[0].weight.register_post_accumulate_grad_hook(double)


def hooked_module(loop):
    loop.policy[1].register_forward_hook(lambda module, read, made: 2 * made)


def hooked_before(loop):
    loop.policy[2].register_forward_pre_hook(lambda module, read: (2 * read[0],))


def hooked_backward(loop):
    loop.policy[2].register_full_backward_hook(lambda module, read, made: (2 * read[0],))


def parametrized(loop):
    nn.utils.parametrizations.weight_norm(loop.policy[2])


def tied(loop):
    loop.policy.append(nn.ReLU()).append(nn.Linear(4, 4)).append(nn.ReLU()).append(nn.Linear(4, 4)).double()
    loop.policy[8].weight = loop.policy[6].weight


def tied_storage(loop):
    tied(loop)
    loop.policy[8].weight = nn.Parameter(loop.policy[6].weight.data)


def frozen(loop):
    loop.policy[0].weight.requires_grad_(False)


def custom_call(loop):
    loop.policy.forward = lambda rows: 2 * nn.Sequential.forward(loop.policy, rows)


def custom_layer(loop):
    class Twice(nn.Linear):
        def forward(self, rows):
            return 2 * super().forward(rows)

    loop.policy[0] = Twice(6, 12).double()


def another_parameter(loop):
    loop.policy[0].register_parameter("spare", nn.Parameter(torch.ones(3)))


def normalised(loop):
    loop.policy.insert(1, nn.BatchNorm1d(12).double().eval())


def idle_dropout(loop):
    loop.policy.insert(2, nn.Dropout(0.0))


OBSTACLES = [
    hooked_parameter, hooked_accumulation, hooked_module, hooked_before, hooked_backward, parametrized, tied,
    tied_storage, frozen, custom_call, custom_layer, another_parameter, normalised, idle_dropout,
]  # fmt: skip


@pytest.mark.parametrize("late", [False, True], ids=["before the step", "after a step"])
@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda obstacle: obstacle.__name__)
def test_whatever_is_not_plain_goes_through_the_second_pass(obstacle, late):
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse, optimizer=torch.optim.SGD, settings={"lr": 0.1})
        if late:
            loop.screen().finish()
            assert loop.step.path == (KEPT if reuse else SECOND)
        torch.manual_seed(3)
        obstacle(loop)
        loop.screen().finish()
        assert loop.step.path == SECOND
        results.append(loop)
    assert_same(*results, tolerance=0 if not late else 1e-12)


@pytest.mark.parametrize("obstacle", [hooked_parameter, hooked_accumulation, hooked_backward, frozen])
def test_what_stops_to_be_plain_between_act_and_backward_does_too(obstacle):
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse).screen()
        assert (loop.screening.kept is not None) == reuse
        obstacle(loop)
        loop.finish()
        assert loop.step.path == SECOND
        results.append(loop)
    assert_same(*results, tolerance=0)


def test_autocast_and_global_hooks_go_through_the_second_pass():
    loop = Loop(policy=plain().float(), check=False)
    with torch.autocast("cpu", torch.bfloat16):
        observations = torch.randn(N, 6)
        screening = loop.step.act(observations)
        loop.step.update(observations, screening, torch.ones(N))
    assert loop.step.path == SECOND
    handle = nn.modules.module.register_module_forward_hook(lambda module, read, made: None)
    try:
        loop = Loop()
        loop.screen().finish()
    finally:
        handle.remove()
    assert loop.step.path == SECOND
    assert loop.screen().finish() is not None
    assert loop.step.path == KEPT


def test_other_batches_and_large_activations_go_through_the_second_pass(monkeypatch):
    loop = Loop()
    observations = torch.randn(N, 6, dtype=torch.float64, requires_grad=True)  # from an encoder, say
    loop.step.update(observations, loop.step.act(observations), torch.ones(N, dtype=torch.float64))
    assert (loop.step.path, observations.grad is None) == (SECOND, False)
    policy = nn.Sequential(nn.Flatten(), *plain())
    assert Loop(policy=policy).screen().screening.kept is None
    monkeypatch.setattr(layers, "KEPT_BYTES", (N * 20 + 216) * 8 - 1)  # of them 216 parameters
    assert Loop().screen().screening.kept is None
    monkeypatch.setattr(layers, "KEPT_BYTES", (N * 20 + 216) * 8)
    assert Loop().screen().screening.kept is not None


def stepped(loop):
    loop.optimizer.step()


def scaled(loop):
    with torch.no_grad():
        loop.policy[0].weight.mul_(1.1)


def loaded(loop):
    loop.policy.load_state_dict({name: 1.1 * value for name, value in loop.policy.state_dict().items()})


def another_layer(loop):
    loop.policy[0] = copy.deepcopy(loop.policy[0])
    scaled(loop)


def another_batch(loop):
    loop.observations.mul_(1.1)


def same_numbers(loop):
    loop.observations = loop.observations.clone()


def spoiled_log_policy(loop):
    loop.screening.log_policy.exp_()


def other_surprisal(loop):
    loop.screening = replace(loop.screening, surprisal=loop.screening.surprisal + 0.1)


def through_data(loop):
    loop.policy[0].weight.data.mul_(1.1)


def data_replaced(loop):
    for each in loop.policy.parameters():
        each.data = 1.1 * each.data


def without_bias(loop):
    loop.policy[0].bias = None


def stepped_by_another(loop):
    torch.optim.AdamW(loop.policy.parameters(), lr=0.1, fused=True).step()


CHANGES = [
    stepped, scaled, loaded, another_layer, another_batch, same_numbers, spoiled_log_policy, other_surprisal,
    through_data, data_replaced, without_bias, stepped_by_another,
]  # fmt: skip
OPTIMIZERS = {
    "plain Adam": (torch.optim.Adam, ADAM),
    "fused Adam": (torch.optim.Adam, ADAM | {"fused": True}),
    "fused SGD": (torch.optim.SGD, {"lr": 0.5, "fused": True}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_pass_that_is_not_the_policys_any_more_is_not_used(change, name):
    optimizer, settings = OPTIMIZERS[name]
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse, check=False, optimizer=optimizer, settings=settings)
        loop.screen().finish()
        loop.screen()
        change(loop)
        loop.finish()
        assert loop.step.path == SECOND
        results.append(loop)
    assert_same(*results)


def test_a_change_without_a_trace_is_seen_with_check():
    loop = Loop().screen()
    through_data(loop)
    with pytest.raises(ValueError, match="the two forward passes must be one policy"):
        loop.finish()
    loop = Loop(tolerance=1e-9, check=False).screen()
    through_data(loop)
    with pytest.raises(ValueError, match=r"within 1e-09 nats"):
        loop.finish()


def test_a_pass_serves_once_and_an_earlier_batch_not_after_the_step():
    loop = Loop(settings=ADAM | {"fused": True}).screen()
    first = loop.observations, loop.screening, loop.advantage
    loop.screen().finish()
    assert loop.step.path == KEPT
    with pytest.raises(ValueError, match="the two forward passes must be one policy"):
        loop.step.update(*first)
    loop.screen()
    selection = loop.step.select(loop.screening, loop.advantage)
    paths = []
    for _ in range(2):
        loop.step.backward(loop.observations, loop.screening, loop.advantage, selection)
        paths.append(loop.step.path)
    assert paths == [KEPT, SECOND]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_that_lie_transposed_have_the_second_pass_whose_gradients_lie_as_they_do(name):
    """A fused optimizer reads a gradient by the strides of its parameter, whatever its own are."""
    optimizer, settings = OPTIMIZERS[name]
    results = []
    for reuse in (True, False):
        policy = plain()
        policy[0].weight = nn.Parameter(policy[0].weight.detach().t().contiguous().t())  # as from another library
        loop = Loop(policy=policy, reuse=reuse, optimizer=optimizer, settings=settings)
        for _ in range(2):
            loop.screen().finish()
        assert loop.step.path == SECOND
        results.append(loop)
    assert_same(*results)


def test_it_is_off_unless_asked_for_and_a_full_step_has_its_graph():
    step = Loop().step
    assert ScreenedStep(step.policy, step.optimizer, step.gate).reuse is False
    off = Loop(reuse=False)
    assert off.screen().screening.kept is None
    full = Loop()
    full.step.gate = None
    full.screen().finish()
    assert full.step.path == "kept graph"
    elsewhere = Loop().screen()
    elsewhere.screening = Screening(elsewhere.screening.actions, elsewhere.screening.surprisal)
    elsewhere.finish()
    assert elsewhere.step.path == SECOND
