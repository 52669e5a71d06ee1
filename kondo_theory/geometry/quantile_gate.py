"""The gate drawn at the batch's 1 − ρ quantile: what it keeps, and when it beats the hard gate at that share.

[KG] Algorithm 1 takes for the price λ the 1 − ρ quantile of delight and keeps a sample with probability σ((χ − λ)/η).
In one symmetric context delight has two values, χ₊ of the right arm and χ₋ < χ₊ of a wrong one, so λ is one of them.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Algorithm 1; what is derived of it is this
project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, hyp2f1

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.words import Brief

__all__ = ["QuantileGate", "exponential_share", "quantile_gate", "soft_gain"]


@dataclass(frozen=True, eq=False, repr=False)
class QuantileGate(Brief):
    """The gate of a symmetric context in infinite batches.

    Attributes
    ----------
    right, wrong : (...) array
        w₊ and w₋, the probabilities of keeping a right and a wrong sample.
    share : (...) array
        p·w₊ + ε·w₋, what is kept.
    """

    right: FloatArray
    wrong: FloatArray
    share: FloatArray


def quantile_gate(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike | str, rate: ArrayLike, temperature: ArrayLike
) -> QuantileGate:
    """Return the Bernoulli gate at the 1 − ρ quantile of a symmetric context's delight [this project].

    Below ρ = p the price is χ₊, from there on χ₋: one of the two kinds of samples is kept half of the time.

    Parameters
    ----------
    p_correct, n_arms, baseline
        p in (0, 1), K ≥ 2 and b in [0, 1), or b as "value" or "confidence".
    rate : (...) array
        ρ in (0, 1).
    temperature : (...) array
        η in (0, ∞], in units of delight.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, below_one=True)
    rho = _domain.interval("rate", rate, 0, 1, "()")
    eta = _domain.interval("temperature", temperature, 0, np.inf, "(]")
    right, wrong = context.surprisals
    gap = context.complement * right + context.baseline * wrong  # χ₊ − χ₋
    rare = rho < context.p
    half = np.full(np.broadcast_shapes(rare.shape, gap.shape, eta.shape), 0.5)
    with np.errstate(over="ignore"):
        up, down = expit(gap / eta), expit(-gap / eta)
    w_right, w_wrong = np.where(rare, half, up), np.where(rare, down, half)
    share = context.p * w_right + context.error * w_wrong
    return QuantileGate(w_right[()], w_wrong[()], share[()])


def soft_gain(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, soft_wrong: ArrayLike, hard_wrong: ArrayLike
) -> FloatArray:
    """Return a number that is positive iff the gate with more wrong samples has the lower cost of signal.

    Two gates on the sign of the advantage keep as much, wrong samples in the shares y > y′ of what they keep. With
    u = (1 − b)ε, v = bp and q = b²(K − 2)/K it is (u − v)²[(v² + q)·y·y′ − u²(1 − y)(1 − y′)] − u²q: the difference
    of the costs ρE‖g‖²/‖Eg‖² times positive factors.

    Parameters
    ----------
    p_correct, n_arms, baseline
        p in (0, 1), K ≥ 2 and b in [0, 1).
    soft_wrong, hard_wrong : (...) array
        y and y′ in [0, 1], such as those of :func:`quantile_gate` and of the top of the batch at its share.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, below_one=True)
    y, other = (
        _domain.interval(name, value, 0, 1, "[]")
        for name, value in (("soft_wrong", soft_wrong), ("hard_wrong", hard_wrong))
    )
    u, v = context.complement * context.error, context.baseline * context.p
    across = context.baseline**2 * (context.n_arms - 2) / context.n_arms
    pure = u**2 * (1 - y) * (1 - other)
    return np.asarray((u - v) ** 2 * ((v**2 + across) * y * other - pure) - u**2 * across)[()]


def exponential_share(rate: ArrayLike, temperature: ArrayLike) -> FloatArray:
    """Return what the gate keeps of exponential delight of mean one: ₂F₁(1, η; 1 + η; −ρ^{−1/η}) [this project].

    ρ·log(1 + 1/ρ) at η = 1. It exceeds 1/2, its limit as η → ∞, at warm gates whose ρ is above 1/e.

    Parameters
    ----------
    rate : (...) array
        ρ in (0, 1).
    temperature : (...) array
        η in (0, 1000], in units of the mean.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    rho = _domain.interval("rate", rate, 0, 1, "()")
    eta = _domain.interval("temperature", temperature, 0, 1_000, "(]")
    cold = eta < 0.5
    chill, warm = np.where(cold, eta, 0.25), np.where(cold, 1.0, eta)
    # The reflected series, where ρ^{−1/η} may overflow.
    rest = rho ** (1 / chill) * hyp2f1(1, 1 - chill, 2 - chill, -(rho ** (1 / chill))) * chill / (1 - chill)
    cool = rho * np.pi * chill / np.sin(np.pi * chill) - rest
    return np.asarray(np.where(cold, cool, hyp2f1(1, warm, 1 + warm, -(rho ** (-1 / warm)))))[()]
