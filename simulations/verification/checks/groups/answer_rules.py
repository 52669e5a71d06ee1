"""The simulation of the claim answer-rules: every rule that looks at advantages alone, with either mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.screening import RULES, Rule
from kondo_theory.screening.answer_signal import MEANS, AnswerSignal, answer_signal
from simulations.bandits.groups.answers import AnswerBandit, Choose, by_score, simulate_groups
from simulations.bandits.groups.subsets import OBJECTIVES, Objective, above_the_mean, best_subset
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import generator
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["COMPARED", "SETTINGS", "answer_rules"]

FloatArray = NDArray[np.float64]
Signal = Callable[..., AnswerSignal]

COMPARED = tuple(
    name for name, rule in RULES.items() if set(rule.inputs) <= {"advantage"} and rule.granularity != "token"
)
"""Rules that need no more than the rewards of a group."""
RESOLUTION = 0.02  # of signal and noise of a group, in units of k times the variance of rewards
RAREST = 0.005  # in the same units: what is less comes from groups that are too rare to be drawn


@dataclass(frozen=True)
class Setting:
    """Rewards, their probabilities, how many answers of each there are, likely as 1, 2, … to one; sizes of groups.

    ``smoke`` is how many groups are drawn at that preset: so many that every row decides.
    """

    name: str
    reward: tuple[float, ...]
    probability: tuple[float, ...]
    n_answers: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    smoke: int = 2_500

    def bandit(self) -> AnswerBandit:
        """Return the policy, with w the rewards, or along the true gradient where they are right or wrong."""
        shares = [np.arange(1.0, n + 1) / (n * (n + 1) / 2) for n in self.n_answers]
        policy = np.concatenate([chance * share for chance, share in zip(self.probability, shares, strict=True)])
        reward = np.repeat(self.reward, self.n_answers)
        if self.reward != (0.0, 1.0):
            return AnswerBandit(policy, reward, reward)
        gradient = policy * (reward - policy @ reward)
        p = self.probability[1]
        return AnswerBandit(policy, reward, p * (1 - p) * gradient / (gradient @ gradient))


SETTINGS = (
    Setting("rare", (0.0, 1.0), (0.8, 0.2), (4, 2), ((8, 4), (16, 3))),
    Setting("even", (0.0, 1.0), (0.5, 0.5), (3, 2), ((8, 4),)),
    Setting("common", (0.0, 1.0), (0.3, 0.7), (2, 3), ((8, 4), (16, 4))),
    Setting("fractions", (0.0, 0.25, 0.5, 1.0), (0.4, 0.3, 0.2, 0.1), (2, 1, 1, 2), ((8, 4),)),
    Setting("heavy tail", (0.0, 1.0, 4.0, 16.0), (0.5, 0.3, 0.15, 0.05), (2, 1, 2, 1), ((8, 3),), smoke=25_000),
)


SMALL = (SETTINGS[3], 5, 2)
"""A point at which every subset can be tried: setting, G and k."""


def answer_rules(
    context: Context,
    predicted: Signal = answer_signal,
    rules: dict[str, Rule] | None = None,
    objectives: Mapping[str, Objective] = OBJECTIVES,
) -> list[Simulated]:
    """Simulate signal and noise of what each rule keeps of groups of answers, and what the gate at price zero keeps.

    At one point of small groups what is kept is the best of all subsets, as a rule's source defines it, without the
    rule's scores. ``predicted``, ``rules``, by which answers are kept where they are given, and ``objectives`` are
    parameters so that wrong ones can be shown to fail.
    """
    n_groups = {"smoke": 2_500, "quick": 25_000, "paper": 1_000_000}[context.preset]
    rows: list[Simulated] = []
    for index, setting in enumerate(SETTINGS):
        n_drawn = setting.smoke if context.preset == "smoke" else n_groups
        for place, (size, k) in enumerate(setting.sizes):
            kept: list[tuple[str, int | None]] = [(rule, k) for rule in COMPARED] + [("advantage", None)]
            for number, (rule, n_kept) in enumerate(kept):
                for mean in MEANS:
                    rng = generator(23, index, place, number, MEANS.index(mean))
                    choose = by_score((rules or RULES).get(rule, RULES[rule]), n_kept)
                    theory = predicted(rule, setting.reward, setting.probability, size, n_kept, mean)
                    rows += _rows(theory, choose, (setting, size, k), n_drawn, rng, _name(rule, n_kept), mean)
    setting, size, k = SMALL
    chosen = {rule: best_subset(objective, k) for rule, objective in objectives.items()}
    for number, (name, choose) in enumerate({**chosen, "price zero": above_the_mean}.items()):
        rule, n_kept = ("advantage", None) if name == "price zero" else (name, k)
        for mean in MEANS:
            rng = generator(26, number, MEANS.index(mean))
            theory = predicted(rule, setting.reward, setting.probability, size, n_kept, mean)
            rows += _rows(theory, choose, SMALL, max(n_groups, 5_000), rng, name, mean, " of all subsets")
    return rows


def _name(rule: str, n_kept: int | None) -> str:
    return rule if n_kept is not None else "price zero"


def _rows(
    theory: AnswerSignal,
    choose: Choose,
    at: tuple[Setting, int, int],
    n_groups: int,
    rng: np.random.Generator,
    name: str,
    mean: str,
    how: str = "",
) -> Iterator[Simulated]:
    """Yield signal and noise of what is kept, where they are not from groups that are too rare to be drawn."""
    setting, size, k = at
    found = simulate_groups(setting.bandit(), choose, size, n_groups, rng, own_mean=mean == "kept")
    point = f"{name}{how}, {setting.name}, S={size}, k={k}, mean of the {mean}"
    where: dict[str, Value] = {"rule": name, "reward": setting.name, "S": size, "k": k, "baseline": mean}
    whole = k * _variance(setting)
    for quantity, what in (("signal", "signal of a group"), ("square", "ΣU² of a group")):
        value, estimate = float(getattr(theory, quantity)), getattr(found, quantity)
        if value >= RAREST * whole:
            numbers = value, estimate.value, estimate.standard_error
            yield Simulated(f"{what}, {point}", *numbers, RESOLUTION * whole, where)


def _variance(setting: Setting) -> float:
    reward, probability = np.array(setting.reward), np.array(setting.probability)
    return float(probability @ reward**2 - (probability @ reward) ** 2)
