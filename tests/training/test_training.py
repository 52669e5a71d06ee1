"""The screened step against the masked full batch, its counts, and its independence of the default device."""

import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
from torch import nn

from kondo_theory.gate import Gate, delight, gate_probability
from kondo_theory.training import FlopsPerSample, ScreenedStep, Screening, measure_flops
from simulations.networks.mlp import PolicyMLP

SIZES = (12, 16, 16, 5)
GATES = (Gate(rate=0.03), Gate(rate=0.3), Gate(rate=1.0), Gate(price=0.0), Gate(price=0.1, temperature=0.5), None)


def make_policy():
    return PolicyMLP(SIZES, seed=0).to(torch.float64)


def make_batch(size=64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(size, SIZES[0], generator=generator, dtype=torch.float64)
    return observations, torch.randint(SIZES[-1], (size,), generator=generator)


def masked_gradient(policy, observations, actions, coefficient):
    """The reference: backpropagate the whole batch with dropped samples multiplied by zero."""
    policy.zero_grad()
    log_prob = policy(observations).log_softmax(-1)[torch.arange(len(actions)), actions]
    (-(coefficient * log_prob).sum() / len(actions)).backward()
    return [parameter.grad.clone() for parameter in policy.parameters() if parameter.grad is not None]


def screened_gradient(gate, *, weight=None, normalise_by_kept=False):
    """The gradient of a screened step on a fixed batch, and what the reference needs."""
    policy = make_policy()
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.0), gate, generator=torch.Generator())
    observations, labels = make_batch()
    screening = step.act(observations)
    advantage = (screening.actions == labels).to(torch.float64) - 0.4
    keep = step.update(observations, screening, advantage, weight=weight)
    scale = len(keep) / int(keep.sum()) if normalise_by_kept else 1.0
    found = [scale * parameter.grad for parameter in policy.parameters()]
    coefficient = keep * advantage * (1.0 if weight is None else weight)
    return found, masked_gradient(policy, observations, screening.actions, coefficient), keep, step


def relative_error(found, expected):
    difference = math.sqrt(sum(float((f - e).square().sum()) for f, e in zip(found, expected, strict=True)))
    return difference / math.sqrt(sum(float(e.square().sum()) for e in expected))


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_the_gradient_is_that_of_the_masked_full_batch(gate):
    found, expected, keep, _ = screened_gradient(gate)
    assert 0 < keep.sum() <= len(keep)
    assert relative_error(found, expected) < 1e-10


def test_soft_weights_multiply_the_samples():
    weight = torch.linspace(0, 1, 64, dtype=torch.float64)
    found, expected, _, _ = screened_gradient(None, weight=weight)
    assert relative_error(found, expected) < 1e-10


def test_negative_control_normalising_by_the_kept_number_is_noticed():
    found, expected, _, _ = screened_gradient(Gate(rate=0.3), normalise_by_kept=True)
    assert relative_error(found, expected) > 1e-2


def test_samples_are_counted_and_flops_measured():
    _, _, keep, step = screened_gradient(Gate(rate=0.3))
    assert (step.counts.updates, step.counts.forward_samples, step.counts.backward_samples) == (1, 64, 19)
    assert keep.sum() == step.counts.rerun_samples == 19
    weights = [a * b for a, b in pairwise(SIZES)]
    forward = 2 * sum(weights)
    # Backward: a product for each weight's gradient, and one for each layer's input except the first.
    backward = 2 * forward - 2 * weights[0]
    with pytest.raises(ValueError, match=r"FLOPs are not measured: set counts\.flops_per_sample"):
        _ = step.counts.flops
    price = measure_flops(step.policy, make_batch()[0])
    assert price == FlopsPerSample(forward, backward)
    step.counts.flops_per_sample = price
    assert step.counts.flops == 64 * forward + 19 * (forward + backward)
    _, _, _, full = screened_gradient(None)
    full.counts.flops_per_sample = price
    assert full.counts.flops == 64 * (forward + backward)  # one forward pass, and it keeps its graph


class WithUnused(nn.Module):
    """A policy with a layer that it does not use: the masked batch leaves its parameters without a gradient."""

    def __init__(self):
        super().__init__()
        self.inner = make_policy()
        self.unused = PolicyMLP((3, 3), seed=1).to(torch.float64)

    def forward(self, observations):
        return self.inner(observations)


@pytest.mark.parametrize("optimizer_type", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_an_empty_batch_steps_with_a_zero_gradient(optimizer_type):
    """Momentum goes on, exactly as for a batch in which every sample is masked."""
    observations, actions = make_batch()
    surprisal = torch.ones(64, dtype=torch.float64)
    options = {"momentum": 0.9} if optimizer_type is torch.optim.SGD else {"weight_decay": 0.5}
    results = []
    for masked in (False, True):
        policy = WithUnused()
        optimizer = optimizer_type(policy.parameters(), lr=0.1, **options)
        step = ScreenedStep(policy, optimizer, Gate(price=0.0))
        screening = Screening(actions, surprisal)
        step.update(observations, screening, surprisal)
        if masked:
            masked_gradient(policy, observations, actions, 0 * surprisal)
            optimizer.step()
        else:
            assert step.update(observations, screening, -surprisal).sum() == 0
        results.append([parameter.detach().clone() for parameter in policy.parameters()])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-14)


def test_one_update_equals_a_plain_training_loop():
    """Ten gated updates against a loop written out with a mask and one shared optimizer setting."""
    policies = make_policy(), make_policy()
    optimizers = [torch.optim.Adam(policy.parameters(), lr=1e-2) for policy in policies]
    step = ScreenedStep(policies[0], optimizers[0], Gate(rate=0.1), generator=torch.Generator().manual_seed(3))
    for update in range(10):
        observations, labels = make_batch(seed=update)
        screening = step.act(observations)
        advantage = (screening.actions == labels).to(torch.float64) - 0.2
        keep = step.update(observations, screening, advantage)
        masked_gradient(policies[1], observations, screening.actions, keep * advantage)
        optimizers[1].step()
    for mine, reference in zip(policies[0].parameters(), policies[1].parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-12)


def three_updates(gate, *, elsewhere):
    """Three updates, under a meta default device or not; return the masks and the parameters."""
    policy = make_policy()
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1, momentum=0.9)
    actions, gates = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    step = ScreenedStep(policy, optimizer, gate, generator=actions, gate_generator=gates)
    observations, labels = make_batch()
    masks = []
    with torch.device("meta") if elsewhere else nullcontext():
        for update in range(3):
            screening = step.act(observations)
            if update == 2:  # screened by somebody else
                screening = Screening(screening.actions, screening.surprisal)
            advantage = (screening.actions == labels).to(torch.float64) - 0.4
            weight = gate_probability(delight(advantage, screening.surprisal), 0.0, 1.0)
            score = -screening.surprisal if update == 1 else None
            masks.append(step.update(observations, screening, advantage, weight=weight, score=score))
    return masks, list(policy.parameters())


@pytest.mark.parametrize(
    "gate", [*GATES, Gate(price=1e9), Gate(price=-math.inf), Gate(rate=0.3, temperature=0.5)], ids=str
)
def test_no_tensor_is_made_on_the_default_device(gate):
    """A tensor made on a meta default device has no values: using it fails, or gives other numbers than before."""
    plain, under_meta = three_updates(gate, elsewhere=False), three_updates(gate, elsewhere=True)
    for mine, reference in zip(plain[0] + plain[1], under_meta[0] + under_meta[1], strict=True):
        assert reference.device.type == "cpu"
        assert torch.equal(mine, reference)


class Careless(nn.Module):
    """A policy that makes a tensor on the default device: what the meta check must catch."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, observations):
        return self.inner(observations) + torch.zeros(SIZES[-1], dtype=torch.float64)


def test_negative_control_a_planted_default_device_tensor_is_caught():
    policy = Careless(make_policy())
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.1))
    observations, _ = make_batch()
    step.act(observations)
    with torch.device("meta"), pytest.raises((RuntimeError, NotImplementedError), match=r"[Mm]eta"):
        step.act(observations)


def test_observations_may_be_mappings_and_tuples():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = make_policy()

        def forward(self, observations):
            left, right = observations["pair"]
            return self.inner(left + right)

    policy = Two()
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.0), Gate(rate=0.1))
    observations, labels = make_batch()
    both = {"pair": (observations, 0 * observations)}
    screening = step.act(both)
    advantage = (screening.actions == labels).to(torch.float64) - 0.4
    keep = step.update(both, screening, advantage)
    expected = masked_gradient(make_policy(), observations, screening.actions, keep * advantage)
    assert relative_error([parameter.grad for parameter in policy.parameters()], expected) < 1e-10
    with pytest.raises(TypeError, match="observations must be a tensor, a tuple or a mapping of tensors, got str"):
        step.update("text", screening, advantage)


def test_bad_input_is_refused():
    mixing = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    sgd = torch.optim.SGD(mixing.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="layer '1' is BatchNorm1d in training mode"):
        ScreenedStep(mixing, sgd, Gate(rate=0.1))
    policy = make_policy()
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.1))
    observations, _ = make_batch()
    screening = step.act(observations)
    with pytest.raises(ValueError, match="advantage must be finite, got nan"):
        step.update(observations, screening, torch.full((64,), math.nan))
    fine = torch.zeros(64, dtype=torch.float64)
    wrong = {
        "advantage": (step, (observations, screening, torch.zeros(64, 1)), {}),
        "weight": (step, (observations, screening, fine), {"weight": torch.ones(64, 1)}),
        "score": (step, (observations, screening, fine), {"score": torch.zeros(63)}),
        "actions": (step, (observations[:40], screening, fine[:40]), {}),
    }
    for name, (target, positional, named) in wrong.items():
        with pytest.raises(ValueError, match=rf"{name} must be a vector of the batch's length \d+, got \(6"):
            target.update(*positional, **named)
    with pytest.raises(ValueError, match="weight must be finite, got nan"):
        step.update(observations, screening, fine, weight=torch.full((64,), math.nan))
    with pytest.raises(ValueError, match="advantage must be finite, got nan"):
        step.update(observations, screening, torch.full((64,), math.nan), score=fine)
    with pytest.raises(ValueError, match="at least one observation, got 0"):
        step.act(observations[:0])
    assert step.counts.updates == 0


def test_batch_normalisation_is_refused_whenever_it_is_in_training_mode():
    mixing = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    step = ScreenedStep(mixing, torch.optim.SGD(mixing.parameters(), lr=0.1), Gate(rate=0.1))
    step.act(torch.zeros(4, 3))
    mixing.train()
    with pytest.raises(ValueError, match="BatchNorm1d in training mode"):
        step.act(torch.zeros(4, 3))


def test_observations_may_be_named_tuples():
    class Pair(NamedTuple):
        left: torch.Tensor
        right: torch.Tensor

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = make_policy()

        def forward(self, pair):
            return self.inner(pair.left + pair.right)

    policy = Sum()
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.1))
    observations, _ = make_batch()
    pair = Pair(observations, observations)
    screening = step.act(pair)
    assert step.update(pair, screening, torch.ones(64, dtype=torch.float64)).sum() == 6


def test_other_actions_than_those_of_act_are_refused_by_a_full_step_that_has_their_graph():
    policy, (observations, labels) = make_policy(), make_batch()
    step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), None)
    screening = step.act(observations)
    with pytest.raises(ValueError, match="the actions must be those of act, whose graph the full step uses"):
        step.update(observations, replace(screening, actions=labels), torch.ones(64, dtype=torch.float64))
    assert step.counts.updates == 0
    step.update(observations, screening, torch.ones(64, dtype=torch.float64))
