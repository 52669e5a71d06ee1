"""How often a prompt that is skipped by its history is visited, what that loses, and what a gate saves beside it.

Source: this project; the rule is after GRESO, arXiv:2506.02177.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

_p, _q, _xi, _c, _s, _rho, _a, _f = (
    sp.Symbol(name, positive=True) for name in ("p", "q", "xi", "c", "s", "rho", "a", "f")
)
_G, _m, _T = (sp.Symbol(name, positive=True, integer=True) for name in ("G", "m", "T"))
_W = sp.Symbol("W", positive=True)


def _idle() -> sp.Expr:
    """Return the probability of a group without spread."""
    return _p**_G + (1 - _p) ** _G


def _share() -> sp.Expr:
    """Return the share of epochs with a visit, for q < ξ and without a cap."""
    return (1 - _q / _xi) / (1 - _q)


def _epochs(cap: sp.Expr) -> sp.Expr:
    """Return the expected epochs a visit, with a cap."""
    return (1 - _q) * (1 - (_q / _xi) ** cap) / (1 - _q / _xi) + (_q / _xi) ** cap


def _starved() -> sp.Expr:
    """Return the pass rate below which prompts of eight answers starve at ξ = 1/2, all but right answers aside."""
    return 1 - sp.Rational(1, 2) ** sp.Rational(1, 8)


def _wait() -> sp.Expr:
    """Return the expected epochs to the next visit after T epochs without spread."""
    return 1 + _T * (1 - _xi) / _xi


def _idle_groups(proof: Proof) -> None:
    """Show how often a group has no spread."""
    proof.check(
        "All G answers are right or all wrong with probability q, gone through for G ≤ 5.",
        every(
            sp.expand(
                sum(sp.binomial(size, n) * _p**n * (1 - _p) ** (size - n) for n in range(size + 1) if n in (0, size))
                - _idle().subs(_G, size)
            )
            == 0
            for size in range(2, 6)
        ),
        latex=r"q=p^G+(1-p)^G",
    )


def _long_run(proof: Proof) -> None:
    """Show the long-run share of epochs with a visit."""
    proof.define(
        "After z idle visits in a row a prompt is sampled in an epoch with probability ξ^z, or ξ^min(z, m) with a "
        "cap m; a visit with spread, 1 − q, sets z to zero.",
        r"P(\text{visit}\mid z)=\xi^{\min(z,m)}",
    )
    z = sp.Symbol("z", nonnegative=True, integer=True)
    proof.identity(
        "At a visit z has the probability (1 − q)q^z: one that is balanced, q of z going on to z + 1,",
        _q * (1 - _q) * _q**z,
        (1 - _q) * _q ** (z + 1),
    )
    proof.argue(
        "and the epochs to the next visit have mean ξ^−z: the expected epochs a visit are Σ (1 − q)q^z ξ^−z, "
        "which is finite iff q < ξ.",
        "waits are geometric; visits and waits are a renewal process, whose share is one over the mean; a geometric "
        "series of ratio q/ξ",
        sp.simplify(
            sum((1 - _q) * (_q / _xi) ** i for i in range(6)) - (1 - _q) * (1 - (_q / _xi) ** 6) / (1 - _q / _xi)
        )
        == 0,
        latex=r"\sum_z(1-q)q^z\xi^{-z}=\frac{1-q}{1-q/\xi}\quad(q<\xi)",
    )
    proof.identity(
        "So for q < ξ the share of epochs with a visit falls short of one by",
        1 - _share(),
        _q * (1 - _xi) / (_xi * (1 - _q)),
    )
    proof.check(
        "With a cap the visits beyond it, q^m of all, wait ξ^−m each, here for m ≤ 4,",
        every(
            sp.simplify(
                sum((1 - _q) * (_q / _xi) ** i for i in range(cap)) + _q**cap / _xi**cap - _epochs(sp.Integer(cap))
            )
            == 0
            for cap in range(1, 5)
        ),
        latex=r"(1-q)\frac{1-(q/\xi)^m}{1-q/\xi}+(q/\xi)^m",
    )
    starved = _starved()
    at = {_p: starved, _G: 8}
    proof.check(
        "Without a cap and with ξ = 1/2 prompts of 8 answers starve below a pass rate of 1 − 2^(−1/8), but for "
        "groups that are all right.",
        sp.simplify(_idle().subs(at) - sp.Rational(1, 2) - starved**8) == 0
        and (starved**8 < sp.Rational(1, 10**8)) == sp.true
        and sp.diff(_idle().subs(_G, 8), _p).subs(_p, starved).is_negative,
        latex=rf"p<1-2^{{-1/8}}\approx{float(starved):.4f}",
    )
    proof.argue(
        "which is at most ξ^−m, its value at q = 1: no prompt is visited in less than ξ^m of the epochs.",
        "each wait is at most ξ^−m, and a mean of them too",
        sp.simplify(_epochs(_m).subs(_q, 1) - _xi**-_m) == 0,
        latex=r"f\ge\xi^m",
    )


def _waiting(proof: Proof) -> None:
    """Show how long a prompt waits that had no spread for T epochs."""
    step = (1 / _W) * (_W / _xi) + (1 - 1 / _W) * _W
    proof.identity(
        "While it has no spread, q = 1, the expected wait W = ξ^−z grows on average by the same in every epoch: a "
        "visit, of probability 1/W, makes it W/ξ.",
        step - _W,
        (1 - _xi) / _xi,
        latex=r"\mathbb E[W_{t+1}-W_t\mid W_t]=\frac{1-\xi}{\xi}",
    )
    proof.argue(
        "From W = 1 it has the mean 1 + T(1 − ξ)/ξ after T epochs.",
        "the increments have one mean whatever W is, and T of them add up",
        sp.expand(sp.summation((1 - _xi) / _xi, (sp.Symbol("t", integer=True), 1, _T)) + 1 - _wait()) == 0,
        latex=r"\mathbb E\,W_T=1+T\,\frac{1-\xi}{\xi}",
    )
    proof.argue(
        "The visits in T epochs are at most log(1 + T(1 − ξ)/ξ)/log(1/ξ) on average.",
        "their number is z = log W/log(1/ξ), concave in W: Jensen's inequality",
        sp.diff(sp.log(_W), _W, 2).is_negative,
        latex=r"\mathbb E\,z_T\le\log(1+T(1-\xi)/\xi)/\log(1/\xi)",
    )


def _costs(proof: Proof) -> dict[str, sp.Expr]:
    """Show what skipping saves beside a gate."""
    gated = _a + _s + _rho * (1 - _q) * (1 + _c)
    full = _a + (1 - _q) * (1 + _c)
    proof.define(
        "Of each answer of a visited prompt sampling costs a, screening s, forward and backward 1 + c; groups "
        "without spread get no backward pass under any method, and a gate keeps ρ of the others.",
        r"a+s+\rho(1-q)(1+c)",
    )
    proof.identity("A gate saves of a full step", full - gated, (1 - _q) * (1 - _rho) * (1 + _c) - _s)
    saved = (1 - _f) * full
    proof.identity(
        "and a prompt that is visited in f of the epochs", full - _f * full, saved, latex=r"(1-f)(a+(1-q)(1+c))"
    )
    proof.check(
        "However little a gate keeps, a and s are paid; skipping saves of them what it saves of everything.",
        sp.expand(gated.subs(_rho, 0) - _a - _s) == 0 and sp.expand(_f * gated - gated + (1 - _f) * gated) == 0,
        latex=r"\rho\to0:\ a+s",
    )
    proof.argue(
        "Signal falls by the same share f, prompt by prompt: what is gained is that of a mixture, whose prompts with "
        "less signal a visit are visited less.",
        "whether a prompt is visited depends on earlier visits alone, so that a visit's signal is that of any other",
        latex=r"f\,p(1-p)(1-1/G)",
    )
    return {"gated": gated, "full": full, "saved": saved}


def derive() -> Derivation:
    """Derive what skipping prompts by their history saves and loses."""
    proof = Proof(
        "prompt-skipping",
        "A prompt without spread in a share q of its visits is visited in (1 − q/ξ)/(1 − q) of the epochs for q < "
        "ξ, in none in the long run for q ≥ ξ, with a cap of m in no less than ξ^m. After T epochs without spread "
        "its next visit is expected in 1 + T(1 − ξ)/ξ epochs.",
        (
            "a visit samples G answers, independent, of one pass rate; epochs without a visit change nothing",
            "0 < ξ < 1, 0 < q < 1; shares are those of the long run at a pass rate that stays",
            "for the wait: no spread from the first epoch on, q = 1, and no cap",
        ),
    )
    _idle_groups(proof)
    _long_run(proof)
    _waiting(proof)
    costs = _costs(proof)
    return proof.conclude(
        idle=_idle(),
        share=_share(),
        epochs=_epochs(_m),
        least=_xi**_m,
        wait=_wait(),
        starved=100 * _starved(),
        **costs,
    )
