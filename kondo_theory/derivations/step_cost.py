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
_rho, _r = sp.symbols("rho r", positive=True)  # rate, correlation of keeps
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
    proof.identity(
        "Physical cost is linear and rising in ρ, and meets the full step at ρ = 1 − s/(1 + c) alone.",
        _PHYSICAL - _FULL,
        (1 + _c) * (_rho - _break_even()),
        latex=r"s+\rho(1+c)-(1+c) = (1+c)\Big\{\rho-\Big(1-\frac{s}{1+c}\Big)\Big\}",
    )
    proof.identity(
        "Physical exceeds logical accounting by s − 1 + ρ: by ρ forward passes if screening is a full one.",
        _PHYSICAL - _LOGICAL,
        _s - 1 + _rho,
    )
    logical, physical = _ratio * _FULL / _LOGICAL, _ratio * _FULL / _PHYSICAL
    for name, gain, low in (("Logical", logical, _ratio), ("Physical", physical, _ratio / (_s + _rho))):
        proof.identity(f"{name} speed-up without a backward cost.", sp.Subs(gain, _c, 0), low)
        proof.identity(f"{name} speed-up as the backward cost grows.", sp.Limit(gain, _c, sp.oo), _ratio / _rho)
        proof.check(
            f"{name} speed-up rises with c in between, at every ρ = 1/(1+n) < 1.",
            sp.Gt(sp.factor(sp.diff(gain, _c).subs(_rho, 1 / (1 + _n))), 0),
            latex=rf"\partial_c\,{sp.latex(gain)} > 0",
        )


def _implied(account: int) -> tuple[sp.Rational, sp.Rational]:
    """Return the band of N_ref/N_gate that both published speed-ups allow, rounded as they are."""
    rate, half = sp.Rational(3, 100), sp.Rational(1, 2)
    bands = []
    for backward, size in ((4, 6), (8, 10)):
        at = {_c: backward, _rho: rate, _s: 1}
        per_sample = (_FULL / (_LOGICAL, _PHYSICAL)[account]).subs(at)
        bands.append(((size - half) / per_sample, (size + half) / per_sample))
    return max(low for low, _ in bands), min(high for _, high in bands)


def _published(proof: Proof) -> None:
    """Derive what the published speed-ups say about forward samples."""
    for account, name in ((0, "logically"), (1, "physically")):
        low, high = _implied(account)
        proof.check(
            f"Published about 6x at c = 4 and 10x at c = 8 at ρ = 3 %, rounded to whole numbers, stand for one "
            f"N_PG/N_gate, {float(low):.2f} to {float(high):.2f} {name}; not for 2.",
            sp.And(sp.Lt(low, high), sp.Lt(high, 2)),
            latex=rf"\frac{{N_{{\mathrm{{ref}}}}}}{{N_{{\mathrm{{gate}}}}}} \in "
            rf"\Big[{sp.latex(low)},\ {sp.latex(high)}\Big]",
        )


def _tokens(proof: Proof) -> None:
    """Survival of a row and length of the prefix, independent keeps."""
    later = _prefix().subs(_T, _T + 1)
    proof.argue(
        "E[last kept position] = Σ_t P(a token at t or after is kept) = Σ_{j=1}^T (1 − (1−ρ)^j).",
        "a nonnegative integer's mean is the sum of its tail probabilities; T − t + 1 tokens stand at t or after.",
        latex=r"\mathbb{E}[L] = \sum_{j=1}^{T}\{1-(1-\rho)^j\}",
    )
    proof.identity(
        "The sum has the claimed form, by induction on T: the start.",
        sp.Subs(_prefix(), _T, 1),
        _rho,
        latex=r"T=1:\quad T-\frac{(1-\rho)\{1-(1-\rho)^T\}}{\rho} = \rho",
    )
    proof.identity(
        "The step from T to T + 1.",
        later - _prefix(),
        1 - (1 - _rho) ** (_T + 1),
        latex=r"\mathbb{E}[L_{T+1}]-\mathbb{E}[L_T] = 1-(1-\rho)^{T+1}",
    )
    for tokens in range(2, 6):
        survive, prefix = _enumerated(tokens)
        proof.identity(
            f"A row of {tokens} survives unless no token is kept, by enumerating its {2**tokens} keep patterns.",
            survive,
            _survival().subs(_T, tokens),
            latex=rf"T={tokens}:\ P(\text{{a token is kept}}) = 1-(1-\rho)^T",
        )
        proof.identity(
            f"Its prefix, by the same enumeration of {2**tokens} patterns.",
            prefix,
            _prefix().subs(_T, tokens),
            latex=rf"T={tokens}:\ \mathbb E[L] = T-\frac{{(1-\rho)\{{1-(1-\rho)^T\}}}}{{\rho}}",
        )
    proof.identity(
        "For small ρ the prefix is ρT(T+1)/2: a kept token costs half a row, on average.",
        sp.Limit(_prefix() / _rho, _rho, 0, "+"),
        _T * (_T + 1) / 2,
        latex=r"\lim_{\rho\to0}\frac{\mathbb E[L]}{\rho} = \frac{T(T+1)}2",
    )


def _break_even() -> sp.Expr:
    return 1 - _s / (1 + _c)


def _survival() -> sp.Expr:
    return 1 - (1 - _rho) ** _T


def _prefix() -> sp.Expr:
    return _T - (1 - _rho) * (1 - (1 - _rho) ** _T) / _rho


def _enumerated(tokens: int) -> tuple[sp.Expr, sp.Expr]:
    """Return P(some token is kept) and E[last kept position], summed over all keep patterns."""
    survive = prefix = sp.Integer(0)
    for pattern in itertools.product((0, 1), repeat=tokens):
        mass = _rho ** sum(pattern) * (1 - _rho) ** (tokens - sum(pattern))
        survive += mass * int(any(pattern))
        prefix += mass * max((t + 1 for t, kept in enumerate(pattern) if kept), default=0)
    return survive, prefix


def _clusters(proof: Proof) -> None:
    """Fewer rows survive when keeps are positively orthant dependent."""
    theta, low, high, weight, q = sp.symbols("theta l h m q", positive=True)
    proof.identity(
        "The chance q^T that none of T tokens is kept is convex in a row's drop probability q = 1 − θ, and so in θ: "
        "its second derivative is nonnegative on [0, 1].",
        sp.Derivative(q**_T, (q, 2)),
        _T * (_T - 1) * q ** (_T - 2),
    )
    proof.argue(
        "If each row has its own keep probability Θ of mean ρ, the same for its tokens, then E(1−Θ)^T ≥ (1−ρ)^T: "
        "fewer rows survive, and suffix by suffix the prefix is shorter.",
        "Jensen's inequality for the convex function of the line before, for the row and for each of its suffixes.",
        latex=r"\mathbb{E}(1-\Theta)^T\ge(1-\rho)^T",
    )
    x1, x2, y1, y2 = low, low + high, theta, theta + weight  # both drop probabilities fall or rise together
    m = sp.Symbol("m1", positive=True)
    proof.identity(
        "Two drop probabilities that rise together with a two-valued Z have a covariance of products of rises.",
        (m * x1 * y1 + (1 - m) * x2 * y2) - (m * x1 + (1 - m) * x2) * (m * y1 + (1 - m) * y2),
        m * (1 - m) * high * weight,
        latex=r"\mathbb E[XY]-\mathbb E[X]\,\mathbb E[Y] = m(1-m)(X_2-X_1)(Y_2-Y_1) \ge 0",
    )
    proof.argue(
        "Chances that differ by position need comonotonicity: if given Z keeps are independent and every P(G_t=0 | "
        "Z) is monotone in Z in one direction, P(none) ≥ Π P(G_t=0). So for a price λ > 0 and tokens that share an "
        "advantage: χ_t = U·ℓ_t > λ needs U > 0, ℓ_t > λ/U, likelier with larger U (ℓ_t independent of each other "
        "and U).",
        "Chebyshev's integral inequality, of which the line before is the case of two values, by induction over t.",
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
    pairs = [sum(v for k, v in tilted.items() if k[s] and k[t]) for s, t in ((0, 1), (0, 2), (1, 2))]
    none = tilted[(0, 0, 0)]
    proof.check(
        "Pairwise positive correlation is not enough: three keeps of rate 1/2, each pair positively correlated, "
        f"with P(none) = {none} < 1/8, so more rows survive.",
        min(tilted.values()) > 0
        and sum(tilted.values()) == 1
        and rate == sp.Rational(1, 2)
        and min(pairs) > rate**2
        and none < (1 - rate) ** 3,
        latex=r"\operatorname{Cov}(G_s,G_t)>0\ \not\Rightarrow\ P(\text{none})\ge(1-\rho)^T",
    )
    proof.argue(
        "Any rule: ρ ≤ P(row survives) ≤ min(1, Tρ).",
        "one token's event is contained in the row's, and the union bound over the T tokens of the row.",
        latex=r"\rho \le P(\text{a token is kept}) \le T\rho",
    )
    left, k, j = sp.symbols("u k j", positive=True)  # n = j + u tokens in all, of which j < T are already known
    total = j + left
    proof.identity(
        "Exactly k of n tokens over the batch: once j tokens are known to be dropped, the next one is dropped with "
        "probability 1 − k/(n−j), less than 1 − k/n.",
        (1 - k / total) - (1 - k / (total - j)),
        k * j / (total * left),
        latex=r"\Bigl(1-\frac kn\Bigr)-\Bigl(1-\frac{k}{n-j}\Bigr) = \frac{kj}{n(n-j)} > 0",
    )
    n, tokens = sp.symbols("n T", integer=True, positive=True)
    proof.identity(
        "That is the ratio of the chances that T + 1 and T tokens are all dropped.",
        sp.gammasimp((sp.binomial(n - tokens - 1, k) / sp.binomial(n - tokens, k)).rewrite(sp.gamma)),
        1 - k / (n - tokens),
        latex=r"\binom{n-T-1}{k}\Big/\binom{n-T}{k} = 1-\frac{k}{n-T}",
    )
    proof.argue(
        "So exactly-k selection repels keeps: 1 − C(n−T,k)/C(n,k) exceeds 1 − (1−k/n)^T for T ≥ 2.",
        "C(n−T,k)/C(n,k) is the product of these ratios over j < T, each at most 1 − k/n and less for j > 0.",
        latex=r"\prod_{j<T}\Bigl(1-\frac{k}{n-j}\Bigr)<\Bigl(1-\frac kn\Bigr)^T",
    )


def _models(proof: Proof) -> None:
    """Derive the two clustered models in closed form."""
    nu, j = sp.symbols("nu j", positive=True)
    first, second = _rho * nu, (1 - _rho) * nu
    moments = [sp.beta(first, second + tokens).rewrite(sp.gamma) for tokens in (j, j + 1)]
    proof.identity(
        "Row clusters: Θ ~ Beta(ρν, (1−ρ)ν), ν = 1/r − 1. E(1−Θ)^j is B(ρν, (1−ρ)ν + j)/B(ρν, (1−ρ)ν), and each "
        "further token multiplies it by one factor.",
        sp.gammasimp(moments[1] / moments[0]),
        1 - _rho * nu / (nu + j),
        latex=r"\frac{\mathbb E(1-\Theta)^{j+1}}{\mathbb E(1-\Theta)^{j}} = 1-\frac{\rho\nu}{\nu+j}",
    )
    pair = (1 - _rho) * (1 - _rho * nu / (nu + 1))
    proof.identity(
        "Any two keeps of a row are correlated by r.",
        ((pair - (1 - _rho) ** 2) / (_rho * (1 - _rho))).subs(nu, 1 / _r - 1),
        _r,
        latex=r"\frac{P(G_s=G_t=0)-(1-\rho)^2}{\rho(1-\rho)} = r",
    )
    stay = 1 - _rho * (1 - _r)
    kept_again = _rho + _r * (1 - _rho)
    proof.identity(
        "Runs: a Markov chain of keeps that is stationary at rate ρ.",
        (1 - _rho) * (1 - stay) + _rho * kept_again,
        _rho,
        latex=r"(1-\rho)\,P(0\to1)+\rho\,P(1\to1) = \rho",
    )
    proof.identity(
        "Its neighbours are correlated by r.",
        (_rho * kept_again - _rho**2) / (_rho * (1 - _rho)),
        _r,
        latex=r"\frac{\rho\,P(1\to1)-\rho^2}{\rho(1-\rho)} = r",
    )
    proof.define(
        "So P(none) = (1−ρ)(1−ρ(1−r))^{T−1}: the first token is dropped, and then T − 1 times a dropped one follows.",
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
    logical, physical = _implied(0), _implied(1)
    nu, place = 1 / _r - 1, sp.Symbol("j", integer=True)
    return proof.conclude(
        full=_FULL,
        logical=_LOGICAL,
        physical=_PHYSICAL,
        break_even_rate=_break_even(),
        surviving_rows=_survival(),
        expected_prefix=_prefix(),
        surviving_row_clusters=1 - sp.Product(1 - _rho * nu / (nu + place), (place, 0, _T - 1)),
        surviving_runs=1 - (1 - _rho) * (1 - _rho * (1 - _r)) ** (_T - 1),
        implied_logical_low=logical[0],
        implied_logical_high=logical[1],
        implied_physical_low=physical[0],
        implied_physical_high=physical[1],
    )
