"""Cosine and signal of methods whose arms a share of broken actors plays, with rewards clean or corrupted."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.off_policy import mixed_behaviour, off_policy_moments
from simulations.bandits.one_sample import PaidArms, actor_samples, decide
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, Probability, Seed, Share

__all__ = ["stale_gates"]


def stale_gates(
    *,
    method: Literal["pg", "importance-weighted", "dg", "zero-price"],
    error: Probability,
    actor: Literal["one-arm", "even"] = "one-arm",
    share: Share = 0.1,
    corruption: Share = 0.0,
    surprisal: Literal["learner", "actor"] = "learner",
    n_arms: Arms = 10,
    baseline: Fraction = 0.5,
    n_samples: Count = 20_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return the mean gradient's cosine with ∇J and its signal E g·u over the learner's error.

    Parameters
    ----------
    method : str
        One of :data:`kondo_theory.off_policy.METHODS` but the rate gate.
    error, n_arms, baseline : float, int, float
        ε, K and b of a learner whose wrong arms are equally likely.
    actor : str
        What the broken actors play: one wrong arm, or all wrong arms evenly.
    share, corruption : float
        δ of the samples from broken actors, and r with which an unpaid sample is paid.
    surprisal : str
        Whose surprisal weighs.
    n_samples, seed : int
        Samples of each of 200 replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    policy = symmetric_arms(n_arms, 1 - error, baseline)[0]
    wrong = np.zeros(n_arms)
    wrong[1 : 2 if actor == "one-arm" else n_arms] = 1.0
    behaviour, reward = mixed_behaviour(policy, share, wrong / wrong.sum()), np.eye(n_arms)[0]
    exact = off_policy_moments(
        method, policy, behaviour, reward, baseline, corruption=corruption, surprisal=surprisal
    ).moments
    arms = PaidArms(policy, behaviour, reward + corruption * (1 - reward), baseline)
    found = actor_samples(arms, reward, decide(method, surprisal=surprisal), n_samples, 200, stream)
    signal = found.signal
    over = type(signal)(signal.value / error, signal.standard_error / error)
    return [
        row("cosine", exact.cosine, found.cosine),
        row("signal over the error", np.asarray(exact.signal / error), over),
    ]
