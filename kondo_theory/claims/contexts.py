"""Claims about many contexts: how a method shares its gradient among them."""

from kondo_theory.claims.registry import SIMULATED, Claim

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="context-allocation",
        statement=(
            "Over contexts of success probability p_n the mean gradient is c_n·d_n with c_n = 1 (cross-entropy), "
            "p_n (PG), {gated_weight} (DG), {zero_price_weight}·1{χ_n > λ} (Kondo). With a constant baseline zero "
            "price has PG's cosine to cross-entropy, and the best price keeps the contexts with p_n ≤ p_c = 2Σ_S "
            "wp²/Σ_S wp, w = ‖d‖²: no other set of contexts does better."
        ),
        source="DG Prop. 2; Kondo gate here",
        regime=(
            "independent contexts, equally frequent, one correct arm and equally likely wrong ones, 0 ≤ b < 1, λ ≥ "
            "0, expected gradients in the logits, w = ‖d‖² = {squared_length}. p_n ≤ p_c is necessary for the best "
            "set and not sufficient: several sets can satisfy it, and the best is found among the prefixes. With the "
            "value baseline zero price is at least as close as PG if all p_n ≤ 1/2, better or worse otherwise, and "
            "no price need be the best set; with the confidence baseline at K = 2 a price does not even order "
            "contexts by p. With one K and one b ≤ η DG is at least as close as PG while p·κ(p) rises (p_n ≤ 0.924 "
            "at K = 10, b = 1/2, η = 1), and not where K varies (p = 1/2 twice, K = 2 and 1000: PG has the cosine "
            "1, DG 0.978). In the limit ε_n → 0 in fixed ratios, ε_n/(K_n−1) not all equal and 0 < b < η, DG "
            "is farther than PG; with the value baseline its weights fall like ε there"
        ),
        rule=SIMULATED,
        formulas={
            "gated_weight": "p_n[w₊(1−b)+w₋b]",
            "zero_price_weight": "p_n(1−b_n)",
            "squared_length": "ε²K/(K−1)",
        },
    ),
)
