"""Which rule on the answers of a group buys most signal per backward pass, and for which mean.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kondo_theory.derivations.group_choices import (
    GROUPS,
    Group,
    Kept,
    groups,
    largest,
    nests,
    right_and_wrong,
    subsets,
    successes,
    widest,
)
from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

_p = sp.Symbol("p", positive=True)
_x, _f = sp.symbols("x f", nonnegative=True)
_k, _G, _j = (sp.Symbol(name, positive=True, integer=True) for name in ("k", "G", "j"))
_REWARDS = sp.symbols("R1:5", real=True)
_MEAN, _TRUE = sp.symbols("Rbar rbar", real=True)  # of the group, of all answers there are


def _group_mean() -> sp.Expr:
    """Return the signal per backward pass with the group's mean, shares x of the kept and f of the group right."""
    return _x * (1 - _f) * (1 - _p) + (1 - _x) * _f * _p


def _kept_mean() -> sp.Expr:
    """Return the same with the mean of the kept."""
    return _x * (1 - _x)


def _linear(proof: Proof) -> None:
    """Show where an answer's part along w is R − r̄."""
    probabilities = sp.symbols("pi1:4", positive=True)
    rewards, n = _REWARDS[:3], 3
    total = sum(probabilities)
    mean = sum(q * r for q, r in zip(probabilities, rewards, strict=True)) / total
    parts = [rewards[a] - sum(probabilities[i] * rewards[i] for i in range(n)) / total for a in range(n)]
    proof.check(
        "A tabular softmax policy's scores φ_a = e_a − π have φ_a·w = R_a − r̄ with w the rewards, the natural "
        "gradient.",
        every(sp.simplify(parts[a] - (rewards[a] - mean)) == 0 for a in range(n))
        and sp.simplify(sum(q * each for q, each in zip(probabilities, parts, strict=True))) == 0,
        latex=r"\varphi_a\cdot w=R_a-\bar r",
    )
    square = sp.Symbol("g", positive=True)  # ‖∇J‖²
    right, wrong = square / _p, -square / (1 - _p)  # E[φ·∇J | R]
    scale = _p * (1 - _p) / square
    proof.check(
        "Any policy with rewards 0 and 1 has it on average over the right and over the wrong answers, along "
        "w = p(1 − p)∇J/‖∇J‖²: E φ = 0 and E[Rφ] = ∇J leave 1 − p and −p.",
        every(
            sp.simplify(each) == 0
            for each in (
                _p * right + (1 - _p) * wrong,
                _p * right - square,
                right * scale - (1 - _p),
                wrong * scale + _p,
            )
        ),
        latex=r"\mathbb E[\varphi\cdot w\mid R]=R-p",
    )


def _two_means(proof: Proof) -> None:
    """Show what the mean of the kept and that of the group buy of the same answers."""
    k = len(_REWARDS)
    own = sum(_REWARDS) / k
    variance = sum((r - own) ** 2 for r in _REWARDS) / k
    proof.identity(
        "With the mean of the kept, m, the signal of k kept answers is k times the variance of their rewards, "
        "whatever r̄ is (here k = 4; deviations from m sum to zero).",
        sum((r - own) * (r - _TRUE) for r in _REWARDS) / k,
        variance,
        latex=r"\tfrac1k\sum(R-m)(R-\bar r)=\operatorname{Var}_{\rm kept}",
    )
    proof.argue(
        "So the k answers whose rewards vary most are the best choice of every group, and E ΣU² is the same sum: "
        "they are also the cheapest, n·E ΣU²/(E ΣU(R − r̄))² = n/E ΣU².",
        "signal and noise are one number for each group, and it is largest there",
        latex=r"S=Q=k\operatorname{Var}_{\rm kept}",
    )
    proof.identity(
        "With the group's mean R̄ the same answers have more or less signal by (m − R̄)(m − r̄).",
        sum((r - _MEAN) * (r - _TRUE) for r in _REWARDS) / k - variance,
        (own - _MEAN) * (own - _TRUE),
        latex=r"\tfrac1k\sum(R-\bar R)(R-\bar r)-\operatorname{Var}_{\rm kept}=(m-\bar R)(m-\bar r)",
    )
    proof.argue(
        "There the best choice of a group is the top k of (R − R̄)(R − r̄): the largest |U| with R̄ in the place of r̄.",
        "the signal is a sum over the kept, one term an answer, and U² is that term where R̄ = r̄",
        latex=r"(R-\bar R)(R-\bar r)\to U^2",
    )
    proof.identity(
        "Right and wrong answers: x of the kept and f of the group right, the difference of the two is",
        _group_mean() - _kept_mean(),
        (_x - _f) * (_x - _p),
    )


def _nested(proof: Proof) -> None:
    """Show that the subsets of largest variance are nested and of extremes, so that one score has them all."""
    m, v, r = sp.symbols("m v r", real=True)
    one_more = ((_k - 1) * (v + m**2) + r**2) / _k - (((_k - 1) * m + r) / _k) ** 2
    proof.identity(
        "One more answer of reward r adds to k − 1 of mean m and variance v",
        _k * one_more - (_k - 1) * v,
        (_k - 1) / _k * (r - m) ** 2,
        latex=r"k\,v_k-(k-1)\,v_{k-1}=\tfrac{k-1}{k}(r-m)^2",
    )
    proof.argue(
        "The largest variance of k have i smallest and k − i largest rewards, and those of k hold those of k − 1 "
        "≥ 2: the next is always the one furthest from the mean of those before. The place at which an answer "
        "enters is a score whose top k are that subset for every k.",
        "a convex function of each reward, the variance is largest with all at the ends. Exchanging the innermost "
        "large h for the innermost small l pays iff 2m > l + h, m the mean of the other k − 1; as i grows m falls "
        "and l + h rises, so that one i is best. With that i, another answer from below leaves m no larger or "
        "brings it to at most the next l, so that no second exchange pays; from above likewise",
        every(nests(rewards) for rewards in GROUPS),
        latex=r"S_2\subset S_3\subset\dots\subset S_G",
        points=len(GROUPS),
    )


def _binary(proof: Proof) -> None:
    """Show when |advantage| and largest variance keep the same rewards."""
    right = _j * (_k - _j) / _k**2
    proof.identity(
        "Of k kept, j right: one right answer more in the place of a wrong one changes the variance by",
        right.subs(_j, _j + 1) - right,
        (_k - 1 - 2 * _j) / _k**2,
    )
    proof.argue(
        "So the largest variance keeps the rarer outcome up to half of k, and |advantage| all of it, k at most: "
        "with k ≥ 2 the rewards are the same iff the rarer has at most (k + 1)/2 answers.",
        "the step is positive for j < (k − 1)/2, zero at (k − 1)/2, negative beyond; the rarer has the larger "
        "|U|, and where both are G/2 the ties are only among k ≥ G − 1 of those",
        every(_same_rewards(G, k) for G in range(2, 8) for k in range(2, G + 1)),
        latex=r"\min(n,G-n)\le(k+1)/2",
        points=sum(G - 1 for G in range(2, 8)),
    )


def _same_rewards(group_size: int, n_kept: int) -> bool:
    """Whether the largest |U| of each group have the largest variance iff the rarer outcome is at most (k + 1)/2."""
    found = []
    for n_right in range(1, group_size):
        group = (1,) * n_right + (0,) * (group_size - n_right)
        best, ours = ({right_and_wrong(group, kept) for kept in rule(group, n_kept)} for rule in (widest, largest))
        found.append((ours <= best) == (min(n_right, group_size - n_right) <= (n_kept + 1) // 2))
    return every(found)


def _enumerated(rule: Callable[[Group, int], list[Kept]], size: int, n_kept: int, *, own_mean: bool) -> sp.Expr:
    """Return E of the signal of the kept over k, all groups and all ways to break ties gone through."""
    total = sp.Integer(0)
    for group, chance in groups(size):
        sets = rule(group, n_kept)
        for kept in sets:
            n = sum(group[i] for i in kept)
            share, whole = sp.Rational(n, n_kept), sp.Rational(sum(group), size)
            at = {_x: share, _f: whole}
            total += chance * (_kept_mean() if own_mean else _group_mean()).subs(at) / len(sets)
    return sp.factor(sp.expand(total))


def _all_groups(proof: Proof) -> dict[str, sp.Expr]:
    """Go through all groups, and through large ones; return what each rule buys."""
    n, second = _G * _p, _G * _p * (1 - _p) + (_G * _p) ** 2  # of a binomial
    random_group = _p * (1 - _p) * (1 - 1 / _G)
    proof.identity(
        "Kept at random with the group's mean, the signal is that of all G answers,",
        (n - second / _G) / _G,
        random_group,
        latex=r"\mathbb E[f(1-f)]=p(1-p)(1-1/G)",
    )
    random_kept = random_group.subs(_G, _k)
    proof.argue(
        "with their own mean that of a group of k: p(1 − p)(1 − 1/k).",
        "k answers drawn from G independent ones are k independent ones",
        _enumerated(subsets, 4, 2, own_mean=True).equals(random_kept.subs(_k, 2)),
        latex=r"p(1-p)(1-1/k)",
        points=1,
    )
    small = {
        f"{name}_{'kept' if own else 'group'}": _enumerated(rule, 5, 2, own_mean=own)
        for name, rule in (("widest", widest), ("largest", largest), ("successes", successes))
        for own in (False, True)
    }
    both = _p**2 * (1 - _p) ** 2
    proof.identity(
        "Two of five answers, all groups gone through: with the group's mean |advantage| buys more than the largest "
        "variance for every p, by",
        small["largest_group"] - small["widest_group"],
        both * (10 * (_p - sp.Rational(1, 2)) ** 2 + sp.Rational(1, 2)),
        latex=rf"{sp.latex(both)}\left(10(p-\tfrac12)^2+\tfrac12\right)",
    )
    proof.identity(
        "with that of the kept less by",
        small["widest_kept"] - small["largest_kept"],
        sp.Rational(5, 2) * both,
        latex=rf"\tfrac52{sp.latex(both)}",
    )
    turn = (27 - sp.sqrt(249)) / 30
    gain = sp.cancel((small["successes_group"] - small["largest_group"]) / (_p**3 * (1 - _p)))
    proof.check(
        "Best-of buys more than |advantage| there for p below (27 − √249)/30: R̄ is not r̄, and who knows that right "
        "answers are rare keeps those alone.",
        sp.simplify(gain.subs(_p, turn)) == 0 and gain.subs(_p, 0).is_positive and gain.subs(_p, 1).is_negative,
        latex=rf"p<{sp.latex(turn)}\approx{float(turn):.3f}",
    )
    large = {
        "most": sp.Max(_p, 1 - _p) ** 2,
        "half": sp.expand(_group_mean().subs({_x: sp.Rational(1, 2), _f: _p})),
        "quarter": _kept_mean().subs(_x, sp.Rational(1, 2)),
        "first": _group_mean().subs({_x: 1, _f: _p}),
        "even": _group_mean().subs({_x: _p, _f: _p}),
    }
    proof.argue(
        "In large groups, f → p and k/G → 0, k even: |advantage| keeps the rarer outcome alone, the largest "
        "variance half of each, best-of right answers alone, chance p of them.",
        "there are then more than k answers of both outcomes",
        sp.simplify(_group_mean().subs({_x: 0, _f: _p}) - _p**2) == 0,
        latex=r"\max(p,1-p)^2,\quad\tfrac12(p^2+(1-p)^2)\ \text{or}\ \tfrac14,\quad(1-p)^2,\quad p(1-p)",
    )
    top, low = sp.symbols("h l", positive=True)  # the larger and the smaller of p and 1 − p
    gaps = [
        top**2 - (top**2 + low**2) / 2,
        (top**2 + low**2) / 2 - (top + low) ** 2 / 4,
        (top + low) ** 2 / 4 - top * low,
    ]
    squares = [(top**2 - low**2) / 2, (top - low) ** 2 / 4, (top - low) ** 2 / 4]
    proof.check(
        "They stand in this order: max(p, 1 − p)² ≥ ½(p² + (1 − p)²) ≥ ¼ ≥ p(1 − p).",
        every(sp.expand(gap - square) == 0 for gap, square in zip(gaps, squares, strict=True)),
        latex=r"h^2-\tfrac12(h^2+l^2)=\tfrac12(h^2-l^2),\quad\tfrac12(h^2+l^2)-\tfrac14=\tfrac14(h-l)^2=\tfrac14-hl",
    )
    return {**small, **large, "turn": turn, "random_group": random_group, "random_kept": random_kept}


def derive() -> Derivation:
    """Derive what rules on the answers of a group buy."""
    proof = Proof(
        "answer-rules",
        "With the mean of the kept the signal per backward pass is the variance of their rewards, which the "
        "subsets of largest variance, nested, have most of; with the group's it is more by (m − R̄)(m − r̄), and "
        "the largest |U| are the best choice with R̄ for r̄. At rewards 0 and 1 both keep the same rewards iff "
        "the rarer outcome has at most (k + 1)/2 answers.",
        (
            "G independent answers to one prompt, k ≥ 2 of them kept by their rewards alone",
            "signal along w with φ·w = R − r̄, of which rewards 0 and 1 need the mean over the answers of each alone",
            "noise is that of the answers' own scores, of one length and independent given the rewards",
        ),
    )
    _linear(proof)
    _two_means(proof)
    _nested(proof)
    _binary(proof)
    found = _all_groups(proof)
    return proof.conclude(
        group_mean=_group_mean(),
        kept_mean=_kept_mean(),
        difference=(_x - _f) * (_x - _p),
        rarer=(_k + 1) / 2,
        **found,
    )
