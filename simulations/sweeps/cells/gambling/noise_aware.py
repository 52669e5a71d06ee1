"""The gamble under gates that noise does not take in: drift at a policy, and where a margin comes to rest."""

from __future__ import annotations

from typing import Literal

from scipy.special import expit, logit

from kondo_theory.gambling.noise_aware import margin_critical_noise_ratio, margin_fixed_point
from simulations.bandits.simulation import Estimate
from simulations.gambling.gamble import Gamble
from simulations.gambling.simulation import estimate_drift, expected_drift, learned_end, schedule
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Count, NonNegative, Positive, Probability, Rate, Replicates, Seed

__all__ = ["margin_end", "noise_aware_drift"]


def noise_aware_drift(
    *,
    gate: Literal["extremes", "margin", "second-draw"],
    x: Probability,
    noise_ratio: Positive,
    rate: Rate = 1.0,
    margin: NonNegative = 0.0,
    n_batches: Count = 5,
    seed: Seed = 0,
) -> list[Row]:
    """Return the drift towards the better arm, in units of Δ; at a rate extrapolated to infinite batches.

    Parameters
    ----------
    gate : str
        Exactly k = ρB by |advantage|, zero price on U > κσ, or zero price decided by another draw of the reward.
    x : float
        Probability of the gambling arm.
    noise_ratio : float
        r = σ/Δ.
    rate, margin : float
        ρ of ``extremes``; κ of ``margin``, in standard deviations.
    n_batches, seed : int
        Batches of 2,000 samples in each of 100 replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    gamble = Gamble(noise_ratio, gate, rate=rate, margin=margin)
    return [row("drift", expected_drift(x, gamble), Estimate(*estimate_drift(gamble, x, n_batches, stream, 1)))]


def margin_end(
    *,
    noise_ratio: Positive,
    margin: NonNegative,
    offset: float = 0.8,
    n_replicates: Replicates = 40,
    seed: Seed = 0,
) -> list[Row]:
    """Return where learning ends under a margin, beside its floor x*; as :func:`..runs.gambling_end`.

    Parameters
    ----------
    noise_ratio, margin : float
        r = σ/Δ, below the margin's critical noise, and κ.
    offset : float
        Log-odds of the start less those of the floor, nats.
    n_replicates, seed : int
        Runs, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    floor = margin_fixed_point(noise_ratio, margin)
    if floor is None:
        critical = float(margin_critical_noise_ratio(margin))
        raise ValueError(f"noise_ratio must be below {critical:.4g} at margin {margin:g}, got {noise_ratio:g}")
    gamble, start = Gamble(noise_ratio, "margin", margin=margin), float(expit(logit(floor) + offset))
    learning_rate, n_steps, batch = schedule(gamble, start, floor)
    end = learned_end(
        gamble,
        start,
        learning_rate,
        n_steps,
        batch_size=batch,
        n_replicates=n_replicates,
        seed=stream,
        n_threads=1,
        n_averaged=n_steps // 2,
    )
    return [row("x at rest", floor, Estimate(end.value, end.standard_error), exact=False)]
