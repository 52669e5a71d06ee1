"""A cascade: where the exact delight pays after a cheap noisy score. Source: this project."""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

c, m, s, x, mu = sp.symbols("c m s x mu", real=True)
d, tau, v = sp.symbols("d tau v", positive=True)
_u, _z = sp.symbols("u z", real=True)


def _phi(at: sp.Expr) -> sp.Expr:
    return sp.exp(-(at**2) / 2) / sp.sqrt(2 * sp.pi)


def _upper(at: sp.Expr) -> sp.Expr:
    """Return 1 − Φ."""
    return (1 - sp.erf(at / sp.sqrt(2))) / 2


def _loss(at: sp.Expr) -> sp.Expr:
    """Return the claimed E(ξ − u)₊."""
    return _phi(at) - at * _upper(at)


def _variance() -> sp.Expr:
    """Return the claimed variance of the delight given its score."""
    return d**2 * tau**2 / (d**2 + tau**2)


def _posterior(proof: Proof) -> None:
    """Show what the score leaves unknown of the delight."""
    exponent = -((x - mu) ** 2) / (2 * d**2) - (s - x) ** 2 / (2 * tau**2)
    proof.identity(
        "Given its score the delight is Gaussian, with a variance that does not depend on the score:",
        -1 / sp.Derivative(exponent, (x, 2)),
        _variance(),
        latex=r"v^2=\frac{d^2\tau^2}{d^2+\tau^2}",
    )
    proof.identity(
        "The calibrated score has the rest of the delight's variance, d² − v² = d⁴/(d²+τ²): N(μ, d² − v²), so that "
        "the share of exact delights is its probability of the window.",
        d**2 - _variance(),
        d**4 / (d**2 + tau**2),
        latex=r"d^2-v^2=\frac{d^4}{d^2+\tau^2}",
    )
    proof.check(
        "Without noise nothing is left to learn, and with ever more all of the delight.",
        sp.limit(_variance(), tau, 0) == 0 and sp.limit(_variance(), tau, sp.oo) == d**2,
        latex=r"\tau\to0:\ v\to0,\quad\tau\to\infty:\ v\to d",
    )


def _window(proof: Proof) -> sp.Expr:
    """Show where the exact delight is worth its cost, and return the most that it can be worth."""
    proof.define(
        "Without the exact delight the best decision is worth (m−c)₊, with it E[(χ−c)₊ | s]; u = |m−c|/v.",
        r"\mathbb E[(\chi-c)_+\mid s]-(m-c)_+",
    )
    proof.identity(
        "L(u) = E(ξ−u)₊: it falls by 1 − Φ(u) for each unit of u,",
        sp.Derivative(_loss(_u), _u),
        -_upper(_u),
        latex=r"L(u)=\varphi(u)-u\{1-\Phi(u)\},\quad L'(u)=-\{1-\Phi(u)\}",
    )
    proof.check(
        "and to nothing as u → ∞.",
        sp.limit(_phi(_u), _u, sp.oo) == 0 and sp.limit(_u * _upper(_u), _u, sp.oo) == 0,
        latex=r"L(\infty)=0",
    )
    proof.identity(
        "Above c the exact delight saves what lies below: E(χ−c)₊ − (m−c) = E(c−χ)₊. It is the same function of the "
        "distance, L(−u) − u = L(u).",
        _loss(-_u) - _u,
        _loss(_u),
        latex=r"L(-u)-u=L(u)",
    )
    proof.argue(
        "So the exact delight is worth v·L(|m−c|/v), the same on both sides of c, and pays iff that exceeds e: "
        "within one window of the calibrated scores, symmetric about c, whatever μ.",
        "L falls, so v·L(w/v) = e has one solution, if any",
        _upper(_u).subs(_u, 3).evalf() > 0,
        latex=r"v\,L(w/v)=e",
        points=1,
    )
    most = proof.identity(
        "The largest worth, at m = c, is v/√(2π): an exact delight that costs as much never pays.",
        sp.Limit(v * _loss(_u), _u, 0),
        v / sp.sqrt(2 * sp.pi),
        latex=r"v\,L(0)=\tfrac{v}{\sqrt{2\pi}}",
    )
    proof.argue(
        "Within the window nothing is missed and nothing wasted; outside the score decides as without the cascade.",
        "within it the decision is that of the exact delight; outside (m−c)₊ is the gain, as by the best price",
        latex=r"|m-c|<w:\ G=\mathbf 1\{\chi>c\}",
    )
    return most


def derive() -> Derivation:
    """Derive the window about the price within which the exact delight pays."""
    proof = Proof(
        "cascade",
        "After a noisy score the exact delight, at a cost e, pays iff the calibrated score m = E[χ | s] lies within "
        "w of the cost c of a backward pass, v·L(w/v) = e, v the deviation of the delight given the score: nowhere "
        "from e = v/√(2π) on.",
        (
            "χ ~ N(μ, d²), score s = χ + τξ, ξ standard normal, independent",
            "a backward pass costs c and is worth its sample's delight; the exact delight of a sample costs e",
        ),
    )
    _posterior(proof)
    most = _window(proof)
    return proof.conclude(variance=_variance(), worth=v * _loss(_u), most=most)
