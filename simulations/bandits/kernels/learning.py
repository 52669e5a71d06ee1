"""Numba kernel for learning: gated policy gradient on the logits of a softmax bandit, many replicates.

A step costs O(K) whatever the batch size. A batch is drawn in :mod:`simulations.bandits.kernels.learning_batches`.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.bandits.kernels.learning_batches import (
    ADVANTAGE,
    PART,
    POLICY,
    SPARE,
    GateCode,
    Scratch,
    draw_batch,
    new_scratch,
)
from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.streams import FloatArray, IntArray, WordArray
from simulations.randomness.vector_math import exp_into, largest, total

CONSTANT, VALUE, CONFIDENCE = range(3)
"""Baselines: a number, E R under the current policy, Σ π²."""


class Baseline(NamedTuple):
    """b."""

    kind: int
    """``CONSTANT``, or ``VALUE`` or ``CONFIDENCE``, which are computed from the current policy."""
    constant: float
    """Its value if it is ``CONSTANT``."""


class Updates(NamedTuple):
    """How an update follows from its batch."""

    batch_size: int
    """B."""
    learning_rate: float
    """A step is learning_rate·ḡ,"""
    normalised: bool
    """or learning_rate·ḡ/‖ḡ‖ if this is set, unless ḡ is zero."""


@inlined
def _softmax(logits: FloatArray, scratch: Scratch) -> float:
    """Write the softmax and return the logarithm of its normaliser, so that surprisal is that minus the logit."""
    policy, shifted = scratch.floats[POLICY], scratch.floats[PART]
    top = largest(logits)
    for arm in range(logits.size):
        shifted[arm] = logits[arm] - top
    exp_into(shifted, policy, scratch.floats[SPARE])
    normaliser = total(policy)
    for arm in range(logits.size):
        policy[arm] /= normaliser
    return top + math.log(normaliser)


@inlined
def _set_advantage(scratch: Scratch, rewards: FloatArray, baseline: Baseline) -> None:
    """Write rewards, shape (K,), less the baseline."""
    policy, part, advantage = scratch.floats[POLICY], scratch.floats[PART], scratch.floats[ADVANTAGE]
    b = baseline.constant
    if baseline.kind != CONSTANT:
        for arm in range(rewards.size):
            part[arm] = policy[arm] * (rewards[arm] if baseline.kind == VALUE else policy[arm])
        b = total(part)
    for arm in range(rewards.size):
        advantage[arm] = rewards[arm] - b


@inlined
def _step(logits: FloatArray, scratch: Scratch, updates: Updates) -> None:
    """Add the step of the batch in the work space to the logits, shape (K,)."""
    part, policy = scratch.floats[PART], scratch.floats[POLICY]
    summed = total(part)
    for arm in range(logits.size):
        part[arm] -= policy[arm] * summed
    scale = updates.learning_rate / updates.batch_size
    if updates.normalised:
        for arm in range(logits.size):
            policy[arm] = part[arm] * part[arm]  # of no more use in this step
        square = total(policy)
        if square == 0.0:
            return
        scale = updates.learning_rate / math.sqrt(square)
    for arm in range(logits.size):
        logits[arm] += scale * part[arm]


@kernel
def learning_curves(
    states: WordArray,
    initial_logits: FloatArray,
    rewards: FloatArray,
    updates: Updates,
    baseline: Baseline,
    gate: GateCode,
    record_steps: IntArray,
) -> tuple[FloatArray, IntArray]:
    """Train every replicate from the same logits.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    initial_logits, rewards : ndarray, shape (K,)
    record_steps : ndarray of int64, shape (n_records,)
        Ascending numbers of updates after which to record; the last one ends the run.

    Returns
    -------
    p_correct : ndarray, shape (n_replicates, n_records)
        Probability of arm 0.
    backward : ndarray of int64, shape (n_replicates, n_records)
        Backward passes so far.

    Raises
    ------
    FloatingPointError
    """
    n_replicates, n_records = states.shape[0], record_steps.size
    p_correct = np.empty((n_replicates, n_records))
    backward = np.empty((n_replicates, n_records), dtype=np.int64)
    scratch = new_scratch(initial_logits.size)
    for replicate in range(n_replicates):
        logits = initial_logits.copy()
        for arm in range(logits.size):
            scratch.order[arm] = arm  # what an earlier replicate left must not decide ties
        passes = record = 0
        for step in range(record_steps[-1] + 1):
            log_normaliser = _softmax(logits, scratch)
            if not math.isfinite(log_normaliser):
                raise FloatingPointError("the logits overflowed; the learning rate is too large")
            if step == record_steps[record]:
                p_correct[replicate, record] = scratch.floats[POLICY][0]
                backward[replicate, record] = passes
                record += 1
            if record < n_records:
                _set_advantage(scratch, rewards, baseline)
                passes += draw_batch(states[replicate], updates.batch_size, gate, logits, log_normaliser, scratch)
                _step(logits, scratch, updates)
    return p_correct, backward
