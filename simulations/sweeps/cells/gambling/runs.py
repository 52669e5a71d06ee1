"""The gamble under a gate: its drift at a policy, where learning ends, and learning on the way there."""

from __future__ import annotations

from typing import Literal

from scipy.special import expit, logit

from kondo_theory.gambling import expected_path, false_positive_probability
from simulations.bandits.simulation import Estimate
from simulations.gambling.gamble import Gamble, simulate_drift, simulate_learning
from simulations.gambling.kernels import GAMBLE_WEIGHT
from simulations.gambling.simulation import estimate_drift, expected_drift, learned_end, schedule, stable_points
from simulations.randomness.cell_seeds import stream_seed
from simulations.statistics import mean_and_error
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Count, Positive, Probability, Rate, Replicates, Seed

__all__ = ["gambling_drift", "gambling_end", "gambling_kept", "gambling_learning"]

GambleGate = Literal["pg", "dg", "zero-price", "rate"]

_CORNER_STEPS, _CORNER_RATE, _CORNER_BATCH, _CORNER_START = 300, 2.0, 500, 0.3


def gambling_drift(
    *,
    gate: GambleGate = "zero-price",
    x: Probability,
    noise_ratio: Positive,
    temperature: Positive = 1.0,
    rate: Rate = 1.0,
    equal_noise: bool = False,
    n_batches: Count = 5,
    seed: Seed = 0,
) -> list[Row]:
    """Return the drift towards the better arm, in units of Δ; at a rate extrapolated to infinite batches.

    Parameters
    ----------
    gate : str
        Policy gradient, DG, zero price, or exactly k = ρB by delight.
    x : float
        Probability of the gambling arm.
    noise_ratio : float
        r = σ/Δ.
    temperature, rate : float
        η of ``dg`` in units of Δ; ρ of ``rate``.
    equal_noise : bool
        Whether the better arm carries the same noise.
    n_batches, seed : int
        Batches of 2,000 samples in each of 100 replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    gamble = Gamble(noise_ratio, gate, temperature, rate, equal_noise)
    return [row("drift", expected_drift(x, gamble), Estimate(*estimate_drift(gamble, x, n_batches, stream, 1)))]


def gambling_kept(
    *,
    x: Probability,
    noise_ratio: Positive,
    batch_size: Count = 5_000,
    n_batches: Count = 4,
    n_replicates: Replicates = 100,
    seed: Seed = 0,
) -> list[Row]:
    """Return P(U > 0 | gambling arm), how often zero price keeps a losing gamble.

    Parameters
    ----------
    x, noise_ratio : float
        Probability of the gambling arm, and r = σ/Δ.
    batch_size, n_batches, n_replicates, seed : int
        Gambles a batch, batches a replicate, replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    found = simulate_drift(Gamble(noise_ratio), x, batch_size, n_batches, n_replicates, stream)
    kept = Estimate.of(found[:, GAMBLE_WEIGHT])
    return [row("kept gambles", float(false_positive_probability(x, noise_ratio)), kept)]


def gambling_end(
    *,
    gate: Literal["dg", "zero-price", "rate"] = "zero-price",
    noise_ratio: Positive,
    temperature: Positive = 1.0,
    rate: Rate = 1.0,
    equal_noise: bool = False,
    offset: float = 0.8,
    n_replicates: Replicates = 40,
    seed: Seed = 0,
) -> list[Row]:
    """Return where learning ends, x: beside the lowest stable point, or on the way to a corner where there is none.

    Learning rate, steps and batch are those of :func:`simulations.gambling.simulation.schedule`, so that the run is
    at rest; the end is extrapolated to infinite batches, up to O(1/B²). Where no interior point is stable, x and 1 −
    x after 300 steps stand beside the expected update's: both corners are approached like 1/t.

    Parameters
    ----------
    gate, noise_ratio, temperature, rate, equal_noise
        As in :func:`gambling_drift`.
    offset : float
        Log-odds of the start less those of the stable point, nats.
    n_replicates, seed : int
        Runs, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    gamble = Gamble(noise_ratio, gate, temperature, rate, equal_noise)
    points = stable_points(gamble)
    if not points:
        return _corner(gamble, n_replicates, stream)
    start = float(expit(logit(points[0]) + offset))
    learning_rate, n_steps, batch = schedule(gamble, start, points[0])
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
    return [row("x at rest", points[0], Estimate(end.value, end.standard_error), exact=False)]


def _corner(gamble: Gamble, n_replicates: int, seed: int) -> list[Row]:
    path = expected_path(lambda x: expected_drift(x, gamble), _CORNER_START, _CORNER_RATE, _CORNER_STEPS)
    rows = []
    for name, sign in (("x after 300 steps", 1), ("1 − x after 300 steps", -1)):
        settings = {"batch_size": _CORNER_BATCH, "n_replicates": n_replicates, "seed": seed, "n_threads": 1}
        end = learned_end(gamble, _CORNER_START, _CORNER_RATE, _CORNER_STEPS, safe=sign < 0, **settings)
        estimate = Estimate(end.value, end.standard_error)
        rows.append(row(name, float(expit(sign * path[-1])), estimate, exact=False))
    return rows


def gambling_learning(
    *,
    gate: GambleGate = "zero-price",
    noise_ratio: Positive,
    temperature: Positive = 1.0,
    rate: Rate = 1.0,
    equal_noise: bool = False,
    x_start: Probability,
    learning_rate: Positive = 4.0,
    batch_size: Count = 1_000,
    n_steps: Count,
    n_replicates: Replicates = 24,
    seed: Seed = 0,
) -> list[Row]:
    """Return x after so many steps of learning; the prediction is the expected update's, the limit of large batches.

    Parameters
    ----------
    gate, noise_ratio, temperature, rate, equal_noise
        As in :func:`gambling_drift`.
    x_start : float
        Probability of the gambling arm at the start.
    learning_rate : float
        In units of 1/Δ.
    batch_size, n_steps : int
        B and the number of updates.
    n_replicates, seed : int
        Runs, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    gamble = Gamble(noise_ratio, gate, temperature, rate, equal_noise)
    shares, _ = simulate_learning(gamble, x_start, batch_size, learning_rate, n_steps, 1, n_replicates, stream)
    path = expected_path(lambda x: expected_drift(x, gamble), x_start, learning_rate, n_steps)
    return [row("x", float(expit(path[-1])), Estimate(*mean_and_error(shares)), exact=False)]
