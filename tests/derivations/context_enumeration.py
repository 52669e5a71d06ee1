"""One context by plain enumeration over its arms, and a derivation's result as a number."""

from __future__ import annotations

import numpy as np
import sympy as sp

CONTEXTS = [(2, 0.3, 0.5), (3, 0.05, 0.25), (10, 0.6, 0.6), (57, 0.9, 0.1), (4, 0.25, 0.0)]


def evaluate(expression: sp.Basic, **values: float) -> float:
    """Lambdify a result formula and call it with values given by symbol name."""
    symbols = sorted(expression.free_symbols, key=str)
    return float(sp.lambdify(symbols, expression, "numpy")(*[float(values[str(s)]) for s in symbols]))


def brute_force(policy, rewards, baseline, first, second):
    """Moments of one sample's gradient by plain enumeration: mean, ∇J, Var_∥ and Var_⊥ about the mean."""
    policy, rewards = np.asarray(policy), np.asarray(rewards)
    scores = np.eye(len(policy)) - policy  # row a is φ_a
    gradient = (policy * rewards) @ scores
    unit = gradient / np.linalg.norm(gradient)
    advantage = rewards - baseline
    mean = (policy * first * advantage) @ scores
    covariance = np.einsum("a,ai,aj->ij", policy * second * advantage**2, scores, scores) - np.outer(mean, mean)
    parallel = unit @ covariance @ unit
    return mean, gradient, parallel, np.trace(covariance) - parallel


def symmetric(n_arms: int, p: float):
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    return policy, np.eye(n_arms)[0]
