"""Simulated softmax bandits: moments of a gated batch, alignment with the true gradient, learning.

Typed configurations in, arrays out. The first axis of every array is the replicate, and ``n_threads`` never changes
a number: each replicate has a stream of its own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kondo_theory.gate import kept_count
from simulations.bandits import kernels
from simulations.bandits.contexts import Context, Gate, require, require_count, require_real, require_run
from simulations.bandits.learning import DynamicsConfig, LearningCurves, simulate_dynamics
from simulations.bandits.symmetric_kernels import symmetric_moments
from simulations.randomness.streams import FloatArray, IntArray, in_chunks, replicate_states
from simulations.statistics import mean_and_error

__all__ = [
    "AlignmentConfig",
    "AlignmentResult",
    "AlignmentTimeConfig",
    "AlignmentTimes",
    "Context",
    "DynamicsConfig",
    "Estimate",
    "Gate",
    "LearningCurves",
    "MomentEstimates",
    "MomentsConfig",
    "simulate_alignment",
    "simulate_alignment_times",
    "simulate_dynamics",
    "simulate_moments",
]


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
        The kernel's columns, named in :mod:`simulations.bandits.kernels`.
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
    statistics, perpendicular = _run_batches(
        config.context,
        config.batch_size,
        config.n_batches,
        config.cosine,
        replicate_states(config.seed, config.n_replicates),
        config.n_threads,
    )
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


def _run_batches(
    context: Context, batch_size: int, n_batches: int, cosine: float, states: npt.NDArray[np.uint64], n_threads: int
) -> tuple[FloatArray, FloatArray]:
    """Return statistics, shape (n_replicates, 6), and means of ḡ_⊥, shape (n_replicates, K)."""
    kept = kernels.EVERY if context.rate is None else kept_count(context.rate, batch_size)
    scores = context.advantage if context.scores is None else context.scores
    keep, weight = context.keep_and_weight
    coefficient = weight * context.advantage
    if context.is_symmetric:
        arms = slice(0, 2)
        (statistics,) = in_chunks(
            symmetric_moments,
            states,
            n_threads,
            float(context.policy[0]),
            context.policy.size,
            keep[arms].copy(),
            coefficient[arms].copy(),
            scores[arms].copy(),
            batch_size,
            kept,
            n_batches,
            cosine,
        )
        return statistics, np.zeros((len(states), context.policy.size))
    order = np.argsort(-scores, kind="stable")
    arrays = (context.policy, keep, coefficient, scores, context.unit_direction)
    statistics, perpendicular = in_chunks(
        kernels.batch_moments,
        states,
        n_threads,
        *(array[order] for array in arrays),
        batch_size,
        kept,
        n_batches,
        cosine,
    )
    return statistics, perpendicular[:, np.argsort(order)]


@dataclass(frozen=True)
class AlignmentConfig:
    """What :func:`simulate_alignment` runs: batches of fixed sizes.

    Parameters
    ----------
    context : Context
        Policy, advantages and gate.
    cosine : float
        c₀ in [−1, 1].
    batch_sizes : tuple of int
        Numbers N of forward samples, each ≥ 1.
    n_batches, n_replicates, seed, n_threads : int
        As in :class:`MomentsConfig`.
    """

    context: Context
    cosine: float
    batch_sizes: tuple[int, ...]
    n_batches: int
    n_replicates: int
    seed: int
    n_threads: int = 1

    def __post_init__(self) -> None:
        require_run(self.n_replicates, self.seed, self.n_threads)
        require_real("cosine", self.cosine, -1.0, 1.0)
        require("batch_sizes", self.batch_sizes, len(self.batch_sizes) > 0, "not empty")
        for size in self.batch_sizes:
            require_count("batch_sizes", size)
        require_count("n_batches", self.n_batches, 2)


@dataclass(frozen=True)
class AlignmentResult:
    """Alignment of batches of fixed size.

    Attributes
    ----------
    aligned : ndarray, shape (n_replicates, n_sizes)
        Share of a replicate's batches with cos(ḡ, u) ≥ c₀.
    cosine : ndarray, shape (n_replicates, n_sizes)
        Mean cosine, 0 for a zero gradient.
    backward : ndarray, shape (n_replicates, n_sizes)
        Mean number of backward passes in a batch.
    """

    aligned: FloatArray
    cosine: FloatArray
    backward: FloatArray


def simulate_alignment(config: AlignmentConfig) -> AlignmentResult:
    """Estimate P(cos(ḡ, u) ≥ c₀) at each batch size; a replicate's stream runs on from one size to the next."""
    states = replicate_states(config.seed, config.n_replicates)
    columns = [
        _run_batches(config.context, size, config.n_batches, config.cosine, states, config.n_threads)[0]
        for size in config.batch_sizes
    ]
    stacked = np.stack(columns, axis=1)
    return AlignmentResult(stacked[:, :, kernels.ALIGNED], stacked[:, :, kernels.COSINE], stacked[:, :, kernels.KEPT])


@dataclass(frozen=True)
class AlignmentTimeConfig:
    """What :func:`simulate_alignment_times` runs: samples one by one, so only gates that decide sample by sample.

    Parameters
    ----------
    context : Context
        Policy, advantages and gate; no rate.
    cosine : float
        c₀ in (0, 1).
    max_samples : int
        Where a replicate gives up.
    n_replicates, seed, n_threads : int
        As in :class:`MomentsConfig`.
    """

    context: Context
    cosine: float
    max_samples: int
    n_replicates: int
    seed: int
    n_threads: int = 1

    def __post_init__(self) -> None:
        require_run(self.n_replicates, self.seed, self.n_threads)
        require_real("cosine", self.cosine, 0.0, 1.0, open_ends=True)
        require_count("max_samples", self.max_samples)
        require("rate", self.context.rate, self.context.rate is None, "None: exactly-k selection needs a batch")


@dataclass(frozen=True)
class AlignmentTimes:
    """First times at which the cosine is reached.

    Attributes
    ----------
    forward, backward : ndarray of int64, shape (n_replicates,)
        Samples drawn and samples kept; where ``reached`` is False, those spent before giving up.
    reached : ndarray of bool, shape (n_replicates,)
        Whether c₀ was reached within ``max_samples``.
    """

    forward: IntArray
    backward: IntArray
    reached: npt.NDArray[np.bool_]


def simulate_alignment_times(config: AlignmentTimeConfig) -> AlignmentTimes:
    """Draw samples until cos(Σ g, u) ≥ c₀ for the first time; that can be sooner than P(cos ≥ c₀) at fixed N says."""
    context = config.context
    keep, weight = context.keep_and_weight
    (samples,) = in_chunks(
        kernels.alignment_times,
        replicate_states(config.seed, config.n_replicates),
        config.n_threads,
        context.policy,
        keep,
        weight * context.advantage,
        context.unit_direction,
        float(config.cosine),
        config.max_samples,
    )
    reached = samples[:, 0] > 0
    forward = np.where(reached, samples[:, 0], config.max_samples)
    return AlignmentTimes(forward, samples[:, 1], reached)
