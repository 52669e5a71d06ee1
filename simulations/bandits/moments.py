"""Simulated moments of a gated batch of a softmax bandit."""

from dataclasses import dataclass

import numpy as np

from kondo_theory.gate import kept_count
from simulations.bandits import kernels
from simulations.bandits.contexts import Context, require_count, require_real, require_run
from simulations.bandits.kernels.batches import GatedArms, batch_moments
from simulations.bandits.kernels.statistics import Batches
from simulations.bandits.kernels.symmetric import Arm, SymmetricArms, symmetric_moments
from simulations.randomness.streams import FloatArray, WordArray, in_chunks, replicate_states
from simulations.statistics import mean_and_error

__all__ = ["Estimate", "MomentEstimates", "MomentsConfig", "run_batches", "simulate_moments"]


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo estimate and its standard error, from the spread between replicates."""

    value: float
    standard_error: float

    @classmethod
    def of(cls, replicates: FloatArray) -> "Estimate":
        """Return the mean of independent replicates, shape (n_replicates,)."""
        return cls(*mean_and_error(replicates))


@dataclass(frozen=True)
class MomentsConfig:
    """What :func:`simulate_moments` runs.

    Parameters
    ----------
    context : Context
        Policy, advantages and gate.
    batch_size : int
        B ≥ 1.
    n_batches : int
        Batches a replicate, ≥ 2.
    n_replicates : int
        ≥ 2; standard errors come from their spread.
    seed : int
        Nonnegative.
    cosine : float
        c₀ in [−1, 1]: a batch with cos(ḡ, u) ≥ c₀ counts as aligned.
    n_threads : int
        Never changes a result.
    """

    context: Context
    batch_size: int
    n_batches: int
    n_replicates: int
    seed: int
    cosine: float = 0.9
    n_threads: int = 1

    def __post_init__(self) -> None:
        require_run(self.n_replicates, self.seed, self.n_threads)
        require_count("batch_size", self.batch_size)
        require_count("n_batches", self.n_batches, 2)
        require_real("cosine", self.cosine, -1.0, 1.0)


@dataclass(frozen=True)
class MomentEstimates:
    """Moments of a batch gradient ḡ along a unit vector u and across it; variances are per sample: B·Var(ḡ).

    Attributes
    ----------
    signal : Estimate
        E[ḡ]·u.
    perpendicular_bias_squared : Estimate
        ‖E[ḡ_⊥]‖², unbiased, so that it can come out negative; exactly zero for a symmetric context. Not normal where
        the true value is zero: test ``perpendicular`` there.
    var_parallel, var_perpendicular : Estimate
        B·Var(ḡ·u) and B·trace Cov(ḡ_⊥).
    cosine : Estimate
        E[cos(ḡ, u)], with cosine 0 for a zero gradient.
    backward_rate : Estimate
        Kept samples over B.
    aligned : Estimate
        P(cos(ḡ, u) ≥ c₀).
    statistics : ndarray, shape (n_replicates, 6)
        Columns named in :mod:`simulations.bandits.kernels`.
    perpendicular : ndarray, shape (n_replicates, K)
        A replicate's mean of ḡ_⊥; exactly zero for a symmetric context.
    """

    signal: Estimate
    perpendicular_bias_squared: Estimate
    var_parallel: Estimate
    var_perpendicular: Estimate
    cosine: Estimate
    backward_rate: Estimate
    aligned: Estimate
    statistics: FloatArray
    perpendicular: FloatArray


def simulate_moments(config: MomentsConfig) -> MomentEstimates:
    """Estimate the moments of a gated batch gradient; symmetric contexts take the kernel that uses the symmetry."""
    statistics, perpendicular = run_batches(config, replicate_states(config.seed, config.n_replicates))
    size, n = config.batch_size, config.n_batches
    square = statistics[:, kernels.PERPENDICULAR_SQUARE]
    if config.context.is_symmetric:
        var_perpendicular = size * square
    else:
        var_perpendicular = size * (square - (perpendicular**2).sum(axis=1)) * n / (n - 1)
    return MomentEstimates(
        signal=Estimate.of(statistics[:, kernels.SIGNAL]),
        perpendicular_bias_squared=_squared_mean(perpendicular),
        var_parallel=Estimate.of(size * statistics[:, kernels.SIGNAL_VARIANCE]),
        var_perpendicular=Estimate.of(var_perpendicular),
        cosine=Estimate.of(statistics[:, kernels.COSINE]),
        backward_rate=Estimate.of(statistics[:, kernels.KEPT] / size),
        aligned=Estimate.of(statistics[:, kernels.ALIGNED]),
        statistics=statistics,
        perpendicular=perpendicular,
    )


def _squared_mean(vectors: FloatArray) -> Estimate:
    """Estimate ‖E v‖² from independent v, shape (n, K): the mean of v_i·v_j over i ≠ j, with a jackknife error."""
    n = len(vectors)
    total = vectors.sum(axis=0)
    squares = (vectors**2).sum(axis=1)
    value = (total @ total - squares.sum()) / (n * (n - 1))
    if n == 2:
        return Estimate(float(value), float("nan"))
    others = ((total - vectors) ** 2).sum(axis=1) - (squares.sum() - squares)
    without = others / ((n - 1) * (n - 2))
    return Estimate(float(value), float(np.sqrt((n - 1) * without.var())))


def run_batches(config: MomentsConfig, states: WordArray) -> tuple[FloatArray, FloatArray]:
    """Return statistics, shape (n_replicates, 6), and means of ḡ_⊥, shape (n_replicates, K), of streams of one's own.

    ``states``, shape (n_replicates, 4), are advanced in place; the configuration's seed is not used.
    """
    context, size = config.context, config.batch_size
    kept = kernels.EVERY if context.rate is None else kept_count(context.rate, size)
    batches = Batches(size, kept, config.n_batches, float(config.cosine))
    scores = context.advantage if context.scores is None else context.scores
    keep, weight = context.keep_and_weight
    coefficient = weight * context.advantage
    if context.is_symmetric:
        correct, wrong = (Arm(float(keep[a]), float(coefficient[a]), float(scores[a])) for a in (0, 1))
        arms = SymmetricArms(float(context.policy[0]), context.policy.size, correct, wrong)
        statistics = in_chunks(symmetric_moments, states, config.n_threads, arms, batches)
        return statistics, np.zeros((len(states), context.policy.size))
    order = np.argsort(-scores, kind="stable")
    arrays = (context.policy, keep, coefficient, scores, context.unit_direction)
    sorted_arms = GatedArms(*(array[order] for array in arrays))
    statistics, perpendicular = in_chunks(batch_moments, states, config.n_threads, sorted_arms, batches)
    return statistics, perpendicular[:, np.argsort(order)]
