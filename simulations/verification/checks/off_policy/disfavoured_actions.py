"""The simulation of the claim disfavoured-actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.off_policy.broken_actors import contaminated_pg_cosine, failing_weight_bound, mixed_behaviour
from kondo_theory.off_policy.moments import off_policy_moments
from simulations.bandits.estimates import cosine_of_mean
from simulations.bandits.one_sample import Decision, PaidArms, actor_samples, decide
from simulations.bandits.simulation import Estimate
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value
from simulations.verification.checks.off_policy.stale_actors import COSINE_RESOLUTION, N_REPLICATES, SIZES, Decide

__all__ = ["ORTHOGONAL", "disfavoured_actions", "sign_blind"]

FloatArray = NDArray[np.float64]
Bound = Callable[[float, float, float], FloatArray]
"""What a failing action's weight stays below, from π, U and η."""

SHARE, BASELINE = 0.1, 0.5
ERRORS = (0.5, 0.1, 0.01)
"""ε."""
REWARD = np.array([1.0, 0.0, 0.0])
ORTHOGONAL: FloatArray = np.linalg.inv(np.array([[1.0, -0.5, -0.5], [1.0, -1.0, 0.0], [1.0, 1.0, 1.0]]))[:, :2]
"""∂z/∂θ, (K, 2): two parameters, of which one moves along e_y − q, q even, and the other along e_y − e_1."""


def disfavoured_actions(
    context: Context, decision: Decide = decide, bound: Bound = failing_weight_bound, kernel: FloatArray = ORTHOGONAL
) -> list[Simulated]:
    """Simulate failing actions of broken actors: their part of the second moment, and cosines of PG and DG.

    ``decision``, ``bound`` and the shared parameters are arguments so that wrong ones can be shown to fail.
    """
    size = SIZES[context.preset]
    return [*_second_moments(decision, bound, size), *_cosines(decision, kernel, size), *_signs(decision, size)]


def _arms(error: float) -> PaidArms:
    """Return three arms: the correct one, and two alike to the learner, of which actors play the first."""
    policy = np.array([1 - error, error / 2, error / 2])
    return PaidArms(policy, mixed_behaviour(policy, SHARE, [0.0, 1.0, 0.0]), REWARD, BASELINE)


def _second_moments(decision: Decide, bound: Bound, size: int) -> Iterator[Simulated]:
    """Yield by how much failures' part of DG's second moment stays below that of the bound, clipped at zero.

    Arms are paid nothing here, so that all samples fail; the bound's own second moment is a sum over arms.
    """
    for seed, (baseline, temperature) in enumerate(((0.5, 1.0), (0.2, 1.0), (0.9, 0.5))):
        for error in ERRORS:
            own = _arms(error)
            arms = PaidArms(own.policy, own.behaviour, np.zeros(3), baseline)
            found = actor_samples(
                arms, REWARD, decision("dg", temperature, 1.0, "learner"), size, N_REPLICATES, seed
            ).squares
            square = baseline**2 * (1 - 2 * arms.policy + np.sum(arms.policy**2))
            weights = np.array([float(bound(float(x), -baseline, temperature)) for x in arms.policy])
            most = float(arms.behaviour @ (weights**2 * square))
            excess = Estimate.of(found - most)
            point = f"DG's failures over the bound, ε={error:g}, b={baseline:g}, η={temperature:g}"
            where: dict[str, Value] = {"method": "DG", "ε": error, "b": baseline, "η": temperature}
            value = max(excess.value, 0.0)
            yield Simulated(point, 0.0, value, excess.standard_error, 0.001, where)


def _cosines(decision: Decide, parameters: FloatArray, size: int) -> Iterator[Simulated]:
    """Yield cosines of PG, DG and zero price with logits of their own, and with shared parameters."""
    even, one = [0.5, 0.5], [1.0, 0.0]
    for seed, error in enumerate(ERRORS):
        arms = _arms(error)
        for method in ("pg", "dg", "zero-price"):
            found = actor_samples(arms, REWARD, decision(method, 1.0, 1.0, "learner"), size, N_REPLICATES, 20 + seed)
            own = off_policy_moments(method, arms.policy, arms.behaviour, REWARD, BASELINE).moments.cosine
            if method == "pg":
                own = contaminated_pg_cosine(error, even, SHARE, one, BASELINE)
            where: dict[str, Value] = {"method": method, "ε": error}
            yield _cosine(f"cosine of {method}, ε={error:g}", float(own), found.cosine, where)
            shared = off_policy_moments(
                method, arms.policy, arms.behaviour, REWARD, BASELINE, kernel=ORTHOGONAL @ ORTHOGONAL.T
            ).moments.cosine
            cosine = cosine_of_mean(found.gradients @ parameters, found.direction @ parameters)
            point = f"cosine of {method} with shared parameters, ε={error:g}"
            yield _cosine(point, float(shared), cosine, where | {"parameters": "shared"})


def _cosine(quantity: str, predicted: float, found: Estimate, where: dict[str, Value]) -> Simulated:
    return Simulated(quantity, predicted, found.value, found.standard_error, COSINE_RESOLUTION, where)


def sign_blind(power: float) -> Decision:
    """Return the weight π^power of every sample, paid or not."""

    def decision(arms: PaidArms) -> tuple[FloatArray, FloatArray]:
        one = np.ones((2, len(arms.policy)))
        return one, one * arms.policy**power

    return decision


def _signs(decision: Decide, size: int) -> Iterator[Simulated]:
    """Yield successes' over failures' mean weighted advantage of equal probabilities: 1, or DG's x^{−u/η}."""
    for seed, x in enumerate((0.3, 0.05)):
        rare = PaidArms(np.array([1 - x, x]), np.array([0.5, 0.5]), np.array([0.0, 0.5]), BASELINE)
        for name, own, predicted in (
            ("a power of π", sign_blind(0.5), 1.0),
            ("DG", decision("dg", 1.0, 1.0, "learner"), x**-BASELINE),
        ):
            paid, unpaid = (
                actor_samples(
                    PaidArms(rare.policy, np.array([0.0, 1.0]), np.array([0.0, pays]), BASELINE),
                    np.array([0.0, 1.0]), own, size, N_REPLICATES, 40 + seed,
                ).gradients[:, 1]
                for pays in (1.0, 0.0)
            )  # fmt: skip
            ratio = Estimate.of(-paid / unpaid)
            where: dict[str, Value] = {"method": name, "p": x}
            point = f"a success's weight over a failure's by {name}, p={x:g} of both"
            yield Simulated(point, predicted, ratio.value, ratio.standard_error, 0.01, where)
