"""Plain NumPy versions of the bandit kernels: oracles for the tests, baselines for the benchmark.

Each comes twice: ``sampled_*`` draws every sample, decides on it alone and builds its gradient from its own score
φ = e_a − π; ``counted_*`` draws the counts. They share no code with :mod:`simulations.bandits.kernels`.
"""

import numpy as np
import numpy.typing as npt

from kondo_theory.gate import kept_count
from kondo_theory.words import unhandled
from simulations.bandits.contexts import Context, Gate
from simulations.randomness.streams import FloatArray, IntArray

Generator = np.random.Generator


def draw_arms(rng: Generator, policy: FloatArray, batch_size: int) -> IntArray:
    """Draw samples from the rows of ``policy``, shape (n, K), by inversion; return arms of shape (n, batch_size)."""
    n, n_arms = policy.shape
    cumulative = policy.cumsum(axis=1)
    uniform = rng.random((n, batch_size)) * cumulative[:, -1:]
    offset = np.arange(n)[:, None] * 2.0  # one search for all rows: row i occupies [2i, 2i + 1]
    flat = np.searchsorted((cumulative + offset).ravel(), (uniform + offset).ravel(), side="right")
    arms: IntArray = np.minimum(flat.reshape(n, batch_size) - np.arange(n)[:, None] * n_arms, n_arms - 1)
    return arms


def keep_top(rng: Generator, scores: FloatArray, k: int) -> npt.NDArray[np.bool_]:
    """Keep the k highest of each row of ``scores``, shape (n, B), ties broken uniformly at random."""
    order = np.lexsort((rng.random(scores.shape), -scores))
    kept = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(kept, order[:, :k], True, axis=1)
    return kept


def keep_top_counts(rng: Generator, counts: IntArray, scores: FloatArray, k: int) -> IntArray:
    """Keep the k samples of highest score of each row of ``counts``; ``scores``, both (n, K), ties at random.

    Arms above the price are kept whole; those tied at the price share the room left by a multivariate hypergeometric
    draw.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    reach = np.take_along_axis(counts, order, axis=1).cumsum(axis=1)
    first = (reach >= k).argmax(axis=1)
    price = np.take_along_axis(scores, np.take_along_axis(order, first[:, None], axis=1), axis=1)
    kept = np.where(scores > price, counts, 0)
    room = k - kept.sum(axis=1)
    tied = np.where(scores == price, counts, 0)
    alone = (tied > 0).sum(axis=1) == 1
    kept[alone] += np.where(tied[alone] > 0, room[alone, None], 0)
    for row in np.flatnonzero(~alone):
        kept[row] += rng.multivariate_hypergeometric(tied[row], room[row])
    return kept


def sampled_gradients(
    rng: Generator, context: Context, batch_size: int, n_batches: int
) -> tuple[FloatArray, IntArray]:
    """Draw batches sample by sample.

    Returns
    -------
    gradients : ndarray, shape (n_batches, K)
        ḡ = (1/B) Σ over kept samples of weight·advantage·φ.
    kept : ndarray of int64, shape (n_batches,)
        Backward passes.
    """
    keep, weight = context.keep_and_weight
    policy = np.broadcast_to(context.policy, (n_batches, context.policy.size))
    arms = draw_arms(rng, policy, batch_size)
    if context.rate is None:
        kept = rng.random(arms.shape) < keep[arms]
    else:
        assert context.scores is not None
        kept = keep_top(rng, context.scores[arms], kept_count(context.rate, batch_size))
    coefficient = kept * (weight * context.advantage)[arms]
    scores = np.eye(context.policy.size)[arms] - context.policy  # (n_batches, B, K)
    gradients: FloatArray = np.einsum("nb,nbk->nk", coefficient, scores) / batch_size
    return gradients, kept.sum(axis=1)


def counted_gradients(
    rng: Generator, context: Context, batch_size: int, n_batches: int
) -> tuple[FloatArray, IntArray]:
    """As :func:`sampled_gradients`, from multinomial counts thinned by binomial or hypergeometric draws."""
    keep, weight = context.keep_and_weight
    counts = rng.multinomial(batch_size, context.policy, size=n_batches)
    if context.rate is not None:
        assert context.scores is not None
        scores = np.broadcast_to(context.scores, counts.shape)
        counts = keep_top_counts(rng, counts, scores, kept_count(context.rate, batch_size))
    elif (keep < 1).any():
        counts = rng.binomial(counts, keep)
    part = counts * (weight * context.advantage)
    gradients = (part - part.sum(axis=1, keepdims=True) * context.policy) / batch_size
    return gradients, counts.sum(axis=1)


def batch_statistics(
    gradients: FloatArray, kept: IntArray, direction: FloatArray, cosine: float
) -> tuple[FloatArray, FloatArray]:
    """Return the statistics of :func:`simulations.bandits.kernels.batch_moments` for one replicate.

    Returns
    -------
    statistics : ndarray, shape (6,)
        Mean and unbiased variance of ḡ·u, means of ‖ḡ_⊥‖², of the cosine and of the number kept, share aligned.
    perpendicular : ndarray, shape (K,)
        Mean of ḡ_⊥.
    """
    signal = gradients @ direction
    perpendicular = gradients - signal[:, None] * direction
    square = (perpendicular**2).sum(axis=1)
    norm = np.sqrt(signal**2 + square)
    cosines = np.divide(signal, norm, out=np.zeros_like(norm), where=norm > 0)
    aligned = (norm > 0) & (cosines >= cosine)
    columns = (signal.mean(), signal.var(ddof=1), square.mean(), cosines.mean(), kept.mean(), aligned.mean())
    return np.array(columns), perpendicular.mean(axis=0)


def learning_curves(
    rng: Generator,
    initial_logits: FloatArray,
    batch_size: int,
    learning_rate: float,
    n_steps: int,
    gate: Gate,
    baseline: float | str,
    n_replicates: int,
    *,
    normalised: bool = False,
    draw_samples: bool = False,
) -> tuple[FloatArray, IntArray]:
    """Train all replicates at once, arm 0 being the correct one, on every sample or on counts.

    Returns
    -------
    p_correct : ndarray, shape (n_replicates, n_steps + 1)
        Probability of arm 0 before the first update and after each.
    backward : ndarray of int64, shape (n_replicates, n_steps + 1)
        Backward passes so far.
    """
    logits = np.tile(initial_logits, (n_replicates, 1))
    p_correct = np.empty((n_replicates, n_steps + 1))
    backward = np.zeros((n_replicates, n_steps + 1), dtype=np.int64)
    part_of = _sampled_part if draw_samples else _counted_part
    for step in range(n_steps + 1):
        shifted = logits - logits.max(axis=1, keepdims=True)
        policy = np.exp(shifted)
        total = policy.sum(axis=1, keepdims=True)
        policy /= total
        p_correct[:, step] = policy[:, 0]
        if step == n_steps:
            break
        advantage = _advantage(policy, baseline)
        delight = advantage * (np.log(total) - shifted)
        part, kept = part_of(rng, policy, advantage, delight, batch_size, gate)
        backward[:, step + 1] = backward[:, step] + kept
        gradient = (part - part.sum(axis=1, keepdims=True) * policy) / batch_size
        if normalised:
            norm = np.linalg.norm(gradient, axis=1, keepdims=True)
            np.divide(gradient, norm, out=gradient, where=norm > 0)
        logits += learning_rate * gradient
    return p_correct, backward


def _advantage(policy: FloatArray, baseline: float | str) -> FloatArray:
    """Advantage of each arm, shape (n, K) or (n, 1)-broadcast to it."""
    value: FloatArray | float
    if baseline == "value":
        value = policy[:, :1]
    elif baseline == "confidence":
        value = (policy**2).sum(axis=1, keepdims=True)
    elif isinstance(baseline, str):
        raise unhandled("baseline", baseline, ("value", "confidence"))
    else:
        value = float(baseline)
    advantage = np.zeros(policy.shape) - value
    advantage[:, 0] += 1.0
    return advantage


def _counted_part(
    rng: Generator, policy: FloatArray, advantage: FloatArray, delight: FloatArray, batch_size: int, gate: Gate
) -> tuple[FloatArray, IntArray]:
    """Return the sums of weight·advantage over each arm's kept samples, (n, K), and the numbers kept, (n,)."""
    counts = rng.multinomial(batch_size, policy)
    if gate.kind == "rate":
        counts = keep_top_counts(rng, counts, delight, kept_count(gate.rate, batch_size))
        return counts * advantage, counts.sum(axis=1)
    if gate.kind == "pg":
        return counts * advantage, counts.sum(axis=1)
    keep, weight = gate.arm_weights(delight)
    if gate.kind == "zero-price":
        counts = np.where(keep > 0, counts, 0)
    elif gate.kind == "price":
        counts = rng.binomial(counts, keep)
    elif gate.kind != "dg":
        raise unhandled("kind", gate.kind, ("pg", "dg", "zero-price", "price", "rate"))
    return counts * weight * advantage, counts.sum(axis=1)


def _sampled_part(
    rng: Generator, policy: FloatArray, advantage: FloatArray, delight: FloatArray, batch_size: int, gate: Gate
) -> tuple[FloatArray, IntArray]:
    """As :func:`_counted_part`, deciding on every sample from its own delight."""
    n, n_arms = policy.shape
    arms = draw_arms(rng, policy, batch_size)
    own_delight = np.take_along_axis(delight, arms, axis=1)
    kept: npt.NDArray[np.bool_]
    if gate.kind == "rate":
        weight = np.ones(arms.shape)
        kept = keep_top(rng, own_delight, kept_count(gate.rate, batch_size))
    else:
        keep, weight = gate.arm_weights(own_delight)
        kept = rng.random(arms.shape) < keep if gate.kind == "price" else keep > 0
    coefficient = kept * weight * np.take_along_axis(advantage, arms, axis=1)
    cells = (arms + np.arange(n)[:, None] * n_arms).ravel()
    part = np.bincount(cells, coefficient.astype(np.float64).ravel(), n * n_arms).astype(np.float64)
    return part.reshape(n, n_arms), kept.sum(axis=1)


def sampled_alignment_times(
    rng: Generator, context: Context, cosine: float, max_samples: int, n_replicates: int
) -> tuple[IntArray, IntArray]:
    """Draw ``max_samples`` samples a replicate and look for the first at which the cosine is reached.

    Returns
    -------
    forward, backward : ndarray of int64, shape (n_replicates,)
        Samples drawn and kept up to then, ``max_samples`` and all that were kept if never.
    """
    keep, weight = context.keep_and_weight
    u = context.unit_direction
    forward = np.full(n_replicates, max_samples)
    backward = np.empty(n_replicates, dtype=np.int64)
    for replicate in range(n_replicates):
        arms = draw_arms(rng, context.policy[None, :], max_samples)[0]
        kept = rng.random(max_samples) < keep[arms]
        coefficient = kept * (weight * context.advantage)[arms]
        summed = (coefficient[:, None] * (np.eye(u.size)[arms] - context.policy)).cumsum(axis=0)
        norm = np.linalg.norm(summed, axis=1)
        reached = np.flatnonzero((summed @ u >= cosine * norm) & (norm > 0))
        if reached.size:
            forward[replicate] = reached[0] + 1
        backward[replicate] = kept[: forward[replicate]].sum()
    return forward, backward
