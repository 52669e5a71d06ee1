"""Batches of a symmetric context in which exactly k samples are kept by any screening rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import select
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import additive_threshold, score_function
from kondo_theory.words import unhandled

__all__ = ["Keep", "Setting", "batch_gradients", "claimed_order", "kept_by_arm"]

FloatArray = NDArray[np.float64]
Keep = Callable[[FloatArray, float, np.random.Generator], NDArray[np.bool_]]
"""Masks (n, B) of the kept samples from scores (n, B) and a rate, as :func:`kondo_theory.gate.select` makes them."""


@dataclass(frozen=True)
class Setting:
    """A symmetric context and the α of its additive rule."""

    n_arms: int
    p: float
    baseline: float
    alpha: float

    def __str__(self) -> str:
        return f"K={self.n_arms}, p={self.p:g}, b={self.baseline:g}"

    def point(self, rule: str) -> dict[str, str | float]:
        """Return the point of a grid by symbol."""
        own = {"α": self.alpha} if rule == "additive" else {}
        return {"rule": rule, "K": self.n_arms, "p": self.p, "b": self.baseline, **own}

    def parameters(self, rule: str) -> dict[str, float]:
        """Return the rule's own parameters."""
        return {"alpha": self.alpha} if rule == "additive" else {}


_CLAIMED = (
    "delight", "advantage", "positive-surprisal", "uniform", "entropy-band", "abs-advantage", "abs-advantage-entropy",
    "surprisal", "additive", "entropy",
)  # fmt: skip
"""The rules of whose order there is a claim."""


def claimed_order(rule: str, at: Setting) -> str:
    """Return whom a rule is claimed to keep first, one of :data:`kondo_theory.geometry.exact_rate.ORDERS`.

    Written from the claim, not from the scores, so that a wrong rule is not predicted to be wrong.

    Raises
    ------
    ValueError
        If nothing is claimed of the rule.
    """
    if rule in ("delight", "advantage"):
        return "correct-first"
    if rule == "positive-surprisal":
        return "correct-only"
    if rule in ("uniform", "entropy-band", "entropy"):  # one context has one policy entropy: all samples tie
        return "tie"
    if rule in ("abs-advantage", "abs-advantage-entropy"):
        lead = 0.5 - at.baseline
    elif rule == "surprisal":
        lead = 1 / at.n_arms - at.p
    elif rule == "additive":
        common = at.p > 1 / at.n_arms
        lead = at.alpha - float(additive_threshold(at.p, at.n_arms)) if common else 1.0
    else:
        raise unhandled("rule", rule, _CLAIMED)
    return "tie" if lead == 0 else ("correct-first" if lead > 0 else "wrong-first")


def kept_by_arm(
    at: Setting,
    rule: str,
    rate: float,
    n_batches: int,
    batch_size: int,
    rng: np.random.Generator,
    keep: Keep = select,
) -> NDArray[np.int64]:
    """Draw batches, score every sample, keep the top ρ, and count the kept ones by arm, shape (n_batches, K)."""
    policy, advantage = symmetric_arms(at.n_arms, at.p, at.baseline)
    edges = np.cumsum(policy)[:-1]
    arms = np.searchsorted(edges, rng.random((n_batches, batch_size)), side="right")
    surprisal = -np.log(policy)
    entropy = np.full(arms.shape, policy @ surprisal)
    scores = score_function(rule, of_groups=False)(advantage[arms], surprisal[arms], entropy, **at.parameters(rule))
    kept = keep(scores, rate, rng)
    flat = (np.arange(n_batches)[:, None] * at.n_arms + arms)[kept]
    return np.bincount(flat, minlength=n_batches * at.n_arms).reshape(n_batches, at.n_arms)


def batch_gradients(counts: NDArray[np.int64], at: Setting, batch_size: int) -> tuple[FloatArray, FloatArray]:
    """Return each batch gradient's part along ∇J and the square of its part across, shapes (n_batches,).

    ``counts`` are the kept samples by arm, (n_batches, K).
    """
    policy, advantage = symmetric_arms(at.n_arms, at.p, at.baseline)
    scores = np.eye(at.n_arms) - policy
    direction = scores[0] / np.linalg.norm(scores[0])  # ∇J = p·φ₀
    gradient = (counts * advantage) @ scores / batch_size
    along = gradient @ direction
    across = gradient - along[:, None] * direction
    return along, (across**2).sum(axis=1)
