"""Choices of answers from groups, gone through one by one; rewards are 0 and 1 but in :data:`GROUPS`.

Source: this project. Part of the derivation of ``answer-rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import sympy as sp

from kondo_theory.derivations.proof import every

__all__ = [
    "GROUPS",
    "Group",
    "Kept",
    "groups",
    "largest",
    "nests",
    "right_and_wrong",
    "subsets",
    "successes",
    "widest",
]

p = sp.Symbol("p", positive=True)  # of a right answer

Group = tuple[int, ...]
"""Rewards."""
Kept = tuple[int, ...]
"""Places in the group."""

GROUPS = tuple(
    tuple(sp.Rational(each) for each in rewards)
    for rewards in (
        (0, 0, 0, 1, 1), (0, 1, 2, 3, 10), (0, 7, 8, 9, 10), (-3, 0, 1, 1, 4), (0, 1, 4, 9, 16), (0, 1, 1, 1, 2),
    )
)  # fmt: skip
"""Groups of other rewards."""


def right_and_wrong(group: Group, kept: Kept) -> int:
    """Return k² times the variance of the kept rewards."""
    n = sum(group[i] for i in kept)
    return n * (len(kept) - n)


def subsets(group: Group, n_kept: int) -> list[Kept]:
    """Return all sets of so many answers."""
    return list(combinations(range(len(group)), n_kept))


def largest(group: Group, n_kept: int) -> list[Kept]:
    """Return the sets of the largest |U|, one for each way to break ties."""
    size = [abs(len(group) * r - sum(group)) for r in group]
    return _best(group, n_kept, lambda kept: sum(size[i] for i in kept))


def widest(group: Group, n_kept: int) -> list[Kept]:
    """Return the sets of largest variance."""
    return _best(group, n_kept, lambda kept: right_and_wrong(group, kept))


def successes(group: Group, n_kept: int) -> list[Kept]:
    """Return the sets with most right answers."""
    return _best(group, n_kept, lambda kept: sum(group[i] for i in kept))


def _best(group: Group, n_kept: int, value: Callable[[Kept], int]) -> list[Kept]:
    sets = subsets(group, n_kept)
    most = max(value(kept) for kept in sets)
    return [kept for kept in sets if value(kept) == most]


def groups(size: int) -> Iterator[tuple[Group, sp.Expr]]:
    """Yield the groups of right and wrong answers, whatever their order, with their probabilities."""
    for n in range(size + 1):
        yield (1,) * n + (0,) * (size - n), sp.binomial(size, n) * p**n * (1 - p) ** (size - n)


def _variance(rewards: tuple[sp.Expr, ...]) -> sp.Expr:
    mean = sum(rewards) / sp.Integer(len(rewards))
    return sum((r - mean) ** 2 for r in rewards) / sp.Integer(len(rewards))


def nests(rewards: tuple[sp.Expr, ...]) -> bool:
    """Whether letting in what is furthest from the mean has the largest variance of all subsets, for every k ≥ 2."""
    left = sorted(rewards)
    kept = [left.pop(), left.pop(0)]
    found = []
    for k in range(2, len(rewards) + 1):
        found.append(_variance(tuple(kept)) == max(_variance(each) for each in combinations(rewards, k)))
        mean = sum(kept) / sp.Integer(k)
        if left:
            kept.append(left.pop(-1 if left[-1] - mean >= mean - left[0] else 0))
    return every(found)
