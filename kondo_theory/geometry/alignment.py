"""How many samples until a gradient estimate points the right way, in one symmetric context.

The question is when cos(ĝ, ∇J) ≥ c₀ with probability 1 − δ. After N forward samples with n₊ correct arms and n₋ wrong
ones, the sum has parallel part α(n₊w₊(1−b)ε + n₋w₋bp), while its perpendicular part is −w₋b times the centred counts
of the wrong arms, whose square is about w₋²b²·n₋/(K−1) times a χ² variable with K − 2 degrees of freedom.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1(iv); the dependence on the
baseline, DG and the probability at finite N are this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, chdtr, chdtri, xlog1py, xlogy

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext

__all__ = ["alignment_probability", "backward_passes_to_align", "forward_samples_to_align", "mean_cosine"]


def forward_samples_to_align(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    cosine: ArrayLike,
    confidence: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return N, the forward samples until cos(ĝ, ∇J) ≥ c₀ with probability 1 − δ [KG Prop. 1(iv)].

    N is the larger of two requirements, and at least one sample; it is a real number (round up for a count).

    * One success: log(1/δ)/log(1/(1−p)), about log(1/δ)/p. For "zero-price" that is all, and exact for every p.
    * Averaging out the noise, for "pg" (w₋ = κ = 1) and "dg": c₀²/(1−c₀²)·w₋²b²(K−2)/(κ²εKp²)·q/(K−2), with q the
      (1−δ)-quantile of χ² with K − 2 degrees of freedom. Asymptotic: it holds for K ≥ 3 where the parallel noise is
      negligible, p·(w₊(1−b))² ≪ (w₋b)², and every wrong arm is drawn often enough for normal counts.

    For PG with b = p the first dominates as p → 0: Θ(log(1/δ)/p), not Θ(1/p²). Between the regimes, where both
    requirements matter, the maximum is a guide only: see :func:`alignment_probability`. At K = 2 every sample of
    PG or DG points along ∇J, so one suffices (b > 0). As p → 1 the probability is not monotone in N for PG and DG: a
    single sample is right with probability p, and more samples mix in failures.

    Parameters
    ----------
    method : "pg", "dg" or "zero-price"
    p_correct : (...) array
        p in (0, 1).
    n_arms : (...) array
        K ≥ 2.
    baseline : (...) array in [0, 1), "value" or "confidence"
    cosine : (...) array
        c₀ in (0, 1).
    confidence : (...) array
        1 − δ in (0, 1).
    temperature : (...) array
        η in (0, ∞], for "dg".
    p_error : (...) array, optional
        ε where 1 − p has no accuracy left.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = context.weights(method, temperature)
    c = _domain.interval("cosine", cosine, 0, 1, "()")
    sure = _domain.interval("confidence", confidence, 0, 1, "()")
    p, error, K = context.p, context.error, context.n_arms
    success = np.log1p(-sure) / np.where(p < 0.5, np.log1p(-p), np.log(error))
    freedom = np.maximum(K - 2, 1)
    kappa = right * context.complement + wrong * context.baseline
    quantile = np.where(K > 2, chdtri(freedom, 1 - sure), 0.0)
    noise = _odds(c) * (wrong * context.baseline / (kappa * p)) ** 2 * quantile / (error * K)
    every_sample_points = (K == 2) & (wrong * context.baseline > 0)
    return np.asarray(np.where(every_sample_points, 1.0, np.maximum(1.0, np.maximum(success, noise))))[()]


def backward_passes_to_align(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    cosine: ArrayLike,
    confidence: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return the expected backward passes spent on :func:`forward_samples_to_align`; same arguments and regimes.

    PG and DG backpropagate every sample. Zero price backpropagates p·N on average, at most log(1/δ) (or p, of the one
    sample that there must be), and about that much however rare the correct arm is; with N rounded up, less than
    log(1/δ) + p.
    """
    forward = forward_samples_to_align(
        method, p_correct, n_arms, baseline, cosine, confidence, temperature=temperature, p_error=p_error
    )
    share = np.asarray(p_correct, dtype=np.float64) if method == "zero-price" else 1.0
    return np.asarray(share * forward)[()]


def alignment_probability(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    n_samples: ArrayLike,
    cosine: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return P(cos(ĝ, ∇J) ≥ c₀) after N forward samples [this project].

    Exact in the number of successes, a binomial sum over its twelve standard deviations; given that number, the
    squared perpendicular part is taken as χ² with K − 2 degrees of freedom, the limit of many failures an arm. Exact
    for "zero-price" and at K = 2. No restriction on p against b², so it covers what lies between the regimes of
    :func:`forward_samples_to_align`.

    Parameters are those of that function, and ``n_samples`` N ≥ 1, whole numbers.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = context.weights(method, temperature)
    c = _domain.interval("cosine", cosine, 0, 1, "()")
    N = _domain.integers("n_samples", n_samples, 1)
    gain = right * context.complement * context.error  # parallel part of a success, over α
    drift, noise = wrong * context.baseline * context.p, wrong * context.baseline
    return np.asarray(_aligned(N, context.p, context.error, context.n_arms, gain, drift, noise, _odds(c)))[()]


def mean_cosine(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    n_samples: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
) -> FloatArray:
    """Return E cos(ĝ, ∇J) after N forward samples; an empty batch has cosine zero [this project].

    E cos = ∫₀¹ P(cos ≥ c) dc, as no cosine is negative for 0 ≤ b < 1, by 32 Gauss–Legendre nodes: accurate to 0.001.
    For "pg" and "dg" the wrong arms' counts are at the χ² limit of :func:`alignment_probability`, whose parameters
    these are. The small gap from one of a large batch is :func:`kondo_theory.geometry.symmetric.cosine_gap`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(32)
    p, K, N, eta = (np.asarray(x)[..., None] for x in (p_correct, n_arms, n_samples, temperature))
    b = baseline if isinstance(baseline, str) else np.asarray(baseline)[..., None]
    probability = alignment_probability(method, p, K, b, N, (nodes + 1) / 2, temperature=eta)
    return np.asarray(probability @ weights / 2)[()]


def _aligned_once(
    n: float, p: float, error: float, n_arms: float, gain: float, drift: float, noise: float, odds: float
) -> float:
    reach = 12 * np.sqrt(n * p * error) + 40
    right = np.arange(max(0.0, np.floor(n * p - reach)), min(n, np.ceil(n * p + reach)) + 1)
    log_mass = xlogy(right, p) + xlog1py(n - right, -p) - betaln(n - right + 1, right + 1) - np.log1p(n)
    along = right * gain + (n - right) * drift
    across = odds * noise**2 * (n - right)
    if n_arms == 2:
        aligned = (along > 0).astype(np.float64)
    else:
        bound = n_arms * along**2 / np.where(across > 0, across, 1.0)
        aligned = np.where(across > 0, chdtr(n_arms - 2, bound), along > 0)
    return float(np.exp(log_mass) @ aligned)


_aligned = np.vectorize(_aligned_once, otypes=[np.float64])


def _odds(cosine: FloatArray) -> FloatArray:
    """Return c²/(1 − c²), the squared cotangent of the angle allowed."""
    return np.asarray(cosine**2 / ((1 - cosine) * (1 + cosine)))
