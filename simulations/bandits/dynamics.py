"""Numba kernel for learning: gated policy gradient on the logits of a softmax bandit, many replicates.

A step costs O(K) whatever the batch size, because a batch enters only through its kept counts (why that is exact is
said in :mod:`simulations.bandits.kernels`). Delight, price and temperature are in nats times reward.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.randomness.draws import (
    add_multinomial,
    add_top_counts,
    binomial,
    fill_alias_table,
    fill_conditional,
    fill_groups,
)
from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel, next_uniform
from simulations.randomness.vector_math import exp_into, largest, total

CONSTANT, VALUE, CONFIDENCE = range(3)
"""Baselines: a number, E R under the current policy, Σ π²."""

PG, DG, ZERO_PRICE, PRICE, RATE = range(5)
"""Gates, in the order of :data:`simulations.bandits.contexts.GATES`."""

_TABLE_PER_ARM = 2.5  # measured: an arm of an alias table costs as much as so many draws from it


class Scratch(NamedTuple):
    """Work space of one call. Two arrays and not one a name: a tuple of many costs seconds of compilation."""

    floats: FloatArray  # (12, K), rows named below
    counts: IntArray  # (K,), kept samples
    order: IntArray  # (K,), arms by descending delight, carried from step to step
    ints: IntArray  # (4, 2K), rows named below


(
    _POLICY,
    _ADVANTAGE,
    _DELIGHT,
    _WEIGHT,  # σ((χ − λ)/η), where the gate has one
    _SPARE,
    _KEPT_MASS,  # π·w, the probability that a sample is of this arm and kept
    _PART,  # counts times weight times advantage, then the gradient times B
    _ACCEPT,  # alias table
    _CONDITIONAL,
    _SORTED_SCORES,
    _SORTED_POLICY,
    _GROUP_CONDITIONAL,
) = range(12)
_CHOICE, _STACK, _SORTED_COUNTS, _BOUNDS = range(4)


@kernel
def _scratch(n: int) -> Scratch:
    counts = np.zeros(n, dtype=np.int64)
    return Scratch(np.empty((12, n)), counts, np.arange(n), np.empty((4, 2 * n), dtype=np.int64))


@inlined
def _softmax(logits: FloatArray, scratch: Scratch) -> float:
    """Write the softmax and return the logarithm of its normaliser, so that surprisal is that minus the logit."""
    policy, shifted = scratch.floats[_POLICY], scratch.floats[_PART]
    top = largest(logits)
    for arm in range(logits.size):
        shifted[arm] = logits[arm] - top
    exp_into(shifted, policy, scratch.floats[_SPARE])
    normaliser = total(policy)
    for arm in range(logits.size):
        policy[arm] /= normaliser
    return top + math.log(normaliser)


@inlined
def _set_advantage(scratch: Scratch, rewards: FloatArray, baseline_kind: int, baseline: float) -> None:
    policy, part, advantage = scratch.floats[_POLICY], scratch.floats[_PART], scratch.floats[_ADVANTAGE]
    if baseline_kind != CONSTANT:
        for arm in range(rewards.size):
            part[arm] = policy[arm] * (rewards[arm] if baseline_kind == VALUE else policy[arm])
        baseline = total(part)
    for arm in range(rewards.size):
        advantage[arm] = rewards[arm] - baseline


@inlined
def _set_sigmoid(scratch: Scratch, price: float, temperature: float) -> None:
    """Write σ((delight − price)/temperature) to the weights."""
    delight, weight, exponential = scratch.floats[_DELIGHT], scratch.floats[_WEIGHT], scratch.floats[_PART]
    for arm in range(delight.size):
        weight[arm] = (price - delight[arm]) / temperature
    exp_into(weight, exponential, scratch.floats[_SPARE])
    for arm in range(delight.size):
        weight[arm] = 1.0 / (1.0 + exponential[arm])


@inlined
def _set_kept_mass(gate: int, price: float, temperature: float, scratch: Scratch) -> None:
    """Write π·w, for the gates that decide sample by sample; DG's and PG's keep everything."""
    policy, mass, delight = scratch.floats[_POLICY], scratch.floats[_KEPT_MASS], scratch.floats[_DELIGHT]
    if gate == PRICE and temperature > 0.0:
        weight = scratch.floats[_WEIGHT]
        for arm in range(policy.size):
            mass[arm] = policy[arm] * weight[arm]
    elif gate in (PRICE, ZERO_PRICE):
        limit = price if gate == PRICE else 0.0
        for arm in range(policy.size):
            mass[arm] = policy[arm] if delight[arm] > limit else 0.0
    else:
        for arm in range(policy.size):
            mass[arm] = policy[arm]


@kernel
def _draw_independent(state: WordArray, batch_size: int, scratch: Scratch, everything: bool) -> None:
    """Draw the counts from the kept mass: the likeliest arm by a binomial, then the others."""
    mass, counts, n_arms = scratch.floats[_KEPT_MASS], scratch.counts, scratch.counts.size
    counts[:] = 0
    top, top_mass = 0, largest(mass)
    while top < n_arms - 1 and mass[top] != top_mass:
        top += 1
    mass[top] = 0.0
    rest_mass = total(mass)
    left = batch_size if everything else binomial(state, batch_size, top_mass + rest_mass)
    counts[top] = binomial(state, left, top_mass / (top_mass + rest_mass))
    left -= counts[top]
    ceiling = largest(mass)
    if left > 0 and 2.0 * left * ceiling * n_arms / rest_mass < left + _TABLE_PER_ARM * n_arms:
        while left > 0:  # rejection from the uniform: no table to build, few trials while the others are alike
            x = next_uniform(state) * n_arms
            arm = int(x)
            if (x - arm) * ceiling < mass[arm]:
                counts[arm] += 1
                left -= 1
    elif left > 0:
        accept, conditional, choice = scratch.floats[_ACCEPT], scratch.floats[_CONDITIONAL], scratch.ints[_CHOICE]
        fill_alias_table(mass, accept, choice, scratch.ints[_STACK])
        fill_conditional(mass, conditional)
        add_multinomial(state, left, accept, choice, conditional, counts)


@kernel
def _draw_top(state: WordArray, batch_size: int, n_kept: int, scratch: Scratch) -> None:
    """Draw the counts of the ``n_kept`` samples of highest delight."""
    order, delight, scores = scratch.order, scratch.floats[_DELIGHT], scratch.floats[_SORTED_SCORES]
    policy, sorted_policy = scratch.floats[_POLICY], scratch.floats[_SORTED_POLICY]
    n_arms = order.size
    for i in range(n_arms):
        # Insertion sort: a step moves few arms, so the order of the last step is nearly right.
        arm, j = order[i], i
        while j > 0 and scores[j - 1] < delight[arm]:
            scores[j], order[j] = scores[j - 1], order[j - 1]
            j -= 1
        scores[j], order[j] = delight[arm], arm
    sorted_counts = scratch.ints[_SORTED_COUNTS][:n_arms]
    for i in range(n_arms):
        sorted_policy[i] = policy[order[i]]
        sorted_counts[i] = 0
    bounds, choice, stack = scratch.ints[_BOUNDS], scratch.ints[_CHOICE], scratch.ints[_STACK]
    tables = (
        scratch.floats[_ACCEPT],
        choice,
        scratch.floats[_CONDITIONAL],
        scratch.floats[_GROUP_CONDITIONAL],
    )
    n_groups = fill_groups(scores, sorted_policy, bounds, *tables, stack)
    add_top_counts(state, batch_size, n_kept, n_groups, bounds, *tables, sorted_counts)
    for i in range(n_arms):
        scratch.counts[order[i]] = sorted_counts[i]


@inlined
def _draw(
    state: WordArray,
    batch_size: int,
    gate: int,
    price: float,
    temperature: float,
    n_kept: int,
    logits: FloatArray,
    log_normaliser: float,
    scratch: Scratch,
) -> int:
    """Draw one batch's kept counts, write counts times weight times advantage, return the backward passes."""
    counts, part, delight = scratch.counts, scratch.floats[_PART], scratch.floats[_DELIGHT]
    advantage, weight = scratch.floats[_ADVANTAGE], scratch.floats[_WEIGHT]
    for arm in range(logits.size):
        delight[arm] = advantage[arm] * (log_normaliser - logits[arm])
    if gate == DG or (gate == PRICE and temperature > 0.0):
        _set_sigmoid(scratch, 0.0 if gate == DG else price, temperature)
    if gate == RATE:
        _draw_top(state, batch_size, n_kept, scratch)
    else:
        _set_kept_mass(gate, price, temperature, scratch)
        _draw_independent(state, batch_size, scratch, gate in (PG, DG))
    backward = 0
    for arm in range(logits.size):
        backward += counts[arm]
        part[arm] = counts[arm] * advantage[arm]
    if gate == DG:
        for arm in range(logits.size):
            part[arm] *= weight[arm]
    return backward


@inlined
def _step(logits: FloatArray, scratch: Scratch, batch_size: int, learning_rate: float, normalised: bool) -> None:
    """Add learning_rate·ḡ, or learning_rate·ḡ/‖ḡ‖ unless ḡ is zero, to the logits."""
    part, policy = scratch.floats[_PART], scratch.floats[_POLICY]
    summed = total(part)
    for arm in range(logits.size):
        part[arm] -= policy[arm] * summed
    scale = learning_rate / batch_size
    if normalised:
        for arm in range(logits.size):
            policy[arm] = part[arm] * part[arm]  # of no more use in this step
        square = total(policy)
        if square == 0.0:
            return
        scale = learning_rate / math.sqrt(square)
    for arm in range(logits.size):
        logits[arm] += scale * part[arm]


@kernel
def learning_curves(
    states: WordArray,
    initial_logits: FloatArray,
    rewards: FloatArray,
    batch_size: int,
    learning_rate: float,
    normalised: bool,
    baseline_kind: int,
    baseline: float,
    gate: int,
    price: float,
    temperature: float,
    n_kept: int,
    record_steps: IntArray,
) -> tuple[FloatArray, IntArray]:
    """Train every replicate from the same logits.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    initial_logits, rewards : ndarray, shape (K,)
        Arm 0 is the one whose probability is recorded.
    batch_size : int
        B.
    learning_rate : float
        Step is learning_rate·ḡ, or learning_rate·ḡ/‖ḡ‖ if ``normalised``.
    baseline_kind, baseline : int, float
        ``CONSTANT`` with its value, ``VALUE`` or ``CONFIDENCE``, which are computed from the current policy.
    gate, price, temperature, n_kept : int, float, float, int
        ``PG``, ``DG``, ``ZERO_PRICE``, ``PRICE`` or ``RATE``, and what it needs.
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
        If the logits overflow.
    """
    n_replicates, n_records = states.shape[0], record_steps.size
    p_correct = np.empty((n_replicates, n_records))
    backward = np.empty((n_replicates, n_records), dtype=np.int64)
    scratch = _scratch(initial_logits.size)
    for replicate in range(n_replicates):
        logits = initial_logits.copy()
        for arm in range(logits.size):
            scratch.order[arm] = arm  # what an earlier replicate left must not decide ties
        passes = record = step = 0
        while True:
            log_normaliser = _softmax(logits, scratch)
            if not math.isfinite(log_normaliser):
                raise FloatingPointError("the logits overflowed; the learning rate is too large")
            if step == record_steps[record]:
                p_correct[replicate, record] = scratch.floats[_POLICY][0]
                backward[replicate, record] = passes
                record += 1
                if record == n_records:
                    break
            _set_advantage(scratch, rewards, baseline_kind, baseline)
            passes += _draw(
                states[replicate], batch_size, gate, price, temperature, n_kept, logits, log_normaliser, scratch
            )
            _step(logits, scratch, batch_size, learning_rate, normalised)
            step += 1
    return p_correct, backward
