"""Estimates of the mean gradient from a part of the samples, by name: which are used, how often, with which weight.

An estimate says of each kind of sample how many backward passes it gets on average, and the mean and the mean square
of the weight that its gradient has in the sum; what is left out has the weight zero. All look at a forward pass
alone, but for the blends, whose weight of least error is made of mean gradients. What is never played counts nowhere.

Sources: DG is of I. Osband, arXiv 2603.14608, zero price of arXiv 2603.20526. The other formulas are this project's
(derivations ``unbiased-gates``, ``optimal-baseline``, ``least-error-blend``); each says what it is after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.special import expit, logit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.estimators.samples import Samples, Use
from kondo_theory.words import one_line

__all__ = ["ESTIMATORS", "Estimator"]

_HALVINGS = 200
_BATCH_SIZE = 100  # of the batch whose mean squared error a blend minimises


@dataclass(frozen=True, repr=False)
class Estimator:
    """An estimate by name.

    Attributes
    ----------
    of : callable
        What :meth:`use` returns, of arguments that are checked.
    inputs : tuple of str
        What it looks at.
    what : str
        What it is, in symbols.
    source : str
    rated : bool
        Whether it has a rate; without one all samples are used, or those above zero.
    unbiased : bool
        Whether its mean is the gradient.
    """

    of: Callable[[Samples, float], Use]
    inputs: tuple[str, ...]
    what: str
    source: str = "here"
    rated: bool = True
    unbiased: bool = False

    def use(self, samples: Samples, rate: float = np.nan) -> Use:
        """Return what the estimate does with each kind of sample.

        ``passes`` says how many backward passes there are; these are not always as many as the rate says. A gate by
        length and winner take all keep all that has a gradient where that is less; selective backprop keeps all that
        has the highest loss where that is more; ``blend-all`` uses every sample, and the rate is that of its top.

        Parameters
        ----------
        samples : Samples
        rate : float
            ρ in (0, 1]; nan where the estimate has none.

        Raises
        ------
        ValueError, TypeError
            If the rate is out of its domain, the advantage or the surprisal of what is played is not finite, or no
            sample has a gradient.
        """
        if self.rated:
            rate = _domain.number("rate", rate, 0, 1, "(]")
        elif not np.isnan(_domain.scalar("rate", rate)):
            raise ValueError(f"rate must be nan, for this estimate has none ({self.what}), got {rate}")
        played = samples.policy > 0
        U, surprisal = (np.where(played, x, 0.0) for x in (samples.advantage, samples.surprisal))
        known = replace(
            samples, advantage=_domain.finite("advantage", U), surprisal=_domain.finite("surprisal", surprisal)
        )
        if not np.any(played & (known.size > 0)):
            raise ValueError("a sample that is played must have a gradient, |U|‖φ‖ > 0, got none")
        return self.of(known, rate)

    def __repr__(self) -> str:
        return one_line(self, self.what, inputs=", ".join(self.inputs))


def _all(samples: Samples, rate: float) -> Use:
    one = np.ones_like(samples.policy)
    return Use(one, one, one)


def _best_baseline(samples: Samples, rate: float) -> Use:
    """Move the baseline of each context to that of least noise in its logits, E[R‖φ‖²]/E‖φ‖²."""
    square = samples.policy * samples.score_length**2
    total = square.sum(axis=-1, keepdims=True)
    moved = np.sum(square * samples.advantage, axis=-1, keepdims=True) / np.where(total > 0, total, 1.0)
    one = np.ones_like(samples.policy)
    return Use(one, one, one, advantage=samples.advantage - moved)


def _dg(samples: Samples, rate: float) -> Use:
    soft = expit(samples.delight)
    return Use(np.ones_like(soft), soft, soft**2)


def _zero_price(samples: Samples, rate: float) -> Use:
    keep = (samples.delight > 0).astype(np.float64)
    return Use(keep, keep, keep)


def _weighted(keep: FloatArray) -> Use:
    """Return a gate of probability w and weight 1/w; where w is zero there is no gradient."""
    return Use(keep, np.ones_like(keep), 1 / np.where(keep > 0, keep, 1.0))


def _uniform(samples: Samples, rate: float) -> Use:
    return _weighted(np.full_like(samples.policy, rate))


def _gate(samples: Samples, rate: float) -> Use:
    """Gate by σ(χ − λ), the price λ such that the rate is ρ."""
    chi = samples.delight
    if rate == 1:
        return _weighted(np.ones_like(chi))
    bound = float(np.abs(chi).max()) + abs(float(logit(rate)))
    return _weighted(expit(chi - _solved(lambda price: expit(chi - price), samples, rate, bound, -bound)))


def _length(samples: Samples, rate: float) -> Use:
    """Gate by min(1, s|U|‖φ‖), the scale s such that the rate is ρ, or every gradient is kept."""
    size = samples.size
    least = float(size[size > 0].min())
    log_scale = _solved(lambda x: np.minimum(1.0, np.exp(x) * size), samples, rate, -700.0, -np.log(least))
    return _weighted(np.minimum(1.0, np.exp(log_scale) * size))


def _winner_take_all(samples: Samples, rate: float) -> Use:
    """Keep the largest |U|‖φ‖ for certain and draw the others in proportion to it; the share kept has least noise."""
    size = samples.size
    mass = samples.mass
    order = np.argsort(-size, axis=None, kind="stable")
    kept = np.concatenate([[0.0], np.cumsum(mass.ravel()[order])[:-1]])
    left = np.cumsum((mass * size).ravel()[order][::-1])[::-1]  # Σ of what is not kept for certain
    few = kept < rate
    n_sure = int(np.argmin(np.where(few, left**2 / np.where(few, rate - kept, 1.0), np.inf)))
    drawn = np.ones(size.shape, dtype=bool)
    drawn.flat[order[:n_sure]] = False
    rest = left[n_sure] if left[n_sure] > 0 else 1.0  # nothing but what has no gradient is left
    passes = np.where(drawn, (rate - kept[n_sure]) * size / rest, 1.0)
    weight = 1 / np.where(passes > 0, passes, 1.0)
    return Use(passes, np.ones_like(size), np.where(drawn, weight + 1, 1.0), drawn)


def _selective(score: Callable[[Samples], FloatArray]) -> Callable[[Samples, float], Use]:
    """Keep by the percentile of a loss to a power, the power such that the rate is ρ."""

    def use(samples: Samples, rate: float) -> Use:
        levels, place = np.unique(score(samples), return_inverse=True)
        total = np.bincount(place.ravel(), weights=samples.mass.ravel(), minlength=len(levels))
        percentile = np.minimum(np.cumsum(total) / total.sum(), 1.0)[place].reshape(samples.policy.shape)
        log_percentile = np.log(np.maximum(percentile, 1e-300))
        log_power = _solved(lambda x: np.exp(np.exp(x) * log_percentile), samples, rate, 50.0, -50.0)
        keep = np.exp(np.exp(log_power) * log_percentile)
        return Use(keep, keep, keep)

    return use


def _blend(share: float) -> Callable[[Samples, float], Use]:
    """Blend the top by delight with what it drops, by the weight of least error in a batch.

    The top takes ``share`` of the backward passes; the others go to samples drawn at random from the dropped, and at
    a share of one all the dropped are used beside the top.
    """

    def use(samples: Samples, rate: float) -> Use:
        top = rate * share
        keep = samples.top(samples.delight, top)
        kept = float(np.sum(samples.mass * keep))
        u = 1.0 if share == 1 else (rate - kept) / (1 - kept)
        lost, mixed = samples.inner(1 - keep, 1 - keep), samples.inner(keep, 1 - keep)
        square = samples.square(1 - keep) / u
        error = (_BATCH_SIZE - 1) * lost + square
        weight = (_BATCH_SIZE * lost + mixed) / error if error > 0 else 1.0  # nothing with a gradient is dropped
        passes = keep + (1 - keep) * u
        return Use(passes, keep + (1 - keep) * weight, keep + (1 - keep) * weight**2 / u)

    return use


def _solved(keep: Callable[[float], FloatArray], samples: Samples, rate: float, fewest: float, most: float) -> float:
    """Return the parameter between two ends at which as many are kept as the rate says, by halving."""
    for _ in range(_HALVINGS):
        middle = (fewest + most) / 2
        if float(np.sum(samples.mass * keep(middle))) < rate:
            fewest = middle
        else:
            most = middle
    return most


_LENGTH = ("advantage", "policy")
_DELIGHT = ("advantage", "surprisal")

ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "PG": Estimator(_all, ("advantage",), "all samples, weight one", "–", rated=False, unbiased=True),
        "PG-best-baseline": Estimator(
            _best_baseline, _LENGTH, "all samples, each context's baseline E[R‖φ‖²]/E‖φ‖²", "after OBLR-PO",
            rated=False, unbiased=True,
        ),
        "DG": Estimator(_dg, _DELIGHT, "all samples, weight σ(Uℓ)", "arXiv:2603.14608", rated=False),
        "zero-price": Estimator(_zero_price, _DELIGHT, "all of positive delight", "arXiv:2603.20526", rated=False),
        "uniform-weighted": Estimator(
            _uniform, (), "any, weight 1/ρ", "NAT, arXiv:2603.06619", unbiased=True
        ),
        "gate-weighted": Estimator(_gate, _DELIGHT, "with probability w = σ(Uℓ − λ), weight 1/w", unbiased=True),
        "length-weighted": Estimator(
            _length, _LENGTH, "with probability w = min(1, s|U|‖φ‖), weight 1/w", unbiased=True
        ),
        "winner-take-all": Estimator(
            _winner_take_all, _LENGTH, "the largest |U|‖φ‖ for certain, others drawn by it and reweighted",
            "after WTA-CRS", unbiased=True,
        ),
        "blend": Estimator(
            _blend(0.5), (*_DELIGHT, "gradient"),
            "half the passes for the top by Uℓ, half for the dropped, drawn, weight a/u of least error", "after BVPO",
        ),
        "blend-all": Estimator(
            _blend(1.0), (*_DELIGHT, "gradient"), "the top by Uℓ, and all the dropped with weight a of least error",
            "after BVPO",
        ),
        "selective-backprop": Estimator(
            _selective(lambda samples: samples.delight), _DELIGHT,
            "with the probability F(Uℓ)^β, F the distribution, Uℓ the loss", "after arXiv:1910.00762",
        ),
        "selective-backprop-surprisal": Estimator(
            _selective(lambda samples: samples.surprisal), ("surprisal",),
            "with the probability F(ℓ)^β, ℓ the loss", "after arXiv:1910.00762",
        ),
    }
)  # fmt: skip
"""Estimates by name, each at a rate ρ of backward passes where it has one."""
