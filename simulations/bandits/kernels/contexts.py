"""Numba kernels for batches over many contexts, and for gates that decide on approximate delight.

Samples are drawn one by one and gated one by one, from their own advantage and surprisal: nothing that the closed
forms of :mod:`kondo_theory.contexts` and :mod:`kondo_theory.approximate` say is used here. Arm 0 alone pays, 1.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.bandits.kernels.statistics import N_STATISTICS, Batches, BatchGradient, finish, record
from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.streams import FloatArray, IntArray, WordArray, next_uniform

PG, DG, KONDO = range(3)
"""Codes of the methods of :func:`context_gradients`."""

ADDITIVE, RELATIVE, BOUNDED = range(3)
"""Codes of the errors of :func:`noisy_batches`: χ + τξ, χ(1 + τξ), and χ(1 + τv), v uniform on [−1, 1]."""


class Contexts(NamedTuple):
    """N contexts."""

    p_correct: FloatArray
    """(N,): probability of arm 0 of each context."""
    n_arms: IntArray
    """(N,): K_n ≥ 2."""
    baseline: FloatArray
    """(N,): b of each context."""


class ContextGate(NamedTuple):
    """The gate of all contexts."""

    method: int
    """``PG``, ``DG`` (weights σ(χ/η)) or ``KONDO`` (χ > λ)."""
    price: float
    """λ."""
    temperature: float
    """η."""


class SymmetricContext(NamedTuple):
    """One context whose wrong arms are equally likely."""

    p_correct: float
    """p."""
    n_arms: int
    """K."""
    baseline: float
    """b."""


class DelightError(NamedTuple):
    """The error of the delight on which a gate decides."""

    kind: int
    """``ADDITIVE``, ``RELATIVE`` or ``BOUNDED``."""
    size: float
    """τ."""


@inlined
def next_normal(state: WordArray) -> float:
    """Return a standard normal number (Box and Muller's cosine) and advance the stream, shape (4,)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - next_uniform(state)))
    return radius * math.cos(2.0 * math.pi * next_uniform(state))


@inlined
def _draw_arm(state: WordArray, p_correct: float, n_arms: int) -> int:
    """Return 0, the correct arm, with probability p, or one of the others."""
    if next_uniform(state) < p_correct:
        return 0
    return 1 + int(next_uniform(state) * (n_arms - 1))


@inlined
def _subtract_mean_score(gradient: FloatArray, p_correct: float, wrong: float) -> None:
    """Turn Σ c·e_a, shape (K,), into Σ c·(e_a − π), π being (p, wrong, …, wrong)."""
    total = gradient.sum()
    gradient[0] -= p_correct * total
    gradient[1:] -= wrong * total


@kernel
def context_gradients(
    states: WordArray, contexts: Contexts, gate: ContextGate, n_samples: int
) -> tuple[FloatArray, FloatArray]:
    """Average gradients in the logits of every context, ``n_samples`` in each a replicate.

    ``states``, shape (n_replicates, 4), are streams, advanced in place.

    Returns
    -------
    gradients : ndarray, shape (n_replicates, N, max K_n)
        Mean of weight·U·(e_a − π); zero beyond a context's own arms.
    kept : ndarray, shape (n_replicates,)
        Backward passes over forward samples.
    """
    n_contexts = contexts.p_correct.size
    gradients = np.zeros((states.shape[0], n_contexts, contexts.n_arms.max()))
    kept = np.zeros(states.shape[0])
    for replicate in range(states.shape[0]):
        state = states[replicate]
        for n in range(n_contexts):
            p, b, n_arms = contexts.p_correct[n], contexts.baseline[n], contexts.n_arms[n]
            row, wrong = gradients[replicate, n, :n_arms], (1.0 - p) / (n_arms - 1)
            for _ in range(n_samples):
                arm = _draw_arm(state, p, n_arms)
                advantage = 1.0 - b if arm == 0 else -b
                delight = -advantage * math.log(p if arm == 0 else wrong)
                if gate.method == KONDO and not delight > gate.price:
                    continue
                weight = 1.0 / (1.0 + math.exp(-delight / gate.temperature)) if gate.method == DG else 1.0
                row[arm] += weight * advantage
                kept[replicate] += 1.0
            _subtract_mean_score(row, p, wrong)
    gradients /= n_samples
    kept /= n_contexts * n_samples
    return gradients, kept


@inlined
def _estimated_delight(state: WordArray, delight: float, error: DelightError) -> float:
    """Return a sample's delight with its error, drawn anew."""
    drawn = 2.0 * next_uniform(state) - 1.0 if error.kind == BOUNDED else next_normal(state)
    return delight + error.size * drawn if error.kind == ADDITIVE else delight * (1.0 + error.size * drawn)


@inlined
def _fill_gradient(
    state: WordArray, context: SymmetricContext, price: float, error: DelightError, size: int, gradient: FloatArray
) -> tuple[int, int]:
    """Draw a batch and write Σ U·e_a over its kept samples, (K,); return how many were kept, and how many wrongly.

    Wrongly is what the exact delight would have decided otherwise, kept or dropped.
    """
    p, n_arms, baseline = context
    delight_correct = -(1.0 - baseline) * math.log(p)
    delight_wrong = baseline * math.log((1.0 - p) / (n_arms - 1))
    gradient[:] = 0.0
    kept = differing = 0
    for _ in range(size):
        arm = _draw_arm(state, p, n_arms)
        delight = delight_correct if arm == 0 else delight_wrong
        seen = _estimated_delight(state, delight, error)
        if (seen > price) != (delight > price):
            differing += 1
        if seen > price:
            gradient[arm] += 1.0 - baseline if arm == 0 else -baseline
            kept += 1
    return kept, differing


@kernel
def noisy_batches(
    states: WordArray, context: SymmetricContext, price: float, error: DelightError, batches: Batches
) -> tuple[FloatArray, FloatArray]:
    """Moments over batches of one symmetric context, gated by χ̂ > λ with an error drawn for every sample.

    ``states``, shape (n_replicates, 4), are streams, advanced in place; ``price`` is λ.

    Returns
    -------
    statistics : ndarray, shape (n_replicates, 6)
        Columns named in :mod:`simulations.bandits.kernels`, u the direction of ∇J.
    differing : ndarray, shape (n_replicates,)
        Share of samples whose decision is not that of the exact delight.
    """
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    differing = np.zeros(states.shape[0])
    wrong = (1.0 - context.p_correct) / (context.n_arms - 1)
    direction = np.full(context.n_arms, -wrong)
    direction[0] = 1.0 - context.p_correct
    direction /= math.sqrt((direction * direction).sum())
    gradient = np.zeros(context.n_arms)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], statistics[replicate]
        for batch in range(batches.number):
            kept, changed = _fill_gradient(state, context, price, error, batches.size, gradient)
            differing[replicate] += changed
            _subtract_mean_score(gradient, context.p_correct, wrong)
            gradient /= batches.size
            signal = (gradient * direction).sum()
            square = ((gradient - signal * direction) ** 2).sum()
            record(row, batch, BatchGradient(signal, square, kept), batches.cosine)
        finish(row, batches.number)
    differing /= batches.size * batches.number
    return statistics, differing
