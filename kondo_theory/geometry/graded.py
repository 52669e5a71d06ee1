"""Zero price with graded rewards: when the expected gradient keeps its direction, and how far it can turn.

The strict gate χ > 0 keeps the arms with U > 0, so E[g] = Σ_a π_a U_a⁺ φ_a against ∇J = Σ_a π_a U_a φ_a: it climbs
the mean of the positive part of the advantage, which is another objective unless rewards have two values.

Source: this project. [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1 has R ∈ {0, 1}.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory._scores import Context, total
from kondo_theory.moments import gradient_moments

__all__ = ["ascent_guaranteed", "direction_kept", "evenly_graded", "graded_worst_case", "zero_price_cosine"]


def zero_price_cosine(policy: ArrayLike, rewards: ArrayLike, baseline: ArrayLike | None = None) -> FloatArray:
    """Return the cosine of the zero-price gate's expected gradient with ∇J [this project].

    Parameters
    ----------
    policy : (..., K) array
        π, as in :func:`kondo_theory.moments.gradient_moments`.
    rewards : (..., K) array
        Expected reward of each arm, noise-free.
    baseline : (...) array, optional
        b; default the value baseline Σ_a π_a R_a.

    Returns
    -------
    (...) array
        In [−1, 1]; nan where no arm lies above the baseline, so that nothing is kept.

    Raises
    ------
    ValueError
        If the policy is not one, or all rewards played are equal (there is no ∇J).
    """
    pi, U = _advantage(policy, rewards, baseline)
    kept = (U > 0).astype(np.float64)
    return gradient_moments(pi, U, kept, kept).cosine


def direction_kept(policy: ArrayLike, rewards: ArrayLike, baseline: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Return whether the zero-price direction is exactly that of ∇J: a condition both necessary and sufficient.

    It is kept iff some arm played has U > 0, not all have the same U, and either the rewards played take two values
    or no arm played lies below the baseline (then the gate drops nothing but zeros).

    Proof. Both gradients have the form Σ π_a c_a φ_a, which is zero iff c is constant on the support of π. So they
    are parallel with positive factor β iff U⁺ = βU + γ on the support: the points (U_a, U_a⁺) lie on one rising line.
    If all U_a ≥ 0 they lie on the diagonal. Otherwise one has U < 0, hence U⁺ = 0, and one has U > 0. Two points are
    always on a line, here a rising one. A third value of U would share one of the two branches of the kink with one
    of them; on the branch U ≤ 0 the slope is zero, which is not rising, and on the branch U ≥ 0 the line is the
    diagonal, which misses the point with U < 0. ∎

    At K = 2 it holds whenever min R ≤ b < max R, and the same for any two-valued reward.

    Parameters and errors as in :func:`zero_price_cosine`; equality of rewards is exact.
    """
    pi, U = _advantage(policy, rewards, baseline)
    R = np.broadcast_to(_domain.finite("rewards", rewards), U.shape)
    played = pi > 0
    high = np.max(R, axis=-1, keepdims=True, where=played, initial=-np.inf)
    low = np.min(R, axis=-1, keepdims=True, where=played, initial=np.inf)
    two_valued = np.all(~played | (high == R) | (low == R), axis=-1)
    none_below = np.all(~played | (U >= 0), axis=-1)
    return np.asarray(np.any(played & (U > 0), axis=-1) & (high > low)[..., 0] & (two_valued | none_below))[()]


def ascent_guaranteed(policy: ArrayLike, rewards: ArrayLike, baseline: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Return whether a sufficient condition for a positive zero-price cosine holds [this project].

    The condition: some arm played has U > 0, U is not constant on the arms played, and the probability π_a, as a
    function of the arm, covaries with U and with U⁺ in the same sense: Cov_π(π, U)·Cov_π(π, U⁺) ≥ 0. It holds for
    every baseline when likelier arms pay more (or never less), when they pay less, and for a uniform policy.

    Proof. With m = E_π U⁺, the inner product is I = Σ π_a²(U_a⁺ − m)(U_a − E_π U). Let q_a = π_a²/S, S = Σ π_c². Then
    I/S = Cov_q(U⁺, U) + (E_q U⁺ − m)(E_q U − E_π U), and E_q f − E_π f = Cov_π(π, f)/S. The product is ≥ 0 by
    assumption. Cov_q(U⁺, U) = ½ ΣΣ q_a q_c (U_a⁺ − U_c⁺)(U_a − U_c) has no negative term, as U⁺ does not fall with U,
    and a positive one because U⁺ is not constant. If π and U rise together, or oppositely, so do π and U⁺, and both
    covariances have one sign (Chebyshev's sum inequality). ∎

    Parameters and errors as in :func:`zero_price_cosine`. Not necessary: false only means not guaranteed. Values of
    the covariances below rounding count as zero.
    """
    pi, U = _advantage(policy, rewards, baseline)
    context = Context.of(pi, None)
    slopes = []
    for values in (U, np.maximum(U, 0.0)):
        terms = pi * context.centred(values) * context.centred(pi)
        slope, scale = total(terms), total(np.abs(terms))
        slopes.append(np.where(np.abs(slope) <= 1e-14 * scale, 0.0, np.sign(slope))[..., 0])
    played = pi > 0
    varied = np.max(U, axis=-1, where=played, initial=-np.inf) > np.min(U, axis=-1, where=played, initial=np.inf)
    return np.asarray(np.any(played & (U > 0), axis=-1) & varied & (slopes[0] * slopes[1] >= 0))[()]


def evenly_graded(n_arms: int, p_best: float, baseline: float) -> tuple[FloatArray, FloatArray]:
    """Return policy and advantage, shapes (K,), of arms whose rewards fall evenly from 1 to 0: K values of delight.

    The first arm has probability ``p_best``, the others share the rest; U = R − b. Scalars only.
    """
    K = _domain.integer("n_arms", n_arms, 2)
    p, b = _domain.scalar("p_best", p_best), _domain.scalar("baseline", baseline)
    return np.array([p, *[(1 - p) / (K - 1)] * (K - 1)]), np.linspace(1.0, 0.0, K) - b


def graded_worst_case(n: int) -> tuple[FloatArray, FloatArray]:
    """Return (policy, rewards) of the 2n + 1 arms whose zero-price cosine tends to −1 as n grows [this project].

    One arm of probability 0.4 pays 0.3, n arms share 0.1 and pay 1, n share 0.5 and pay 0. With the value baseline
    0.22 the common arm is worth a little (U = 0.08), so ∇J raises it; but the mean positive part 0.11 exceeds 0.08,
    so the gate lowers it. The logits of the shared arms carry O(1/√n) of either gradient, so the common arm decides:
    the cosine is negative from n = 30 on.

    Three arms are enough for a negative cosine: π = (0.01, 0.98, 0.01), R = (1, 0.9, 0) gives −0.32. In general let
    one arm have nearly all the mass and a small U > 0, n₊ arms lie far above the baseline and n₋ below it, with
    (π₊ + π₋)·π₋|U₋| ≪ π₊U₊ ≪ π₋|U₋|. Then E[g] ∝ (1/n₊, …, −1, 0, …) and ∇J ∝ (0, …, 1, −1/n₋, …), so the cosine
    tends to −√(n₊n₋/((n₊+1)(n₋+1))): −1/2 at K = 3, −0.58 at K = 4, −2/3 at K = 5. A numerical search up to K = 6
    found nothing lower. ``n`` is a scalar only.
    """
    size = _domain.integer("n", n, 1)
    policy = np.concatenate([[0.4], np.full(size, 0.1 / size), np.full(size, 0.5 / size)])
    rewards = np.concatenate([[0.3], np.ones(size), np.zeros(size)])
    return policy, rewards


def _advantage(policy: ArrayLike, rewards: ArrayLike, baseline: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    pi = _domain.policy(policy)
    R = _domain.finite("rewards", rewards)
    if R.ndim == 0 or R.shape[-1] != pi.shape[-1]:
        raise ValueError(f"rewards must have {pi.shape[-1]} arms on the last axis, got shape {R.shape}")
    pi, R = np.broadcast_arrays(pi, R)
    if baseline is None:
        return pi, Context.of(pi, None).centred(R)
    pi, U = np.broadcast_arrays(pi, R - _domain.finite("baseline", baseline)[..., None])
    return pi, U
