"""How long a policy takes to leave a corner, how fast it converges then, and what two contexts with one parameter do.

Source: this project; I. Osband, arXiv 2605.11908, as reported, is where the questions come from.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.shared_logits import delightful, shared_logits
from kondo_theory.derivations.symmetric_context import K, alpha_squared, b, p

__all__ = ["derive"]

r, q, s, error = sp.symbols(
    "r q s epsilon", positive=True
)  # (1−p)/p at the start, a share of the samples, clock, 1−p
_N_WRONG = 2  # wrong arms that are written out; each has an equation of its own, so more only repeat them


def _solution(proof: Proof) -> None:
    """Solve the flow of every policy by one clock."""
    arms = sp.symbols(f"pi_0:{_N_WRONG + 1}", positive=True)
    scores = [sp.Matrix([int(i == a) - arms[i] for i in range(len(arms))]) for a in range(len(arms))]
    right = (1 - b) * arms[0] * scores[0]
    failures = sum(
        (-b * arm * score for arm, score in zip(arms[1:], scores[1:], strict=True)), sp.zeros(len(arms), 1)
    )
    whole = {arms[-1]: 1 - sum(arms[:-1])}
    proof.check(
        "For every policy PG has E g = π_y(e_y − π) at every baseline, zero price (1−b) times that: failures add the "
        "share b, along the same direction.",
        every(sp.expand(x.subs(whole)) == 0 for x in right + failures - arms[0] * scores[0]),
        latex=r"E[g] = \kappa\,\pi_y(e_y-\pi),\qquad \kappa_{\mathrm{PG}}=1,\ \kappa_{\text{zero price}}=1-b",
    )
    wrong = [u / (1 + s * u) for u in arms[1:]]
    correct = arms[0] * sp.prod([1 + s * u for u in arms[1:]])
    proof.check(
        "In the clock dτ = κπ_y dt = Z ds the flow is dz_a/ds = −e^{z_a}, dz_y/ds = Σe^{z_a} over the wrong arms. "
        "From the policy π it is solved arm by arm.",
        sp.And(
            every(sp.simplify(sp.diff(sp.log(x), s) + x) == 0 for x in wrong),
            sp.Eq(sp.simplify(sp.diff(sp.log(correct), s) - sum(wrong)), 0),
        ),
        latex=r"e^{z_a} = \frac{\pi_a}{1+s\pi_a},\qquad e^{z_y} = \pi_y\prod_{a\ne y}(1+s\pi_a)",
    )
    x = sp.Symbol("x", positive=True)
    passes = sum(sp.log(1 + s * u) for u in arms[1:]) + sp.integrate(sp.expand(correct.subs(s, x)), (x, 0, s))
    proof.identity(
        "Zero price pays for the share π_y of its samples, so that (1−b)dN = dτ = Z ds: a sum of logarithms and a "
        "polynomial.",
        sp.Derivative(passes, s),
        sum(wrong) + correct,
        latex=r"(1-b)N = \sum_{a\ne y}\ln(1+s\pi_a)+\pi_y\int_0^s\prod_{a\ne y}(1+s'\pi_a)\,ds'",
    )


def _two_arm_times() -> dict[str, sp.Expr]:
    """Return times of two arms from the odds 1/r to even odds."""
    log = sp.log(r)
    return {
        "pg": (2 * log + r - 1 / r) / 2,
        "backward": (log + 1 - 1 / r) / (2 * (1 - b)),
        "value_backward": (log + sp.Rational(5, 2) - 2 / r - 1 / (2 * r**2)) / 2,
        "value_forward": (3 * log + r + sp.Rational(5, 2) - 3 / r - 1 / (2 * r**2)) / 2,
    }


def _two_arms(proof: Proof) -> dict[str, sp.Expr]:
    """Two arms: the corner with nothing else in it."""
    at, times = 1 / (1 + r), _two_arm_times()
    rates = {
        "pg": ("PG, ṗ = 2p²ε² at two arms", 1 / (2 * p**2 * (1 - p) ** 2)),
        "backward": ("Zero price, constant b, backward passes", 1 / (2 * (1 - b) * p * (1 - p) ** 2)),
        "value_backward": ("Zero price, b = p, backward passes", 1 / (2 * p * (1 - p) ** 3)),
        "value_forward": ("Zero price, b = p, forward samples", 1 / (2 * p**2 * (1 - p) ** 3)),
    }
    for name, (words, slowness) in rates.items():
        proof.identity(
            f"{words}: two arms, from p = 1/(1+r) to 1/2, by the derivative in r.",
            sp.Derivative(times[name], r),
            slowness.subs(p, at) * (-sp.diff(at, r)),
            latex=rf"T = {sp.latex(times[name])}",
        )
    proof.check(
        "All four are 0 at r = 1, where nothing is to be done.",
        every(sp.Eq(sp.simplify(time.subs(r, 1)), 0) for time in times.values()),
        latex=r"T\big|_{r=1} = 0",
    )
    proof.identity(
        "So backward passes are logarithmic in the ratio r of the two arms' probabilities …",
        sp.Limit(times["backward"] / sp.log(r), r, sp.oo),
        1 / (2 * (1 - b)),
    )
    proof.identity(
        "… and forward samples linear in it, for PG and zero price, which takes 1/(1−b) times PG's.",
        sp.Limit(times["pg"] / r, r, sp.oo),
        sp.Rational(1, 2),
    )
    proof.identity(
        "With the value as baseline zero price leaves the corner in PG's time, for b = p is next to nothing there.",
        sp.Limit(sp.expand(times["value_forward"] / times["pg"]), r, sp.oo),
        sp.Integer(1),
    )
    return times


def _other_arms(proof: Proof) -> sp.Expr:
    """Bound every corner by two arms and by equally likely wrong ones."""
    factor = 2 / alpha_squared
    proof.argue(
        "More arms: the wrong arms' shares x of the error give ‖e_y − π‖² = ε²(1+Σx²), least if they are equal, "
        "most where one has all. So every time lies between that of two arms and 2(K−1)/K, less than 2, times it.",
        "1/(K−1) ≤ Σx² ≤ 1 by Cauchy–Schwarz, at every moment of the flow, and time is the integral over p of "
        "1/(κp²ε²(1+Σx²)), backward passes that of p times it.",
        sp.Eq(sp.simplify(1 + 1 / (K - 1) - alpha_squared), 0),
        latex=r"T_2 \le T \le \frac{2(K-1)}{K}\,T_2",
    )
    return factor


def _samples(proof: Proof) -> None:
    """Why no step size helps, and what dividing by the kept does."""
    mean = sp.Symbol("m", positive=True)
    proof.argue(
        "At every step size and batch size zero price makes no update before its first success, which takes 1/π_y "
        "samples in the mean: no logarithm in forward samples is possible.",
        "all samples before the first success have negative delight, or zero; the mean m of a geometric count obeys "
        "m = 1 + (1−p)m.",
        sp.Eq(sp.solve(sp.Eq(mean, 1 + (1 - p) * mean), mean)[0], 1 / p),
        latex=r"E[\text{samples before the first update}] = 1/\pi_y",
    )
    points = [(size, sp.Rational(1, n)) for size in (2, 10, 50) for n in (3, 30, 3000)]
    proof.argue(
        "An update that is the mean over what a batch kept has the length (1−b){1−(1−p)^B}: as B → ∞ updates are the "
        "backward passes from above, logarithmic. At a fixed B they are at least 1/B of the forward time: linear "
        "again from r ≈ B on.",
        "a batch keeps something with probability 1−(1−p)^B, which goes to 1 with B and is at most Bp (union bound).",
        every(1 - (1 - x) ** size <= size * x for size, x in points),
        latex=r"\frac{dn}{dp} = \frac1{(1-b)\{1-(1-p)^B\}\,p\,\varepsilon^2(1+\sum x^2)}",
        points=len(points),
    )


def _late(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """How fast 1 − p falls in the end."""
    t, kappa, spread = sp.symbols("t kappa S", positive=True)
    falling = sp.Function("epsilon", positive=True)(t)
    flow = -kappa * (1 - falling) ** 2 * falling**2 * (1 + spread)
    proof.identity(
        "Late: the inverse error grows at a speed that tends to κ(1+Σx²).",
        sp.diff(1 / falling, t).subs(sp.Derivative(falling, t), flow),
        sp.expand(kappa * (1 - falling) ** 2 * (1 + spread)),
        latex=r"\frac{d}{dt}\frac1\varepsilon = \kappa p^2\big(1+\textstyle\sum x^2\big)",
    )
    proof.identity(
        "With the value as baseline κ = ε, and it is the inverse square that grows steadily: 1−π_y falls as 1/√t.",
        sp.diff(1 / falling**2, t).subs(sp.Derivative(falling, t), flow.subs(kappa, falling)),
        sp.expand(2 * (1 - falling) ** 2 * (1 + spread)),
        latex=r"\frac{d}{dt}\frac1{\varepsilon^2} = 2p^2\big(1+\textstyle\sum x^2\big)",
    )
    s_, first, second = sp.symbols("s u_1 u_2", positive=True)
    ratio = (first / (1 + s_ * first)) / (second / (1 + s_ * second))
    proof.identity(
        "Wrong arms even out: by the solution their ratio tends to 1 from wherever it started.",
        sp.Limit(ratio, s_, sp.oo),
        sp.Integer(1),
        latex=r"\lim_{s\to\infty}\frac{\pi_a/(1+s\pi_a)}{\pi_c/(1+s\pi_c)} = 1",
    )
    proof.argue(
        "So 1+Σx² → α², and ε falls as 1/(κα²t), ε² as 1/(2α²t) with the value as baseline, from every policy that "
        "gives each arm a chance.",
        "the mean over time of a speed that converges converges to the same; s → ∞ because p → 1 and the odds of the "
        "correct arm are bounded while s is.",
        sp.Eq(sp.simplify(alpha_squared - (1 + (K - 1) * (1 / (K - 1)) ** 2)), 0),
        latex=r"(1-\pi_y)\,t \to \frac{K-1}{K(1-b)},\qquad (1-\pi_y)^2\,t \to \frac{K-1}{2K}\ \text{ for } b = p",
    )
    return 1 / ((1 - b) * alpha_squared), 1 / (2 * alpha_squared)


def derive() -> Derivation:
    """Derive times out of a corner, late rates, and the rest points of two contexts that share a parameter."""
    proof = Proof(
        "corner-escape",
        "Two arms, odds 1/r: to p = 1/2 PG takes r/2 + ln r − 1/(2r) forward batches, zero price 1/(1−b) times as "
        "many, and (ln r + 1 − 1/r)/(2(1−b)) backward ones; K arms at most 2(K−1)/K times that. Then 1−π_y falls as "
        "(K−1)/(K(1−b)t), or as 1/√t with the value as baseline, when two contexts that share their logits end at "
        "matched probabilities.",
        (
            "one correct arm, R = 1{a = y}, 0 ≤ b < 1, logits follow the expected update",
            "time is learning rate × forward batches, and backward passes are counted in that unit",
            "DG: 0 < b < 1, η > 0",
        ),
    )
    _solution(proof)
    times = _two_arms(proof)
    factor = _other_arms(proof)
    _samples(proof)
    late, late_square = _late(proof)
    rest, lost = shared_logits(proof)
    corner, share = delightful(proof)
    return proof.conclude(
        pg=times["pg"],
        backward=times["backward"],
        value_backward=times["value_backward"],
        value_forward=times["value_forward"],
        most_arms=factor,
        late=late,
        late_square=late_square,
        rest=rest,
        lost=lost,
        dg_corner=corner,
        dg_share=share,
    )
