"""Speed and memory of the gated step on a language model's answers for ``kondo bench``, against the full step.

A causal model of eight layers, width 256 and a vocabulary of 8,000 at random, 64 answers of 64 tokens, their
log-probabilities reused from the sampler, one CPU thread. What is timed is the training part: selection, forward and
backward, the optimizer. Peak memory is that of the activations which a step holds for its backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from simulations.benchmark.cases import BenchmarkRow, Case, one_threaded
from simulations.networks.transformer import Architecture, Transformer

__all__ = ["cases", "saved_bytes", "targets"]

CASE = "64 answers of 64 tokens, training alone"
FULL, ROWS, TOKENS, SELECTION = "full step", "12.5 % of rows", "12.5 % of tokens", "selection alone"
PROMPT_LENGTH = 8


def cases(quick: bool) -> list[Case]:
    """Return the case; ``quick`` makes it tiny."""
    size, vocab_size, number, length = Architecture(256, 8, 8, 1024), 8_000, 64, 64
    if quick:
        size, vocab_size, number, length = Architecture(8, 2, 1, 8), 20, 16, 4
    policy = Transformer(vocab_size, PROMPT_LENGTH + length, size, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        policy.head.weight.normal_(std=0.02, generator=generator)
    tokens = torch.randint(vocab_size, (number, PROMPT_LENGTH + length), generator=generator)
    everywhere = torch.ones_like(tokens, dtype=torch.bool)
    answers = Answers(tokens, everywhere, everywhere & (torch.arange(tokens.shape[1]) >= PROMPT_LENGTH))
    advantage = torch.randn(number, generator=generator)

    def step(gate: Gate | None, level: str = "row") -> AnswerStep:
        optimizer = torch.optim.SGD(policy.parameters(), lr=0.0)
        return AnswerStep(
            policy, optimizer, gate, level=level, generator=generator, check=False, micro_tokens=tokens.numel()
        )

    gated, full = step(Gate(rate=0.125)), step(None)
    screened = full.screen(answers)
    variants = {
        FULL: one_threaded(full.update, screened, advantage),
        ROWS: one_threaded(gated.update, screened, advantage),
        TOKENS: one_threaded(step(Gate(rate=0.125), "token").update, screened, advantage),
        SELECTION: one_threaded(gated.select, screened, advantage),
    }
    return [Case(CASE, "batch", {name: (1, call) for name, call in variants.items()}, _saved_by(policy))]


def targets(rows: Iterable[BenchmarkRow]) -> list[tuple[str, float, str]]:
    """Return (what, measured, required) of the speed and memory that are promised."""
    of = {row.variant: row for row in rows if row.case == CASE}
    full = of[FULL]
    assert full.peak_bytes is not None
    found = [
        (f"{CASE}: {name} / {FULL}", of[name].microseconds / full.microseconds, required)
        for name, required in ((ROWS, "≤ 0.35"), (TOKENS, "not promised"), (SELECTION, "≤ 0.03"))
    ]
    memory = (of[ROWS].peak_bytes or 0) / full.peak_bytes
    return [*found, (f"{CASE}: {ROWS} / {FULL}, memory of activations", memory, "≤ 0.3")]


def saved_bytes(call: Callable[[], Any], model: nn.Module) -> int:
    """Return the bytes of the tensors that are saved for backward passes while ``call`` runs, the model's own apart.

    A storage counts once, and those of every backward pass add up, as if none were freed before the next.
    """
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, tuple[int, Tensor]] = {}

    def keep(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes(), saved  # held, so that no other storage has its place
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        call()
    return sum(size for size, _ in found.values())


def _saved_by(model: nn.Module) -> Callable[[Callable[[], Any]], int]:
    return lambda call: saved_bytes(call, model)
