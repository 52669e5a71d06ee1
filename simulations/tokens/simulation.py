"""Simulated rows of tokens that share one reward: a typed front of :mod:`simulations.tokens.kernels`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kondo_theory.gate import kept_count
from kondo_theory.words import choice
from simulations.randomness.streams import FloatArray, IntArray, in_chunks, replicate_states
from simulations.tokens import kernels
from simulations.tokens.ranking import RULE_CODES

__all__ = ["TokenGate", "TokenTask", "simulate_drift", "simulate_rewards"]

_GATES = {"token": kernels.TOKEN, "row": kernels.ROW, "zero-price": kernels.ZERO_PRICE, "dg": kernels.DG}


@dataclass(frozen=True)
class TokenGate:
    """Which tokens get a backward pass: ``token`` and ``row`` at a rate, ``zero-price``, or ``dg`` at a temperature.

    ``rule`` is the screening rule by which ``token`` ranks. The rate keeps
    :func:`kondo_theory.gate.kept_count` of the BT tokens, or of the B rows, of a batch.
    """

    kind: str = "token"
    rate: float = 1.0
    rule: str = "delight"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        choice("gate", self.kind, _GATES)
        choice("rule", self.rule, RULE_CODES)
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must be in (0, 1], got {self.rate!r}")

    def code(self, batch_size: int, n_tokens: int) -> kernels.Gate:
        """Return the gate as the kernels take it."""
        samples = batch_size * (1 if self.kind == "row" else n_tokens)
        kept = float(kept_count(self.rate, samples))
        return kernels.Gate(_GATES[self.kind], RULE_CODES[self.rule], float(self.temperature), kept)


@dataclass(frozen=True)
class TokenTask:
    """T positions over a vocabulary of M, B rows a batch.

    ``p`` is the initial probability of the right token at every position, by default 1/M; the wrong ones are even.
    ``batch_mean`` takes the batch's mean reward as the baseline instead of the exact mean.
    """

    vocab_size: int
    n_tokens: int
    batch_size: int
    p: float | None = None
    batch_mean: bool = False

    @property
    def rows(self) -> kernels.Rows:
        """Size and baseline of the batches, as the kernels take them."""
        return kernels.Rows(self.batch_size, self.batch_mean)

    @property
    def logits(self) -> FloatArray:
        """Initial logits, (T, M); the right token is number 0."""
        logits = np.zeros((self.n_tokens, self.vocab_size))
        if self.p is not None:
            logits[:, 0] = np.log(self.p) - np.log1p(-self.p) + np.log(self.vocab_size - 1)
        return logits


def simulate_drift(
    task: TokenTask, gate: TokenGate, n_batches: int, n_replicates: int, seed: int, n_threads: int = 1
) -> FloatArray:
    """Return the mean gradient on the right token's logit over the positions and ``n_batches``, (n_replicates,)."""
    states = replicate_states(seed, n_replicates)
    arguments = (task.logits, task.rows, gate.code(task.batch_size, task.n_tokens), n_batches)
    found = in_chunks(kernels.token_drifts, states, n_threads, *arguments)
    return np.asarray(found.mean(axis=1))


def simulate_rewards(
    task: TokenTask,
    gate: TokenGate,
    learning_rate: float,
    record_steps: IntArray,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
) -> FloatArray:
    """Train and return the exact mean reward after each of ``record_steps`` updates, (n_replicates, n_records)."""
    states = replicate_states(seed, n_replicates)
    code = gate.code(task.batch_size, task.n_tokens)
    arguments = (task.logits, task.rows, code, float(learning_rate), record_steps)
    return in_chunks(kernels.token_learning, states, n_threads, *arguments)
