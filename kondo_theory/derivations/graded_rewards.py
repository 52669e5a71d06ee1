"""With graded rewards zero price turns the direction: by how much, and when it cannot.

Source: this project. [KG Prop. 1] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526) is the case of one
correct arm, in which the direction is kept.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

_n = sp.Symbol("n", positive=True)  # arms in each of the two crowds
_delta = sp.Symbol("delta", positive=True)

# The family: arm A, n arms sharing 1/10 with reward 1, n arms sharing 1/2 with reward 0. (count, total mass, reward)
_FAMILY = (
    (sp.Integer(1), sp.Rational(2, 5), sp.Rational(3, 10)),
    (_n, sp.Rational(1, 10), sp.Integer(1)),
    (_n, sp.Rational(1, 2), sp.Integer(0)),
)
_Groups = tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...]


def _positive_part(advantage: sp.Expr) -> sp.Expr:
    """Zero price keeps χ > 0, that is U > 0."""
    return sp.Max(advantage, 0)


def _products(groups: _Groups) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return ⟨z,∇J⟩, ‖z‖² and ‖∇J‖² with b = E R, one unevaluated sum for each group of identical arms."""
    value = sum(mass * reward for _, mass, reward in groups)
    advantages = [reward - value for _, _, reward in groups]
    kept = [_positive_part(u) for u in advantages]
    mean_kept = sum(mass * k for (_, mass, _), k in zip(groups, kept, strict=True))
    inner = norm_z = norm_j = sp.Integer(0)
    for (count, mass, _), u, k in zip(groups, advantages, kept, strict=True):
        z, j, arms = mass / count * (k - mean_kept), mass / count * u, (sp.Symbol("i", integer=True), 1, count)
        inner, norm_z, norm_j = inner + sp.Sum(z * j, arms), norm_z + sp.Sum(z**2, arms), norm_j + sp.Sum(j**2, arms)
    return inner, norm_z, norm_j


def _explicit_products(policy: list[sp.Expr], rewards: list[sp.Expr]) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return the same three numbers from explicit K-vectors: Σ π_a·weight·U_a·(e_a − π)."""
    size = len(policy)
    value = sum(q * r for q, r in zip(policy, rewards, strict=True))
    vectors = []
    for gated in (True, False):
        total = sp.zeros(size, 1)
        for arm in range(size):
            u = rewards[arm] - value
            if not gated or u > 0:
                score = sp.Matrix([(1 if i == arm else 0) - policy[i] for i in range(size)])
                total += policy[arm] * u * score
        vectors.append(total)
    z, j = vectors
    return z.dot(j), z.dot(z), j.dot(j)


def _cosine(products: tuple[sp.Expr, sp.Expr, sp.Expr]) -> sp.Expr:
    inner, norm_z, norm_j = (sp.factor(sp.together(part.doit())) for part in products)
    return inner / sp.sqrt(norm_z * norm_j)


def _coordinates(proof: Proof) -> None:
    """Coordinates of both directions, by hand for three general arms."""
    policy = sp.symbols("pi1:4", positive=True)
    kept = sp.symbols("k1:4", nonnegative=True)  # U₊ of each arm
    scores = [sp.Matrix([(1 if i == a else 0) - policy[i] for i in range(3)]) for a in range(3)]
    direction = sum((policy[a] * kept[a] * scores[a] for a in range(1, 3)), policy[0] * kept[0] * scores[0])
    mean_kept = sum(q * k for q, k in zip(policy, kept, strict=True))
    claimed = sp.Matrix([q * (k - mean_kept) for q, k in zip(policy, kept, strict=True)])
    proof.check(
        "Zero price moves arm a's logit by π_a(U₊(a) − E U₊), where ∇J has π_a(U(a) − E U): an arm that is better "
        "than average, but less so than the average of U₊, is pushed down.",
        sp.expand(direction - claimed) == sp.zeros(3, 1),
        latex=r"z_a = \pi_a\{U_+(a)-\mathbb E U_+\},\qquad (\nabla J)_a = \pi_a\{U(a)-\mathbb E U\},\qquad "
        r"U_+=\max(U,0)",
    )


def _family(proof: Proof) -> tuple[sp.Expr, sp.Integer]:
    """Derive the cosine along the family; return it with the first size at which it is negative."""
    products = _products(_FAMILY)
    for n in (1, 2, 3):
        policy = [sp.Rational(2, 5), *[sp.Rational(1, 10 * n)] * n, *[sp.Rational(1, 2 * n)] * n]
        rewards = [sp.Rational(3, 10), *[sp.Integer(1)] * n, *[sp.Integer(0)] * n]
        explicit = _explicit_products(policy, rewards)
        proof.check(
            f"The family with n = {n}, K = {2 * n + 1}, from explicit vectors: inner product and both lengths agree.",
            every(sp.expand(e - s.subs(_n, n).doit()) == 0 for e, s in zip(explicit, products, strict=True)),
            latex=rf"n={n}:\ \langle z,\nabla J\rangle = {sp.latex(explicit[0])}",
        )
    cosine = _cosine(products)
    inner = sp.expand(products[0].doit())
    proof.identity(
        "The inner product: arm A's own coordinate against both crowds, whose coordinates shrink as 1/n.",
        products[0],
        sp.Rational(-12 * 32, 10**6) + sp.Rational(67 * 78 + 55 * 110, 10**6) / _n,
        latex=r"\langle z,\nabla J\rangle = -0.012\cdot0.032 + \frac{0.067\cdot0.078+0.055\cdot0.110}{n}",
    )
    first = sp.Integer(30)
    proof.check(
        "n times it falls in a straight line, so it is negative from n = 30 (K = 61) on.",
        sp.diff(_n * inner, _n).is_negative is True
        and inner.subs(_n, first - 1).is_positive is True
        and inner.subs(_n, first).is_negative is True,
        latex=r"\langle z,\nabla J\rangle < 0 \iff n \ge 30",
    )
    proof.identity(
        "The limit is exactly −1: the crowds' share of both lengths vanishes and arm A alone remains, with opposite "
        "signs.",
        sp.Limit(cosine, _n, sp.oo),
        sp.Integer(-1),
        latex=r"\lim_{n\to\infty}\cos(z,\nabla J) = \frac{-0.012\cdot0.032}{0.012\cdot0.032} = -1",
    )
    # Per unit of arm A's coordinate the crowds' coordinates are c/√n with these c; −z and ∇J differ by their
    # distance.
    crowd_z = sp.Matrix([67, -55]) / -12
    crowd_j = sp.Matrix([78, -110]) / 32
    proof.identity(
        "It is approached as 1/n, with half the squared distance between the crowds' parts as the constant.",
        sp.Limit(_n * (1 + cosine), _n, sp.oo),
        (crowd_z - crowd_j).dot(crowd_z - crowd_j) / 2,
        latex=r"\lim_{n\to\infty} n\,\{1+\cos(z,\nabla J)\} = "
        r"\tfrac12\Big\|\frac{(67,-55)}{-12}-\frac{(78,-110)}{32}\Big\|^2",
    )
    return cosine, first


def _three_arms(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Find the smallest number of arms at which the angle can exceed a right angle."""
    policy = [sp.Rational(99, 100), sp.Rational(1, 1000), sp.Rational(9, 1000)]
    example = _cosine(_explicit_products(policy, [sp.Rational(1, 2), sp.Integer(1), sp.Integer(0)]))
    proof.check(
        "Three arms suffice: policy (.99, .001, .009) with rewards (.5, 1, 0) has a negative cosine.",
        sp.Lt(example, 0),
        latex=rf"\cos(z,\nabla J) = {sp.latex(example)} \approx {float(example):.4f}\quad(K=3)",
    )
    policy = [1 - _delta**2 - _delta**3, _delta**3, _delta**2]
    rewards = [sp.Rational(1, 2), sp.Integer(1), sp.Integer(0)]
    value = sum(mass * reward for mass, reward in zip(policy, rewards, strict=True))
    shrink = sp.Symbol("y", positive=True)  # δ = 1/(1 + y) runs over (0, 1)
    proof.check(
        "With policy (1−δ²−δ³, δ³, δ²) and the same rewards the first two arms are kept and the third is dropped, at "
        "every δ in (0, 1).",
        sp.And(
            *(sp.Gt(sp.factor((rewards[arm] - value).subs(_delta, 1 / (1 + shrink))), 0) for arm in (0, 1)),
            sp.Lt(sp.factor((rewards[2] - value).subs(_delta, 1 / (1 + shrink))), 0),
        ),
        latex=r"U = \big(\tfrac{\delta^2-\delta^3}2,\ \tfrac{1+\delta^2-\delta^3}2,\ "
        r"-\tfrac{1-\delta^2+\delta^3}2\big)",
    )
    advantages = [reward - value for reward in rewards]
    kept = [*advantages[:2], sp.Integer(0)]
    mean_kept = sum(mass * k for mass, k in zip(policy, kept, strict=True))
    z = sp.Matrix([mass * (k - mean_kept) for mass, k in zip(policy, kept, strict=True)])
    j = sp.Matrix([mass * u for mass, u in zip(policy, advantages, strict=True)])
    limit = proof.identity(
        "Their cosine tends to −1/2 as δ → 0: z is of order δ³ and ∇J of order δ², with leading coefficients "
        "(−1, 1, 0) and (1, 0, −1).",
        sp.Limit(_cosine((z.dot(j), z.dot(z), j.dot(j))), _delta, 0, "+"),
        -sp.Rational(1, 2),
        latex=r"K=3:\ \lim_{\delta\to0}\cos(z,\nabla J) = -\tfrac12",
    )
    return example, limit


def _two_arms(proof: Proof) -> None:
    """K = 2: there is one direction, and both vectors point along it."""
    x, low, gap, slack = sp.symbols("x R2 g s", positive=True)
    scores = [sp.Matrix([1 - x, -(1 - x)]), sp.Matrix([-x, x])]
    high = low + gap
    gradient = x * high * scores[0] + (1 - x) * low * scores[1]
    both = x * (gap + slack) * scores[0] + (1 - x) * slack * scores[1]  # b = R2 − s: both arms kept
    better = x * slack * scores[0]  # b = R1 − s ≥ R2: the better arm alone
    proof.check(
        "Two arms, R₁ > R₂, any baseline b < R₁: zero price is a positive multiple of ∇J, so the cosine is +1.",
        sp.expand(both - gradient) == sp.zeros(2, 1) and sp.expand(better * gap - slack * gradient) == sp.zeros(2, 1),
        latex=r"K=2:\quad z = \pi_1\pi_2\,\{(R_1-b)_+-(R_2-b)_+\}\,(1,-1) \parallel \nabla J",
    )


def _kept_off_the_gap() -> list[bool]:
    """Test criterion and conclusion, in rationals, on a grid of three-arm policies, rewards and baselines."""
    grid = [Fraction(i, 3) for i in range(4)]
    policies = [
        (Fraction(i, 6), Fraction(j, 6), Fraction(6 - i - j, 6)) for i in range(1, 5) for j in range(1, 6 - i)
    ]
    bases = (Fraction(0), Fraction(1, 4), Fraction(3, 5))
    agrees = []
    for policy, rewards, base in product(policies, product(grid, repeat=3), bases):
        if base >= max(rewards):
            continue
        mean = sum(q * r for q, r in zip(policy, rewards, strict=True))
        kept = [max(r - base, Fraction(0)) for r in rewards]
        mean_kept = sum(q * k for q, k in zip(policy, kept, strict=True))
        in_gap = [mean < reward < base + mean_kept for reward in rewards]
        opposite = [(k - mean_kept) * (r - mean) < 0 for r, k in zip(rewards, kept, strict=True)]
        inner = sum(q**2 * (k - mean_kept) * (r - mean) for q, r, k in zip(policy, rewards, kept, strict=True))
        agrees.append(opposite == in_gap and (any(in_gap) or len(set(rewards)) == 1 or inner > 0))
    return agrees


def _sufficient(proof: Proof) -> sp.Expr:
    """When the direction is kept, exactly or within a right angle."""
    on_grid = _kept_off_the_gap()
    high, low, base, mass = sp.symbols("R_high R_low b P", positive=True)
    q = sp.Symbol("q", positive=True)
    scale = (high - base) / (high - low)
    kept_good, kept_bad = q * ((high - base) - mass * (high - base)), q * (0 - mass * (high - base))
    mean = mass * high + (1 - mass) * low
    for name, left, reward in (("high", kept_good, high), ("low", kept_bad, low)):
        proof.identity(
            f"Two reward levels, R_low ≤ b < R_high, any policy and any number of good arms: on an arm of {name} "
            f"reward z "
            "is a fixed multiple of ∇J, so the direction is kept exactly.",
            left,
            scale * q * (reward - mean),
            latex=r"z = \frac{R_{\mathrm{high}}-b}{R_{\mathrm{high}}-R_{\mathrm{low}}}\,\nabla J",
        )
    proof.argue(
        "Graded rewards, b < max R: arm a's coordinates have opposite signs iff E R < R(a) < b + E(R−b)₊. If no "
        "arm's reward lies strictly in that gap and the rewards are not all equal, ⟨z,∇J⟩ > 0.",
        "E U₊ ≥ max(E U, 0) by convexity, and E U₊ > 0. If U(a) ≤ E U then U₊(a) ≤ max(E U, 0) ≤ E U₊; if U(a) ≥ E "
        "U₊ then U₊(a) = U(a) ≥ E U₊ ≥ E U; in the gap U₊(a) < E U₊ and U(a) > E U. So off the gap every term of Σ "
        "π_a²(U₊−E U₊)(U−E U) is ≥ 0. The arm of largest U has U > E U; were its term 0 it would have U₊ = E U₊, so "
        "U₊ would be constant and positive, and U constant.",
        every(on_grid),
        latex=r"\operatorname{sign} z_a = -\operatorname{sign}(\nabla J)_a \iff \mathbb E R < R(a) < b+\mathbb "
        r"E(R-b)_+",
        points=len(on_grid),
    )
    weights = sp.symbols("pi1:4", positive=True)
    kept, advantage = sp.symbols("k1:4"), sp.symbols("U1:4")
    closing = {weights[2]: 1 - weights[0] - weights[1]}
    means = [sum(w * v for w, v in zip(weights, values, strict=True)) for values in (kept, advantage)]
    covariance = sum(w * (k - means[0]) * (u - means[1]) for w, k, u in zip(weights, kept, advantage, strict=True))
    pairs = sum(
        weights[i] * weights[j] * (kept[i] - kept[j]) * (advantage[i] - advantage[j])
        for i in range(3)
        for j in range(i + 1, 3)
    )
    proof.identity(
        "In the natural-gradient metric, where π_a² becomes π_a, zero price never turns by more than a right angle: "
        "the inner product is Cov(U₊, U), a sum of products (U₊(a)−U₊(c))(U(a)−U(c)) ≥ 0. The same holds for a "
        "uniform policy.",
        covariance.subs(closing),
        pairs.subs(closing),
        latex=r"z^\top F^{-1}\nabla J = \operatorname{Cov}(U_+,U)"
        r" = \sum_{a<c}\pi_a\pi_c\{U_+(a)-U_+(c)\}\{U(a)-U(c)\}\ge0",
    )
    return scale


def derive() -> Derivation:
    """Derive the angle of the zero-price direction for graded rewards, its worst case, and when it is kept."""
    proof = Proof(
        "graded-rewards",
        "With graded rewards the zero-price direction z need not be ∇J's. In an explicit family the cosine is "
        "negative from K = 61 and tends to exactly −1 as K → ∞; three arms can be negative; two arms are always +1. "
        "It is +1 for two reward levels, and positive if no arm's reward lies strictly between E R and b + E(R−b)₊.",
        (
            "a softmax bandit with deterministic rewards per arm and the true logit gradient ∇J",
            "zero price keeps U > 0; in the examples b = E R, elsewhere any constant b < max R",
            "family: arm A (probability .4, R = .3), n arms sharing .1 with R = 1, n arms sharing .5 with R = 0",
        ),
    )
    _coordinates(proof)
    cosine, first = _family(proof)
    example, limit = _three_arms(proof)
    _two_arms(proof)
    scale = _sufficient(proof)
    return proof.conclude(
        family_cosine=cosine,
        family_limit=sp.Integer(-1),
        family_first_negative_n=first,
        three_arm_cosine=example,
        three_arm_limit=limit,
        two_level_scale=scale,
    )
