"""Contexts with and without noise in one batch: who takes the budget of a gate, and who is taken in.

A share s of the samples comes from noisy contexts: their reward is R + σξ, ξ ~ N(0, 1) independent of the action. The
others are clean. Gates that decide on each sample alone (PG, DG, a price) treat a context as if it were alone; a gate
at a fixed rate does not, for all contexts bid for one budget.

* PG and gates on the advantage keep the direction of a noisy context's gradient where one arm is right.
* DG follows noise: to second order in U it climbs J/2 + (σ²/4η)·entropy (:func:`entropy_weight`).
* At rate ρ the clean contexts get nothing from a certain noise on, if ρ < s/2 by delight or advantage, ρ < s by
  |advantage| (:func:`shut_out_noise`). By delight that noise is in proportion to 1/ℓ, ℓ the surprisal in the noisy
  contexts: learnt contexts bid little. By the advantage alone they bid as ever.

Where one arm of a noisy context carries all of the noise, and is bad on average, the gamble of
:mod:`kondo_theory.gambling.single_arm`, whose conventions hold, is decided at the common price
(:func:`priced_gamble_drift`): a price above 0 gives it a floor at every noise.

Source: this project, derivation ``gambling-transformer``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.gambling.means import normal_density, positive_part
from kondo_theory.gambling.roots import root
from kondo_theory.words import one_line

__all__ = [
    "BUDGET_RULES",
    "SharedBudget",
    "entropy_weight",
    "priced_gamble_drift",
    "priced_gamble_floor",
    "shared_budget",
    "shut_out_noise",
    "soft_rest_odds",
]

BUDGET_RULES = ("delight", "advantage", "abs-advantage")
_BISECTIONS = 200
_ROUNDING = 1e-12  # of an atom's score that was divided by the surprisal and multiplied again


@dataclass(frozen=True, repr=False)
class SharedBudget:
    """What a gate at a fixed rate keeps of classes of samples.

    Attributes
    ----------
    price : float
        λ, in units of the score.
    kept : (J,) array
        Probability that a sample of the class is kept.
    gated_mean : (J,) array
        E[U; kept] of each class.
    """

    price: float
    kept: FloatArray
    gated_mean: FloatArray

    def __repr__(self) -> str:
        return one_line(self, price=self.price, kept=self.kept, gated_mean=self.gated_mean)


def shared_budget(
    share: ArrayLike, mean: ArrayLike, noise: ArrayLike, surprisal: ArrayLike, rate: float, rule: str = "delight"
) -> SharedBudget:
    """Return what is kept of classes of samples, U ~ N(mean, noise²), at one rate; batches are infinite.

    Parameters
    ----------
    share : (J,) array
        Of the batch, summing to 1.
    mean, noise : (J,) arrays
        Of the advantage; without noise a class is an atom, and atoms at the price are kept in part, all alike.
    surprisal : (J,) array
        ℓ > 0, nats.
    rate : float
        ρ in (0, 1].
    rule : str
        One of ``BUDGET_RULES``: the score is Uℓ, U or |U|.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    _domain.choice("rule", rule, BUDGET_RULES)
    rho = _domain.number("rate", rate, 0, 1, "(]")
    m, sd, ell, mass = _domain.broadcast(
        mean=_domain.finite("mean", mean),
        noise=_domain.interval("noise", noise, 0, np.inf, "[)"),
        surprisal=_domain.interval("surprisal", surprisal, 0, np.inf, "()"),
        share=_domain.distribution("share", share),
    )
    scale = ell if rule == "delight" else np.ones_like(ell)
    two_sided = rule == "abs-advantage"

    def kept_mass(price: float, *, ties: bool) -> float:
        return float(mass @ _kept(price / scale, m, sd, two_sided=two_sided, ties=ties)[0])

    reach = float(np.max((np.abs(m) + 40 * sd) * scale)) + 1.0
    low, high = (0.0 if two_sided else -reach), reach
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if kept_mass(middle, ties=False) > rho else (low, middle)
    price = _at_an_atom(high, np.where(sd == 0, (np.abs(m) if two_sided else m) * scale, np.nan))
    (above, gained), (with_ties, gained_with) = (
        _kept(price / scale, m, sd, two_sided=two_sided, ties=ties) for ties in (False, True)
    )
    left, tied = rho - float(mass @ above), float(mass @ (with_ties - above))
    part = min(1.0, max(0.0, left / tied)) if tied > 0 else 0.0
    return SharedBudget(price, above + part * (with_ties - above), gained + part * (gained_with - gained))


def shut_out_noise(rate: ArrayLike, noisy_share: ArrayLike, rule: str = "delight") -> FloatArray:
    """Return the noise from which on clean contexts get nothing, infinite where none shuts them out.

    By delight and advantage it is 1/Φ⁻¹(1 − ρ/s), by |advantage| 1/Φ⁻¹(1 − ρ/2s). The noisy advantages have mean 0
    and one surprisal ℓ; the unit is the largest score of a clean sample, by delight over ℓ.

    Parameters
    ----------
    rate : (...) array in (0, 1)
        ρ.
    noisy_share : (...) array in (0, 1)
        s.
    rule : str
        One of ``BUDGET_RULES``.
    """
    _domain.choice("rule", rule, BUDGET_RULES)
    rho = _domain.interval("rate", rate, 0, 1, "()")
    s = _domain.interval("noisy_share", noisy_share, 0, 1, "()")
    tail = rho / s / (2 if rule == "abs-advantage" else 1)
    quantile = -ndtri(np.minimum(tail, 0.5))
    return np.asarray(np.divide(1.0, quantile, out=np.full(tail.shape, np.inf), where=quantile > 0))


def entropy_weight(noise: ArrayLike, temperature: ArrayLike = 1.0) -> FloatArray:
    """Return σ²/4η: to second order in U, DG climbs J/2 and the entropy with this weight.

    Parameters
    ----------
    noise : (...) array in [0, ∞)
        σ of the rewards.
    temperature : (...) array in (0, ∞)
        η.
    """
    sigma = _domain.interval("noise", noise, 0, np.inf, "[)")
    return np.asarray(sigma**2 / (4 * _domain.interval("temperature", temperature, 0, np.inf, "()")))


def soft_rest_odds(gap: ArrayLike, noise: ArrayLike, temperature: ArrayLike = 1.0) -> FloatArray:
    """Return e^{−2ηΔ/σ²}, DG's odds of a wrong arm to the right one at rest, where σ² is far above Δ² and ησ small.

    Parameters
    ----------
    gap : (...) array in (0, ∞)
        Δ, what the right arm pays more.
    noise, temperature : (...) arrays in (0, ∞)
        σ and η.
    """
    delta = _domain.interval("gap", gap, 0, np.inf, "()")
    weight = entropy_weight(_domain.interval("noise", noise, 0, np.inf, "()"), temperature)
    return np.asarray(np.exp(-delta / (2 * weight)))


def priced_gamble_drift(x: ArrayLike, noise_ratio: ArrayLike, price: ArrayLike) -> FloatArray:
    """Return f = x·1{xℓ₁ > λ} − E[U; Uℓ₂ > λ], the drift of a gamble at a price that other contexts have set.

    Parameters
    ----------
    x : (...) array in (0, 1)
        Probability of the gambling arm; ℓ₁ = −log(1−x), ℓ₂ = −log x.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    price : (...) array in [0, ∞)
        λ, in units of Δ times nats; at 0 this is zero price.
    """
    x = _domain.interval("x", x, 0, 1, "()")
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    cost = _domain.interval("price", price, 0, np.inf, "[)")
    threshold = cost / -np.log(x)
    gap = (threshold + 1 - x) / r
    gambled = threshold * ndtr(-gap) + r * positive_part(np.minimum(gap, 1e150))
    return np.asarray(x * (x * -np.log1p(-x) > cost) - gambled)


@elementwise("price")
def priced_gamble_floor(price: float) -> float:
    """Return x with −x·log(1−x) = λ, about √λ: below it no price λ > 0 keeps a safe sample, whatever the noise."""
    cost = _domain.number("price", price, 0, np.inf, "()")
    gap = root(lambda logit: float(_safe_delight(logit) - np.log(cost)), -700.0, 700.0)
    return float(1 / (1 + np.exp(-gap)))


def _kept(
    threshold: FloatArray, mean: FloatArray, noise: FloatArray, *, two_sided: bool, ties: bool
) -> tuple[FloatArray, FloatArray]:
    """Return P(U > t) and E[U; U > t], or of |U| > t; of atoms also U = t if ``ties``."""
    kept, gained = _above(threshold, mean, noise, ties=ties)
    if two_sided:
        below, lost = _above(threshold, -mean, noise, ties=ties)
        both = (noise == 0) & (mean == 0) & (threshold <= 0)  # U = 0 would count twice
        kept, gained = np.where(both, kept, kept + below), gained - lost
    return kept, gained


def _above(
    threshold: FloatArray, mean: FloatArray, noise: FloatArray, *, ties: bool
) -> tuple[FloatArray, FloatArray]:
    atom = noise == 0
    gap = (threshold - mean) / np.where(atom, 1.0, noise)
    tied = np.abs(threshold - mean) <= _ROUNDING * np.abs(mean)
    inside = (threshold < mean) | tied if ties else (threshold < mean) & ~tied
    kept = np.where(atom, inside, ndtr(-gap))
    gained = np.where(atom, mean * inside, mean * kept + noise * normal_density(gap))
    return kept, gained


def _at_an_atom(price: float, atoms: FloatArray) -> float:
    """Return the price, moved onto the atom that it lies at up to rounding."""
    near = atoms[np.abs(atoms - price) <= _ROUNDING * max(1.0, abs(price))]
    return float(near[0]) if near.size else price


def _safe_delight(logit: float) -> float:
    """Return log(−x·log(1−x)) at a logit of x."""
    log_x = -float(np.logaddexp(0.0, -logit))
    surprisal = float(np.logaddexp(0.0, logit))
    return log_x + float(np.log(surprisal) if surprisal > 0 else log_x)
