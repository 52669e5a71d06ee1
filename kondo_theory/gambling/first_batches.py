"""What a gate at a rate keeps of the first batch of token reversal, where half of the prompts are easy and noisy.

At the first policy all tokens are uniform, so delight ranks answers as the advantage does, and the noise of the easy
prompts' rewards decides who gets the budget. A gate is taken in where the other prompts have a tenth of their drift
left. Source: this project, with the budgets of :mod:`kondo_theory.gambling.noisy_contexts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from kondo_theory import _domain
from kondo_theory.gambling.noisy_contexts import shared_budget
from kondo_theory.gambling.roots import root
from kondo_theory.words import one_line

__all__ = ["FirstBatch", "first_batch", "taken_in_noise"]

_TAKEN_IN = 0.1  # of the drift without noise


@dataclass(frozen=True, repr=False)
class FirstBatch:
    """What a gate at a rate does at the first policy.

    Attributes
    ----------
    noisy : float
        Share of what is kept that answers noisy prompts.
    clean_drift : float
        Drift on the clean prompts, of what it would be without noise anywhere.
    """

    noisy: float
    clean_drift: float

    def __repr__(self) -> str:
        return one_line(self, noisy=self.noisy, clean_drift=self.clean_drift)


def first_batch(
    noise: float,
    rate: float,
    rule: str = "delight",
    *,
    noisy_share: float = 0.5,
    n_tokens: int = 10,
    vocab_size: int = 2,
    n_answers: int = 10,
) -> FirstBatch:
    """Return what is kept where all tokens are uniform and an answer is paid its share of right ones; scalars only.

    There all surprisals agree: delight ranks as the advantage does, tokens as whole answers. The mean of the other
    answers to a prompt, which the baseline holds, is taken as Gaussian.

    Parameters
    ----------
    noise : float
        σ of the noisy prompts' rewards.
    rate : float
        ρ in (0, 1].
    rule : str
        One of ``BUDGET_RULES``.
    noisy_share : float
        s in (0, 1).
    n_tokens, vocab_size, n_answers : int
        T, M and the answers to a prompt.
    """
    sigma = _domain.number("noise", noise, 0, np.inf, "[)")
    s = _domain.number("noisy_share", noisy_share, 0, 1, "()")
    T, M, n = (
        _domain.integer("n_tokens", n_tokens, 1),
        _domain.integer("vocab_size", vocab_size, 2),
        _domain.integer("n_answers", n_answers, 2),
    )
    p, right = 1 / M, np.arange(T + 1.0)
    mass = np.array([comb(T, k) * p**k * (1 - p) ** (T - k) for k in range(T + 1)])
    mean, own = (1 - 1 / n) * (right / T - p), p * (1 - p) / T * (n - 1) / n**2

    def drifts(each: float) -> tuple[float, float]:
        sd = np.sqrt(np.repeat([own, own + each**2 * (1 - 1 / n)], T + 1))
        both = np.concatenate([(1 - s) * mass, s * mass])
        budget = shared_budget(both, np.tile(mean, 2), sd, 1.0, rate, rule)
        clean = float(((1 - s) * mass * budget.gated_mean[: T + 1]) @ (right - T * p))
        return float(both[T + 1 :] @ budget.kept[T + 1 :]) / rate, clean

    (noisy, clean), (_, without) = drifts(sigma), drifts(0.0)
    return FirstBatch(noisy, clean / without)


def taken_in_noise(
    rate: float,
    rule: str = "delight",
    *,
    noisy_share: float = 0.5,
    n_tokens: int = 10,
    vocab_size: int = 2,
    n_answers: int = 10,
) -> float:
    """Return the noise at which the clean drift of :func:`first_batch` falls to a tenth; infinite above 1,000.

    Scalars only; arguments and refusals are those of :func:`first_batch`.
    """

    def missing(log_noise: float) -> float:
        setting = {"noisy_share": noisy_share, "n_tokens": n_tokens, "vocab_size": vocab_size, "n_answers": n_answers}
        return _TAKEN_IN - first_batch(float(np.exp(log_noise)), rate, rule, **setting).clean_drift  # type: ignore[arg-type]

    low, high = float(np.log(1e-3)), float(np.log(1e3))
    return float(np.exp(root(missing, low, high))) if missing(high) > 0 else float("inf")
