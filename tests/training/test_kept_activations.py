"""A step from kept activations against the second pass: the same updates, step by step."""

import math

import pytest
import torch
from plain_loops import KEPT, SECOND, Loop, N, assert_same, plain
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import StreamingGate
from kondo_theory.training.quick import layers

GATES = {
    "rate": lambda: Gate(rate=0.05),
    "all": lambda: Gate(rate=1.0),
    "zero price": lambda: Gate(price=0.0),
    "nothing kept": lambda: Gate(price=9.0),
    "price, drawn": lambda: Gate(price=0.1, temperature=0.5),
    "rate, drawn": lambda: Gate(rate=0.3, temperature=0.5),
    "streaming": lambda: StreamingGate(0.05, 100),
}


@pytest.mark.parametrize("normalise", ["batch", "kept"])
@pytest.mark.parametrize("gate", GATES)
def test_updates_are_those_of_the_second_pass_step_by_step(gate, normalise):
    quick, slow = (Loop(GATES[gate](), reuse=reuse, normalise=normalise, check=False) for reuse in (True, False))
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


def test_with_check_the_rows_that_run_again_and_their_gap_are_counted():
    quick, slow = (Loop(reuse=reuse) for reuse in (True, False))
    for loop in (quick, slow):
        loop.screen().finish()
    counts = [loop.step.counts for loop in (quick, slow)]
    assert (quick.step.path, slow.step.path) == (KEPT, SECOND)
    assert counts[0].rerun_samples == counts[1].rerun_samples == 3
    assert counts[0].largest_gap == pytest.approx(counts[1].largest_gap, abs=1e-12)


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 65536.0])
def test_advantages_of_16_bits_are_not_rounded_again(dtype, scale):
    results = []
    for reuse in (True, False):
        loop = Loop(policy=plain().float(), reuse=reuse, check=False, normalise="kept")
        loop.observations = torch.randn(N, 6, generator=torch.Generator().manual_seed(0))
        loop.screening = loop.step.act(loop.observations)
        advantage = torch.linspace(0.3, 1.1, N).to(dtype)
        selection = loop.step.select(loop.screening, advantage)
        loop.step.backward(loop.observations, loop.screening, advantage, selection, scale=scale)
        assert loop.step.path == (KEPT if reuse else SECOND)
        results.append(loop)
    assert_same(*results, tolerance=1e-6 * scale)
