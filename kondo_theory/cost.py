"""What a step really costs: forward 1 and backward c a sample, counted logically and physically; token gates.

A full step pays 1 + c a sample. *Logical* accounting charges a gated step 1 + ρc, as if the forward pass of the kept
samples could be used twice. A *physical* screened step runs a screening forward pass s over all samples, keeps no
activations, and then forward and backward over the kept ones: s + ρ(1 + c). *Kept activations* cost 1 + ρc again, and
the memory of the full step. All costs are in forward passes of one sample.

Sources: the cost model is that of [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 4; the
physical accounting and the survival of rows under token gates are this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.words import unhandled

__all__ = [
    "ACCOUNTINGS",
    "CLUSTERINGS",
    "PUBLISHED_RATE",
    "PUBLISHED_SPEEDUPS",
    "activation_memory",
    "break_even_rate",
    "expected_prefix",
    "implied_sample_ratio",
    "speedup",
    "step_cost",
    "surviving_rows",
    "surviving_rows_exact",
    "token_share",
]

ACCOUNTINGS = ("full", "logical", "physical", "kept-activations")
CLUSTERINGS = ("row", "run")

PUBLISHED_RATE = 0.03
PUBLISHED_SPEEDUPS = {4.0: 6.0, 8.0: 10.0}
"""Backward cost c to the published speed-up of DG-K(3 %) over PG, time to 5 % error on the MNIST bandit [KG §4]."""


def step_cost(
    rate: ArrayLike,
    backward_cost: ArrayLike,
    accounting: str = "physical",
    *,
    screening_cost: ArrayLike = 1.0,
    acting_cost: ArrayLike = 0.0,
) -> FloatArray:
    """Return the cost of a step per forward sample, in forward passes [KG §4; physical accounting: this project].

    Parameters
    ----------
    rate : (...) array
        ρ in [0, 1], kept samples over forward samples (k/B with exactly-k selection); not used by "full".
    backward_cost : (...) array
        c ≥ 0, a backward pass in forward passes.
    accounting : str
        "full": 1 + c. "logical": 1 + ρc. "physical": s + ρ(1 + c). "kept-activations": 1 + ρc, physically, with the
        memory of the full step (:func:`activation_memory`).
    screening_cost : (...) array
        s ≥ 0, for "physical": 1 if screening is one more full forward pass or is the acting pass, less if it is
        cheaper, 0 if the sampler's log-probabilities are used again.
    acting_cost : (...) array
        Cost of acting, if it is counted apart; it is added under every accounting alike.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    accounting = _domain.choice("accounting", accounting, ACCOUNTINGS)
    kept = _domain.interval("rate", rate, 0, 1, "[]")
    c = _nonnegative("backward_cost", backward_cost)
    s = _nonnegative("screening_cost", screening_cost)
    acting = _nonnegative("acting_cost", acting_cost)
    if accounting == "full":
        cost = 1 + c + 0 * kept
    elif accounting == "physical":
        cost = s + kept * (1 + c)
    elif accounting in ("logical", "kept-activations"):
        cost = 1 + kept * c
    else:
        raise unhandled("accounting", accounting, ("full", "logical", "physical", "kept-activations"))
    return np.asarray(acting + cost)[()]


def speedup(
    n_reference: ArrayLike,
    n_gate: ArrayLike,
    rate: ArrayLike,
    backward_cost: ArrayLike,
    accounting: str = "physical",
    *,
    screening_cost: ArrayLike = 1.0,
    acting_cost: ArrayLike = 0.0,
) -> FloatArray:
    """Return N_ref(1 + c)/(N_gate × step cost), the cost of a full method to a target over that of a gated one.

    Parameters
    ----------
    n_reference, n_gate : (...) arrays
        Forward samples that each method needs to reach the target, > 0; infinity if it is never reached.
    rate, backward_cost, accounting, screening_cost, acting_cost
        As in :func:`step_cost`. A gated step of cost 0 has an infinite speed-up.
    """
    reference = _domain.interval("n_reference", n_reference, 0, np.inf, "(]")
    gated = _domain.interval("n_gate", n_gate, 0, np.inf, "(]")
    full = step_cost(1.0, backward_cost, "full", acting_cost=acting_cost)
    step = step_cost(rate, backward_cost, accounting, screening_cost=screening_cost, acting_cost=acting_cost)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((reference / gated) * (full / step))[()]


def implied_sample_ratio(
    observed_speedup: ArrayLike,
    rate: ArrayLike,
    backward_cost: ArrayLike,
    accounting: str = "logical",
    *,
    screening_cost: ArrayLike = 1.0,
) -> FloatArray:
    """Return N_ref/N_gate that a reported speed-up stands for under an accounting: the inverse of :func:`speedup`."""
    observed = _domain.interval("observed_speedup", observed_speedup, 0, np.inf, "()")
    per_sample = speedup(1.0, 1.0, rate, backward_cost, accounting, screening_cost=screening_cost)
    return np.asarray(observed / per_sample)[()]


def break_even_rate(backward_cost: ArrayLike, screening_cost: ArrayLike = 1.0) -> FloatArray:
    """Return max(0, 1 − s/(1 + c)): a physical screened step is cheaper than a full one iff ρ is below it.

    At s = 1 that is c/(1 + c); 0 where screening alone costs as much as the full step.
    """
    c = _nonnegative("backward_cost", backward_cost)
    s = _nonnegative("screening_cost", screening_cost)
    return np.asarray(np.maximum(0.0, (1 + c - s) / (1 + c)))[()]


def activation_memory(rate: ArrayLike, accounting: str = "physical") -> FloatArray:
    """Return stored activations over those of a full step: ρ for "physical", 1 where activations are kept.

    A screening pass stores none. "logical" is an account and not a program; it is refused.
    """
    accounting = _domain.choice("accounting", accounting, ("full", "physical", "kept-activations"))
    kept = _domain.interval("rate", rate, 0, 1, "[]")
    return np.asarray(kept if accounting == "physical" else np.ones_like(kept))[()]


def surviving_rows(
    rate: ArrayLike, n_tokens: ArrayLike, correlation: ArrayLike = 0.0, clustering: str = "row"
) -> FloatArray:
    """Return the share of rows of T tokens with at least one kept token; the others are skipped [this project].

    1 − (1 − ρ)^T for independent keeps. For keeps with P(none kept) ≥ (1 − ρ)^T, which positive association implies,
    fewer; always between ρ and min(1, Tρ).

    Parameters
    ----------
    rate : (...) array
        ρ in [0, 1], probability that a token is kept.
    n_tokens : (...) array
        T ≥ 1.
    correlation : (...) array
        r in [0, 1]. "row": of any two keeps of a row, each row having its own keep probability, Beta-distributed
        with mean ρ. "run": of neighbouring keeps, a stationary Markov chain along the row. 0 is independence; at 1
        a row is kept or dropped whole, and the share is ρ.
    clustering : {"row", "run"}
        Which of the two.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    q, T, r = _token_arguments(rate, n_tokens, correlation)
    if _domain.choice("clustering", clustering, CLUSTERINGS) == "run":
        # P(none) = (1 − ρ)m^{T−1}, m = 1 − ρ(1 − r) the chance that a dropped token is followed by a dropped one.
        with np.errstate(divide="ignore", invalid="ignore"):
            log_none = np.log1p(-q) + np.where(T > 1, (T - 1) * np.log1p(-q * (1 - r)), 0.0)
        return np.asarray(-np.expm1(log_none))[()]
    return np.asarray(np.vectorize(_row_survival, otypes=[float])(q, T, r))[()]


def expected_prefix(
    rate: ArrayLike, n_tokens: ArrayLike, correlation: ArrayLike = 0.0, clustering: str = "row"
) -> FloatArray:
    """Return E[position of the last kept token], 0 if none is kept: what a causal model must process [this project].

    T − (1 − ρ)(1 − (1 − ρ)^T)/ρ for independent keeps. Under causal attention nothing before the last kept token can
    be dropped (its keys and values are read) and nothing after it is needed. Parameters as in
    :func:`surviving_rows`.
    """
    q, T, r = _token_arguments(rate, n_tokens, correlation)
    if _domain.choice("clustering", clustering, CLUSTERINGS) == "run":
        return np.asarray(T * q + (1 - q) * _shortfall(q * (1 - r), T - 1))[()]
    return np.asarray(np.vectorize(_row_prefix, otypes=[float])(q, T, r))[()]


def token_share(
    rate: ArrayLike,
    n_tokens: ArrayLike,
    prompt_length: ArrayLike = 0,
    correlation: ArrayLike = 0.0,
    clustering: str = "row",
) -> FloatArray:
    """Return the share of all tokens that a token gate must process again, the rate to put into a physical step.

    (H·P(row survives) + E[prefix])/(H + T): the prompt of H tokens is needed by every surviving row.
    """
    H = _domain.interval("prompt_length", prompt_length, 0, np.inf, "[)")
    T = _domain.integers("n_tokens", n_tokens, 1)
    survivors = surviving_rows(rate, T, correlation, clustering)
    return np.asarray((H * survivors + expected_prefix(rate, T, correlation, clustering)) / (H + T))[()]


@elementwise("n_rows", "n_tokens", "n_kept")
def surviving_rows_exact(n_rows: int, n_tokens: int, n_kept: int) -> float:
    """Return the share of rows that survive if exactly k of the n·T tokens are kept, all k-sets equally likely.

    1 − C(nT − T, k)/C(nT, k), above 1 − (1 − k/(nT))^T for T ≥ 2 and 0 < k < nT: exactly-k selection spreads keeps.
    Arguments broadcast.
    """
    rows, tokens = _domain.integer("n_rows", n_rows, 1), _domain.integer("n_tokens", n_tokens, 1)
    k = _domain.integer("n_kept", n_kept, 0, rows * tokens)
    total = rows * tokens
    places = np.arange(tokens)
    if k > total - tokens:
        return 1.0
    return float(-np.expm1(np.log1p(-k / (total - places)).sum()))


def _nonnegative(name: str, value: ArrayLike) -> FloatArray:
    return _domain.interval(name, value, 0, np.inf, "[)")


def _token_arguments(
    rate: ArrayLike, n_tokens: ArrayLike, correlation: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    q = _domain.interval("rate", rate, 0, 1, "[]")
    r = _domain.interval("correlation", correlation, 0, 1, "[]")
    q, T, r = np.broadcast_arrays(q, _domain.integers("n_tokens", n_tokens, 1), r)
    return q, T, r


def _none_kept(q: float, T: float, r: float) -> FloatArray:
    """Return log P(none of the first j tokens is kept), j = 1 … T, for a Beta-distributed keep probability."""
    places = np.arange(T)
    # (ν(1 − ρ) + j)/(ν + j) is the chance that one more is dropped, ν = 1/r − 1; multiplied through by r.
    with np.errstate(divide="ignore"):
        return np.cumsum(np.log1p(-q * (1 - r) / (1 - r + r * places) if r < 1 else -q * (places == 0)))


def _row_survival(q: float, T: float, r: float) -> float:
    if r == 0:
        with np.errstate(divide="ignore"):
            return float(-np.expm1(T * np.log1p(-q)))
    return float(-np.expm1(_none_kept(q, T, r)[-1]))


def _row_prefix(q: float, T: float, r: float) -> float:
    if r == 0:
        return float(_shortfall(q, T))
    return float(-np.expm1(_none_kept(q, T, r)).sum())


def _shortfall(x: ArrayLike, n: ArrayLike) -> FloatArray:
    """Return Σ_{j=1}^{n} (1 − (1 − x)^j) = n − (1 − x)(1 − (1 − x)^n)/x, without cancellation for small x·n."""
    x, n = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(n, dtype=float))
    small = x * (n + 1) <= 1
    tiny = np.where(small, x, 0.0)
    # Σ_m (−1)^{m+1} C(n+1, m+1) x^m; each term is at most a third of the one before.
    term = tiny * n * (n + 1) / 2
    series = np.zeros_like(x)
    for m in range(1, 25):
        series = series + term
        term = -term * tiny * (n - m) / (m + 2)
    large = np.where(small, 0.5, x)
    with np.errstate(divide="ignore"):
        closed = n + (1 - large) * np.expm1(n * np.log1p(-large)) / large
    return np.where(small, series, closed)
