"""Exactly-k selection inside Numba: counts of the samples of highest score in a batch, drawn without the batch."""

from typing import NamedTuple

import numpy as np

from simulations.randomness.compiling import kernel
from simulations.randomness.draws import (
    MultinomialTables,
    add_multinomial,
    binomial,
    fill_alias_table,
    fill_conditional,
)
from simulations.randomness.streams import FloatArray, IntArray, WordArray

__all__ = ["GroupTables", "add_top_counts", "fill_groups", "group_tables"]


class GroupTables(NamedTuple):
    """What :func:`add_top_counts` draws from: the groups of arms with equal scores, in descending order of score."""

    bounds: IntArray
    """(K + 1,): group g is ``bounds[g]:bounds[g + 1]``."""
    conditional: FloatArray
    """(K,): probability of each group given that the sample is in none before it."""
    within: MultinomialTables
    """Of K arms: the tables of each group, one after the other, numbered from the group's start."""


@kernel
def group_tables(n_arms: int) -> GroupTables:
    """Return tables to be filled."""
    within = MultinomialTables(np.empty(n_arms), np.empty(2 * n_arms, dtype=np.int64), np.empty(n_arms))
    return GroupTables(np.empty(n_arms + 1, dtype=np.int64), np.empty(n_arms), within)


@kernel
def fill_groups(scores: FloatArray, policy: FloatArray, tables: GroupTables, stack: IntArray) -> int:
    """Write the tables for arms in descending order of score; return the number of groups.

    ``scores`` and ``policy``, the arms' probabilities, have shape (K,); ``stack``, shape (K,), is scratch space.
    """
    bounds, (threshold, choice, conditional) = tables.bounds, tables.within
    n_arms, n_groups = scores.size, 0
    for arm in range(n_arms):
        if arm == 0 or scores[arm] != scores[arm - 1]:
            bounds[n_groups] = arm
            n_groups += 1
    bounds[n_groups] = n_arms
    rest = 0.0
    for g in range(n_groups - 1, -1, -1):
        start, end = bounds[g], bounds[g + 1]
        mass = policy[start:end].sum()
        rest += mass
        tables.conditional[g] = mass / rest if rest > 0.0 else 0.0
        if end - start > 1 and mass > 0.0:
            fill_alias_table(policy[start:end], threshold[start:end], choice[2 * start : 2 * end], stack[start:end])
            fill_conditional(policy[start:end], conditional[start:end])
    return n_groups


@kernel
def _add_group(state: WordArray, n: int, within: MultinomialTables, start: int, end: int, counts: IntArray) -> None:
    """Add n samples of the group ``start:end`` to ``counts``, shape (K,)."""
    group = MultinomialTables(
        within.threshold[start:end], within.choice[2 * start : 2 * end], within.conditional[start:end]
    )
    add_multinomial(state, n, group, counts[start:end])


@kernel
def add_top_counts(
    state: WordArray, batch_size: int, n_kept: int, n_groups: int, tables: GroupTables, counts: IntArray
) -> None:
    """Add to ``counts``, shape (K,), the ``n_kept`` samples of highest score among ``batch_size``, ties at random.

    Walks the groups of tied arms that :func:`fill_groups` found, from the highest score down: the samples in a
    group are Binomial(samples left, its conditional probability). A random choice among them ignores their labels,
    and within the group the labels are independent, so those kept are a multinomial draw of their own: the
    multivariate hypergeometric thinning of a multinomial, in one draw.
    """
    # Fields are read in place: a variable for one costs atomic counts of its references, a tenth of the draw.
    remaining, room, g = batch_size, n_kept, 0
    while g < n_groups and room > 0:
        present = binomial(state, remaining, tables.conditional[g])
        kept = min(present, room)
        start, end = tables.bounds[g], tables.bounds[g + 1]
        if end - start == 1:
            counts[start] += kept
        elif kept > 0:
            _add_group(state, kept, tables.within, start, end, counts)
        remaining -= present
        room -= kept
        g += 1
