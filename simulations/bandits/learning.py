"""Simulated learning of a softmax bandit under a gate: typed front of :mod:`simulations.bandits.kernels.learning`."""

from dataclasses import dataclass

import numpy as np

from kondo_theory.gate import kept_count
from simulations.bandits.contexts import (
    GATES,
    Gate,
    require,
    require_count,
    require_real,
    require_run,
)
from simulations.bandits.kernels import learning as kernels
from simulations.bandits.kernels.learning_batches import GateCode
from simulations.randomness.streams import FloatArray, IntArray, in_chunks, replicate_states

_BASELINES = {"value": kernels.VALUE, "confidence": kernels.CONFIDENCE}


@dataclass(frozen=True)
class DynamicsConfig:
    """What :func:`simulate_dynamics` runs: one correct arm (arm 0, reward 1), K − 1 wrong ones (reward 0).

    Parameters
    ----------
    n_arms, batch_size, n_steps : int
        K ≥ 2, B ≥ 1 and the number of updates ≥ 1.
    learning_rate : float
        Positive. An update adds learning_rate·ḡ to the logits, or learning_rate·ḡ/‖ḡ‖ if ``normalised``.
    gate : Gate
        Which samples get a backward pass.
    baseline : float or str
        A constant, ``value`` (b = E R = p) or ``confidence`` (b = Σ π²), the latter two exact for the current policy.
    n_replicates, seed : int
        Independent runs, and the entropy of their streams.
    p_initial : float, optional
        Initial probability of the correct arm, the wrong ones being equal (1/K).
    normalised : bool
        Whether steps have unit length times the learning rate.
    record_every : int
        Record before the first update, after every so many, and after the last.
    n_threads : int
        Never changes a result.
    """

    n_arms: int
    batch_size: int
    learning_rate: float
    n_steps: int
    gate: Gate
    baseline: float | str
    n_replicates: int
    seed: int
    p_initial: float | None = None
    normalised: bool = False
    record_every: int = 1
    n_threads: int = 1

    def __post_init__(self) -> None:
        require_run(self.n_replicates, self.seed, self.n_threads, minimum=1)
        require_count("n_arms", self.n_arms, 2)
        for name in ("batch_size", "n_steps", "record_every"):
            require_count(name, getattr(self, name))
        require_real("learning_rate", self.learning_rate, 0.0, np.inf, open_ends=True)
        if isinstance(self.baseline, str):
            require("baseline", self.baseline, self.baseline in _BASELINES, "a number, 'value' or 'confidence'")
        else:
            require_real("baseline", self.baseline, -np.inf, np.inf)
        if self.p_initial is not None:
            require_real("p_initial", self.p_initial, 0.0, 1.0, open_ends=True)
        if not isinstance(self.gate, Gate):
            raise TypeError(f"gate must be a Gate, got {self.gate!r}")
        if not isinstance(self.normalised, bool):
            raise TypeError(f"normalised must be a bool, got {self.normalised!r}")

    @property
    def record_steps(self) -> IntArray:
        """Numbers of updates after which the run is recorded, shape (n_records,)."""
        steps = np.arange(0, self.n_steps + 1, self.record_every, dtype=np.int64)
        return steps if steps[-1] == self.n_steps else np.append(steps, self.n_steps)

    @property
    def initial_logits(self) -> FloatArray:
        """Logits of the initial policy, shape (n_arms,), zero for the wrong arms."""
        logits = np.zeros(self.n_arms)
        if self.p_initial is not None:
            odds = np.log(self.p_initial) - np.log1p(-self.p_initial)
            logits[0] = odds + np.log(self.n_arms - 1)
        return logits


@dataclass(frozen=True)
class LearningCurves:
    """Learning curves, the replicates kept apart.

    Attributes
    ----------
    steps : ndarray of int64, shape (n_records,)
        Updates made; forward samples are these times the batch size.
    p_correct : ndarray, shape (n_replicates, n_records)
        Probability of the correct arm.
    backward : ndarray of int64, shape (n_replicates, n_records)
        Backward passes so far; DG and PG pass every sample.
    """

    steps: IntArray
    p_correct: FloatArray
    backward: IntArray


def simulate_dynamics(config: DynamicsConfig) -> LearningCurves:
    """Train ``n_replicates`` bandits; the gate rate, if any, keeps exactly kept_count samples a batch."""
    rewards = np.zeros(config.n_arms)
    rewards[0] = 1.0
    by_name = isinstance(config.baseline, str)
    kind = _BASELINES[str(config.baseline)] if by_name else kernels.CONSTANT
    gate = config.gate
    n_kept = kept_count(gate.rate, config.batch_size)
    p_correct, backward = in_chunks(
        kernels.learning_curves,
        replicate_states(config.seed, config.n_replicates),
        config.n_threads,
        config.initial_logits,
        rewards,
        kernels.Updates(int(config.batch_size), float(config.learning_rate), config.normalised),
        kernels.Baseline(kind, 0.0 if by_name else float(config.baseline)),
        GateCode(GATES.index(gate.kind), float(gate.price), float(gate.temperature), n_kept),
        config.record_steps,
    )
    return LearningCurves(config.record_steps, p_correct, backward)
