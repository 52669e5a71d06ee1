"""DG and the screening rules on tokens that share one advantage: drifts of ``kondo_theory.token_trap``."""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy as sp
from scipy.optimize import minimize_scalar

from closed_forms import ClosedForm
from kondo_theory import token_trap as trap
from kondo_theory.screening import RULES, additive_odds_limit
from kondo_theory.token_trap import rows as token_rows

__all__ = ["CLOSED_FORMS", "QUOTED"]

LONG = 100_000


def long_row(generator):
    p, M = generator.uniform(0.3, 0.8), int(generator.integers(6, 300))
    right, wrong = -np.log(p), np.log((M - 1) / (1 - p))
    return {"p": p, "M": M, "eta": generator.uniform(1.5, 3) * (wrong - right), "ell_r": right, "ell_w": wrong}


def long_row_speed(p, M, eta, ell_r, ell_w):
    return LONG * float(trap.drift(p, LONG, int(M), gate="dg", temperature=eta)) / (p * (1 - p))


def at_its_maximum(result, values):
    """Maximise a formula over p in (1/2, 1)."""
    names = {str(symbol): symbol for symbol in result.free_symbols}
    height = sp.lambdify(names["p"], result.subs(names["M"], values["M"]))
    found = minimize_scalar(lambda p: -height(p), bounds=(0.501, 0.99), method="bounded", options={"xatol": 1e-9})
    return -found.fun


def first_vocabulary():
    low, high = 2, 10**5
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if trap.critical_temperature(middle) > 1 else (middle, high)
    return float(high)


def full(p, T):
    """PG's drift."""
    return p * (1 - p) / T


def share(rule, p, T, rho, vocab_size=7):
    return float(trap.drift(p, int(T), vocab_size, rho, rule=rule)) / full(p, int(T))


def late(generator):
    """Near p = 1: 1 − p below 1/(2T), and ρ between 1 − p^T and p^T."""
    T = int(generator.integers(2, 12))
    p = 1 - generator.uniform(0.01, 0.3) / (2 * T)
    return {"p": p, "T": T, "rho": generator.uniform(1 - p**T, p**T)}


def late_surprisal(generator):
    p = generator.uniform(0.6, 0.99)
    return {"p": p, "T": int(generator.integers(2, 12)), "rho": generator.uniform(1 - p, 1)}


def early_surprisal(generator):
    p = generator.uniform(0.2, 0.8)
    return {"p": p, "T": int(generator.integers(2, 12)), "rho": generator.uniform(0.05, 1) * (1 - p)}


def start(generator):
    M = int(generator.integers(3, 200))
    return {"M": M, "rho": generator.uniform(0.05, 0.95) * (1 - 1 / M)}


def surprisal_start(M, rho):
    p = (1 + 1e-9) / M
    return float(trap.drift(p, 5, int(M), rho, rule="surprisal")) / full(p, 5)


def additive(generator):
    """An additive rule with a stall well inside of (1/M, 1 − 1/T)."""
    while True:
        values = {
            "M": int(generator.integers(2, 8)),
            "T": int(generator.integers(3, 10)),
            "alpha": generator.uniform(0.2, 0.9),
        }
        odds = np.exp(values["alpha"] / ((1 - values["alpha"]) * values["T"])) / (values["M"] - 1)
        if odds / (1 + odds) < 0.9 * (1 - 1 / values["T"]):
            return values


def additive_stall(M, T, alpha):
    return trap.stall_point(1e-9, int(M), int(T), rule=partial(RULES["additive"], alpha=alpha))


def lucky_wrong_tokens(T, M):
    """Mass of the wrong tokens with A > 0, which pull the drift down, at p = 1/M."""
    atoms = token_rows.token_atoms(np.array([1 / M]), int(T), int(M))
    wrong = slice(atoms.mass.shape[1] // 2, None)
    return float(atoms.mass[:, wrong][atoms.pull[:, wrong] < 0].sum())


CLOSED_FORMS = {
    "token-dg": {
        "long_row_speed": ClosedForm(long_row, long_row_speed, 4e-3),  # the next term is of order log³(MT)/T
        "critical_temperature": ClosedForm(
            lambda generator: {"M": int(generator.integers(2, 10**4)), "p": generator.uniform(0.5, 0.95)},
            lambda M, p: trap.critical_temperature(int(M)),
            1e-9,
            at_its_maximum,
        ),
        "first_vocabulary": ClosedForm(lambda generator: {}, first_vocabulary),
        "cold_edge": ClosedForm(  # the limit is approached from above, like 1/T
            lambda generator: {}, lambda: trap.stalling_temperatures(2, 128)[0][0] * 128**2, 0.05
        ),
    },
    "token-screening": {
        "surprisal_drift": ClosedForm(
            early_surprisal, lambda p, T, rho: share("surprisal", p, T, rho) * full(p, int(T)), 1e-9
        ),
        "surprisal_start": ClosedForm(start, surprisal_start, 1e-7),
        "late_share_surprisal": ClosedForm(late_surprisal, partial(share, "surprisal"), 1e-9),
        "late_share_abs_advantage": ClosedForm(late, partial(share, "abs-advantage"), 1e-9),
        "late_share_delight": ClosedForm(late, partial(share, "delight"), 1e-9),
        "additive_stall": ClosedForm(additive, additive_stall, 1e-9),
        "additive_log_odds": ClosedForm(
            additive, lambda M, T, alpha: float(additive_odds_limit(alpha, int(M), 1 / T)), 1e-9
        ),
        "lucky_wrong_tokens": ClosedForm(  # relative error T/(2M)
            lambda generator: {"T": int(generator.integers(2, 12)), "M": int(generator.integers(1, 9) * 10**6)},
            lucky_wrong_tokens,
            1e-5,
        ),
    },
}

QUOTED: dict[str, dict[str, str]] = {
    "token-dg": {
        "M = 10 for T ≤ 13": "an example, computed in test_the_window_of_temperatures_at_finite_length",
        "T² times it": "the unit of the result cold_edge",
        "like 1/T²": "the result cold_edge is in this unit",
        "(5.8 at M = 100, T = 32)": "an example, computed in test_the_window_of_temperatures_at_finite_length",
    },
    "token-screening": {
        "at 1/M": "the uniform policy",
        "above 1/M": "the uniform policy",
        "ρ ≤ 1 − 1/M": "the region 1 − p ≥ ρ of the result surprisal_drift, at p = 1/M",
        "p* < 1 − 1/T": "the end of the region where wrong tokens can have A > 0",
        "(at M = 100, T = 60, ρ = 95 % stalls)": "an example, computed in test_additive_rules_at_high_rates",
        "p = 1 − 1/T on while ρ ≤ p^T": "the region of the result late_share_delight",
        "once 1 − p^T ≤ ρ and 1 − p < 1/(2T)": "the region of the result late_share_abs_advantage",
    },
}
