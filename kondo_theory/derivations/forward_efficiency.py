"""Zero price saves backward passes, not forward samples: total variance over squared signal.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p

__all__ = ["derive"]

_ONE, _ZERO = sp.Integer(1), sp.Integer(0)


def _pg_noise_to_signal() -> sp.Expr:
    """Return PG's (Var_∥ + Var_⊥)/‖∇J‖² per forward sample, from the closed forms."""
    variance = context.var_parallel(b, _ONE, _ONE, _ONE, _ONE) + context.var_perpendicular(b, _ONE)
    return variance / context.signal_squared()


def _zero_price_noise_to_signal() -> sp.Expr:
    """Return the claim for zero price: ε/p."""
    return context.epsilon / p


def _best_baseline() -> sp.Expr:
    """Return the claim for PG's best constant: E[R‖φ‖²]/E[‖φ‖²]."""
    return K * p * (1 - p) / (K * p + K - 2)


def _best_pg() -> sp.Expr:
    """Return the claim for PG at its best baseline."""
    return (context.epsilon / p) * (K - 2) / (K * p + K - 2)


def _crossing() -> sp.Expr:
    """Return the claimed p below which PG with b = p has less noise than zero price."""
    return (1 + 2 / K) / 3


def _enumerated(proof: Proof) -> None:
    """Both ratios from explicit vectors."""
    for n_arms in (2, 3, 5):
        arms = ExplicitContext.symmetric(n_arms)
        keep = context.by_sign(_ONE, _ZERO, n_arms)
        gated = arms.moments(b, keep, keep)
        ratio = (gated.var_parallel + gated.var_perpendicular) / gated.mean.dot(gated.mean)
        proof.identity(
            f"Zero price, K = {n_arms} arms by enumeration: total variance over squared signal does not depend on b.",
            ratio,
            _zero_price_noise_to_signal(),
            latex=rf"K={n_arms}:\ \frac{{\mathrm{{Var}}_\parallel+\mathrm{{Var}}_\perp}}{{\|\mathbb E g\|^2}}"
            r" = \frac{\varepsilon}{p}",
        )
        everything = context.by_sign(_ONE, _ONE, n_arms)
        plain = arms.moments(b, everything, everything)
        proof.identity(
            f"PG, K = {n_arms} arms by enumeration, against the closed form that follows.",
            (plain.var_parallel + plain.var_perpendicular) / plain.mean.dot(plain.mean),
            _pg_noise_to_signal().subs(K, n_arms),
            latex=rf"K={n_arms}:\ \nu_{{\mathrm{{PG}}}}(b)",
        )


def _zero_price(proof: Proof) -> None:
    variance = context.var_parallel(b, _ONE, _ZERO, _ONE, _ZERO) + context.var_perpendicular(b, _ZERO)
    proof.identity(
        "Zero price, every K: E[g] = (1−b)∇J, and only the number of correct samples fluctuates.",
        variance / ((1 - b) ** 2 * context.signal_squared()),
        _zero_price_noise_to_signal(),
        latex=r"\nu_0 = \frac{\mathrm{Var}}{\|\mathbb E g\|^2} = \frac{p\,\varepsilon}{p^2} = \frac{\varepsilon}{p}",
    )


def _best(proof: Proof) -> None:
    """PG at its best baseline beats zero price per forward sample, for every p and K."""
    ratio, best = _pg_noise_to_signal(), _best_baseline()
    proof.identity(
        "At b = 0 PG has zero price's ratio, being the same update.", ratio.subs(b, 0), context.epsilon / p
    )
    proof.identity(
        "The best baseline is where the derivative in b vanishes; the ratio is a convex parabola in b.",
        sp.diff(ratio, b).subs(b, best),
        _ZERO,
        latex=r"b^* = \frac{Kp\,\varepsilon}{Kp+K-2},\qquad \nu_{\mathrm{PG}}'(b^*) = 0",
    )
    proof.check(
        "Convexity: the second derivative in b is positive for every p and K.",
        context.on_domain(sp.diff(ratio, b, 2)).is_positive,
        latex=r"\nu_{\mathrm{PG}}''(b) > 0",
    )
    arms = ExplicitContext.symmetric(4)
    lengths = [arms.score(a).dot(arms.score(a)) for a in range(4)]
    proof.identity(
        "It is E[R‖φ‖²]/E[‖φ‖²], here from the explicit scores of four arms.",
        p * lengths[0] / sum(q * length for q, length in zip(arms.policy, lengths, strict=True)),
        best.subs(K, 4),
        latex=r"b^* = \frac{\mathbb E[R\|\varphi\|^2]}{\mathbb E\|\varphi\|^2}",
    )
    value = proof.identity(
        "PG's ratio at its best baseline.",
        ratio.subs(b, best),
        _best_pg(),
        latex=r"\nu_{\mathrm{PG}}(b^*) = \frac{\varepsilon}{p}\,\frac{K-2}{Kp+K-2}",
    )
    proof.check(
        "It is smaller than zero price's ε/p for every p and K: the difference is positive on the whole domain.",
        context.on_domain(_zero_price_noise_to_signal() - value).is_positive,
        latex=r"\frac{\varepsilon}{p}-\nu_{\mathrm{PG}}(b^*) = \frac{\varepsilon}{p}\,\frac{Kp}{Kp+K-2} > 0",
    )


def _any_baseline(proof: Proof) -> None:
    """Where PG beats zero price, for a constant and for the value baseline."""
    ratio, best = _pg_noise_to_signal(), _best_baseline()
    curvature = sp.diff(ratio, b, 2) / 2
    proof.identity(
        "PG less zero price has the roots 0 and 2b*: PG needs fewer forward samples iff 0 < b < 2b*.",
        ratio - _zero_price_noise_to_signal(),
        curvature * b * (b - 2 * best),
        latex=r"\nu_{\mathrm{PG}}(b)-\frac{\varepsilon}{p} = \tfrac12\nu_{\mathrm{PG}}''\;b\,(b-2b^*)",
    )
    gap = ratio.subs(b, p) - _zero_price_noise_to_signal()
    proof.identity(
        "With b = p the difference is a positive factor times p − (1+2/K)/3: PG is better exactly below that p.",
        gap,
        3 / context.epsilon * (p - _crossing()),
        latex=r"\nu_{\mathrm{PG}}(p)-\frac{\varepsilon}{p} = "
        r"\frac{3}{\varepsilon}\Big\{p-\frac13\Big(1+\frac2K\Big)\Big\}",
    )


def derive() -> Derivation:
    """Derive total variance over squared signal for zero price and PG, and where each is smaller."""
    proof = Proof(
        "forward-efficiency",
        "Per forward sample, total variance over squared signal is ε/p at zero price for every 0 ≤ b < 1; PG at its "
        "best baseline has (ε/p)(K−2)/(Kp+K−2), always smaller; PG with b = p is smaller iff p < (1+2/K)/3.",
        (
            "one symmetric context, K ≥ 2, R = 1{a = y*}, 0 < p < 1, constant 0 ≤ b < 1",
            "variance is the trace of the covariance of one sample's gradient; the signal is ‖E g‖",
        ),
    )
    _enumerated(proof)
    _zero_price(proof)
    _best(proof)
    _any_baseline(proof)
    return proof.conclude(
        zero_price=_zero_price_noise_to_signal(),
        pg=sp.factor(sp.together(_pg_noise_to_signal())),
        best_baseline=_best_baseline(),
        pg_best=_best_pg(),
        value_baseline_crossing=_crossing(),
    )
