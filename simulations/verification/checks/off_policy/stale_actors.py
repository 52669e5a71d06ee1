"""The simulation of the claim stale-actors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kondo_theory.contexts import cosine_to_cross_entropy, spread_probabilities
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.off_policy.broken_actors import imitation_floor, mixed_behaviour
from kondo_theory.off_policy.moments import METHODS, SURPRISALS, OffPolicyMoments, off_policy_moments
from simulations.bandits.estimates import cosine_of_mean
from simulations.bandits.one_sample import ActorSamples, Decision, PaidArms, actor_samples, decide
from simulations.bandits.simulation import Estimate
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["older_policy", "stale_actors"]

FloatArray = NDArray[np.float64]
Decide = Callable[[str, float, float, str], Decision]
"""A method's decision from its name, temperature, rate and whose surprisal it takes."""

N_REPLICATES = 200
SIZES = {"smoke": 2_000, "quick": 200_000, "paper": 2_000_000}
"""Samples of a replicate."""
BASELINE, RATE = 0.5, 0.5
LEARNER = np.array([0.6, 0.15, 0.12, 0.08, 0.05])
"""π of most rows: the first arm is the correct one."""
CORRUPTION, SHARE = 0.1, 0.2
COSINE_RESOLUTION = 0.01
"""Of a cosine."""


def stale_actors(context: Context, decision: Decide = decide, shift: float = 0.0) -> list[Simulated]:
    """Simulate methods on an older policy's arms, on broken actors' and with corrupted rewards, and many contexts.

    ``decision``, and a ``shift`` of the resting error, are parameters so that wrong ones can be shown to fail.
    """
    size = SIZES[context.preset]
    rows: list[Simulated] = []
    for seed, (name, behaviour) in enumerate(_behaviours().items()):
        for corruption in (0.0, CORRUPTION):
            rows.extend(_moments(decision, name, behaviour, corruption, size, seed))
    rows.extend(_floor(decision, size, shift))
    rows.extend(_random_actors(decision, size))
    return rows


def _behaviours() -> dict[str, FloatArray]:
    """Return μ by what the actors are: policies that became the learner's, broken ones, and random ones."""
    one = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    return {
        "an older policy": older_policy(LEARNER, 6.0),
        "one wrong arm": mixed_behaviour(LEARNER, SHARE, one),
        "random arms": mixed_behaviour(LEARNER, SHARE, np.full(5, 0.2)),
    }


def older_policy(policy: FloatArray, time: float, steps: int = 600) -> FloatArray:
    """Return what gradient flow on P(arm 0) left so long before it was ``policy``, (K,), by Euler's steps back."""
    logits = np.log(policy)
    for _ in range(steps):
        pi = np.exp(logits - logits.max())
        pi /= pi.sum()
        logits = logits - time / steps * pi[0] * ((np.arange(len(pi)) == 0) - pi)
    pi = np.exp(logits - logits.max())
    return np.asarray(pi / pi.sum())


def _moments(
    decision: Decide, name: str, behaviour: FloatArray, corruption: float, size: int, seed: int
) -> Iterator[Simulated]:
    """Yield what every method makes of one μ."""
    reward = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    arms = PaidArms(LEARNER, behaviour, reward + corruption * (1 - reward), BASELINE)
    for method in METHODS:
        for surprisal in SURPRISALS if method in ("dg", "rate") else SURPRISALS[:1]:
            rate = RATE if method == "rate" else 1.0
            context = LEARNER, behaviour, reward, BASELINE
            exact = off_policy_moments(method, *context, corruption=corruption, rate=rate, surprisal=surprisal)
            choice = decision(method, 1.0, rate, surprisal)
            found = actor_samples(arms, reward, choice, size, N_REPLICATES, seed)
            point = f"{method}, actors: {name}, r={corruption:g}, surprisal of the {surprisal}"
            where: dict[str, Value] = {"method": method, "actors": name, "r paid": corruption, "surprisal": surprisal}
            yield from _compare(exact, found, point, where)


def _compare(
    exact: OffPolicyMoments, found: ActorSamples, point: str, where: Mapping[str, Value]
) -> Iterator[Simulated]:
    """Yield signal, cosine, variances and backward rate beside their predictions."""
    moments, rate = exact.moments, exact.backward_rate
    parallel, perpendicular = found.variances
    pairs: dict[str, tuple[float, Estimate, float]] = {
        "signal": (float(moments.signal), found.signal, 0.001),
        "cosine": (float(moments.cosine), found.cosine, COSINE_RESOLUTION),
        "parallel variance": (float(moments.var_parallel), parallel, 0.001),
        "perpendicular variance": (float(moments.var_perpendicular), perpendicular, 0.001),
        "backward rate": (float(rate), Estimate.of(found.kept), 0.001),
    }
    for quantity, (predicted, estimate, resolution) in pairs.items():
        row = f"{quantity} of {point}", predicted, estimate.value, estimate.standard_error, resolution
        yield Simulated(*row, {**where})


def _floor(decision: Decide, size: int, shift: float) -> Iterator[Simulated]:
    """Yield zero price's and PG's signal at the error where zero price rests, and zero price's on both sides."""
    for seed, (share, right) in enumerate(((SHARE, 0.0), (SHARE, 0.2), (0.6, 0.0))):
        floor = float(imitation_floor(CORRUPTION, share, actor_correct=right)) + shift
        for method, factor in (("zero-price", 1.0), ("zero-price", 0.5), ("zero-price", 2.0), ("pg", 1.0)):
            policy = symmetric_arms(5, 1 - factor * floor, BASELINE)[0]
            behaviour = mixed_behaviour(policy, share, symmetric_arms(5, right, BASELINE)[0] if right else _wrong())
            reward = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
            arms = PaidArms(policy, behaviour, reward + CORRUPTION * (1 - reward), BASELINE)
            found = actor_samples(arms, reward, decision(method, 1.0, 1.0, "learner"), size, N_REPLICATES, 50 + seed)
            exact = off_policy_moments(method, policy, behaviour, reward, BASELINE, corruption=CORRUPTION).moments
            predicted = 0.0 if (method, factor) == ("zero-price", 1.0) else float(exact.signal)
            point = f"{method} at {factor:g} times ε*, δ={share:g}, n={right:g}, r={CORRUPTION:g}"
            where: dict[str, Value] = {"method": method, "times ε*": factor, "δ broken": share, "n right": right}
            row = f"signal of {point}", predicted, found.signal.value, found.signal.standard_error, 0.0005
            yield Simulated(*row, where | {"r paid": CORRUPTION})


def _wrong() -> FloatArray:
    return np.array([0.0, 0.25, 0.25, 0.25, 0.25])


def _random_actors(decision: Decide, size: int) -> Iterator[Simulated]:
    """Yield the cosine to cross-entropy over contexts, for shares of actors that play at random."""
    n_arms, n_contexts = 10, 12
    p = spread_probabilities(0.0, 2.0, n_contexts)
    contexts = [symmetric_arms(n_arms, float(each), BASELINE)[0] for each in p]
    oracle = np.concatenate([(np.arange(n_arms) == 0) - policy for policy in contexts])
    for share in (0.0, 0.3, 0.9):
        mixed = [mixed_behaviour(policy, share, np.full(n_arms, 1 / n_arms)) for policy in contexts]
        weights = {
            "zero-price": np.array([mu[0] for mu in mixed]),
            "pg": np.array(
                [mu[0] + BASELINE * share * (x - 1 / n_arms) / (1 - x) for mu, x in zip(mixed, p, strict=True)]
            ),
            "importance-weighted": p,
        }
        for method, coefficient in weights.items():
            reward = (np.arange(n_arms) == 0) * 1.0
            gradients = [
                actor_samples(
                    PaidArms(policy, mu, reward, BASELINE), reward, decision(method, 1.0, 1.0, "learner"), size,
                    N_REPLICATES, 100 + n,
                ).gradients
                for n, (policy, mu) in enumerate(zip(contexts, mixed, strict=True))
            ]  # fmt: skip
            found = cosine_of_mean(np.concatenate(gradients, axis=1), oracle)
            predicted = float(cosine_to_cross_entropy(coefficient, p, n_arms))
            row = f"cosine to cross-entropy of {method}, δ={share:g} of the actors at random"
            where: dict[str, Value] = {"method": method, "δ broken": share, "actors": "random arms"}
            yield Simulated(row, predicted, found.value, found.standard_error, COSINE_RESOLUTION, where)
