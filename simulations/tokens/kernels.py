"""Numba kernels for tokens that share one reward: T independent M-armed softmax bandits a row, B rows a batch.

Every arm of every position has its own logit, so nothing here assumes that positions agree or that wrong arms are
equally likely: the mean field does. Arm 0 is right. All tokens of a row carry its advantage, the share of right
tokens less the baseline. Tokens of the same position, arm and row reward are alike, so a batch is counted in such
classes and the classes are ranked. Ties at the price are kept in proportion: the mean of breaking them at random.
Numba takes seconds to compile the arithmetic of whole arrays, so it is written out in loops. The file is longer than
300 lines: its kernels share the steps of a batch, which are inlined.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.randomness.compiling import kernel
from simulations.randomness.draws import categorical, fill_alias_table
from simulations.randomness.streams import FloatArray, IntArray, WordArray
from simulations.tokens.ranking import BAND_LEVELS, ENTROPY_BAND, entropy_quantile, keep_top, score

__all__ = [
    "DG",
    "ROW",
    "TOKEN",
    "ZERO_PRICE",
    "Gate",
    "Rows",
    "held_moves",
    "token_drifts",
    "token_escapes",
    "token_learning",
]

TOKEN, ROW, ZERO_PRICE, DG = range(4)
"""Gates; ``TOKEN`` ranks tokens by a screening rule, ``ROW`` ranks rows by advantage times summed surprisal."""

_RIGHT = 0  # the arm that is right, at every position
_LEAST_PROBABILITY = 1e-300  # so that logarithms are finite: less is never drawn and adds nothing to an entropy


class Gate(NamedTuple):
    """Which tokens get a backward pass."""

    kind: int
    """``TOKEN``, ``ROW``, ``ZERO_PRICE`` or ``DG``."""
    rule: int
    """One of :data:`simulations.tokens.ranking.RULE_CODES`, for ``TOKEN``."""
    temperature: float
    """η of ``DG``."""
    n_kept: float
    """How many tokens ``TOKEN`` keeps, or rows ``ROW``."""


class Rows(NamedTuple):
    """The batches."""

    batch_size: int
    """B rows."""
    batch_mean: bool
    """Whether the baseline is the batch's mean reward; else it is the exact mean."""


class Scratch(NamedTuple):
    """Work space of one call: the policy, and one batch from it."""

    policy: FloatArray
    """(T, M)"""
    entropies: FloatArray
    """(T,): of the policy at each position."""
    arms: IntArray
    """(B, T): the tokens drawn."""
    n_right: IntArray
    """(B,): how many of a row's tokens are right."""
    gradient: FloatArray
    """(T, M): on the logits, the mean over the B rows."""


@kernel
def _new_scratch(logits: FloatArray, batch_size: int) -> Scratch:
    """Return work space for logits of shape (T, M)."""
    n_tokens = logits.shape[0]
    arms, n_right = np.empty((batch_size, n_tokens), dtype=np.int64), np.empty(batch_size, dtype=np.int64)
    return Scratch(np.empty_like(logits), np.empty(n_tokens), arms, n_right, np.empty_like(logits))


@kernel
def _set_policy(logits: FloatArray, scratch: Scratch) -> None:
    """Write the softmax of logits, shape (T, M), and its entropies."""
    policy = scratch.policy
    n_tokens, vocab_size = logits.shape
    for t in range(n_tokens):
        top = logits[t, 0]
        for arm in range(1, vocab_size):
            top = max(top, logits[t, arm])
        total = 0.0
        for arm in range(vocab_size):
            policy[t, arm] = math.exp(logits[t, arm] - top)
            total += policy[t, arm]
        entropy = 0.0
        for arm in range(vocab_size):
            policy[t, arm] /= total
            entropy -= policy[t, arm] * math.log(max(policy[t, arm], _LEAST_PROBABILITY))
        scratch.entropies[t] = entropy


@kernel
def _draw_rows(state: WordArray, scratch: Scratch) -> None:
    """Draw the arms of all tokens, and count the right ones of each row."""
    policy, arms, n_right = scratch.policy, scratch.arms, scratch.n_right
    n_tokens, vocab_size = policy.shape
    accept, choice = np.empty(vocab_size), np.empty(2 * vocab_size, dtype=np.int64)
    stack = np.empty(vocab_size, dtype=np.int64)
    n_right[:] = 0
    for t in range(n_tokens):
        fill_alias_table(policy[t], accept, choice, stack)
        for row in range(arms.shape[0]):
            arm = categorical(state, accept, choice)
            arms[row, t] = arm
            n_right[row] += arm == _RIGHT


@kernel
def _keep_rows(scratch: Scratch, advantage: FloatArray, n_kept: float) -> FloatArray:
    """Return the weight, 0 to 1, of each row when whole rows are kept, (B,).

    ``advantage``, shape (T + 1,), is that of a row by its number of right tokens.
    """
    arms, n_right = scratch.arms, scratch.n_right
    batch_size, n_tokens = arms.shape
    surprisal = np.empty_like(scratch.policy)
    for t in range(n_tokens):
        for arm in range(surprisal.shape[1]):
            surprisal[t, arm] = -math.log(max(scratch.policy[t, arm], _LEAST_PROBABILITY))
    scores = np.zeros(batch_size)
    for row in range(batch_size):
        for t in range(n_tokens):
            scores[row] += surprisal[t, arms[row, t]]
        scores[row] *= advantage[n_right[row]]
    return keep_top(scores, np.ones(batch_size), n_kept)


@kernel
def _weigh_classes(counts: FloatArray, scratch: Scratch, advantage: FloatArray, gate: Gate, batch_size: int) -> None:
    """Replace the counts of the classes, (T, M, T + 1), by the weight that the gate leaves of them.

    ``advantage``, shape (T + 1,), is that of a row by its number of right tokens.
    """
    n_tokens, vocab_size = scratch.policy.shape
    low = high = 0.0
    if gate.kind == TOKEN and gate.rule == ENTROPY_BAND:
        low = entropy_quantile(scratch.entropies, batch_size, BAND_LEVELS[0])
        high = entropy_quantile(scratch.entropies, batch_size, BAND_LEVELS[1])
    flat = counts.reshape(-1)
    present = np.flatnonzero(flat)
    scores = np.empty(present.size)
    for i in range(present.size):
        n, position = present[i] % (n_tokens + 1), present[i] // (n_tokens + 1)
        t, arm = position // vocab_size, position % vocab_size
        surprisal = -math.log(scratch.policy[t, arm])
        if gate.kind == TOKEN:
            scores[i] = score(gate.rule, advantage[n], surprisal, scratch.entropies[t], (low, high))
        elif gate.kind == ZERO_PRICE:
            scores[i] = 1.0 if advantage[n] * surprisal > 0.0 else 0.0
        elif gate.kind != DG:
            raise ValueError("no such gate")
        else:
            scores[i] = 1.0 / (1.0 + math.exp(-advantage[n] * surprisal / gate.temperature))
    if gate.kind == TOKEN:
        scores = keep_top(scores, flat[present], gate.n_kept)
        for i in range(present.size):
            flat[present[i]] = scores[i]
    else:
        for i in range(present.size):
            flat[present[i]] *= scores[i]


@kernel
def _mean_reward(policy: FloatArray) -> float:
    """Return the mean probability of the right tokens."""
    total = 0.0
    for t in range(policy.shape[0]):
        total += policy[t, _RIGHT]
    return total / policy.shape[0]


@kernel
def _set_gradient(state: WordArray, scratch: Scratch, gate: Gate, batch_mean: bool) -> None:
    """Draw a batch from the policy and write its gated gradient."""
    policy, arms, n_right, gradient = scratch.policy, scratch.arms, scratch.n_right, scratch.gradient
    batch_size, n_tokens = arms.shape
    _draw_rows(state, scratch)
    baseline = n_right.mean() / n_tokens if batch_mean else _mean_reward(policy)
    advantage = np.arange(n_tokens + 1) / n_tokens - baseline
    counts = np.zeros((n_tokens, policy.shape[1], n_tokens + 1))
    weights = _keep_rows(scratch, advantage, gate.n_kept) if gate.kind == ROW else np.ones(batch_size)
    for row in range(batch_size):
        if weights[row] > 0.0:
            for t in range(n_tokens):
                counts[t, arms[row, t], n_right[row]] += weights[row]
    if gate.kind != ROW:
        _weigh_classes(counts, scratch, advantage, gate, batch_size)
    for t in range(n_tokens):
        for arm in range(policy.shape[1]):
            total = 0.0
            for n in range(n_tokens + 1):
                total += counts[t, arm, n] * advantage[n]
            gradient[t, arm] = total / batch_size
        total = gradient[t].sum()
        for arm in range(policy.shape[1]):
            gradient[t, arm] -= policy[t, arm] * total


@kernel
def token_drifts(states: WordArray, logits: FloatArray, rows: Rows, gate: Gate, n_batches: int) -> FloatArray:
    """Return the mean over batches of the gradient on the right token's logit, shape (n_replicates, T).

    ``states``, shape (n_replicates, 4), are streams, advanced in place; ``logits`` have shape (T, M).
    """
    drifts = np.zeros((states.shape[0], logits.shape[0]))
    scratch = _new_scratch(logits, rows.batch_size)
    _set_policy(logits, scratch)
    for replicate in range(states.shape[0]):
        for _ in range(n_batches):
            _set_gradient(states[replicate], scratch, gate, rows.batch_mean)
            for t in range(logits.shape[0]):
                drifts[replicate, t] += scratch.gradient[t, _RIGHT] / n_batches
    return drifts


@kernel
def token_learning(
    states: WordArray,
    initial_logits: FloatArray,
    rows: Rows,
    gate: Gate,
    learning_rate: float,
    record_steps: IntArray,
) -> FloatArray:
    """Train every replicate from the same logits, shape (T, M), by learning_rate times the gradient an update.

    Returns the mean probability of the right tokens, shape (n_replicates, n_records), after ``record_steps`` updates,
    shape (n_records,), ascending. ``states``, shape (n_replicates, 4), are streams, advanced in place.
    """
    reward = np.empty((states.shape[0], record_steps.size))
    scratch = _new_scratch(initial_logits, rows.batch_size)
    for replicate in range(states.shape[0]):
        logits, step = initial_logits.copy(), 0
        for record in range(record_steps.size):
            while step < record_steps[record]:
                _set_policy(logits, scratch)
                _set_gradient(states[replicate], scratch, gate, rows.batch_mean)
                logits += learning_rate * scratch.gradient
                step += 1
            _set_policy(logits, scratch)
            reward[replicate, record] = _mean_reward(scratch.policy)
    return reward


@kernel
def token_escapes(
    states: WordArray,
    initial_logits: FloatArray,
    rows: Rows,
    gate: Gate,
    learning_rate: float,
    level: float,
    most_steps: int,
) -> IntArray:
    """Return the number of updates until the right tokens' mean probability passes a level, (n_replicates,).

    −1 where it has not within ``most_steps``; the other arguments are those of :func:`token_learning`.
    """
    steps = np.full(states.shape[0], -1)
    scratch = _new_scratch(initial_logits, rows.batch_size)
    for replicate in range(states.shape[0]):
        logits = initial_logits.copy()
        for step in range(most_steps):
            _set_policy(logits, scratch)
            if scratch.policy[:, _RIGHT].mean() >= level:
                steps[replicate] = step
                break
            _set_gradient(states[replicate], scratch, gate, rows.batch_mean)
            logits += learning_rate * scratch.gradient
    return steps


@kernel
def held_moves(
    states: WordArray, initial_logits: FloatArray, rows: Rows, gate: Gate, learning_rate: float, n_steps: int
) -> FloatArray:
    """Train with the positions' mean log-odds held: return how each update would move it, (n_replicates, n_steps).

    After an update the right logits of all positions are shifted alike, so that the positions spread around their
    mean as they do in training.
    """
    moves = np.empty((states.shape[0], n_steps))
    scratch = _new_scratch(initial_logits, rows.batch_size)
    target = _mean_log_odds(initial_logits)
    for replicate in range(states.shape[0]):
        logits = initial_logits.copy()
        for step in range(n_steps):
            _set_policy(logits, scratch)
            _set_gradient(states[replicate], scratch, gate, rows.batch_mean)
            logits += learning_rate * scratch.gradient
            moves[replicate, step] = _mean_log_odds(logits) - target
            logits[:, _RIGHT] -= moves[replicate, step]
    return moves


@kernel
def _mean_log_odds(logits: FloatArray) -> float:
    """Return the mean over positions of the right token's log-odds, of logits (T, M)."""
    total = 0.0
    for t in range(logits.shape[0]):
        wrong = logits[t, _RIGHT + 1 :]
        top = wrong.max()
        total += logits[t, _RIGHT] - top - math.log(np.exp(wrong - top).sum())
    return total / logits.shape[0]
