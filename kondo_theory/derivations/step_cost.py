"""What a gated step costs logically and physically, and how few rows of tokens a token gate can skip.

Source: the cost model is [KG §4] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); the physical
accounting, the survival of rows and the bound for clustered keeps are this project's.
"""

from __future__ import annotations

import itertools

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_c, _s, _n, _ratio = sp.symbols("c s n r_N", positive=True)  # backward, screening, kept tokens, N_ref/N_gate
_rho = sp.Symbol("rho", positive=True)
_T = sp.Symbol("T", integer=True, positive=True)
_FULL = 1 + _c
_LOGICAL = 1 + _rho * _c
_PHYSICAL = _s + _rho * (1 + _c)


def _accounting(proof: Proof) -> None:
    """Costs, the break-even rate and the limits of the speed-up."""
    forwards, backwards = sp.symbols("F R", positive=True)
    proof.identity(
        "A screened step of F samples and R kept: sF for screening, then (1 + c)R with a graph; per sample, ρ = R/F.",
        (_s * forwards + (1 + _c) * backwards) / forwards,
        _PHYSICAL.subs(_rho, backwards / forwards),
    )
    even = sp.solve(sp.Eq(_PHYSICAL, _FULL), _rho)
    proof.check(
        "Physical cost is linear and rising in ρ, and meets the full step at ρ = 1 − s/(1 + c) alone.",
        len(even) == 1
        and sp.simplify(even[0] - (1 - _s / (1 + _c))) == 0
        and sp.diff(_PHYSICAL, _rho).is_positive is True,
        latex=r"s+\rho(1+c)<1+c \iff \rho<1-\frac{s}{1+c}",
    )
    proof.identity(
        "Physical exceeds logical accounting by s − 1 + ρ: by ρ forward passes if screening is a full one.",
        _PHYSICAL - _LOGICAL,
        _s - 1 + _rho,
    )
    logical, physical = _ratio * _FULL / _LOGICAL, _ratio * _FULL / _PHYSICAL
    for name, gain, low, high in (
        ("Logical", logical, _ratio, _ratio / _rho),
        ("Physical", physical, _ratio / (_s + _rho), _ratio / _rho),
    ):
        slope = sp.factor(sp.diff(gain, _c).subs(_rho, 1 / (1 + _n)))
        proof.check(
            f"{name} speed-up rises with c (ρ < 1), from {sp.latex(low)} at c = 0 towards {sp.latex(high)}.",
            slope.is_positive is True
            and sp.simplify(gain.subs(_c, 0) - low) == 0
            and sp.simplify(sp.limit(gain, _c, sp.oo) - high) == 0,
            latex=sp.latex(gain),
        )


def _published(proof: Proof) -> None:
    """Derive what the published speed-ups say about forward samples."""
    rate = sp.Rational(3, 100)
    per_sample = {c: ((1 + c) / (1 + rate * c), (1 + c) / (1 + rate * (1 + c))) for c in (4, 8)}
    bands = [
        ((size - _HALF) / per_sample[c][account], (size + _HALF) / per_sample[c][account])
        for account in (0, 1)
        for c, size in ((4, 6), (8, 10))
    ]
    proof.check(
        "Published about 6x at c = 4 and 10x at c = 8 at ρ = 3 % stand for one N_PG/N_gate: 1.31 to 1.45 logically, "
        "1.34 to 1.48 physically, rounding allowed for; a ratio of 2 would give 8.9x and 14.5x.",
        all(max(bands[i][0], bands[i + 1][0]) < min(bands[i][1], bands[i + 1][1]) < 2 for i in (0, 2))
        and abs(float(bands[1][0]) - 1.309) < 1e-3
        and abs(float(bands[1][1]) - 1.447) < 1e-3
        and abs(float(2 * per_sample[4][0]) - 8.93) < 0.01
        and abs(float(2 * per_sample[8][0]) - 14.52) < 0.01,
        latex=r"\frac{N_{\mathrm{ref}}}{N_{\mathrm{gate}}}=\text{speed-up}\cdot\frac{1+\rho c}{1+c}",
    )


_HALF = sp.Rational(1, 2)


def _tokens(proof: Proof) -> None:
    """Survival of a row and length of the prefix, independent keeps."""
    q = sp.Symbol("q", positive=True)  # 1 − ρ
    length = _prefix().subs(_rho, 1 - q)
    step = sp.simplify(length.subs(_T, _T + 1) - length - (1 - q ** (_T + 1)))
    proof.argue(
        "E[last kept position] = Σ_t P(a token at t or after is kept) = Σ_{j=1}^T (1 − (1−ρ)^j) = T − "
        "(1−ρ)(1−(1−ρ)^T)/ρ.",
        "a nonnegative integer's mean is the sum of its tail probabilities; the sum is checked by induction on T "
        "and by enumerating all keep patterns of up to 6 tokens",
        step == 0 and sp.simplify(length.subs(_T, 1) - (1 - q)) == 0 and _enumerated(),
        latex=r"\mathbb{E}[L] = T-\frac{(1-\rho)\{1-(1-\rho)^T\}}{\rho}",
    )
    proof.check(
        "A row survives with probability 1 − (1−ρ)^T: 26 % at ρ = 3 %, T = 10.",
        bool(abs(float(_survival().subs({_rho: sp.Rational(3, 100), _T: 10})) - 0.2626) < 1e-4),
        latex=r"1-(1-\rho)^T",
    )
    series = sp.series(_prefix().subs(_T, 5), _rho, 0, 3).removeO()
    proof.identity(
        "For small ρ the prefix is ρT(T+1)/2: a kept token costs half a row, on average (T = 5).",
        sp.expand(series),
        15 * _rho - 20 * _rho**2,
    )


def _survival() -> sp.Expr:
    return 1 - (1 - _rho) ** _T


def _prefix() -> sp.Expr:
    return _T - (1 - _rho) * (1 - (1 - _rho) ** _T) / _rho


def _enumerated() -> bool:
    """Enumerate keep patterns and compare survival and prefix."""
    for tokens in range(1, 7):
        survive = prefix = sp.Integer(0)
        for pattern in itertools.product((0, 1), repeat=tokens):
            mass = _rho ** sum(pattern) * (1 - _rho) ** (tokens - sum(pattern))
            survive += mass * int(any(pattern))
            prefix += mass * max((t + 1 for t, kept in enumerate(pattern) if kept), default=0)
        differences = (survive - _survival().subs(_T, tokens), prefix - _prefix().subs(_T, tokens))
        if any(sp.cancel(sp.together(difference)) != 0 for difference in differences):
            return False
    return True


def _clusters(proof: Proof) -> None:
    """Fewer rows survive when keeps are positively orthant dependent; pairwise correlation is not enough."""
    theta, low, high, weight = sp.symbols("theta l h m", positive=True)
    proof.argue(
        "If each row has its own keep probability Θ of mean ρ, the same for its tokens, then E(1−Θ)^T ≥ (1−ρ)^T: "
        "fewer rows survive, and suffix by suffix the prefix is shorter.",
        "Jensen: (1−θ)^T is convex on [0, 1]",
        all(
            sp.expand(sp.diff((1 - theta) ** n, theta, 2) - n * (n - 1) * (1 - theta) ** (n - 2)) == 0
            for n in range(2, 8)
        ),
        latex=r"\mathbb{E}(1-\Theta)^T\ge(1-\rho)^T",
    )
    x1, x2, y1, y2 = low, low + high, theta, theta + weight  # both drop probabilities fall or rise together
    m = sp.Symbol("m1", positive=True)
    gap = (m * x1 * y1 + (1 - m) * x2 * y2) - (m * x1 + (1 - m) * x2) * (m * y1 + (1 - m) * y2)
    proof.argue(
        "Chances that differ by position need comonotonicity: if given Z keeps are independent and every P(G_t=0 | "
        "Z) is monotone in Z in one direction, P(none) ≥ Π P(G_t=0). So for a price λ > 0 and tokens that share an "
        "advantage: χ_t = U·ℓ_t > λ needs U > 0, ℓ_t > λ/U, likelier with larger U (ℓ_t independent of each other "
        "and U).",
        "Chebyshev's integral inequality by induction over t; two values of Z are checked",
        sp.simplify(gap - m * (1 - m) * high * weight) == 0,
        latex=r"P(\text{none})\ge\prod_tP(G_t=0)",
    )


def _limits(proof: Proof) -> None:
    """Show that pairwise correlation is not enough, bound any rule, and treat exactly-k selection."""
    even = {
        k: sp.Rational(1, 8) + (sp.Rational(1, 10) if sum(k) in (1, 3) else -sp.Rational(1, 10))
        for k in itertools.product((0, 1), repeat=3)
    }
    tilted = {k: v + (sp.Rational(1, 50) if len(set(k)) == 1 else -sp.Rational(1, 150)) for k, v in even.items()}
    rate = sum(v for k, v in tilted.items() if k[0])
    pair = sum(v for k, v in tilted.items() if k[0] and k[1])
    proof.check(
        "Pairwise positive correlation is not enough: three keeps of rate 1/2, each pair positively correlated, "
        "with P(none) = 9/200 < 1/8, so more rows survive.",
        min(tilted.values()) > 0
        and sum(tilted.values()) == 1
        and rate == _HALF
        and pair > _HALF**2
        and tilted[(0, 0, 0)] == sp.Rational(9, 200),
        latex=r"\operatorname{Cov}(G_s,G_t)>0\ \not\Rightarrow\ P(\text{none})\ge(1-\rho)^T",
    )
    total, kept = 12, 3
    ratio = [
        1 - sp.binomial(total - t, kept) / sp.binomial(total, kept) - (1 - (1 - sp.Rational(kept, total)) ** t)
        for t in range(2, 7)
    ]
    proof.argue(
        "Any rule: ρ ≤ P(row survives) ≤ min(1, Tρ). Exactly-k over the batch repels keeps: 1 − C(n−T,k)/C(n,k) "
        "exceeds 1 − (1−k/n)^T.",
        "one token's event is contained in the row's, and the union bound; C(n−T,k)/C(n,k) = Π_j (1 − k/(n−j)), "
        "each factor at most 1 − k/n; checked at n = 12, k = 3",
        all(gap > 0 for gap in ratio),
        latex=r"\prod_{j<T}\Bigl(1-\frac{k}{n-j}\Bigr)<\Bigl(1-\frac kn\Bigr)^T",
    )


def _models(proof: Proof) -> None:
    """Derive the two clustered models in closed form."""
    nu, r = sp.symbols("nu r", positive=True)
    x = sp.Symbol("x", positive=True)
    moments = []
    for tokens in (1, 2, 3):
        first, second = 2, 3  # Beta(2, 3): ρ = 2/5, ν = 5
        mean = sp.integrate(x ** (first - 1) * (1 - x) ** (second - 1 + tokens), (x, 0, 1)) / sp.beta(first, second)
        product = sp.prod([1 - _rho * nu / (nu + j) for j in range(tokens)]).subs({_rho: sp.Rational(2, 5), nu: 5})
        moments.append(sp.simplify(sp.expand_func(mean) - product) == 0)
    proof.argue(
        "Row clusters: Θ ~ Beta(ρν, (1−ρ)ν), ν = 1/r − 1, any two keeps correlated by r: P(none) = Π_j (1 − "
        "ρν/(ν+j)).",
        "a Beta moment is a ratio of rising factorials; checked by integration at Beta(2, 3)",
        all(moments),
        latex=r"P(\text{none})=\prod_{j=0}^{T-1}\Bigl(1-\frac{\rho\nu}{\nu+j}\Bigr)",
    )
    stay = 1 - _rho * (1 - r)
    chain = sp.Matrix([[stay, 1 - stay], [1 - _rho - r * (1 - _rho), _rho + r * (1 - _rho)]])
    law = sp.Matrix([[1 - _rho, _rho]])
    proof.check(
        "Runs: a stationary Markov chain of keeps with neighbours correlated by r has P(none) = "
        "(1−ρ)(1−ρ(1−r))^{T−1}.",
        all(sp.simplify(entry) == 0 for entry in law * chain - law)
        and sp.simplify(_rho * chain[1, 1] - _rho**2 - r * _rho * (1 - _rho)) == 0
        and all(sp.simplify(sum(chain[i, :]) - 1) == 0 for i in (0, 1)),
        latex=r"P(\text{none})=(1-\rho)\{1-\rho(1-r)\}^{T-1}",
    )


def derive() -> Derivation:
    """Derive the costs, the break-even rate, and the survival of rows under token gates."""
    proof = Proof(
        "step-cost",
        "A physical screened step costs s + ρ(1+c) and beats the full step iff ρ < 1 − s/(1+c); a token gate at "
        "rate ρ leaves 1 − (1−ρ)^T of the rows with independent keeps, and fewer when keeps are positively orthant "
        "dependent.",
        (
            "forward 1 and backward c ≥ 0 a sample, linear in the number of samples; acting counted on both sides "
            "alike",
            "causal attention: what follows the last kept token is not needed, what precedes it is",
            "tokens kept with one probability ρ, 0 < ρ < 1",
        ),
    )
    _accounting(proof)
    _published(proof)
    _tokens(proof)
    _clusters(proof)
    _limits(proof)
    _models(proof)
    return proof.conclude(
        full=_FULL,
        logical=_LOGICAL,
        physical=_PHYSICAL,
        break_even_rate=1 - _s / (1 + _c),
        surviving_rows=_survival(),
        expected_prefix=_prefix(),
    )
