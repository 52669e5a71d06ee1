"""Moments of a gated batch gradient in one symmetric context: simulated batches beside the closed forms."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import kept_count
from kondo_theory.geometry.alignment import mean_cosine
from kondo_theory.geometry.exact_rate import exact_rate_moments, price_weights
from kondo_theory.geometry.quality_cost import frontier
from kondo_theory.geometry.symmetric import METHODS, cosine_gap, dg_weights, symmetric_arms, symmetric_moments
from kondo_theory.moments import GradientMoments
from kondo_theory.words import unhandled
from simulations.bandits import kernels
from simulations.bandits.estimates import cost_of_signal, jackknife, noise_per_backward
from simulations.bandits.simulation import Context, Estimate, Gate, MomentsConfig, simulate_moments
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, baseline_value, row
from simulations.sweeps.cells.types import (
    Arms,
    Baseline,
    Count,
    Fraction,
    NonNegative,
    Positive,
    Probability,
    Rate,
    Replicates,
    Seed,
)

__all__ = ["moments"]

FloatArray = NDArray[np.float64]


def moments(
    *,
    method: Literal["pg", "dg", "zero-price", "price", "exact-k", "price-at-rate"],
    p_correct: Probability,
    n_arms: Arms = 10,
    baseline: Baseline = "constant",
    constant_baseline: Fraction = 0.5,
    temperature: NonNegative = 1.0,
    price: float = 0.0,
    rate: Rate = 1.0,
    batch_size: Count = 100,
    n_backward: Positive = 10.0,
    n_batches: Replicates = 50,
    n_replicates: Replicates = 200,
    seed: Seed = 0,
) -> list[Row]:
    """Return one row a quantity.

    Signal E[g]·u and backward rate; parallel and perpendicular variance, per sample; the mean cosine of a batch with
    ∇J and its gap from one (predicted in the limit of many failures an arm, and of a large batch); perpendicular and
    total variance over squared signal; cost of signal ρE‖g‖²/‖E g‖²; efficiency of ``n_backward`` backward passes.

    Parameters
    ----------
    method : str
        Policy gradient, DG, the strict gate χ > 0, a Bernoulli gate at a price, exactly k of B by delight, or the
        price gate of that rate, which draws at its price.
    p_correct, n_arms : float, int
        p in (0, 1) and K ≥ 2; reward 1 for the correct arm and 0 for the others.
    baseline : str
        b; ``constant_baseline`` in [0, 1) counts if it is constant.
    temperature : float
        η in units of delight: of ``dg``, where it is positive, and ``price``.
    price, rate : float
        λ in units of delight, of ``price``; ρ of ``exact-k`` and ``price-at-rate``.
    batch_size : int
        B, samples.
    n_backward : float
        Backward passes whose efficiency is returned.
    n_batches, n_replicates, seed : int
        Batches a replicate, replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    b = baseline_value(baseline, constant_baseline, p_correct, n_arms)
    exact, backward = _closed_form(method, p_correct, n_arms, b, temperature, price, rate, batch_size)
    mean = gap = np.nan
    if method in METHODS:
        mean = float(mean_cosine(method, p_correct, n_arms, b, batch_size, temperature=temperature))
        gap = float(cosine_gap(method, p_correct, n_arms, b, batch_size, temperature=temperature))
    if method == "price-at-rate":
        context = Context.priced_at_rate(p_correct, n_arms, b, rate)
    else:
        kind = "rate" if method == "exact-k" else method
        context = Context.symmetric(p_correct, n_arms, b, Gate(kind, price, temperature, rate))
    found = simulate_moments(MomentsConfig(context, batch_size, n_batches, n_replicates, stream))
    names = [kernels.KEPT, kernels.SIGNAL, kernels.SIGNAL_VARIANCE, kernels.PERPENDICULAR_SQUARE]
    columns = found.statistics[:, names].T * np.array([[1 / batch_size], [1], [batch_size], [batch_size]])
    predicted = (np.asarray(backward), exact.signal, exact.var_parallel, exact.var_perpendicular)
    return [
        row("signal", exact.signal, found.signal),
        row("backward rate", backward, found.backward_rate),
        row("parallel variance", exact.var_parallel, found.var_parallel),
        row("perpendicular variance", exact.var_perpendicular, found.var_perpendicular),
        row("cosine", mean, found.cosine, exact=method == "zero-price"),
        row("cosine gap", gap, Estimate(1 - found.cosine.value, found.cosine.standard_error), exact=False),
        *(
            row(name, statistic(*predicted, n_backward), jackknife(partial(statistic, n=n_backward), *columns))
            for name, statistic in _STATISTICS.items()
        ),
    ]


def _closed_form(
    method: str,
    p: float,
    n_arms: int,
    b: float,
    temperature: float,
    price: float,
    rate: float,
    batch_size: int,
) -> tuple[GradientMoments, float]:
    """Return the exact moments per sample and the backward rate."""
    if method == "price":
        path = frontier(*symmetric_arms(n_arms, p, b), price, temperature)
        return path.moments, float(path.backward_rate)
    if method == "exact-k":
        kept = kept_count(rate, batch_size)
        return exact_rate_moments(p, n_arms, b, batch_size, kept), kept / batch_size
    if method == "price-at-rate":
        return symmetric_moments(p, n_arms, b, *price_weights(p, rate), bernoulli=True), rate
    if method == "dg":
        return symmetric_moments(p, n_arms, b, *dg_weights(p, n_arms, b, temperature)), 1.0
    if method not in ("pg", "zero-price"):
        raise unhandled("method", method, ("pg", "dg", "zero-price", "price", "exact-k", "price-at-rate"))
    wrong = 1.0 if method == "pg" else 0.0
    return symmetric_moments(p, n_arms, b, 1.0, wrong), p if method == "zero-price" else 1.0


def _across(rate: FloatArray, signal: FloatArray, along: FloatArray, across: FloatArray, n: float) -> FloatArray:
    return np.asarray(across / signal**2)


def _total(rate: FloatArray, signal: FloatArray, along: FloatArray, across: FloatArray, n: float) -> FloatArray:
    return np.asarray((along + across) / signal**2)


def _cost(rate: FloatArray, signal: FloatArray, along: FloatArray, across: FloatArray, n: float) -> FloatArray:
    return cost_of_signal(rate, signal, along + across)


def _efficiency(rate: FloatArray, signal: FloatArray, along: FloatArray, across: FloatArray, n: float) -> FloatArray:
    return np.asarray(1 / (1 + noise_per_backward(rate, signal, along + across) / n))


_STATISTICS = {
    "perpendicular variance over squared signal": _across,
    "variance over squared signal": _total,
    "cost of signal": _cost,
    "efficiency": _efficiency,
}
"""Functions of backward rate, signal, both variances per sample, and a number of backward passes."""
