"""A step from kept activations against the second pass: the same updates, and the second pass wherever it must be."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep, Screening, StreamingGate
from kondo_theory.training.quick import layers

N = 64
KEPT, SECOND = "kept activations", "second pass"
GATES = {
    "rate": lambda: Gate(rate=0.05),
    "all": lambda: Gate(rate=1.0),
    "zero price": lambda: Gate(price=0.0),
    "nothing kept": lambda: Gate(price=9.0),
    "price, drawn": lambda: Gate(price=0.1, temperature=0.5),
    "rate, drawn": lambda: Gate(rate=0.3, temperature=0.5),
    "streaming": lambda: StreamingGate(0.05, 100),
}
ADAM = {"lr": 1e-2}


def plain(activation=nn.ReLU, middle=()):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = [nn.Linear(6, 12), activation(), *middle, nn.Linear(12, 8, bias=False), activation(), nn.Linear(8, 4)]
        return nn.Sequential(*parts).double()


class Loop:
    """A step with a batch of its own for every update."""

    def __init__(self, gate=None, policy=None, optimizer=torch.optim.Adam, settings=ADAM, **options):
        self.policy = plain() if policy is None else policy
        self.optimizer = optimizer(self.policy.parameters(), **settings)
        gate = Gate(rate=0.05) if gate is None else gate
        self.step = ScreenedStep(
            self.policy, self.optimizer, gate, generator=torch.Generator().manual_seed(1), **options
        )
        self.n = 0

    def screen(self):
        generator = torch.Generator().manual_seed(self.n)
        self.n += 1
        self.observations = torch.randn(N, 6, dtype=torch.float64, generator=generator)
        self.screening = self.step.act(self.observations)
        self.advantage = (self.screening.actions == 0).double() - 0.25
        return self

    def finish(self, **options):
        return self.step.update(self.observations, self.screening, self.advantage, **options)

    def values(self):
        return [value for each in self.policy.parameters() for value in (each.detach().clone(), each.grad)]


def assert_same(one, other, tolerance=1e-10):
    for mine, reference in zip(one.values(), other.values(), strict=True):
        assert (mine is None) == (reference is None)
        assert mine is None or float((mine - reference).abs().max()) <= tolerance


@pytest.mark.parametrize("normalise", ["batch", "kept"])
@pytest.mark.parametrize("gate", GATES)
def test_updates_are_those_of_the_second_pass_step_by_step(gate, normalise):
    quick, slow = (Loop(GATES[gate](), reuse=reuse, normalise=normalise) for reuse in (True, False))
    for _ in range(5):
        keeps = [loop.screen().finish() for loop in (quick, slow)]
        assert torch.equal(*keeps)
        assert torch.equal(quick.screening.actions, slow.screening.actions)
        assert torch.equal(quick.step.generator.get_state(), slow.step.generator.get_state())
        assert_same(quick, slow)
        assert (quick.step.path, slow.step.path) == (KEPT, SECOND)
    assert quick.step.counts.rerun_samples == 0
    assert quick.step.counts.backward_samples == slow.step.counts.backward_samples
    assert math.isnan(quick.step.counts.largest_gap)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU, lambda: nn.GELU("tanh")])
def test_every_function_between_layers_has_its_derivative(activation):
    quick, slow = (Loop(policy=plain(activation), reuse=reuse) for reuse in (True, False))
    for loop in (quick, slow):
        loop.screen().finish(weight=torch.linspace(0.1, 2, N))
    assert quick.step.path == KEPT
    assert_same(quick, slow)


def test_negative_control_another_derivative_is_noticed(monkeypatch):
    monkeypatch.setitem(layers._DERIVATIVES, nn.ReLU, lambda layer, delta, made: delta)
    quick, slow = (Loop(reuse=reuse) for reuse in (True, False))
    for loop in (quick, slow):
        loop.screen().finish()
    with pytest.raises(AssertionError):
        assert_same(quick, slow)


def test_gradients_add_up_scale_and_leave_others_alone():
    """Two batches, of which neither clears; then an update of an optimizer that has a part of the policy."""
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse, optimizer=lambda ps, lr: torch.optim.SGD([next(iter(ps))], lr=lr))
        for scale in (0.5, torch.tensor(0.25)):
            loop.screen()
            selection = loop.step.select(loop.screening, loop.advantage)
            loop.step.backward(loop.observations, loop.screening, loop.advantage, selection, scale=scale)
        loop.screen().finish()
        assert loop.step.path == (KEPT if reuse else SECOND)
        results.append(loop)
    assert_same(*results)


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


def normalised(loop):
    loop.policy.insert(1, nn.BatchNorm1d(12).double().eval())


def idle_dropout(loop):
    loop.policy.insert(2, nn.Dropout(0.0))


OBSTACLES = [
    hooked_parameter, hooked_accumulation, hooked_module, hooked_before, hooked_backward, parametrized, tied,
    tied_storage, frozen, custom_call, custom_layer, normalised, idle_dropout,
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
    monkeypatch.setattr(layers, "KEPT_BYTES", N * 20 * 8 - 1)
    assert Loop().screen().screening.kept is None
    monkeypatch.setattr(layers, "KEPT_BYTES", N * 20 * 8)
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


CHANGES = [
    stepped, scaled, loaded, another_layer, another_batch, same_numbers, spoiled_log_policy, other_surprisal,
    data_replaced,
]  # fmt: skip


@pytest.mark.parametrize("fused", [False, True], ids=["plain Adam", "fused Adam"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_pass_that_is_not_the_policys_any_more_is_not_used(change, fused):
    results = []
    for reuse in (True, False):
        loop = Loop(reuse=reuse, check=False, settings=ADAM | {"fused": fused})
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


def test_it_can_be_switched_off_and_a_full_step_has_its_graph():
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
