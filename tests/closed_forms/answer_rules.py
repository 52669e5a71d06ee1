"""Closed forms of ``answer-rules``."""

from __future__ import annotations

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.screening import RULES
from kondo_theory.screening.answer_signal import answer_signal, kept_signal

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _shares(rng):
    return {name: rng.uniform(0.01, 0.99) for name in "xfp"}


def _sizes(rng):
    """Draw p, a group's size and how many are kept."""
    k = int(rng.integers(2, 6))
    return {"p": rng.uniform(0.02, 0.98), "k": float(k), "G": float(k + rng.integers(0, 7))}


def _per_kept(rule, size, n_kept, p, mean):
    """Signal over k, whatever the number that has an advantage."""
    return float(answer_signal(rule, [0.0, 1.0], [1 - p, p], size, n_kept, mean).signal) / n_kept


def _enumerated(rule, mean):
    return ClosedForm(_sizes, lambda p, **_: _per_kept(rule, 5, 2, p, mean))


def _large(x, mean="group"):
    """In a large group: x of the kept right, for a function of p."""
    return ClosedForm(_sizes, lambda p, **_: float(kept_signal(x(p), p, p, mean)))


def _most_of_the_rarer(k, **_):
    """How many answers of the rarer outcome there can be, before the largest |U| vary less than they could.

    One more than half of k, if k is odd, varies as much as one less: the limit is between whole numbers.
    """
    kept, size = int(k), 2 * int(k) + 3
    last = 0
    for rarer in range(1, size // 2 + 1):
        rewards = np.repeat([1.0, 0.0], [rarer, size - rarer])
        advantage = rewards - rewards.mean()
        tops = (np.argsort(-RULES[rule](advantage, advantage))[:kept] for rule in ("abs-advantage", "max-variance"))
        one, other = (float(np.var(rewards[top])) for top in tops)
        last = rarer if np.isclose(one, other) else last
    return float(last) if kept % 2 else last + 0.5


def _turn(**_):
    """p at which best-of buys as much as |advantage|, two of five kept."""
    low, high = 0.3, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        gain = _per_kept("advantage", 5, 2, middle, "group") - _per_kept("abs-advantage", 5, 2, middle, "group")
        low, high = (middle, high) if gain > 0 else (low, middle)
    return low


CLOSED_FORMS = {
    "answer-rules": {
        "group_mean": ClosedForm(_shares, lambda x, f, p: float(kept_signal(x, f, p))),
        "kept_mean": ClosedForm(_shares, lambda x, f, p: float(kept_signal(x, f, p, "kept"))),
        "difference": ClosedForm(
            _shares, lambda x, f, p: float(kept_signal(x, f, p) - kept_signal(x, f, p, "kept")), 1e-8
        ),
        "rarer": ClosedForm(_sizes, _most_of_the_rarer),
        "widest_group": _enumerated("max-variance", "group"),
        "widest_kept": _enumerated("max-variance", "kept"),
        "largest_group": _enumerated("abs-advantage", "group"),
        "largest_kept": _enumerated("abs-advantage", "kept"),
        "successes_group": _enumerated("advantage", "group"),
        "successes_kept": _enumerated("advantage", "kept"),
        "turn": ClosedForm(lambda _: {}, _turn),
        "random_group": ClosedForm(_sizes, lambda p, k, G: _per_kept("uniform", int(G), int(k), p, "group")),
        "random_kept": ClosedForm(_sizes, lambda p, k, G: _per_kept("uniform", int(G), int(k), p, "kept")),
        "most": _large(lambda p: float(p < 0.5)),
        "half": _large(lambda p: 0.5),
        "quarter": _large(lambda p: 0.5, "kept"),
        "first": _large(lambda p: 1.0),
        "even": _large(lambda p: p),
    },
}

QUOTED = {
    "answer-rules": {
        "1/G": "how far the whole group falls short, a step of the proof: p(1−p)(1−1/G)",
        "1/k": "the same of the kept alone",
        "G = 8, k = 4, p = 0.1": "an example, compared in tests/test_answer_signal.py",
    },
}
