"""The gambling pathology: a gate that listens to luck can be taken in by a bad arm with noisy rewards.

Arm 1 pays 0; arm 2, the gambling arm, pays −Δ + σξ with ξ ~ N(0, 1) and is played with probability x. The baseline is
b = E R, so with Δ as the unit U = x on arm 1 and U = −(1−x) + rξ on arm 2, r = σ/Δ the noise ratio.

Sign convention: the *drift* is f = E[wU | arm 1] − E[wU | arm 2]. The expected policy gradient moves the log-odds of
arm 1 over arm 2 by 2x(1−x)·f, so f > 0 is towards arm 1, the better arm, and f < 0 towards the gambling arm. PG has
f = 1 everywhere. A zero of f that f crosses upwards is stable: the gambling arm keeps that share for good.

One gambling arm among K: the other K − 1 arms all pay 0 and are equally likely. The log-odds of each over the
gambling arm move by x(1−x)·f·K/(K−1), and only the surprisal of the safe arms, log((K−1)/(1−x)), enters f.

Temperatures are in units of Δ·nats. Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop.
3, for false positives; fixed points, floors and critical values are this project's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, lambertw, log_ndtr, logit, ndtr

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.gambling.means import log_positive_part, positive_part, soft_part, soft_part_log
from kondo_theory.gambling.roots import log_probability, root
from kondo_theory.words import unhandled

__all__ = [
    "CRITICAL_NOISE_RATIO",
    "GATES",
    "dg_threshold",
    "drift",
    "expected_path",
    "false_positive_bound",
    "false_positive_probability",
    "fixed_point",
    "log_false_positive_probability",
    "log_fixed_point",
    "log_small_noise_floor",
]

CRITICAL_NOISE_RATIO = math.sqrt(2 * math.pi)
"""At zero price the gambling arm wins from everywhere iff r = σ/Δ is at least this."""

GATES = ("zero-price", "dg", "pg")

_NEARLY_CRITICAL = 1e-8


def false_positive_probability(x: ArrayLike, noise_ratio: ArrayLike) -> FloatArray:
    """Return P(U > 0 | gambling arm) = Φ(−(1−x)/r), the chance that zero price keeps a losing gamble [KG Prop. 3].

    Parameters
    ----------
    x : (...) array in [0, 1]
        Probability of the gambling arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x, r = _place(x, noise_ratio)
    return np.asarray(ndtr(-(1 - x) / r))


def false_positive_bound(x: ArrayLike, noise_ratio: ArrayLike) -> FloatArray:
    """Return ½e^{−(1−x)²/2r²}, an upper bound of :func:`false_positive_probability`; equal at x = 1 only."""
    x, r = _place(x, noise_ratio)
    return np.asarray(0.5 * np.exp(-0.5 * ((1 - x) / r) ** 2))


def log_false_positive_probability(x: ArrayLike, noise_ratio: ArrayLike) -> FloatArray:
    """Return the logarithm of :func:`false_positive_probability`, which does not underflow."""
    x, r = _place(x, noise_ratio)
    return np.asarray(log_ndtr(-(1 - x) / r))


def drift(
    x: ArrayLike,
    noise_ratio: ArrayLike,
    gate: str = "zero-price",
    temperature: ArrayLike = 1.0,
    *,
    n_arms: ArrayLike = 2,
) -> FloatArray:
    """Return the drift f = E[wU | arm 1] − E[wU | arm 2] in units of Δ: positive towards arm 1, the better one.

    Zero price: f = x − h(1−x, r), h(m, r) = rφ(m/r) − mΦ(−m/r). DG: f = xσ(xℓ₁/η) − E[Uσ(Uℓ₂/η) | arm 2], ℓ the
    arms' surprisals. PG: f = 1. Each term is accurate to 1e-10 relative; their difference loses digits near a zero.

    Parameters
    ----------
    x : (...) array in [0, 1]
        Probability of the gambling arm; at the ends, the limit.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    gate : "zero-price", "dg" or "pg"
    temperature : (...) array in (0, ∞)
        η of DG, in units of Δ.
    n_arms : (...) array
        K: one gambling arm and K − 1 safe ones.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    gate = _domain.choice("gate", gate, GATES)
    x, r = _place(x, noise_ratio)
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    others = _domain.arm_count(n_arms) - 1
    if gate == "pg":
        return np.ones(np.broadcast_shapes(x.shape, r.shape, eta.shape, others.shape))
    if gate == "zero-price":
        return np.asarray((x - r * positive_part((1 - x) / r)) + 0 * eta * others)
    if gate != "dg":
        raise unhandled("gate", gate, ("zero-price", "dg", "pg"))
    with np.errstate(divide="ignore"):  # surprisals at the ends are infinite
        safe, gambling = np.log(others) - np.log1p(-x), -np.log(x)
    return np.asarray(x * expit(x * safe / eta) - r * soft_part((1 - x) / r, r * gambling / (2 * eta)))


def expected_path(speed: Callable[[float], float], x_start: float, learning_rate: float, n_steps: int) -> FloatArray:
    """Return the log-odds of arm 2 after each step of the expected update, shape (n_steps,): learning as B → ∞.

    One path: scalars only.

    Parameters
    ----------
    speed : callable
        The drift f at x, of any gate, in units of Δ.
    x_start : float
        Probability of the gambling arm at the start, in (0, 1).
    learning_rate : float
        In units of 1/Δ, positive.
    n_steps : int
        At least 0.

    Raises
    ------
    ValueError
        If an argument is outside its domain.
    """
    z = float(logit(_domain.number("x_start", x_start, 0, 1, "()")))
    learning_rate = _domain.number("learning_rate", learning_rate, 0, np.inf, "()")
    path = np.empty(_domain.integer("n_steps", n_steps, 0))
    for step in range(len(path)):
        x = float(expit(z))
        z -= 2 * learning_rate * x * float(expit(-z)) * speed(x)
        path[step] = z
    return path


@elementwise("noise_ratio", "temperature", "n_arms")
def log_fixed_point(
    noise_ratio: float, gate: str = "zero-price", temperature: float = 1.0, *, n_arms: int = 2
) -> float | None:
    """Return log x* of the stable interior zero of the drift, or None (in an array nan) where there is none.

    There is exactly one at zero price for r < √(2π), none above; exactly one for DG at every r and η; none for PG.

    Parameters
    ----------
    noise_ratio, temperature : (...) array
        r = σ/Δ and DG's η (in units of Δ), in (0, ∞). Small r/√η makes log x* as low as −2η/r².
    gate : "zero-price", "dg" or "pg"
    n_arms : (...) array
        K; changes DG's point only.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    logit = _fixed_logit(noise_ratio, gate, temperature, n_arms)
    return None if logit is None else log_probability(logit)


@elementwise("noise_ratio", "temperature", "n_arms")
def fixed_point(
    noise_ratio: float, gate: str = "zero-price", temperature: float = 1.0, *, n_arms: int = 2
) -> float | None:
    """Return x*, the share that the gambling arm keeps for good, or None (in an array nan); see `log_fixed_point`."""
    logit = _fixed_logit(noise_ratio, gate, temperature, n_arms)
    return None if logit is None else float(expit(logit))


def dg_threshold(noise_ratio: ArrayLike, temperature: ArrayLike = 1.0) -> FloatArray:
    """Return the x below which DG's gated gamble has a positive mean: log x = −2η(1−x)/r².

    E[Uσ(Uℓ/η)] > 0 iff ℓ > 2η(1−x)/r². It is an upper bound of DG's fixed point, x = −W₀(−k e^{−k})/k with
    k = 2η/r² for k > 1, and 1 for k ≤ 1, where the gated gamble always looks good. Underflows for k above 745.
    """
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    k = 2 * eta / r**2
    inner = np.maximum(k, 1.0)
    small = np.exp(-inner)
    argument: Any = -inner * small  # the stubs know no array of this shape
    solved = -np.real(lambertw(argument)) / inner
    return np.asarray(np.where(k <= 1, 1.0, np.where(inner > 40, small, solved)))


def log_small_noise_floor(
    noise_ratio: ArrayLike, gate: str = "zero-price", temperature: ArrayLike = 1.0
) -> FloatArray:
    """Return the leading form of log x* as r → 0 (the ratio of x* to its form tends to one).

    Zero price: x* ~ r³φ(1/r). DG: x* ~ e^{−2η/r²} for η > 1/4 and 2C·r³φ(1/r), C = (2πη)²cos(2πη)/sin²(2πη), for
    η < 1/4 (there with corrections of order r² log(1/r)); η = 1/4 is refused.
    """
    gate = _domain.choice("gate", gate, ("zero-price", "dg"))
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    cubic = 3 * np.log(r) - 0.5 / r**2 - 0.5 * np.log(2 * np.pi)
    if gate == "zero-price":
        return np.asarray(cubic + 0 * eta)
    _domain.require("temperature", eta, eta != 0.25, "other than 1/4")
    angle = 2 * np.pi * np.minimum(eta, 0.25)
    factor = np.log(2 * np.cos(angle)) + 2 * np.log(angle / np.sin(angle))  # finite at 1/4 too, in floats
    return np.asarray(np.where(eta > 0.25, -2 * eta / r**2, cubic + factor))


def _place(x: ArrayLike, noise_ratio: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return _domain.interval("x", x, 0, 1, "[]"), _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")


def _fixed_logit(noise_ratio: float, gate: str, temperature: float, n_arms: int) -> float | None:
    """Return logit x*; the two sides of f = 0 are compared by their logarithms, so that no x* is too small."""
    gate = _domain.choice("gate", gate, GATES)
    r = float(_domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()"))
    eta = float(_domain.interval("temperature", temperature, 0, np.inf, "()"))
    others = float(_domain.arm_count(n_arms)) - 1
    if gate == "pg" or (gate == "zero-price" and r >= CRITICAL_NOISE_RATIO):
        return None
    distance = 1 - r / CRITICAL_NOISE_RATIO
    if gate == "zero-price" and distance < _NEARLY_CRITICAL:
        return -math.log(2 * distance)  # f(1 − m) = distance − m/2 + O(m²) has no digits left to search in

    def balance(logit: float) -> float:
        """Return a quantity in [−1, 1] with the sign of f."""
        m, log_x = float(expit(-logit)), log_probability(logit)
        if gate == "zero-price":
            return math.tanh((log_x - math.log(r) - float(log_positive_part(m / r))) / 2)
        safe = math.log(others) - log_probability(-logit)
        sign, size = soft_part_log(m / r, -log_x * r / (2 * eta))
        if sign <= 0:
            return 1.0
        first = log_x - float(np.logaddexp(0.0, -math.exp(log_x) * safe / eta))
        return math.tanh((first - math.log(r) - float(size)) / 2)

    low = -1.0
    while balance(low) >= 0:
        low *= 2
    high = 1.0
    while balance(high) <= 0:
        high *= 2
    return root(balance, low, high)
