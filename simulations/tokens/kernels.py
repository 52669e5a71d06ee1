"""Numba kernels for tokens that share one reward: T independent M-armed softmax bandits a row, B rows a batch.

Every arm of every position has its own logit, so nothing here assumes that positions agree or that wrong arms are
equally likely: the mean field does. Arm 0 is right. All tokens of a row carry its advantage, the share of right
tokens less the baseline. Tokens of the same position, arm and row reward are alike, so a batch is counted in such
classes and the classes are ranked. Ties at the price are kept in proportion: the mean of breaking them at random.
"""

import math

import numpy as np

from simulations.randomness.draws import categorical, fill_alias_table
from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel

TOKEN, ROW, ZERO_PRICE, DG = range(4)
"""Gates; ``TOKEN`` ranks tokens by one of the rules below, ``ROW`` ranks rows by advantage times summed surprisal."""

RULE_CODES = {
    name: code
    for code, name in enumerate(
        (
            "delight",
            "advantage",
            "abs-advantage",
            "surprisal",
            "additive",
            "uniform",
            "abs-advantage-entropy",
            "entropy-band",
            "positive-surprisal",
        )
    )
}
"""Codes of the rules of :data:`kondo_theory.screening.RULES`, with their default parameters."""

_TIE, _BAND = 1e-12, (0.25, 0.75)  # scores this close, relative to the largest, are tied; the entropy band


@inlined
def score(rule: int, advantage: float, surprisal: float, entropy: float, band_low: float, band_high: float) -> float:
    """Return a rule's score of one token; ``band_low`` and ``band_high`` bound the entropy band."""
    if rule == 1:
        return advantage
    if rule == 2:
        return abs(advantage)
    if rule == 3:
        return surprisal
    if rule == 4:
        return 0.5 * advantage + 0.5 * surprisal
    if rule == 5:
        return 0.0
    if rule == 6:
        return abs(advantage) * entropy
    if rule == 7:
        return 0.0 if band_low <= entropy <= band_high else -np.inf
    if rule == 8:
        return surprisal if advantage > 0.0 else -np.inf
    if rule == 0:
        return advantage * surprisal
    raise ValueError("no such rule")


@kernel
def entropy_quantile(entropies: FloatArray, batch_size: int, level: float) -> float:
    """Return the linearly interpolated quantile of the batch's entropies: each of the T, ``batch_size`` times."""
    ordered = np.sort(entropies)
    place = level * (ordered.size * batch_size - 1)
    lower = int(place)
    upper = min(lower + 1, ordered.size * batch_size - 1)
    left, right = ordered[lower // batch_size], ordered[upper // batch_size]
    return left + (right - left) * (place - lower)


@kernel
def keep_top(scores: FloatArray, counts: FloatArray, n_kept: float) -> FloatArray:
    """Return how many of each class are among the ``n_kept`` best, ties in proportion; −∞ is never kept."""
    order = np.argsort(-scores)
    kept = np.zeros(scores.size)
    scale = 0.0
    for value in scores:
        if math.isfinite(value):
            scale = max(scale, abs(value))
    i, room = 0, n_kept
    while i < order.size and room > 0.0 and scores[order[i]] > -np.inf:
        end, mass = i, 0.0
        while end < order.size and scores[order[i]] - scores[order[end]] <= _TIE * scale:
            mass += counts[order[end]]
            end += 1
        share = min(1.0, room / mass)
        for j in range(i, end):
            kept[order[j]] = share * counts[order[j]]
        room -= share * mass
        i = end
    return kept


@kernel
def _softmax_rows(logits: FloatArray, policy: FloatArray, entropies: FloatArray) -> None:
    for t in range(logits.shape[0]):
        top = logits[t].max()
        policy[t] = np.exp(logits[t] - top)
        policy[t] /= policy[t].sum()
        entropies[t] = -(policy[t] * np.log(np.maximum(policy[t], 1e-300))).sum()


@kernel
def _draw_rows(state: WordArray, policy: FloatArray, arms: IntArray, n_right: IntArray) -> None:
    """Draw the arms of all tokens, (B, T), and count the right ones of each row, (B,)."""
    n_tokens, vocab_size = policy.shape
    accept, choice = np.empty(vocab_size), np.empty(2 * vocab_size, dtype=np.int64)
    stack = np.empty(vocab_size, dtype=np.int64)
    n_right[:] = 0
    for t in range(n_tokens):
        fill_alias_table(policy[t], accept, choice, stack)
        for row in range(arms.shape[0]):
            arm = categorical(state, accept, choice)
            arms[row, t] = arm
            n_right[row] += arm == 0


@kernel
def _keep_rows(
    policy: FloatArray, arms: IntArray, n_right: IntArray, advantage: FloatArray, n_kept: float
) -> FloatArray:
    """Return the weight, 0 to 1, of each row when whole rows are kept, (B,)."""
    batch_size, n_tokens = arms.shape
    surprisal = -np.log(np.maximum(policy, 1e-300))
    scores = np.zeros(batch_size)
    for row in range(batch_size):
        for t in range(n_tokens):
            scores[row] += surprisal[t, arms[row, t]]
        scores[row] *= advantage[n_right[row]]
    return keep_top(scores, np.ones(batch_size), n_kept)


@kernel
def _weigh_classes(
    counts: FloatArray,
    policy: FloatArray,
    entropies: FloatArray,
    advantage: FloatArray,
    gate: int,
    rule: int,
    temperature: float,
    batch_size: int,
    n_kept: float,
) -> None:
    """Replace the counts of the classes, (T, M, T + 1), by the weight that the gate leaves of them."""
    n_tokens, vocab_size = policy.shape
    low = high = 0.0
    if gate == TOKEN and rule == 7:
        low = entropy_quantile(entropies, batch_size, _BAND[0])
        high = entropy_quantile(entropies, batch_size, _BAND[1])
    flat = counts.reshape(-1)
    present = np.flatnonzero(flat)
    scores = np.empty(present.size)
    for i in range(present.size):
        n, position = present[i] % (n_tokens + 1), present[i] // (n_tokens + 1)
        t, arm = position // vocab_size, position % vocab_size
        surprisal = -math.log(policy[t, arm])
        if gate == TOKEN:
            scores[i] = score(rule, advantage[n], surprisal, entropies[t], low, high)
        elif gate == ZERO_PRICE:
            scores[i] = 1.0 if advantage[n] * surprisal > 0.0 else 0.0
        elif gate != DG:
            raise ValueError("no such gate")
        else:
            scores[i] = 1.0 / (1.0 + math.exp(-advantage[n] * surprisal / temperature))
    if gate == TOKEN:
        flat[present] = keep_top(scores, flat[present], n_kept)
    else:
        flat[present] *= scores


@kernel
def _gradient(
    state: WordArray,
    policy: FloatArray,
    entropies: FloatArray,
    arms: IntArray,
    gate: int,
    rule: int,
    temperature: float,
    n_kept: float,
    batch_mean: bool,
    gradient: FloatArray,
) -> None:
    """Draw a batch and write its gated gradient on the logits, (T, M): the mean over the B rows."""
    batch_size, n_tokens = arms.shape
    n_right = np.empty(batch_size, dtype=np.int64)
    _draw_rows(state, policy, arms, n_right)
    baseline = n_right.mean() / n_tokens if batch_mean else policy[:, 0].mean()
    advantage = np.arange(n_tokens + 1) / n_tokens - baseline
    counts = np.zeros((n_tokens, policy.shape[1], n_tokens + 1))
    weights = np.ones(batch_size)
    if gate == ROW:
        weights = _keep_rows(policy, arms, n_right, advantage, n_kept)
    for row in range(batch_size):
        if weights[row] > 0.0:
            for t in range(n_tokens):
                counts[t, arms[row, t], n_right[row]] += weights[row]
    if gate != ROW:
        _weigh_classes(counts, policy, entropies, advantage, gate, rule, temperature, batch_size, n_kept)
    for t in range(n_tokens):
        for arm in range(policy.shape[1]):
            gradient[t, arm] = (counts[t, arm] * advantage).sum() / batch_size
        gradient[t] -= policy[t] * gradient[t].sum()


@kernel
def token_drifts(
    states: WordArray,
    logits: FloatArray,
    batch_size: int,
    n_batches: int,
    gate: int,
    rule: int,
    temperature: float,
    n_kept: float,
    batch_mean: bool,
) -> tuple[FloatArray]:
    """Return the mean over batches of the gradient on the right token's logit, (n_replicates, T).

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    logits : ndarray, shape (T, M)
        Arm 0 is right.
    batch_size, n_batches : int
        B rows a batch.
    gate, rule : int
        ``TOKEN``, ``ROW``, ``ZERO_PRICE`` or ``DG``; a code of ``RULE_CODES``, for ``TOKEN``.
    temperature, n_kept : float
        η of ``DG``; how many tokens, or rows, to keep.
    batch_mean : bool
        Whether the baseline is the batch's mean reward; else it is the exact mean.
    """
    drifts = np.zeros((states.shape[0], logits.shape[0]))
    policy, gradient, entropies = np.empty_like(logits), np.empty_like(logits), np.empty(logits.shape[0])
    arms = np.empty((batch_size, logits.shape[0]), dtype=np.int64)
    _softmax_rows(logits, policy, entropies)
    for replicate in range(states.shape[0]):
        for _ in range(n_batches):
            _gradient(
                states[replicate],
                policy,
                entropies,
                arms,
                gate,
                rule,
                temperature,
                n_kept,
                batch_mean,
                gradient,
            )
            drifts[replicate] += gradient[:, 0] / n_batches
    return (drifts,)


@kernel
def token_learning(
    states: WordArray,
    initial_logits: FloatArray,
    batch_size: int,
    learning_rate: float,
    gate: int,
    rule: int,
    temperature: float,
    n_kept: float,
    batch_mean: bool,
    record_steps: IntArray,
) -> tuple[FloatArray]:
    """Train every replicate from the same logits; return the mean probability of the right tokens, (n, n_records).

    Parameters are those of :func:`token_drifts`; an update adds learning_rate times the gradient to the logits.
    """
    reward = np.empty((states.shape[0], record_steps.size))
    policy, gradient = np.empty_like(initial_logits), np.empty_like(initial_logits)
    entropies = np.empty(initial_logits.shape[0])
    arms = np.empty((batch_size, initial_logits.shape[0]), dtype=np.int64)
    for replicate in range(states.shape[0]):
        logits, step = initial_logits.copy(), 0
        for record in range(record_steps.size):
            while step < record_steps[record]:
                _softmax_rows(logits, policy, entropies)
                _gradient(
                    states[replicate],
                    policy,
                    entropies,
                    arms,
                    gate,
                    rule,
                    temperature,
                    n_kept,
                    batch_mean,
                    gradient,
                )
                logits += learning_rate * gradient
                step += 1
            _softmax_rows(logits, policy, entropies)
            reward[replicate, record] = policy[:, 0].mean()
    return (reward,)
