"""The inequalities of the claims on tokens."""

from __future__ import annotations

from functools import partial

import numpy as np

from falsification.statements import probability, refuted, states
from kondo_theory.screening import RULES
from kondo_theory.token_trap import drift, low_rates_stall, stall_point, stalling_rates
from kondo_theory.token_trap import rows as token_rows
from kondo_theory.token_trap.all_or_nothing import all_or_nothing_drift, expected_update
from kondo_theory.token_trap.autoregressive_rows import answer_law
from kondo_theory.token_trap.positions import Positions, percentile_drifts, position_drifts
from kondo_theory.token_trap.row_balance import row_balance
from kondo_theory.token_trap.screening_ties import kept_with_ties
from kondo_theory.token_trap.stall_escape import barrier, diffusion


def _sizes(rng) -> tuple[int, int]:
    return int(rng.choice([2, 3, 5, 10, 48, 200])), int(rng.integers(1, 24))


@states("token-trap", "the drift is positive at 1/M, not negative from 1 − 1/T on, and T = 1 never stalls")
def _trap(rng):
    M, T = _sizes(rng)
    rate = rng.uniform(0.005, 1)
    late = 1 - rng.uniform(0.001, 1) / T
    at = [float(drift(p, T, M, rate)) for p in (1 / M, late)]
    return np.array([at[0], at[1], float(drift(float(probability(rng)), 1, M, rate))]) + 1e-14


@states("token-trap", "ρ_c's intervals hold exactly the rates that stall; low rates stall iff T is as stated")
def _rates_that_stall(rng):
    M, T = _sizes(rng)
    intervals = stalling_rates(M, T)
    rate = rng.uniform(0.005, 1)
    inside = any(low < rate < high for low, high in intervals)
    near = any(abs(rate - end) < 2e-3 for pair in intervals for end in pair)
    least = 5 if M == 2 else 4 if M <= 4 else 3 if M <= 47 else 2
    agrees = near or (stall_point(rate, M, T) is not None) == inside
    return np.array([1.0 if agrees else -1.0, 1.0 if low_rates_stall(M, T) == (least <= T) else -1.0])


@refuted("token-trap", "every rate above ρ_c learns")
def _above(rng):
    T = int(rng.integers(20, 40))
    intervals = stalling_rates(10, T)
    return 1.0 if stall_point(rng.uniform(intervals[0][1] + 0.01, 1), 10, T) is None else -1.0


@states("row-gate", "the drifts sum to T·E[G·A²], any rule on the answers; zero price is positive for each token")
def _row(rng):
    T = int(rng.integers(1, 6))
    p = np.asarray(probability(rng, T))
    rows = (np.arange(2**T)[:, None] >> np.arange(T)) & 1
    mass = np.prod(np.where(rows == 1, p, 1 - p), axis=1)
    advantage = rows.mean(axis=1) - p.mean()
    keep = np.where(rng.random(2**T) < 0.5, 0.0, rng.random(2**T))
    total = ((mass * keep * advantage)[:, None] * (rows - p)).sum()
    zero = ((mass * np.maximum(advantage, 0))[:, None] * (rows - p)).sum(axis=0)
    return np.array([1e-12 - abs(total - T * (mass * keep * advantage**2).sum()), *(zero / (p * (1 - p)) + 1e-12)])


@refuted("row-gate", "no token's drift is negative")
def _each_token(rng):
    p = np.asarray(probability(rng, 2))
    advantage = 0.5 - p.mean()
    return advantage * p * (1 - p) * (1 - 2 * p[::-1])  # the answers with exactly one of two right


def _gated(rng) -> tuple:
    """Return an autoregressive policy's answers, a rule on them, and their advantage."""
    T, M = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    law = answer_law([rng.dirichlet(np.full(M, rng.uniform(0.2, 2.0)), (M,) * t) for t in range(T)])
    reward = law.right.mean(axis=1)
    keep = np.where(rng.random(law.mass.size) < 0.5, 0.0, rng.random(law.mass.size))
    return law, keep, reward - law.mass @ reward


@states(
    "autoregressive-rows", "where the condition holds the drifts sum to something positive; the slope has its sign"
)
def _condition(rng):
    law, keep, advantage = _gated(rng)
    found = row_balance(law.right, law.right_probability, advantage, keep, mass=law.mass)
    return (
        np.array([found.drift if found.margin > 1e-12 else 1.0, np.nan_to_num((1 - found.slope) * found.drift)])
        + 1e-12
    )


@states(
    "autoregressive-rows",
    "with logits for each prefix some logit moves: not all means of G·A over what follows agree",
)
def _no_rest(rng):
    _, keep, advantage = _gated(rng)
    paid = keep * advantage
    return np.ptp(paid) - 1e-15 if np.any(paid) else 1.0


@refuted("autoregressive-rows", "the drifts of the right logits never sum to something negative")
def _sum(rng):
    law, _, advantage = _gated(rng)
    push = advantage * (law.right - law.right_probability).sum(axis=1)
    return row_balance(law.right, law.right_probability, advantage, push == push.min(), mass=law.mass).drift


@refuted("autoregressive-rows", "the drifts sum to something positive only where the condition holds")
def _necessary(rng):
    law, keep, advantage = _gated(rng)
    found = row_balance(law.right, law.right_probability, advantage, keep, mass=law.mass)
    return found.margin if found.drift > 0 else 1.0


@states("stall-escape", "the diffusion is never negative, and zero where the price lies in the first atom")
def _diffusion(rng):
    M, T = _sizes(rng)
    p = probability(rng)
    first = token_rows.token_atoms(np.array([p]), T, M)
    top = first.mass[0][np.argmax(first.score[0])]
    alike = abs(float(diffusion(p, T, M, 0.5 * top))) if T > 1 else 0.0
    return np.array([float(diffusion(p, T, M, rng.uniform(0.01, 1.0))), 1e-15 - alike])


@refuted("stall-escape", "every stall can be left: the barrier is finite")
def _finite(rng):
    return 1.0 if np.isfinite(barrier(rng.uniform(0.05, 0.15), 10, 3)) else -1.0


@states("token-dg", "DG stalls in a window at finite T only, and not below 1/(5T²) or where η is large")
def _token_dg(rng):
    M, T = _sizes(rng)
    p = np.linspace(1 / M, 1, 202)[1:-1]
    cold, hot = 0.2 / T**2, 50.0
    return np.concatenate([drift(p, T, M, gate="dg", temperature=eta) / (p * (1 - p)) for eta in (cold, hot)]) + 1e-12


@states("token-screening", "ranked by |advantage|, advantage or surprisal the drift is positive above 1/M")
def _never(rng):
    M, T = _sizes(rng)
    rate = rng.uniform(0.005, 1)
    p = 1 / M + (1 - 1 / M) * rng.uniform(0.001, 0.999, 20)
    rules = ("abs-advantage", "advantage", "surprisal")
    return np.concatenate([drift(p, T, M, rate, rule=rule) / (p * (1 - p)) for rule in rules]) + 1e-12


@states("token-screening", "positive surprisal stalls at 1/M at rates up to P(wrong, A > 0) there")
def _at_once(rng):
    M, T = _sizes(rng)
    p = 1 / M * (1 + 1e-7)
    counts, mass = token_rows.binomial_masses(T - 1, np.array([p]))
    most = (1 - p) * float(mass[0][counts / T > p].sum())
    if most < 1e-6:
        return 1.0
    return -float(drift(p, T, M, most * rng.uniform(0.01, 0.99), rule="positive-surprisal"))


def _unequal(rng) -> tuple:
    """Return kinds of positions, M and a rate."""
    kinds = [Positions(int(rng.integers(1, 5)), float(probability(rng))) for _ in range(int(rng.integers(1, 4)))]
    return kinds, int(rng.choice([2, 3, 10, 200])), rng.uniform(0.01, 1)


@states("token-rules", "by surprisal, probability or entropy, a price or a percentile, no position is pushed down")
def _blind(rng):
    kinds, M, rate = _unequal(rng)
    free = [Positions(int(rng.integers(1, 4)), judged=False)] if rng.random() < 0.5 else []
    found = [position_drifts([*kinds, *free], M, rate, rule) for rule in ("surprisal", "probability", "entropy")]
    found.append(percentile_drifts([*kinds, *free], M, rng.uniform(0, 9), "surprisal"))
    found.append(position_drifts(kinds, M, rate, "positive-advantage"))
    return np.concatenate(found) + 1e-12


@states("token-rules", "delight of what is not spurious pushes no position down where wrong tokens are spurious")
def _masked(rng):
    kinds, _, rate = _unequal(rng)
    least = min(each.p for each in kinds)
    M = 2 + int(np.ceil(1 / least))
    rule = partial(RULES["delight-no-spurious"], least_probability=least, entropy=np.inf)
    return position_drifts(kinds, M, rate, rule) + 1e-12


@refuted("token-rules", "delight pushes no learnt position down beside open ones")
def _forgets(rng):
    return position_drifts([Positions(4, 0.5), Positions(4, 0.99)], 50, rng.uniform(0.01, 0.1))[1]


@refuted("token-rules", "|advantage| weighted by probability pushes no position down")
def _late(rng):
    return position_drifts([Positions(10, 0.75)], 10, rng.uniform(0.001, 0.05), "weighted-advantage")[0]


def _tied_batch(rng) -> tuple:
    """Return sizes, a law of points and a rule whose ties are kept."""
    T, P, n = (int(rng.integers(low, high)) for low, high in ((1, 6), (1, 5), (2, 6)))
    law = rng.dirichlet(np.full(T + 1, rng.uniform(0.1, 2.0)))
    return T, P, n, int(rng.integers(1, P * n + 1)), law, str(rng.choice(["advantage", "abs-advantage", "uniform"]))


@states("screening-ties", "no less than m answers of N are kept, and the random choice keeps all")
def _kept_with_ties(rng):
    _, P, n, m, law, rule = _tied_batch(rng)
    found, every = kept_with_ties(law, P, n, m, rule), kept_with_ties(law, P, n, m, "uniform")
    return np.array([found.kept - m / (P * n), found.kept - found.moving, 0.0 - abs(every.kept - 1)]) + 1e-12


@refuted("screening-ties", "what is kept more has no advantage")
def _idle_ties(rng):
    _, P, n, m, law, _ = _tied_batch(rng)
    return m / (P * n) - kept_with_ties(law, P, n, m, "advantage").moving


def _policy(rng, concentration=0.7):
    """Return an autoregressive policy of up to three tokens, from two to four words."""
    M, T = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    return [rng.dirichlet(np.full(M, concentration), (M,) * t) for t in range(T)]


@states("all-or-nothing", "no right logit falls, and that of the least likely right token rises")
def _one_right_answer(rng):
    policies = _policy(rng)
    chances = [table[(0,) * (t + 1)] for t, table in enumerate(policies)]
    found = expected_update(policies, rng.uniform(0.001, 1))
    right = np.array([update[(0,) * (t + 1)] for t, update in enumerate(found)])
    scale = np.prod(chances) * (1 - np.prod(chances))
    return np.array([*(right + 1e-13), right[int(np.argmin(chances))] - 1e-9 * scale * (1 - min(chances))])


@states("all-or-nothing", "the drift is positive with a group's mean as well, whatever p and the rate")
def _paid_in_groups(rng):
    M, T = _sizes(rng)
    p, S = float(probability(rng)), int(rng.integers(2, 20))
    return all_or_nothing_drift(p, T, M, rng.uniform(0.001, 1), S) + 1e-15


@refuted("all-or-nothing", "no logit of a word that the gradient favours falls, whatever answers are paid")
def _several_right_answers(rng):
    policies = _policy(rng)
    shape = policies[-1].shape
    paid = rng.random(shape) < 0.4
    gated, gradient = (expected_update(policies, rate, paid)[0] for rate in (rng.uniform(0.001, 0.2), 1.0))
    best = int(np.argmax(gradient))
    return float(gated[best]) + 1e-9
