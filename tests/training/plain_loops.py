"""Loops of a plain policy's screened step, for tests of where its gradient comes from."""

import torch
from torch import nn

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep

N = 64
KEPT, SECOND = "kept activations", "second pass"
ADAM = {"lr": 1e-2}


def plain(activation=nn.ReLU, middle=()):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = [nn.Linear(6, 12), activation(), *middle, nn.Linear(12, 8, bias=False), activation(), nn.Linear(8, 4)]
        return nn.Sequential(*parts).double()


class Loop:
    """A step with a batch of its own for every update."""

    def __init__(self, gate=None, policy=None, optimizer=torch.optim.Adam, settings=ADAM, reuse=True, **options):
        self.policy = plain() if policy is None else policy
        self.optimizer = optimizer(self.policy.parameters(), **settings)
        gate = Gate(rate=0.05) if gate is None else gate
        generator = torch.Generator().manual_seed(1)
        self.step = ScreenedStep(self.policy, self.optimizer, gate, generator=generator, reuse=reuse, **options)
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
