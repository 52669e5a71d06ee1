"""Screening rules: which scores rank samples consistently, and what each rule keeps."""

import numpy as np
from scipy.special import expit

from closed_forms import ClosedForm
from kondo_theory.geometry.quality_cost import surprisal
from kondo_theory.geometry.symmetric import symmetric_arms, symmetric_moments
from kondo_theory.screening import RULES, additive_odds_limit, additive_threshold, kept_at_rate, screen_context


def _confident(rng):
    """A context with p > 1/K, where α* is defined."""
    K = float(rng.integers(2, 60))
    return {"K": K, "p": rng.uniform(1.01 / K, 0.99), "Delta": rng.uniform(0.1, 3), "alpha": rng.uniform(0.05, 0.95)}


def _lead(rule, **at):
    """Score of a failure less that of a success, under a rule of the package."""
    policy, advantage = symmetric_arms(int(at["K"]), at["p"], 0.3)
    parameters = {"alpha": at["alpha"]} if rule == "additive" else {}
    score = RULES[rule](at["Delta"] * advantage, surprisal(policy), np.zeros_like(policy), **parameters)
    return float(score[1] - score[0])


def _threshold(**at):
    return float(additive_threshold(at["p"], at["K"], at["Delta"]))


def _late(rng):
    return {"K": float(rng.integers(2, 60)), "Delta": rng.uniform(0.1, 3), "alpha": rng.uniform(0.05, 0.95)}


def _limit(**at):
    return float(additive_odds_limit(at["alpha"], at["K"], at["Delta"]))


def _rate(rng):
    return {"K": float(rng.integers(2, 40)), "p": rng.uniform(0.02, 0.98), "rho": rng.uniform(0.01, 1)}


def _masses(score):
    """Kept mass of correct and of wrong samples for a score of (correct, wrong) arms."""

    def function(**at):
        policy = symmetric_arms(int(at["K"]), at["p"], 0.0)[0]
        keep = policy * kept_at_rate(policy, np.where(np.arange(len(policy)) == 0, *score), at["rho"])
        return keep[0], float(keep[1:].sum())

    return function


def _mass(score, place):
    return ClosedForm(_rate, lambda **at: _masses(score)(**at)[place])


def _kept(rng):
    """Kept masses (X, Y) of correct and wrong samples, by any gate that sees the sign of the advantage."""
    p = rng.uniform(0.05, 0.95)
    return {
        "K": float(rng.integers(2, 40)),
        "p": p,
        "b": rng.uniform(0.02, 0.95),
        "X": p * rng.uniform(0.05, 1),
        "Y": (1 - p) * rng.uniform(0.05, 1),
    }


def _moments(**at):
    weights = at["X"] / at["p"], at["Y"] / (1 - at["p"])
    return symmetric_moments(at["p"], at["K"], at["b"], *weights, bernoulli=True)


def _cost(**at):
    moments = _moments(**at)
    noise = moments.var_parallel + moments.var_perpendicular
    return float((at["X"] + at["Y"]) * (1 + noise / moments.signal**2))


def _wrong_only(**at):
    policy, advantage = symmetric_arms(int(at["K"]), at["p"], 0.4)
    screened = screen_context(policy, advantage, lambda U, ell, entropy: -U, 0.5 * (1 - at["p"]))
    moments = screened.moments
    noise = moments.var_parallel + moments.var_perpendicular
    return float(screened.backward_rate * (1 + noise / moments.signal**2))


CLOSED_FORMS = {
    "additive-threshold": {
        "surprisal_gap": ClosedForm(_confident, lambda **at: _lead("surprisal", **at)),
        "threshold": ClosedForm(_confident, _threshold),
        "score_margin": ClosedForm(_confident, lambda **at: _lead("additive", **at), relative=1e-9),
    },
    "additive-never-fixed": {
        "critical_odds": ClosedForm(_late, lambda **at: float(np.exp(_limit(**at)))),
        "critical_probability": ClosedForm(_late, lambda **at: float(expit(_limit(**at)))),
        "failure_bound": ClosedForm(
            lambda rng: {"B": float(rng.integers(1, 99)), **_late(rng)},
            lambda B, **at: B * float(expit(-_limit(**at))),
        ),
        "threshold_at_probability": ClosedForm(_confident, _threshold),
    },
    "screening-at-rate": {
        "correct_first_correct": _mass((1, 0), 0),
        "correct_first_wrong": _mass((1, 0), 1),
        "wrong_first_correct": _mass((0, 1), 0),
        "wrong_first_wrong": _mass((0, 1), 1),
        "tie_correct": _mass((1, 1), 0),
        "tie_wrong": _mass((1, 1), 1),
        "signal": ClosedForm(_kept, lambda **at: float(_moments(**at).signal)),
        "var_perpendicular": ClosedForm(_kept, lambda **at: float(_moments(**at).var_perpendicular)),
        "cost_of_signal": ClosedForm(_kept, _cost),
        "wrong_only_cost": ClosedForm(
            lambda rng: {"K": float(rng.integers(2, 40)), "p": rng.uniform(0.05, 0.95)}, _wrong_only
        ),
    },
}

WHERE = {
    "additive-threshold": {"L": "log(p(K−1)/(1−p))"},
    "screening-at-rate": {"α": "√(K/(K−1))"},
}

QUOTED = {
    "additive-threshold": {
        "αU + (1−α)ℓ": "the score: a definition",
        "p > 1/K": "a correct arm likelier than a wrong one; the sign of L, a step of the derivation",
        "p ≤ 1/K": "the other side of the same threshold",
    },
    "additive-never-fixed": {
        "the odds p/(1−p)": "the definition of the odds",
        "rises from 1/K": "the uniform policy",
        "1−p^B": "the chance that a batch holds a failure: its definition",
        "10^−40 at K = 10, α = 0.99, B = 20": "a bound at a setting, checked in the derivation",
    },
    "screening-at-rate": {
        "b < 1/2": "where |advantage| changes its mind, a step of the derivation",
        "p > 1/K": "where surprisal changes its mind, a step of the derivation",
        "B·Var_⊥": "the name of a scaled variance",
    },
}
