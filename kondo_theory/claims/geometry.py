"""Claims about one context: what a gate does to the gradient of a single softmax bandit."""

from kondo_theory.claims.registry import SIMULATED, Claim

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="zero-price-geometry",
        statement=(
            "With one correct arm, zero-price gating keeps the direction of the policy gradient, E[g] = (1−b)∇J, "
            "removes all perpendicular noise, Var_⊥ = 0, and backpropagates a share p of the samples."
        ),
        source="KG Prop. 1, DG Prop. 1; exact variances here",
        regime=(
            "one context, one correct arm, R in {0, 1}, 0 ≤ b < 1, samples gated independently; any policy for the "
            "direction and Var_⊥, equally likely wrong arms for the formulas in (p, K, b); stops at graded rewards, "
            "and the noise removed is the baseline's: none at b = 0, none at K = 2"
        ),
        rule=SIMULATED,
    ),
)
