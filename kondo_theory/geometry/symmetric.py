"""One symmetric context in closed form: a correct arm of probability p, K − 1 wrong arms sharing ε = 1 − p.

The reward is R = 1{a = y*}, so the advantage is 1 − b on the correct arm and −b on a wrong one. A gate that sees only
the sign of the advantage weighs a correct arm by w₊ and a wrong one by w₋. With α² = K/(K − 1) and
κ = w₊(1 − b) + w₋b, the mean gradient is κ·∇J and ‖∇J‖ = pεα: no bias across ∇J, whatever the weights.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1; [DG] I. Osband, "Delightful
Policy Gradient", arXiv 2603.14608, Prop. 1; the exact moments, the dependence on b and the forward efficiency are
this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.moments import GradientMoments
from kondo_theory.words import Brief

__all__ = [
    "METHODS",
    "SymmetricContext",
    "confidence_baseline",
    "cosine_gap",
    "dg_noise_ratio",
    "dg_weights",
    "forward_efficiency",
    "optimal_pg_baseline",
    "pg_moments",
    "symmetric_arms",
    "symmetric_moments",
    "value_baseline",
    "zero_price_moments",
]

METHODS = ("pg", "dg", "zero-price")
"""Policy gradient (w₊ = w₋ = 1), delightful policy gradient (soft weights σ(χ/η)), the strict gate χ > 0 (1, 0)."""


@dataclass(frozen=True, eq=False, repr=False)
class SymmetricContext(Brief):
    """The numbers every closed form of this module starts from, with both members of each complementary pair.

    Attributes
    ----------
    p, error : (...) array
        p and ε = 1 − p, each as accurate as it was given.
    n_arms : (...) array
        K ≥ 2.
    baseline, complement : (...) array
        b and 1 − b, without cancellation for the named baselines.
    """

    p: FloatArray
    error: FloatArray
    n_arms: FloatArray
    baseline: FloatArray
    complement: FloatArray

    @classmethod
    def of(
        cls,
        p_correct: ArrayLike,
        n_arms: ArrayLike,
        baseline: ArrayLike,
        p_error: ArrayLike | None = None,
        *,
        below_one: bool = False,
    ) -> SymmetricContext:
        """Check the arguments; ``baseline`` is a number, "value" or "confidence", in [0, 1) if ``below_one``."""
        p, error = _domain.probability_pair(p_correct, p_error)
        K = _domain.arm_count(n_arms)
        if isinstance(baseline, str):
            name = _domain.choice("baseline", baseline, ("value", "confidence"))
            b, complement = (p, error) if name == "value" else _confidence(p, error, K)
        else:
            b = (
                _domain.interval("baseline", baseline, 0, 1, "[)")
                if below_one
                else _domain.finite("baseline", baseline)
            )
            complement = 1 - b
        return cls(*np.broadcast_arrays(p, error, K, b, complement))

    @property
    def alpha_squared(self) -> FloatArray:
        """α² = K/(K − 1)."""
        return self.n_arms / (self.n_arms - 1)

    @property
    def surprisals(self) -> tuple[FloatArray, FloatArray]:
        """ℓ of the correct arm and of a wrong one, in nats."""
        right, wrong = _surprisal(self.p, self.error), _surprisal(self.error, self.p)
        return right, np.log(self.n_arms - 1) + wrong

    def weights(self, method: str, temperature: ArrayLike = 1.0) -> tuple[FloatArray, FloatArray]:
        """Return (w₊, w₋) of one of :data:`METHODS`; the temperature η in (0, ∞] is that of "dg"."""
        method = _domain.choice("method", method, METHODS)
        if method == "dg":
            eta = _domain.interval("temperature", temperature, 0, np.inf, "(]")
            right, wrong = self.surprisals
            return np.asarray(expit(self.complement * right / eta)), np.asarray(expit(-self.baseline * wrong / eta))
        one = np.ones_like(self.p)
        failures = {"pg": one, "zero-price": np.zeros_like(one)}
        return one, failures[_domain.choice("method", method, failures)]

    def moments(self, right: FloatArray, wrong: FloatArray, bernoulli: bool = False) -> GradientMoments:
        """Return the exact moments for weights w₊ = ``right`` and w₋ = ``wrong``; see :func:`symmetric_moments`."""
        p, error, K = self.p, self.error, self.n_arms
        up, down = right * self.complement * error, wrong * self.baseline * p  # parallel parts over α
        kappa = right * self.complement + wrong * self.baseline
        alpha = np.sqrt(self.alpha_squared)
        drawn_up = right * (1 - right) * (self.complement * error) ** 2 if bernoulli else 0.0
        drawn_down = wrong * (1 - wrong) * (self.baseline * p) ** 2 if bernoulli else 0.0
        var_parallel = self.alpha_squared * (p * error * (up - down) ** 2 + p * drawn_up + error * drawn_down)
        second = wrong if bernoulli else wrong**2
        var_perpendicular = error * second * self.baseline**2 * (K - 2) / (K - 1)
        signal = kappa * p * error * alpha
        cosine = np.where(signal == 0, np.nan, np.sign(signal))
        fields = np.broadcast_arrays(signal, np.zeros_like(signal), var_parallel, var_perpendicular, cosine)
        return GradientMoments(*(field[()] for field in fields))


def symmetric_arms(n_arms: int, p_correct: float, baseline: float) -> tuple[FloatArray, FloatArray]:
    """Return policy and advantage of a symmetric context, shapes (K,), the correct arm first. Scalars only."""
    K = _domain.integer("n_arms", n_arms, 2)
    p, b = _domain.scalar("p_correct", p_correct), _domain.scalar("baseline", baseline)
    return np.array([p, *[(1 - p) / (K - 1)] * (K - 1)]), np.array([1 - b, *[-b] * (K - 1)])


def symmetric_moments(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    weight_correct: ArrayLike,
    weight_wrong: ArrayLike,
    *,
    bernoulli: bool = False,
    p_error: ArrayLike | None = None,
) -> GradientMoments:
    """Return the exact moments of one sample's gradient along and across ∇J [KG Prop. 1; exact form: this project].

    E[g] = κ∇J; Var_⊥ = ε·s(w₋)·b²(K−2)/(K−1); Var_∥ = α²{pε(w₊(1−b)ε − w₋bp)² + p·v(w₊)((1−b)ε)² + ε·v(w₋)(bp)²},
    where s(w) = w², v(w) = 0 for soft weights and s(w) = w, v(w) = w − w² for a Bernoulli gate. No subtraction but
    the one that is part of the answer. At K = 2 nothing is perpendicular.

    Parameters
    ----------
    p_correct : (...) array
        p in (0, 1).
    n_arms : (...) array
        K ≥ 2.
    baseline : (...) array, "value" or "confidence"
        b, any finite number; "value" is b = p and "confidence" b = Σ_a π_a², both with an accurate 1 − b.
    weight_correct, weight_wrong : (...) array
        w₊ and w₋ ≥ 0; in [0, 1] if ``bernoulli``.
    bernoulli : bool
        The weights are probabilities of a gate that is drawn and really skips, instead of soft weights.
    p_error : (...) array, optional
        ε, for p so near one that 1 − p has no accuracy left; p + ε must be one to within 1e-12.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error)
    high = 1 if bernoulli else np.inf
    right = _domain.interval("weight_correct", weight_correct, 0, high, "[]")
    wrong = _domain.interval("weight_wrong", weight_wrong, 0, high, "[]")
    return context.moments(right, wrong, bernoulli)


def pg_moments(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, *, p_error: ArrayLike | None = None
) -> GradientMoments:
    """Return :func:`symmetric_moments` of plain policy gradient: Var_⊥ = ε·b²(K−2)/(K−1), made by the baseline."""
    return symmetric_moments(p_correct, n_arms, baseline, 1.0, 1.0, p_error=p_error)


def zero_price_moments(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, *, p_error: ArrayLike | None = None
) -> GradientMoments:
    """Return :func:`symmetric_moments` of the strict gate χ > 0, for 0 ≤ b < 1: E[g] = (1 − b)∇J, Var_⊥ = 0."""
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    return context.moments(*context.weights("zero-price"))


def dg_weights(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    temperature: ArrayLike,
    *,
    p_error: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return DG's soft weights (w₊, w₋) = (σ(−(1−b)·log p/η), σ(b·log(ε/(K−1))/η)) for η in (0, ∞] [DG §2].

    Shapes broadcast; arguments and errors as in :func:`symmetric_moments`.
    """
    right, wrong = SymmetricContext.of(p_correct, n_arms, baseline, p_error).weights("dg", temperature)
    return right[()], wrong[()]


def dg_noise_ratio(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    temperature: ArrayLike,
    *,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return Var_⊥(DG)/Var_⊥(PG) = w₋² [DG Prop. 1]; arguments as in :func:`dg_weights`.

    The noise that is left of PG's, per sample. The cosine gap shrinks by w₋²/κ² instead (:func:`cosine_gap`), because
    DG's signal shrinks too.
    """
    return np.asarray(dg_weights(p_correct, n_arms, baseline, temperature, p_error=p_error)[1] ** 2)[()]


def value_baseline(p_correct: ArrayLike) -> FloatArray:
    """Return b = E R = p. Pass baseline="value" instead where 1 − b must be accurate."""
    return _domain.interval("p_correct", p_correct, 0, 1, "()")[()]


def confidence_baseline(p_correct: ArrayLike, n_arms: ArrayLike, *, p_error: ArrayLike | None = None) -> FloatArray:
    """Return b = Σ_a π_a² = p² + ε²/(K − 1). Pass baseline="confidence" instead where 1 − b must be accurate."""
    p, error = _domain.probability_pair(p_correct, p_error)
    return np.asarray(_confidence(p, error, _domain.arm_count(n_arms))[0])[()]


def forward_efficiency(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return total variance over squared signal of one *forward* sample; smaller is better [this project].

    It is the number of forward samples at which signal and noise are equal. Zero price: ε/p for every 0 ≤ b < 1. PG:
    (p(ε − b)² + b²(K−2)/K)/(p²ε), which at its best baseline is (ε/p)(K−2)/(Kp+K−2), always smaller than ε/p, and at
    b = p is smaller iff p < (1 + 2/K)/3. So zero price saves backward passes, not forward samples.

    Parameters are those of :func:`symmetric_moments`; ``temperature`` is DG's. Baselines in [0, 1).
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    moments = context.moments(*context.weights(method, temperature))
    return np.asarray((moments.var_parallel + moments.var_perpendicular) / moments.signal**2)[()]


def optimal_pg_baseline(p_correct: ArrayLike, n_arms: ArrayLike, *, p_error: ArrayLike | None = None) -> FloatArray:
    """Return b = Kpε/(Kp + K − 2) = E[R‖φ‖²]/E[‖φ‖²], which minimises PG's total variance [this project]."""
    p, error = _domain.probability_pair(p_correct, p_error)
    K = _domain.arm_count(n_arms)
    return np.asarray(K * p * error / (K * p + (K - 2)))[()]


def cosine_gap(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    batch_size: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return how far a batch's gradient falls short of cosine one with ∇J [DG Prop. 1; form: this project].

    1 − 1/√(1 + Var_⊥/(B·signal²)), the gap of a batch mean whose perpendicular part has its root-mean-square length.
    It agrees with 1 − E cos to first order in 1/B, Var_⊥/(2B·signal²), and so the ratio of DG's gap to PG's tends to
    w₋²/κ². At K = 100, b = 1/2, η = 1 that is 4.1 % for ε = 0.5 and 1.3 % for ε = 0.1 (published: about 4 % and 1 %).

    Parameters are those of :func:`forward_efficiency`, and ``batch_size`` B > 0 forward samples.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    moments = context.moments(*context.weights(method, temperature))
    batch = _domain.interval("batch_size", batch_size, 0, np.inf, "(]")
    return np.asarray(-np.expm1(-0.5 * np.log1p(moments.var_perpendicular / (batch * moments.signal**2))))[()]


def _confidence(p: FloatArray, error: FloatArray, n_arms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Σ_a π_a² and its complement ε(1 + p − ε/(K − 1)), a sum of positive terms once multiplied out."""
    baseline = p**2 + error**2 / (n_arms - 1)
    return baseline, error * ((n_arms - 2) + n_arms * p) / (n_arms - 1)


def _surprisal(probability: FloatArray, complement: FloatArray) -> FloatArray:
    """Return −log of a probability from whichever of it and its complement is the more accurate."""
    with np.errstate(divide="ignore"):  # the branch not taken may see a complement that rounds to one
        return np.where(probability > 0.5, -np.log1p(-complement), -np.log(probability))
