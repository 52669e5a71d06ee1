"""Where a learner rests: probability of the right token at which a method's mean gradient vanishes.

Actors write each token rightly with probability q, whatever stands before it, and the learner with probability p.
With R right positions of H, paid in full by mistake with probability r, and the mean of n answers as baseline, a row
has the advantage A, and the right token's logit the drift

    f(p) = E[A·(w_r·(R/H)·(1 − p) − w_w·(1 − R/H)·p)],

w_r and w_w the method's weights of right and wrong tokens. Without weights f = (1 − r)·q(1 − q)(n − 1)/(nH) for
every p: PG goes on to p = 1, for the mean of the actors' own answers leaves no b(π − μ). What keeps successes alone
imitates them, and rests where its own policy is theirs. A batch is infinite here, and tokens do not depend on those
before them. Actors that have not learnt yet have q = 1/M; where the learner acts itself, q = p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom

from kondo_theory.screening import kept_at_rate

__all__ = ["Estimator", "drift", "resting_probability"]

FloatArray = NDArray[np.float64]
_GRID = 100
_MOST = 0.999
"""Where no rest is found below this p there is none to be seen: an error of one token in a thousand."""


@dataclass(frozen=True)
class Estimator:
    """What a drift depends on.

    Attributes
    ----------
    method : str
        ``pg``, ``ppo``, ``dg``, ``token-gate`` or ``row-gate``.
    rate : float or None
        Of a gate; None is a gate at price 0.
    correction : str
        ``none``, ``tokens`` or ``answers``: importance weights of PG, cut at ``bound``.
    surprisal : str
        ``learner`` or ``actor``.
    bound, clip : float
        PPO's ``clip``.
    answers : int
        n.
    """

    method: str
    rate: float | None = None
    correction: str = "none"
    surprisal: str = "learner"
    bound: float = math.inf
    clip: float = 0.2
    answers: int = 10


def resting_probability(
    estimator: Estimator, length: int, vocab_size: int, *, late: bool = True, corruption: float = 0.0
) -> float:
    """Return the first p above 1/M at which the drift turns down, 1 if it does nowhere below 0.999.

    Parameters
    ----------
    estimator : Estimator
    length, vocab_size : int
        H and M.
    late : bool
        The actors have learnt nothing; else the learner acts itself.
    corruption : float
        r.
    """
    start = 1 / vocab_size

    def at(p: float) -> float:
        return drift(estimator, p, start if late else p, length, vocab_size, corruption)

    grid = np.linspace(start, _MOST, _GRID)
    signs = np.array([at(float(p)) for p in grid])
    down = np.flatnonzero((signs[:-1] > 0) & (signs[1:] <= 0))
    if not len(down):
        return 1.0 if signs[-1] > 0 else start
    low, high = grid[down[0]], grid[down[0] + 1]
    return float(brentq(at, low, high, xtol=1e-6)) if at(float(high)) < 0 else float(high)


def drift(estimator: Estimator, p: float, q: float, length: int, vocab_size: int, corruption: float = 0.0) -> float:
    """Return f(p) of a method where actors are right with probability q, by enumeration of rows and baselines."""
    n_answers = estimator.answers
    right = np.tile(np.arange(length + 1), 2)  # paid as they are, and by mistake
    paid = np.where(np.arange(len(right)) <= length, right, length)
    own = np.concatenate([(1 - corruption) * binom.pmf(right[: length + 1], length, q)] * 2)
    own[length + 1 :] *= corruption / (1 - corruption)
    one = np.bincount(paid, weights=own)
    others = np.ones(1)
    for _ in range(n_answers - 1):
        others = np.convolve(others, one)
    points = paid[:, None] - (paid[:, None] + np.arange(len(others))) / n_answers
    advantage = np.where(np.abs(points) < 1e-9, 0.0, points) / length
    chance = np.outer(own, others)
    share = np.broadcast_to(right[:, None] / length, chance.shape)
    weights = _weights(estimator, (p, q), (length, vocab_size), chance, advantage, share)
    return float(np.sum(chance * advantage * (weights[0] * share * (1 - p) - weights[1] * (1 - share) * p)))


def _weights(
    estimator: Estimator,
    probabilities: tuple[float, float],
    sizes: tuple[int, int],
    chance: FloatArray,
    advantage: FloatArray,
    share: FloatArray,
) -> FloatArray:
    """Return the weights of right and of wrong tokens of each row, (2, …)."""
    (p, q), (length, vocab_size) = probabilities, sizes
    ratio = np.array([p / q, (1 - p) / (1 - q)])
    seen = p if estimator.surprisal == "learner" else q
    nats = -np.log([seen, (1 - seen) / (vocab_size - 1)])[:, None, None]
    one = np.ones((2, *chance.shape))
    if estimator.correction == "tokens":
        return one * np.minimum(ratio, estimator.bound)[:, None, None]
    if estimator.correction == "answers":
        whole = ratio[0] ** (length * share) * ratio[1] ** (length * (1 - share))
        return one * np.minimum(whole, estimator.bound)
    if estimator.method == "ppo":
        each = ratio[:, None, None]
        left = np.where(advantage > 0, each > 1 + estimator.clip, each < 1 - estimator.clip)
        return np.where(left, 0.0, each) * one
    if estimator.method == "dg":
        return np.asarray(expit(advantage * nats))
    if estimator.method == "pg":
        return one
    if estimator.rate is None:
        return one * (advantage > 0)
    tokens = chance * np.stack([share, 1 - share]), advantage * nats
    rows = chance, advantage * (share * nats[0] + (1 - share) * nats[1])
    mass, score = tokens if estimator.method == "token-gate" else rows
    kept = kept_at_rate(mass.ravel(), score.ravel(), np.asarray(estimator.rate)).reshape(mass.shape)
    return one * kept
