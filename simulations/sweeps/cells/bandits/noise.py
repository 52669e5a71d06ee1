"""Zero price on noisy delight, and the rows that survive a token gate."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory.approximate import delight_scale, noisy_moments, noisy_rate, rms_cosine
from kondo_theory.cost import expected_prefix, surviving_rows
from kondo_theory.words import choice
from simulations.bandits import kernels
from simulations.bandits.estimates import jackknife
from simulations.bandits.noisy_delight import noisy_batches
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import (
    Arms,
    Count,
    Fraction,
    NonNegative,
    Probability,
    Rate,
    Replicates,
    Seed,
    Share,
)
from simulations.tokens.keeps import keep_patterns, surviving

__all__ = ["noisy_delight", "survival"]


def noisy_delight(
    *,
    kind: Literal["additive", "relative"],
    noise: NonNegative,
    p_correct: Probability = 0.1,
    n_arms: Arms = 20,
    baseline: Fraction = 0.5,
    price: float = 0.0,
    batch_size: Count = 100,
    n_batches: Replicates = 50,
    n_replicates: Replicates = 200,
    seed: Seed = 0,
) -> list[Row]:
    """Return signal, noise, backward rate and r.m.s. cosine of the hard gate on noisy delight.

    Parameters
    ----------
    kind : str
        Whether the noise is added to delight or multiplies it.
    noise : float
        τ in standard deviations of delight, or relative to |χ|.
    p_correct, n_arms, baseline : float, int, float
        p, K and b, constant; reward 1 for the correct arm and 0 for the others.
    price : float
        λ in units of delight.
    batch_size, n_batches, n_replicates, seed : int
        B, batches a replicate, replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    choice("kind", kind, ("additive", "relative"))
    unit = float(delight_scale(p_correct, n_arms, baseline)) if kind == "additive" else 1.0
    at = (p_correct, n_arms, baseline)
    sizes = (batch_size, n_batches, n_replicates)
    table, _ = noisy_batches(*at, price, noise * unit, kind, *sizes, stream)
    exact = noisy_moments(*at, noise * unit, kind, price=price)
    rate = float(noisy_rate(*at, noise * unit, kind, price=price))
    signal, square = table[:, kernels.SIGNAL], table[:, kernels.PERPENDICULAR_SQUARE]
    cosine = jackknife(lambda s, q: np.asarray(s / np.sqrt(s**2 + q)), signal, square)
    parallel = batch_size * table[:, kernels.SIGNAL_VARIANCE]
    return [
        row("signal", float(exact.signal), Estimate.of(signal)),
        row("backward rate", rate, Estimate.of(table[:, kernels.KEPT] / batch_size)),
        row("parallel variance", float(exact.var_parallel), Estimate.of(parallel)),
        row("perpendicular variance", float(exact.var_perpendicular), Estimate.of(batch_size * square)),
        row("r.m.s. cosine", float(rms_cosine(exact, batch_size)), cosine),
    ]


def survival(
    *,
    rate: Rate,
    n_tokens: Count = 10,
    correlation: Share = 0.0,
    clustering: Literal["row", "run"] = "row",
    n_rows: Count = 2_000,
    n_replicates: Replicates = 20,
    seed: Seed = 0,
) -> list[Row]:
    """Return the share of rows with a kept token, and the share of all tokens up to the last kept one of a row.

    Parameters
    ----------
    rate, n_tokens : float, int
        ρ in (0, 1] and T.
    correlation, clustering : float, str
        Correlation of two keeps, in [0, 1]: of all pairs of a ``row``, or of neighbours with ``run``.
    n_rows, n_replicates, seed : int
        Rows a replicate, replicates, and the entropy of their streams.
    """
    children = np.random.SeedSequence(stream_seed(**locals())).spawn(n_replicates)
    generators = [np.random.default_rng(child) for child in children]
    found = [surviving(keep_patterns(each, n_rows, n_tokens, rate, correlation, clustering)) for each in generators]
    rows, prefix = np.array(found).T
    claimed = float(expected_prefix(rate, n_tokens, correlation, clustering))
    return [
        row("rows", float(surviving_rows(rate, n_tokens, correlation, clustering)), Estimate.of(rows)),
        row("tokens to the last kept", claimed / n_tokens, Estimate.of(prefix / n_tokens)),
    ]
