"""How the mean gradient is shared among many contexts, and when a gate shares it more like cross-entropy.

Source: [DG Prop. 2] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608) for the oracle, PG and DG; the Kondo
gate, its best price and both limits of the comparison with PG are this project's.
"""

from __future__ import annotations

import itertools

import sympy as sp

from kondo_theory.derivations import context_delightful as delightful
from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.context_delightful import cosine_squared as _cosine_squared
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import K, b, p

__all__ = ["derive"]

_A, _Q, _w = sp.symbols("A Q w", positive=True)  # Σ_S wp, Σ_S wp², one context's ‖d‖²
_P1, _P2, _K1, _K2 = sp.symbols("p1 p2 K1 K2", positive=True)  # of two contexts
_W1, _W2 = sp.symbols("w1 w2", positive=True)
_HALF = sp.Rational(1, 2)
_GROUPS: tuple[tuple[tuple[int, int, int], ...], ...] = (  # contexts (p in percent, K, how often), for enumeration
    ((10, 2, 1), (30, 2, 1), (90, 2, 1)),
    ((5, 3, 1), (12, 10, 1), (40, 3, 1), (41, 3, 1), (80, 10, 1)),
    ((20, 2, 1), (20, 5, 1), (45, 2, 1), (60, 5, 1), (61, 2, 1), (95, 2, 1)),
    ((10, 2, 2), (35, 2, 1)),
    ((1, 4, 1), (3, 4, 2), (7, 4, 1), (50, 4, 3), (99, 4, 1)),
)


def _critical(mass: sp.Expr, square: sp.Expr) -> sp.Expr:
    """Return the claimed p_c from Σ_S wp and Σ_S wp²."""
    return 2 * square / mass


def _blocks(proof: Proof) -> None:
    """Gradients of one context, and the cosine of their concatenation."""
    logits = sp.symbols("z0:4", real=True)
    normaliser = sum(sp.exp(z) for z in logits)
    oracle = [sp.diff(logits[0] - sp.log(normaliser), z) for z in logits]
    scores = [int(i == 0) - sp.exp(z) / normaliser for i, z in enumerate(logits)]
    proof.check(
        "Cross-entropy's gradient of log π(y*) in the logits is d = e_{y*} − π: weight c = 1 (any four logits).",
        every(sp.simplify(left - right) == 0 for left, right in zip(oracle, scores, strict=True)),
        latex=r"\nabla_z\log\pi(y^*) = e_{y^*}-\pi = d",
    )
    d, wrong, q = context.correct_score(), context.wrong_score(), context.wrong_probability
    right_part, wrong_part = p * context.w_plus * (1 - b), -q * context.w_minus * b
    mean = (
        right_part * d.correct + (K - 1) * wrong_part * wrong.correct,
        right_part * d.rest + wrong_part * (wrong.marked + (K - 2) * wrong.rest),
    )
    for name, found, along in (("y*", mean[0], d.correct), ("a wrong arm", mean[1], d.rest)):
        proof.identity(
            f"E[g] = pκ·d, K symbolic, summed over the arms: its component on {name}; c = p(w₊(1−b) + w₋b).",
            found,
            p * context.kappa() * along,
            latex=r"c = p\{w_+(1-b)+w_-b\}",
        )
    pg = {context.w_plus: 1, context.w_minus: 1}
    proof.identity(
        "PG has w₊ = w₋ = 1: c = p, whatever b.", mean[0].subs(pg), p * d.correct, latex=r"w_\pm=1:\ c = p"
    )
    plus, minus = context.delights_on_domain()
    proof.check(
        "For 0 < b < 1 a correct arm has χ > 0 and a wrong one χ < 0 (at b = 0, χ = 0): a hard gate at λ ≥ 0 has w₋ "
        "= 0, and w₊ = 1 iff χ > λ.",
        plus.is_positive is True and minus.is_negative is True,
        latex=r"c_n = p_n(1-b_n)\mathbb{1}\{\chi_n>\lambda\},\qquad \chi_n=-(1-b_n)\log p_n",
    )
    proof.identity(
        "Blocks are orthogonal with ‖d_n‖² = w_n, so cos = Σwc/√(Σwc²·Σw).",
        d.dot(d),
        context.epsilon**2 * context.alpha_squared,
        latex=r"\cos = \frac{\sum_n w_nc_n}{\sqrt{\sum_n w_nc_n^2\,\sum_n w_n}},\qquad w_n=\varepsilon_n^2\alpha_n^2",
    )
    two = ((_P1, _W1), (_P2, _W2))
    proof.identity(
        "Common factors of c cancel: with a constant baseline zero price has PG's cosine (two contexts, any K).",
        _cosine_squared(two, ((1 - b) * _P1, (1 - b) * _P2)),
        _cosine_squared(two, (_P1, _P2)),
    )


def _best_set(proof: Proof) -> None:
    """Derive the kept set that maximises the cosine, constant baseline."""
    added = (_A + _w * p) ** 2 * _Q - _A**2 * (_Q + _w * p**2)
    removed = (_A - _w * p) ** 2 * _Q - _A**2 * (_Q - _w * p**2)
    critical = _critical(_A, _Q)
    proof.identity(
        "With A = Σ_S wp, Q = Σ_S wp²: adding a context raises A²/Q iff p < p_c(1 + wp/2A), p_c = 2Q/A.",
        added,
        _w * p * _A**2 * (critical * (1 + _w * p / (2 * _A)) - p),
    )
    proof.identity(
        "Removing one raises A²/Q iff p > p_c(1 − wp/2A).",
        removed,
        -_w * p * _A**2 * (critical * (1 - _w * p / (2 * _A)) - p),
    )
    checked, unique = _exhaustive()
    proof.argue(
        "So in a best set every kept context has p < p_c and every other p > p_c, strictly: S = {p ≤ p_c}. A price "
        "makes that set, since χ = −(1−b) log p falls with p.",
        "at a maximum no single addition or removal may raise A²/Q: kept contexts have p ≤ p_c(1 − wp/2A) < p_c, "
        "others p ≥ p_c(1 + wp/2A) > p_c; a set of one has p_c = 2p. Beside it all subsets of some groups are "
        "enumerated",
        checked,
        latex=r"p_c = \frac{2\sum_S wp^2}{\sum_S wp}",
        points=len(_GROUPS),
    )
    greatest, least = _prefixes(5, 1), _prefixes(1, 20)
    proof.check(
        "The condition is not sufficient: both {p = 0.1} and {0.1, 0.35} satisfy it, and at w = (5, 1) the smaller "
        "is best, at (1, 20) the larger. So the fixed point must be chosen by its cosine, among all prefixes.",
        greatest == (True, True, False) and least == (True, True, True) and not unique,
        latex=r"S=\{p\le p_c(S)\}\ \text{has several solutions}",
    )


def _prefixes(w1: int, w2: int) -> tuple[bool, bool, bool]:
    """For p = (0.1, 0.35): whether the small and the large prefix satisfy the condition, and the large is better."""
    p1, p2 = sp.Rational(1, 10), sp.Rational(35, 100)
    first, second = w1 * p1 + w2 * p2, w1 * p1**2 + w2 * p2**2
    alone = _critical(w1 * p1, w1 * p1**2)
    return bool(p1 <= alone < p2), bool(_critical(first, second) >= p2), bool(first**2 / second > w1)


def _exhaustive() -> tuple[bool, bool]:
    """Enumerate all subsets in rationals: (the best is {p ≤ p_c} and a prefix, the fixed point is always unique)."""
    holds, unique = True, True
    for spec in _GROUPS:
        group = tuple(
            (sp.Rational(q, 100), n * (1 - sp.Rational(q, 100)) ** 2 * sp.Rational(k, k - 1)) for q, k, n in spec
        )
        scores, fixed = {}, []
        for kept in itertools.product((0, 1), repeat=len(group)):
            if not any(kept):
                continue
            first = sum(k * w * q for k, (q, w) in zip(kept, group, strict=True))
            second = sum(k * w * q**2 for k, (q, w) in zip(kept, group, strict=True))
            scores[kept] = first**2 / second
            if every((q <= _critical(first, second)) == bool(k) for k, (q, _) in zip(kept, group, strict=True)):
                fixed.append(kept)
        best = max(scores, key=lambda kept: scores[kept])
        holds = holds and best in fixed
        unique = unique and len(fixed) == 1
    return holds, unique


def _compression(proof: Proof) -> None:
    """Weights that are less spread out give a larger cosine, and the two uses of it."""
    m, x, y = sp.symbols("m0:3", positive=True), sp.symbols("x0:3", real=True), sp.symbols("y0:3", real=True)
    total = sum(m)
    product = sum(a * u for a, u in zip(m, x, strict=True)) * sum(a * v for a, v in zip(m, y, strict=True))
    both = total * sum(a * u * v for a, u, v in zip(m, x, y, strict=True))
    pairs = sum(m[i] * m[j] * (x[i] - x[j]) * (y[i] - y[j]) for i in range(3) for j in range(i))
    proof.identity(
        "Chebyshev's sum identity, here for three terms; both sides are sums over pairs of terms, so for any number.",
        both - product,
        pairs,
        latex=r"\sum m\sum mxy-\sum mx\sum my=\tfrac12\sum_{ij}m_im_j(x_i-x_j)(y_i-y_j)",
    )
    c, rise, fall, gain = sp.symbols("c s r v", positive=True)  # c₂ = c₁ + s, h₁ = h₂ + r, c₂h₂ = c₁h₁ + v
    h2 = (c * fall + gain) / rise
    group = ((p, _W1), (p, _W2))
    larger = _cosine_squared(group, (c * (h2 + fall), (c + rise) * h2)) - _cosine_squared(group, (c, c + rise))
    proof.check(
        "Two contexts: if c′ = c·h with h falling and c′ rising in c, then cos(c′) > cos(c).",
        sp.factor(sp.together(larger)).is_positive,
        latex=r"c_1<c_2,\ h_1>h_2,\ c_1h_1<c_2h_2\ \Rightarrow\ \cos(ch)>\cos(c)",
    )
    proof.argue(
        "Compression lemma, any number of contexts: then cos(c′) ≥ cos(c).",
        "Chebyshev's sum identity, twice, under masses wc: opposite monotone pairs give E[ch·h] ≤ E[ch]E[h] and "
        "E[ch] ≤ E[c]E[h], so E[ch²] ≤ E[c]E[h]², which is (Σwc′)²Σwc² ≥ (Σwc)²Σwc′²",
        latex=r"c'=ch:\quad \cos(c')\ge\cos(c)",
    )
    proof.identity(
        "Zero price with the value baseline has c′ = pκ = p(1−p): h = 1 − p falls, c′ rises up to p = 1/2. So with "
        "all p_n ≤ 1/2 it is at least as close as PG, whatever the K_n.",
        sp.Derivative(p * context.kappa(p, sp.Integer(1), sp.Integer(0)), p),
        1 - 2 * p,
    )
    value = _two(sp.Rational(1, 10), sp.Rational(9, 10)), _two(sp.Rational(9, 10), sp.Rational(99, 100))
    proof.check(
        "Otherwise it can be better or worse: p = (0.1, 0.9) gives cosine 1, p = (0.9, 0.99) less than PG's.",
        bool(value[0][1] > value[0][0]) and bool(value[1][1] < value[1][0]),
        latex=r"\cos^2_{b=p}(0.1,0.9)=1,\qquad \cos^2_{b=p}(0.9,0.99)<\cos^2_{\mathrm{PG}}(0.9,0.99)",
    )


def _two(first: sp.Rational, second: sp.Rational) -> tuple[sp.Expr, sp.Expr]:
    """Return cos²·Σw of PG and of zero price with the value baseline for two contexts, one K."""
    group = tuple((q, (1 - q) ** 2) for q in (first, second))
    return _cosine_squared(group, (first, second)), _cosine_squared(
        group, (first * (1 - first), second * (1 - second))
    )


def _confidence(proof: Proof) -> None:
    """With the confidence baseline a price orders contexts by p for K ≥ 3, not at K = 2."""
    baseline = p**2 + (1 - p) ** 2 / (K - 1)
    proof.identity(
        "The confidence baseline falls up to p = 1/K and rises after it.",
        sp.Derivative(baseline, p),
        2 * (K * p - 1) / (K - 1),
    )
    two = -(1 - baseline.subs(K, 2)) * sp.log(p)
    slope = sp.diff(two, p)
    more = sp.Symbol("m", nonnegative=True)  # K − 3
    room = (1 - 1 / (K - 1) - 2 / (sp.E * (K - 1))).subs(K, 3 + more)
    proof.argue(
        "For K ≥ 3 χ falls with p, as with a constant or value baseline; at K = 2 χ = −2p(1−p) log p rises first, "
        "and a price drops the contexts of smallest p as well.",
        "χ′ = −b′·L − (1−b)/p, L = −log p: for p ≥ 1/K both terms are negative; below, pL ≤ 1/e gives −pb′L ≤ "
        "2/(e(K−1)), and b ≤ 1/(K−1), its value at 0, gives 1 − b ≥ 1 − 1/(K−1): larger, as 2/e < 1 ≤ K − 2",
        sp.expand(two + 2 * p * (1 - p) * sp.log(p)) == 0
        and sp.limit(slope, p, 0) == sp.oo
        and slope.subs(p, _HALF) == -1
        and (1 - 2 / sp.E).is_positive is True
        and sp.cancel(room * (K - 1).subs(K, 3 + more) - (more + 1 - 2 / sp.E)) == 0,
        latex=r"K=2:\ \chi=-2p(1-p)\log p",
    )


def derive() -> Derivation:
    """Derive the weights, the cosine, the best price, and when DG and zero price beat PG."""
    proof = Proof(
        "context-allocation",
        "Every method moves context n by c_n d_n: cosine to cross-entropy Σwc/√(Σwc²Σw), w = ‖d‖². With a constant "
        "baseline zero price equals PG and the best price keeps {p ≤ p_c}; with one K DG is at least as close as PG "
        "while p·κ(p) rises, and farther in the limit p_n → 1.",
        (
            "independent contexts, equally frequent, each with one correct arm and equally likely wrong ones, 0 < "
            "p_n < 1",
            "expected gradients in the logits of all contexts, R = 1{a = y*}, 0 ≤ b_n < 1, price λ ≥ 0",
            "DG against PG while p·κ(p) rises: one K and one b ≤ η for all contexts",
        ),
    )
    _blocks(proof)
    _best_set(proof)
    _compression(proof)
    delightful.while_weights_rise(proof)
    delightful.near_one(proof)
    _confidence(proof)
    kappa = context.kappa()
    masses = [(1 - q) ** 2 * arms / (arms - 1) * q for q, arms in ((_P1, _K1), (_P2, _K2))]
    return proof.conclude(
        pg_weight=p,
        gated_weight=p * kappa,
        zero_price_weight=p * (1 - b),
        critical_probability=_critical(sum(masses), masses[0] * _P1 + masses[1] * _P2),
        squared_length=context.epsilon**2 * context.alpha_squared,
    )
