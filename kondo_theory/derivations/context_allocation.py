"""How the mean gradient is shared among many contexts, and when a gate shares it more like cross-entropy.

Source: [DG Prop. 2] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608) for the oracle, PG and DG; the Kondo
gate, its best price and both limits of the comparison with PG are this project's.
"""

from __future__ import annotations

import itertools

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p

__all__ = ["derive"]

_A, _Q, _w = sp.symbols("A Q w", positive=True)  # Σ_S wp, Σ_S wp², one context's ‖d‖²
_HALF = sp.Rational(1, 2)
_GROUPS: tuple[tuple[tuple[int, int, int], ...], ...] = (  # contexts (p in percent, K, how often), for enumeration
    ((10, 2, 1), (30, 2, 1), (90, 2, 1)),
    ((5, 3, 1), (12, 10, 1), (40, 3, 1), (41, 3, 1), (80, 10, 1)),
    ((20, 2, 1), (20, 5, 1), (45, 2, 1), (60, 5, 1), (61, 2, 1), (95, 2, 1)),
    ((10, 2, 2), (35, 2, 1)),
    ((1, 4, 1), (3, 4, 2), (7, 4, 1), (50, 4, 3), (99, 4, 1)),
)

Group = tuple[tuple[sp.Rational, sp.Rational], ...]
"""(p, w) of each context."""


def _cosine_squared(group: Group, weights: tuple[sp.Expr, ...]) -> sp.Expr:
    """Return cos² to cross-entropy times Σw, from the inner products of the blocks."""
    mean = sum(w * c for (_, w), c in zip(group, weights, strict=True))
    square = sum(w * c**2 for (_, w), c in zip(group, weights, strict=True))
    return mean**2 / square


def _blocks(proof: Proof) -> None:
    """Gradients of one context, and the cosine of their concatenation."""
    logits = sp.symbols("z0:4", real=True)
    normaliser = sum(sp.exp(z) for z in logits)
    oracle = [sp.diff(logits[0] - sp.log(normaliser), z) for z in logits]
    scores = [int(i == 0) - sp.exp(z) / normaliser for i, z in enumerate(logits)]
    proof.check(
        "Cross-entropy's gradient of log π(y*) in the logits is d = e_{y*} − π: weight c = 1.",
        all(sp.simplify(left - right) == 0 for left, right in zip(oracle, scores, strict=True)),
        latex=r"\nabla_z\log\pi(y^*) = e_{y^*}-\pi = d",
    )
    kappa = context.kappa()
    for n_arms in (2, 3, 4):
        first = context.by_sign(context.w_plus, context.w_minus, n_arms)
        mean = ExplicitContext.symmetric(n_arms).moments(b, first, first).mean
        d = ExplicitContext.symmetric(n_arms).score(0)
        proof.check(
            f"E[g] = pκ·d by enumeration of K = {n_arms} arms: c = p(w₊(1−b) + w₋b).",
            all(sp.cancel(entry) == 0 for entry in mean - p * kappa * d),
            latex=r"c = p\{w_+(1-b)+w_-b\}",
        )
    proof.identity("PG has w₊ = w₋ = 1: c = p, whatever b.", kappa.subs({context.w_plus: 1, context.w_minus: 1}), 1)
    proof.identity(
        "A hard gate at λ ≥ 0 drops wrong arms (χ ≤ 0) and keeps a correct one iff χ > λ.",
        kappa.subs({context.w_plus: 1, context.w_minus: 0}),
        1 - b,
        latex=r"c_n = p_n(1-b_n)\mathbb{1}\{\chi_n>\lambda\},\qquad \chi_n=-(1-b_n)\log p_n",
    )
    proof.argue(
        "Blocks are orthogonal, ‖d_n‖² = w_n, so cos = Σwc/√(Σwc²·Σw); common factors of c cancel: with a constant "
        "baseline zero price has c_n = (1−b)p_n and PG's cosine.",
        "inner products of concatenated vectors add up block by block",
        sp.simplify(_cosine_squared(((p, _w),), ((1 - b) * p,)) - _cosine_squared(((p, _w),), (p,))) == 0,
        latex=r"\cos = \frac{\sum_n w_nc_n}{\sqrt{\sum_n w_nc_n^2\,\sum_n w_n}},\qquad w_n=\varepsilon_n^2\alpha_n^2",
    )


def _best_set(proof: Proof) -> None:
    """Derive the kept set that maximises the cosine, constant baseline."""
    added = (_A + _w * p) ** 2 * _Q - _A**2 * (_Q + _w * p**2)
    removed = (_A - _w * p) ** 2 * _Q - _A**2 * (_Q - _w * p**2)
    critical = 2 * _Q / _A
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
        "others p ≥ p_c(1 + wp/2A) > p_c; a set of one has p_c = 2p. Checked by exact enumeration of all subsets of "
        f"{len(_GROUPS)} groups",
        checked,
        latex=r"p_c = \frac{2\sum_S wp^2}{\sum_S wp}",
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
    return bool(2 * p1 < p2), bool(2 * second / first >= p2), bool(first**2 / second > w1)


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
            if all((q <= 2 * second / first) == bool(k) for k, (q, _) in zip(kept, group, strict=True)):
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
    proof.argue(
        "Compression lemma: if c′ = c·h with h falling and c′ rising in c, then cos(c′) ≥ cos(c).",
        "Chebyshev's sum identity, twice, under masses wc: opposite monotone pairs give E[ch·h] ≤ E[ch]E[h] and "
        "E[ch] ≤ E[c]E[h], so E[ch²] ≤ E[c]E[h]², which is (Σwc′)²Σwc² ≥ (Σwc)²Σwc′²; the identity is checked for "
        "three",
        sp.expand(both - product - pairs) == 0,
        latex=r"\sum m\sum mxy-\sum mx\sum my=\tfrac12\sum_{ij}m_im_j(x_i-x_j)(y_i-y_j)",
    )
    proof.identity(
        "Zero price with the value baseline has c′ = p(1−p) = p·h: h falls, c′ rises up to p = 1/2. So with all p_n "
        "≤ 1/2 it is at least as close as PG.",
        sp.diff(p * (1 - p), p),
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


def _delightful(proof: Proof) -> None:
    """DG against PG: the range in which it is closer, and where it is not."""
    up, down = sp.symbols("a beta", positive=True)
    u = p**up
    right = p / (1 + u)
    proof.identity(
        "DG's correct part p·w₊, w₊ = 1/(1 + p^a), a = (1−b)/η, is concave: its second derivative has the sign of "
        "−(1 + a) + (a − 1)p^a < 0.",
        sp.diff(right, p, 2),
        up * p ** (up - 1) * (-(1 + up) + (up - 1) * u) / (1 + u) ** 3,
    )
    error, arms = sp.symbols("epsilon C", positive=True)
    wrong = error**down / (error**down + arms)
    proof.identity(
        "The wrong part p·w₋, w₋ = ε^β/(ε^β + (K−1)^β), β = b/η: w₋ rises with ε, and is concave in it for β ≤ 1; "
        "then (p·w₋)″ = −2w₋′ + p·w₋″ < 0.",
        sp.diff(wrong, error, 2),
        arms
        * down
        * error ** (down - 2)
        * ((down - 1) * arms - (down + 1) * error**down)
        / (error**down + arms) ** 3,
    )
    proof.argue(
        "κ = w₊(1−b) + w₋b falls with p. So for b ≤ η, p·κ is concave and rises up to one turning point P: by the "
        "lemma DG is at least as close as PG if every p_n ≤ P.",
        "w₊ = 1/(1 + p^a) falls with p, w₋ rises with ε = 1 − p; a concave function that vanishes at 0 and is "
        "positive rises up to its only maximum",
        sp.simplify(sp.diff(wrong, error) - arms * down * error ** (down - 1) / (error**down + arms) ** 2) == 0,
        latex=r"c'=p\,\kappa(p),\quad \kappa'<0",
    )
    kappa = (1 - b) / (1 + (1 - error) ** (_HALF)) + b * sp.sqrt(error) / (sp.sqrt(error) + sp.sqrt(K - 1))
    spread = ((1 - error) * kappa / ((1 - b) / 2) - 1).subs(b, _HALF)
    limit = sp.limit(spread.subs(K, 10) / sp.sqrt(error), error, 0, "+")
    proof.argue(
        "All p_n near one and 0 < b < η: DG's weights spread like ε^β, PG's like ε, so its gap to cross-entropy, "
        "half the squared relative spread, is of order ε^{2β} against ε²: DG is farther than PG.",
        "p·κ = ½(1−b)(1 + O(ε)) + b(ε/(K−1))^β(1 + o(1)), and 1 − cos ~ ½Var(c)/E[c]²; the coefficient of ε^β, "
        "2b/((1−b)(K−1)^β), is checked at b = 1/2, η = 1, K = 10",
        sp.simplify(limit - sp.Rational(2, 3)) == 0,
        latex=r"\frac{c_{\mathrm{DG}}}{(1-b)/2} ="
        r" 1+\frac{2b}{1-b}\Bigl(\frac{\varepsilon}{K-1}\Bigr)^{b/\eta}+O(\varepsilon)",
    )
    value = error / (1 + (1 - error) ** error) + (1 - error) / (1 + (9 / error) ** (1 - error))
    slopes = [float((value / error).subs(error, sp.Float(10, 40) ** -n).evalf(30)) for n in (6, 9, 12)]
    proof.argue(
        "With the value baseline at η = 1 DG's weights fall like ε near one, (1/2 + 1/(K−1))·ε, as zero price's do: "
        "both are farther than PG there.",
        "w₊ → 1/2 multiplies 1 − b = ε, and w₋ = (1 + ((K−1)/ε)^p)^{−1} ~ ε/(K−1) because ε^ε → 1; the ratio κ/ε is "
        "checked at K = 10 for ε = 1e-6, 1e-9, 1e-12",
        all(abs(found - 11 / 18) < 100 * 10.0**-n for found, n in zip(slopes, (5, 8, 11), strict=True)),
        latex=r"b=p:\ \kappa\sim\Bigl(\tfrac12+\tfrac1{K-1}\Bigr)\varepsilon",
    )


def _confidence(proof: Proof) -> None:
    """With the confidence baseline a price orders contexts by p for K ≥ 3, not at K = 2."""
    baseline = p**2 + (1 - p) ** 2 / (K - 1)
    proof.identity(
        "The confidence baseline falls up to p = 1/K and rises after it.",
        sp.diff(baseline, p),
        2 * (K * p - 1) / (K - 1),
    )
    two = -(1 - baseline.subs(K, 2)) * sp.log(p)
    rising = two.subs(p, sp.Rational(1, 10)) - two.subs(p, sp.Rational(1, 100))
    falling = two.subs(p, sp.Rational(9, 10)) - two.subs(p, _HALF)
    proof.argue(
        "For K ≥ 3 χ falls with p, as with a constant or value baseline; at K = 2 χ = −2p(1−p) log p rises first, "
        "and a price drops the contexts of smallest p as well.",
        "χ′ = −b′·L − (1−b)/p, L = −log p: for p ≥ 1/K both terms are negative; below, pL ≤ 1/e gives −pb′L < "
        "2/(e(K−1)) ≤ 1/e, while 1 − b ≥ 1 − 1/(K−1) ≥ 1/2",
        bool(rising > 0) and bool(falling < 0) and bool(2 / (2 * sp.E) < _HALF),
        latex=r"K=2:\ \chi=-2p(1-p)\log p",
    )


def derive() -> Derivation:
    """Derive the weights, the cosine, the best price, and when DG and zero price beat PG."""
    proof = Proof(
        "context-allocation",
        "Every method moves context n by c_n d_n: cosine to cross-entropy Σwc/√(Σwc²Σw), w = ‖d‖². With a constant "
        "baseline zero price equals PG and the best price keeps {p ≤ p_c}; DG is closer than PG while p·κ(p) rises.",
        (
            "independent contexts, equally frequent, each with one correct arm and equally likely wrong ones, 0 < "
            "p_n < 1",
            "expected gradients in the logits of all contexts, R = 1{a = y*}, 0 ≤ b_n < 1, price λ ≥ 0",
        ),
    )
    _blocks(proof)
    _best_set(proof)
    _compression(proof)
    _delightful(proof)
    _confidence(proof)
    kappa = context.kappa()
    return proof.conclude(
        pg_weight=p,
        gated_weight=p * kappa,
        zero_price_weight=p * (1 - b),
        critical_probability=2 * _Q / _A,
        squared_length=context.epsilon**2 * context.alpha_squared,
    )
