"""Kept counts of one batch of a softmax bandit under a gate, and the sums that its gradient is made from.

A batch enters only through its kept counts, whatever its size (why that is exact is said in
:mod:`simulations.bandits.kernels.batches`). Delight, price and temperature are in nats times reward.
"""

from typing import NamedTuple

import numpy as np

from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.draws import (
    MultinomialTables,
    add_multinomial,
    binomial,
    fill_alias_table,
    fill_conditional,
)
from simulations.randomness.streams import FloatArray, IntArray, WordArray, next_uniform
from simulations.randomness.top_counts import GroupTables, add_top_counts, fill_groups
from simulations.randomness.vector_math import exp_into, largest, total

PG, DG, ZERO_PRICE, PRICE, RATE = range(5)
"""Gates, in the order of :data:`simulations.bandits.contexts.GATES`."""

# Rejection from the uniform or an alias table: a trial is reckoned as so many draws from a table, and a table of K
# arms takes as long to build as so many draws an arm (measured).
_DRAWS_PER_TRIAL, _TABLE_PER_ARM = 2.0, 2.5


class GateCode(NamedTuple):
    """Which samples of a batch get a backward pass."""

    kind: int
    """``PG``, ``DG``, ``ZERO_PRICE``, ``PRICE`` or ``RATE``."""
    price: float
    """λ of ``PRICE``."""
    temperature: float
    """η of ``DG``, where it is positive, and of ``PRICE``."""
    n_kept: int
    """k of ``RATE``."""


class Scratch(NamedTuple):
    """Work space of one call. Two arrays and not one a name: a tuple of many costs seconds of compilation."""

    floats: FloatArray
    """(12, K): rows named below."""
    counts: IntArray
    """(K,): kept samples."""
    order: IntArray
    """(K,): arms by descending delight, carried from step to step."""
    ints: IntArray
    """(4, 2K): rows named below."""


_N_FLOATS, _N_INTS = 12, 4
(
    POLICY,
    ADVANTAGE,
    _DELIGHT,
    _WEIGHT,  # σ((χ − λ)/η), where the gate has one
    SPARE,
    _KEPT_MASS,  # π·w, the probability that a sample is of this arm and kept
    PART,  # counts times weight times advantage, then the gradient times B
    _ACCEPT,  # alias table
    _CONDITIONAL,
    _SORTED_SCORES,
    _SORTED_POLICY,
    _GROUP_CONDITIONAL,
) = range(_N_FLOATS)
_CHOICE, _STACK, _SORTED_COUNTS, _BOUNDS = range(_N_INTS)


@kernel
def new_scratch(n_arms: int) -> Scratch:
    """Return work space for K arms, in their own order."""
    counts, ints = np.zeros(n_arms, dtype=np.int64), np.empty((_N_INTS, 2 * n_arms), dtype=np.int64)
    return Scratch(np.empty((_N_FLOATS, n_arms)), counts, np.arange(n_arms), ints)


@inlined
def _set_sigmoid(scratch: Scratch, price: float, temperature: float) -> None:
    """Write σ((delight − price)/temperature) to the weights."""
    delight, weight, exponential = scratch.floats[_DELIGHT], scratch.floats[_WEIGHT], scratch.floats[PART]
    for arm in range(delight.size):
        weight[arm] = (price - delight[arm]) / temperature
    exp_into(weight, exponential, scratch.floats[SPARE])
    for arm in range(delight.size):
        weight[arm] = 1.0 / (1.0 + exponential[arm])


@inlined
def _set_kept_mass(gate: GateCode, scratch: Scratch) -> None:
    """Write π·w, for the gates that decide sample by sample; DG's and PG's keep everything."""
    policy, mass, delight = scratch.floats[POLICY], scratch.floats[_KEPT_MASS], scratch.floats[_DELIGHT]
    if gate.kind == PRICE and gate.temperature > 0.0:
        weight = scratch.floats[_WEIGHT]
        for arm in range(policy.size):
            mass[arm] = policy[arm] * weight[arm]
    elif gate.kind in (PRICE, ZERO_PRICE):
        limit = gate.price if gate.kind == PRICE else 0.0
        for arm in range(policy.size):
            mass[arm] = policy[arm] if delight[arm] > limit else 0.0
    else:
        for arm in range(policy.size):
            mass[arm] = policy[arm]


@kernel
def _draw_independent(state: WordArray, batch_size: int, scratch: Scratch, everything: bool) -> None:
    """Draw the counts from the kept mass: the likeliest arm by a binomial, then the others.

    ``everything`` says that the gate keeps all samples, whatever the rounding of the mass.
    """
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
    if left == 0:
        return
    ceiling = largest(mass)
    if _DRAWS_PER_TRIAL * left * ceiling * n_arms / rest_mass < left + _TABLE_PER_ARM * n_arms:
        while left > 0:  # rejection from the uniform: no table to build, few trials while the others are alike
            x = next_uniform(state) * n_arms
            arm = int(x)
            if (x - arm) * ceiling < mass[arm]:
                counts[arm] += 1
                left -= 1
    else:
        tables = MultinomialTables(scratch.floats[_ACCEPT], scratch.ints[_CHOICE], scratch.floats[_CONDITIONAL])
        fill_alias_table(mass, tables.threshold, tables.choice, scratch.ints[_STACK])
        fill_conditional(mass, tables.conditional)
        add_multinomial(state, left, tables, counts)


@inlined
def _sort_by_delight(scratch: Scratch) -> None:
    """Bring order and sorted scores up to date by insertion: a step moves few arms, so the last is nearly right."""
    order, delight, scores = scratch.order, scratch.floats[_DELIGHT], scratch.floats[_SORTED_SCORES]
    for i in range(order.size):
        arm, j = order[i], i
        while j > 0 and scores[j - 1] < delight[arm]:
            scores[j], order[j] = scores[j - 1], order[j - 1]
            j -= 1
        scores[j], order[j] = delight[arm], arm


@kernel
def _draw_top(state: WordArray, batch_size: int, n_kept: int, scratch: Scratch) -> None:
    """Draw the counts of the ``n_kept`` samples of highest delight."""
    _sort_by_delight(scratch)
    order, scores = scratch.order, scratch.floats[_SORTED_SCORES]
    policy, sorted_policy = scratch.floats[POLICY], scratch.floats[_SORTED_POLICY]
    n_arms = order.size
    sorted_counts = scratch.ints[_SORTED_COUNTS][:n_arms]
    for i in range(n_arms):
        sorted_policy[i] = policy[order[i]]
        sorted_counts[i] = 0
    within = MultinomialTables(scratch.floats[_ACCEPT], scratch.ints[_CHOICE], scratch.floats[_CONDITIONAL])
    tables = GroupTables(scratch.ints[_BOUNDS], scratch.floats[_GROUP_CONDITIONAL], within)
    n_groups = fill_groups(scores, sorted_policy, tables, scratch.ints[_STACK])
    add_top_counts(state, batch_size, n_kept, n_groups, tables, sorted_counts)
    for i in range(n_arms):
        scratch.counts[order[i]] = sorted_counts[i]


@inlined
def draw_batch(
    state: WordArray, batch_size: int, gate: GateCode, logits: FloatArray, log_normaliser: float, scratch: Scratch
) -> int:
    """Draw one batch's kept counts, write counts times weight times advantage, return the backward passes.

    Reads policy and advantage of the work space, and the logits, shape (K,), whose softmax has the normaliser given.
    """
    counts, part, delight = scratch.counts, scratch.floats[PART], scratch.floats[_DELIGHT]
    advantage, weight = scratch.floats[ADVANTAGE], scratch.floats[_WEIGHT]
    for arm in range(logits.size):
        delight[arm] = advantage[arm] * (log_normaliser - logits[arm])
    if gate.kind == DG or (gate.kind == PRICE and gate.temperature > 0.0):
        _set_sigmoid(scratch, 0.0 if gate.kind == DG else gate.price, gate.temperature)
    if gate.kind == RATE:
        _draw_top(state, batch_size, gate.n_kept, scratch)
    else:
        _set_kept_mass(gate, scratch)
        _draw_independent(state, batch_size, scratch, gate.kind in (PG, DG))
    backward = 0
    for arm in range(logits.size):
        backward += counts[arm]
        part[arm] = counts[arm] * advantage[arm]
    if gate.kind == DG:
        for arm in range(logits.size):
            part[arm] *= weight[arm]
    return backward
