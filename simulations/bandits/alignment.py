"""Simulated alignment of gated batches of a softmax bandit with the true gradient, and the samples that it takes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulations.bandits import kernels
from simulations.bandits.contexts import Context, require, require_count, require_real, require_run
from simulations.bandits.kernels.batches import GatedArms, alignment_times
from simulations.bandits.moments import MomentsConfig, run_batches
from simulations.randomness.streams import FloatArray, IntArray, in_chunks, replicate_states

__all__ = [
    "AlignmentConfig",
    "AlignmentResult",
    "AlignmentTimeConfig",
    "AlignmentTimes",
    "simulate_alignment",
    "simulate_alignment_times",
]


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
        As in :class:`~simulations.bandits.moments.MomentsConfig`.
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

    def moments(self, batch_size: int) -> MomentsConfig:
        """Return what to run at one batch size."""
        numbers = (self.n_batches, self.n_replicates, self.seed, self.cosine, self.n_threads)
        return MomentsConfig(self.context, batch_size, *numbers)


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
    columns = [run_batches(config.moments(size), states)[0] for size in config.batch_sizes]
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
        As in :class:`~simulations.bandits.moments.MomentsConfig`.
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
    coefficient = weight * context.advantage
    arms = GatedArms(context.policy, keep, coefficient, context.advantage, context.unit_direction)
    states = replicate_states(config.seed, config.n_replicates)
    forward, backward = in_chunks(
        alignment_times, states, config.n_threads, arms, float(config.cosine), config.max_samples
    )
    reached = forward > 0
    return AlignmentTimes(np.where(reached, forward, config.max_samples), backward, reached)
