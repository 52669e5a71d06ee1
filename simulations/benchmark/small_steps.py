"""Speed of a single network's step on the MNIST bandit, in a loop as a user writes it: gated, full, and plain torch.

One CPU thread, the same optimizer for all: Adam as torch has it by default. The gated step's policy is plain, so that
its gradient comes from the activations of screening (``reuse=True``); "second pass" is the same step without that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep
from simulations.benchmark.cases import BenchmarkRow, Case, one_threaded
from simulations.mnist.images import Mnist, load_mnist

__all__ = ["cases", "compiled_step", "has_compiler", "targets"]

PLAIN, FULL, GATED, SECOND, COMPILED, FORWARD = (
    "plain torch, full step",
    "ScreenedStep, full",
    "ScreenedStep, 3 % kept",
    "ScreenedStep, 3 % kept, second pass",
    "ScreenedStep, 3 % kept, torch.compile",
    "batch and forward pass alone",
)
SIZES = ((100, 100), (1_000, 1_024))
"""Batch size, width of the two hidden layers."""
PROMISED = {(100, PLAIN): "≤ 0.9", (100, FULL): "≤ 0.85", (1_000, FORWARD): "≤ 1.08"}


def cases(quick: bool) -> list[Case]:
    """Return the cases; ``quick`` makes them tiny."""
    data = load_mnist()
    return [_case(data, *size, quick) for size in (((20, 8),) if quick else SIZES)]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speeds that are promised."""
    time_of = {(row.case, row.variant): row.microseconds for row in rows}
    found = []
    for batch_size, width in SIZES:
        case = _name(batch_size, width)
        for other in (PLAIN, FULL, SECOND, FORWARD):
            ratio = time_of[case, GATED] / time_of[case, other]
            found.append((f"{case}: {GATED} / {other}", ratio, PROMISED.get((batch_size, other), "not promised")))
        if (case, COMPILED) in time_of:
            found.append((f"{case}: {COMPILED} / {SECOND}", time_of[case, COMPILED] / time_of[case, SECOND], "tried"))
    return found


def _name(batch_size: int, width: int) -> str:
    return f"MNIST, one network, B = {batch_size:,}, width {width:,}"


def _case(data: Mnist, batch_size: int, width: int, quick: bool) -> Case:
    n_updates = 1 if quick else max(3, 10_000_000 // (batch_size * width * 10))
    makers = {
        PLAIN: _plain,
        FULL: lambda batch, policy: _screened(batch, policy, None),
        GATED: lambda batch, policy: _screened(batch, policy, Gate(rate=0.03), reuse=True),
        SECOND: lambda batch, policy: _screened(batch, policy, Gate(rate=0.03)),
        FORWARD: _forward,
    }
    if has_compiler() and not quick:
        makers[COMPILED] = lambda batch, policy: _screened(batch, _compiled(policy), Gate(rate=0.03))
    variants = {
        name: (n_updates, one_threaded(_repeated, make(_batches(data, batch_size), _policy(width)), n_updates))
        for name, make in makers.items()
    }
    return Case(_name(batch_size, width), "step", variants)


def has_compiler() -> bool:
    """Return whether torch.compile finds a C++ compiler."""
    return any(map(shutil.which, ("g++", "clang++")))


def _compiled(policy: nn.Module) -> nn.Module:
    return cast(nn.Module, torch.compile(policy))


def compiled_step() -> None:
    """Take a small gated step with a compiled policy, which is compiled for the batch and for what is kept."""
    batch = torch.rand(100, 784), torch.zeros(100, dtype=torch.int64)
    _screened(lambda: batch, _compiled(_policy(100)), Gate(rate=0.03))()


def _repeated(update: Callable[[], Any], number: int) -> None:
    for _ in range(number):
        update()


def _policy(width: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
        return nn.Sequential(*layers)


def _batches(data: Mnist, size: int) -> Callable[[], tuple[Tensor, Tensor]]:
    """Return what draws pixels (B, 784) and labels (B,)."""
    images = torch.from_numpy(data.train_images.copy()).flatten(1)
    labels, generator = torch.from_numpy(data.train_labels.copy()), torch.Generator().manual_seed(0)

    def draw() -> tuple[Tensor, Tensor]:
        index = torch.randint(len(images), (size,), generator=generator)
        return images[index].to(torch.float32).div_(255), labels[index]

    return draw


def _advantage(actions: Tensor, labels: Tensor, log_policy: Tensor) -> Tensor:
    return (actions == labels).to(torch.float32) - log_policy.exp().square().sum(-1)


def _plain(batch: Callable[[], tuple[Tensor, Tensor]], policy: nn.Module) -> Callable[[], None]:
    """Return a full update without anything of this project."""
    optimizer, generator = torch.optim.Adam(policy.parameters(), 1e-3), torch.Generator().manual_seed(0)

    def update() -> None:
        observations, labels = batch()
        log_policy = policy(observations).log_softmax(-1)
        screened = log_policy.detach()
        actions = torch.multinomial(screened.exp(), 1, generator=generator)
        advantage = _advantage(actions.squeeze(-1), labels, screened)
        loss = -(advantage * log_policy.gather(-1, actions).squeeze(-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def _screened(
    batch: Callable[[], tuple[Tensor, Tensor]], policy: nn.Module, gate: Gate | None, *, reuse: bool = False
) -> Callable[[], None]:
    optimizer, generator = torch.optim.Adam(policy.parameters(), 1e-3), torch.Generator().manual_seed(0)
    step = ScreenedStep(policy, optimizer, gate, generator=generator, check=False, reuse=reuse)

    def update() -> None:
        observations, labels = batch()
        screening = step.act(observations)
        assert screening.log_policy is not None
        step.update(observations, screening, _advantage(screening.actions, labels, screening.log_policy))

    return update


def _forward(batch: Callable[[], tuple[Tensor, Tensor]], policy: nn.Module) -> Callable[[], None]:
    @torch.no_grad()
    def run() -> None:
        policy(batch()[0])

    return run
