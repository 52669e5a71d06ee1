"""Images as bandits: the policy of each, its advantages, and how a rule weighs the samples of the whole population.

Reward R = 1{a = label}, confidence baseline b(x) = Σ_a π_a² [KG §3]: I. Osband, "Does This Gradient Spark Joy?",
arXiv 2603.20526. Population prices are this project's: no batch, hence no sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, log_softmax
from torch import Tensor

from kondo_theory.screening import SAMPLE_RULES, kept_at_rate, score_function
from kondo_theory.words import choice

__all__ = ["DIRECTIONS", "FloatArray", "ImageBandits", "Weighting"]

FloatArray = NDArray[np.float64]

DIRECTIONS = ("PG", "cross-entropy")
"""Whose mean gradient over the images, divided by its length, is u: PG's is ∇J."""
KINDS = ("pg", "dg", "zero-price", "rate", "oracle")


@dataclass(frozen=True)
class Weighting:
    """A rule that weighs samples.

    Attributes
    ----------
    kind : str
        ``pg`` (weight 1), ``dg`` (soft weight σ(χ), η = 1), ``zero-price`` (kept iff χ > 0), ``rate`` (the top ρ by a
        rule's score) or ``oracle`` (the top ρ by the sample's own value g·u).
    rate : float or None
        ρ in (0, 1], of ``rate`` and ``oracle``.
    rule : str
        Of ``rate``: one of :data:`kondo_theory.screening.SAMPLE_RULES`. Of ``oracle``: one of :data:`DIRECTIONS`.
    alpha : float or None
        α in [0, 1] of the rule ``additive``; None is its default, 1/2.

    Raises
    ------
    ValueError
        If a value is not allowed or does not belong to the kind.
    """

    kind: str
    rate: float | None = None
    rule: str = "delight"
    alpha: float | None = None

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS)
        if (self.rate is not None) != (self.kind in ("rate", "oracle")):
            raise ValueError(f"a rate belongs to rate and oracle alone, got kind {self.kind} with rate {self.rate}")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError(f"rate must be in (0, 1], got {self.rate}")
        choice("rule", self.rule, DIRECTIONS if self.kind == "oracle" else SAMPLE_RULES)
        if self.alpha is not None and not (self.kind == "rate" and self.rule == "additive"):
            raise ValueError(f"alpha belongs to the rule additive, got {self.alpha} with {self.kind}, {self.rule}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    @property
    def label(self) -> str:
        """The name in tables and figures: ``DG``, ``DG-K(3 %)``, ``advantage(10 %)``, ``additive, α = 0.3(3 %)``."""
        if self.rate is None:
            return {"pg": "PG", "dg": "DG"}.get(self.kind, self.kind)
        name = "DG-K" if self.rule == "delight" else self.rule
        if self.kind == "oracle":
            name = f"oracle, {self.rule}"
        if self.alpha is not None:
            name = f"additive, α = {self.alpha:g}"
        return f"{name}({100 * self.rate:g} %)"


@dataclass(frozen=True, eq=False)
class ImageBandits:
    """The bandit that each image is, in float64.

    Attributes
    ----------
    labels : (n,) array of int
    policy, surprisal, advantage : (n, K) arrays
        π, −log π in nats, and U = 1{a = label} − Σ_a π_a².
    """

    labels: NDArray[np.int64]
    policy: FloatArray
    surprisal: FloatArray
    advantage: FloatArray

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> ImageBandits:
        """Return the bandits of logits (n, K) and labels (n,), both on any device.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a logit is not finite or a label not an arm.
        """
        z, y = logits.detach().cpu().double().numpy(), labels.detach().cpu().numpy().astype(np.int64)
        if z.ndim != 2 or y.shape != z.shape[:1]:
            raise ValueError(f"labels must be (n,) where logits are (n, K), got shapes {y.shape} and {z.shape}")
        if not np.isfinite(z).all():
            raise ValueError(f"logits must be finite, got {float(z[~np.isfinite(z)][0])}")
        if len(y) == 0 or y.min() < 0 or y.max() >= z.shape[1]:
            raise ValueError(f"labels must be arms, at least one, from 0 to {z.shape[1] - 1}, got {np.unique(y)}")
        log_policy = log_softmax(z, axis=-1)
        policy = np.exp(log_policy)
        reward = np.arange(z.shape[1]) == y[:, None]
        return cls(y, policy, -log_policy, reward - np.sum(policy**2, axis=-1, keepdims=True))

    @property
    def delight(self) -> FloatArray:
        """χ = U·ℓ, (n, K)."""
        return self.advantage * self.surprisal

    def score(self, rule: str, **parameters: float) -> FloatArray:
        """Return the scores (n, K) of a rule of :data:`kondo_theory.screening.SAMPLE_RULES`, quantiles of all."""
        entropy = np.broadcast_to(entr(self.policy).sum(axis=-1, keepdims=True), self.policy.shape)
        columns = (array.ravel() for array in (self.advantage, self.surprisal, entropy))
        score: FloatArray = score_function(rule)(*columns, **parameters).reshape(self.policy.shape)
        return score

    def kept(self, score: FloatArray, rate: float) -> FloatArray:
        """Return the probability (n, K) that a sample is among the top ρ of the population by its score (n, K).

        The population has mass π_a/n at each pair of image and arm; the atom at the price is kept in proportion, and
        a score of −∞ never.
        """
        mass = self.policy / len(self.policy)
        return kept_at_rate(mass.ravel(), score.ravel(), rate).reshape(score.shape)

    def coefficients(self, weight: FloatArray) -> FloatArray:
        """Return Σ_a π_a·weight_a·U_a·φ_a, the mean gradient in the logits of each image, (n, K)."""
        moved = self.policy * weight * self.advantage
        return np.asarray(moved - self.policy * moved.sum(axis=-1, keepdims=True))

    def mean(self, values: FloatArray) -> float:
        """Return E_xΣ_a π_a·values_a of a table (n, K)."""
        return float(np.sum(self.policy * values) / len(self.policy))
