"""Keeping exactly k of B samples: finite-batch moments in one symmetric context, and the value of a rate.

Selection by rank couples the samples, so its moments are not those of independent draws at the same rate: signal and
perpendicular noise agree as B → ∞, parallel noise does not. In a symmetric context a batch enters only through its
number of successes, n ~ Bin(B, p), and a selection through s, how many of the kept are successes.

Source: this project (derivation ``exact-k-or-price``); the gate is [KG §2] (I. Osband, "Does This Gradient Spark
Joy?", arXiv 2603.20526), which uses both forms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.moments import GradientMoments
from kondo_theory.words import Brief

__all__ = [
    "ORDERS",
    "KeptSuccesses",
    "exact_rate_moments",
    "finite_rate_value",
    "kept_successes",
    "price_weights",
    "smooth_rate_gap",
    "variance_gap",
]

ORDERS = ("correct-first", "wrong-first", "tie", "correct-only")
"""Who is kept first: successes, failures, both alike at random, or successes and nothing else.

Delight with 0 ≤ b < 1 is "correct-first". "correct-only" keeps fewer than k where there are fewer than k successes.
"""


@dataclass(frozen=True, eq=False, repr=False)
class KeptSuccesses(Brief):
    """The kept successes s of a batch.

    Attributes
    ----------
    mean, variance : (...) array
        E s and Var s.
    mean_failures : (...) array
        Expected number of kept failures, k − E s without cancellation; 0 for "correct-only".
    """

    mean: FloatArray
    variance: FloatArray
    mean_failures: FloatArray


def kept_successes(
    p_correct: ArrayLike,
    batch_size: ArrayLike,
    n_kept: ArrayLike,
    order: str = "correct-first",
    *,
    p_error: ArrayLike | None = None,
) -> KeptSuccesses:
    """Return mean and variance of the number of kept successes when exactly k of B samples are kept.

    s = min(n, k) if successes come first, k − min(B − n, k) if failures do, and Bin(k, p) for a tie.

    Parameters
    ----------
    p_correct : (...) array
        p in (0, 1).
    batch_size, n_kept : (...) array
        Whole numbers with 1 ≤ k ≤ B.
    order : str
        One of :data:`ORDERS`.
    p_error : (...) array, optional
        1 − p where that has no accuracy left.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    order = _domain.choice("order", order, ORDERS)
    p, error = _domain.probability_pair(p_correct, p_error)
    B, k = _batch(batch_size, n_kept)
    p, error, B, k = np.broadcast_arrays(p, error, B, k)
    if order == "tie":
        mean, failures, variance = k * p, k * error, k * p * error
    elif order == "wrong-first":
        failures, mean, variance = _minimum_moments(error, p, B, k)
    else:
        _domain.choice("order", order, ("correct-first", "correct-only"))
        mean, failures, variance = _minimum_moments(p, error, B, k)
    if order == "correct-only":
        failures = np.zeros_like(mean)
    return KeptSuccesses(mean[()], variance[()], failures[()])


def exact_rate_moments(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    batch_size: ArrayLike,
    n_kept: ArrayLike,
    order: str = "correct-first",
    *,
    p_error: ArrayLike | None = None,
) -> GradientMoments:
    """Return the exact moments of ḡ = (1/B)Σ_{kept} U·φ when exactly k of B samples are kept [this project].

    E[ḡ]·u = (α/B){bpk + (ε−b)E s}, Var_∥(ḡ) = (α/B)²(ε−b)²Var s and Var_⊥(ḡ) = b²(K−2)/(K−1)·(k−E s)/B²; only the
    kept successes, s, depend on who is kept first. For "correct-only" the failures' terms are absent.

    Parameters
    ----------
    p_correct, n_arms, baseline : (...) array
        p in (0, 1), K ≥ 2, 0 ≤ b < 1 (or "value", "confidence").
    batch_size, n_kept, order, p_error
        As in :func:`kept_successes`.

    Returns
    -------
    GradientMoments
        Variances are B times those of ḡ, so that they compare with a gate that decides sample by sample; they and
        ``efficiency`` belong to this B alone.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    kept = kept_successes(context.p, batch_size, n_kept, order, p_error=context.error)
    B = _batch(batch_size, n_kept)[0]
    K, b = context.n_arms, context.baseline
    up, down = context.complement * context.error, b * context.p  # parallel parts of one sample over α
    step = up if order == "correct-only" else context.error - b
    signal = np.sqrt(context.alpha_squared) * (up * kept.mean + down * kept.mean_failures) / B
    var_parallel = context.alpha_squared * step**2 * kept.variance / B
    var_perpendicular = b**2 * (K - 2) / (K - 1) * kept.mean_failures / B
    cosine = np.where(signal == 0, np.nan, 1.0)
    fields = np.broadcast_arrays(signal, np.zeros_like(signal), var_parallel, var_perpendicular, cosine)
    return GradientMoments(*(field[()] for field in fields))


def finite_rate_value(
    delight: ArrayLike, probability: ArrayLike, batch_size: ArrayLike, n_kept: ArrayLike
) -> FloatArray:
    """Return E[(1/B)Σ_{kept} χ] when the k samples of highest delight are kept out of B [this project].

    With atoms χ₁ > χ₂ > … and N_j ~ Bin(B, F_j) samples among the first j, summation by parts gives
    (1/B){Σ_j (χ_j − χ_{j+1})·E min(N_j, k) + χ_last·k}: at most V(k/B) of
    :func:`kondo_theory.geometry.quality_cost.rate_value`, which it reaches as B → ∞.

    Parameters
    ----------
    delight, probability : (n_atoms,) array
        One discrete distribution of χ.
    batch_size, n_kept : (...) array
        Whole numbers with 1 ≤ k ≤ B.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    chi, mass = _domain.finite("delight", delight), _domain.distribution("probability", probability)
    if chi.ndim != 1 or chi.shape != mass.shape:
        raise ValueError(f"delight and probability must be vectors of one length, got {chi.shape} and {mass.shape}")
    B, k = _batch(batch_size, n_kept)
    played = mass > 0
    order = np.argsort(-chi[played], kind="stable")
    chi, mass = chi[played][order], mass[played][order]
    value = chi[-1] * k
    for j in range(len(chi) - 1):
        # The mass beyond atom j is summed from the other end, so that neither tail is a difference.
        reached = _minimum_moments(*np.broadcast_arrays(mass[: j + 1].sum(), mass[j + 1 :].sum(), B, k))[0]
        value = value + (chi[j] - chi[j + 1]) * reached
    return np.asarray(value / B)[()]


def smooth_rate_gap(rate: ArrayLike, density: ArrayLike, batch_size: ArrayLike) -> FloatArray:
    """Return ρ(1 − ρ)/(2fB), by how much exactly k = ρB of B samples collect less than V(ρ) [this project].

    To first order in 1/B, for delight with a density f that is positive and continuous at the price. At a kink of V
    (a rate between two atoms, or a gap in the density) the difference is of order 1/√B instead, and inside an atom it
    vanishes exponentially: :func:`finite_rate_value`.

    Parameters
    ----------
    rate : (...) array
        ρ in (0, 1].
    density : (...) array
        f > 0 at λ = Q_χ(1 − ρ), per unit of delight.
    batch_size : (...) array
        B ≥ 1.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    f = _domain.interval("density", density, 0, np.inf, "()")
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[)")
    return np.asarray(rho * (1 - rho) / (2 * f * B))[()]


def variance_gap(p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the limit, B → ∞, of B·Var_∥ of the price gate less that of exactly k = ρB [this project].

    α²(1−b)²ε²ρ(1−ρ) for ρ < p, where exact-k's vanishes, and α²(1−ρ)bp{(ρ−2p)bp + 2p(1−b)ε} for ρ > p, of either
    sign. ρ = p is a case of its own: exact-k's Var s/B is pε(π−1)/(2π) there.

    Parameters
    ----------
    p_correct, n_arms, baseline : (...) array
        p in (0, 1), K ≥ 2, a constant 0 < b < 1.
    rate : (...) array
        ρ in (0, 1], not p.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p, K = _domain.interval("p_correct", p_correct, 0, 1, "()"), _domain.arm_count(n_arms)
    b, rho = _domain.interval("baseline", baseline, 0, 1, "()"), _domain.interval("rate", rate, 0, 1, "(]")
    _domain.require("rate", rho, rho != p, "other than p_correct")
    below = (1 - b) ** 2 * (1 - p) ** 2 * rho * (1 - rho)
    above = (1 - rho) * b * p * ((rho - 2 * p) * b * p + 2 * p * (1 - b) * (1 - p))
    return np.asarray(K / (K - 1) * np.where(rho < p, below, above))[()]


def price_weights(p_correct: ArrayLike, rate: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return (w₊, w₋) of the price gate at rate ρ, successes first: it draws at the atom that the rate splits.

    The gate that :func:`exact_rate_moments` is held against: ρ/p and 0 below ρ = p, 1 and (ρ − p)/(1 − p) above.
    """
    p, rho = _domain.interval("p_correct", p_correct, 0, 1, "()"), _domain.interval("rate", rate, 0, 1, "[]")
    return np.asarray(np.minimum(1.0, rho / p)), np.asarray(np.maximum(0.0, (rho - p) / (1 - p)))


def _batch(batch_size: ArrayLike, n_kept: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return B and k as floats, whole and with 1 ≤ k ≤ B."""
    B, k = np.broadcast_arrays(_domain.integers("batch_size", batch_size, 1), _domain.finite("n_kept", n_kept))
    _domain.require("n_kept", k, (k >= 1) & (k <= B) & (k == np.floor(k)), "an integer from 1 to batch_size")
    return B, k


def _minimum_moments(
    p: FloatArray, error: FloatArray, B: FloatArray, k: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return E s, k − E s and Var s of s = min(n, k), n ~ Bin(B, p); arguments of one shape."""
    found = np.empty((3, *p.shape))
    for place in np.ndindex(p.shape):
        found[(slice(None), *place)] = _minimum(float(p[place]), float(error[place]), int(B[place]), int(k[place]))
    return found[0], found[1], found[2]


def _minimum(p: float, error: float, B: int, k: int) -> tuple[float, float, float]:
    """Return E s, k − E s and Var s from the distribution of n below k: sums of positive terms alone."""
    n = np.arange(k)
    # From the rarer of success and failure: log(1 − p) has no accuracy where p is near one.
    below = binom.pmf(n, B, p) if p <= 0.5 else binom.pmf(B - n, B, error)
    above = float(binom.sf(k - 1, B, p) if p <= 0.5 else binom.cdf(B - k, B, error))
    mean, shortfall = float(np.sum(n * below)) + k * above, float(np.sum((k - n) * below))
    variance = float(np.sum((n - mean) ** 2 * below)) + shortfall**2 * above
    return mean, shortfall, variance
