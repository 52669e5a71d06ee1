"""Claims about the gate itself: its law, its price and its rate, and what a backward pass buys."""

from kondo_theory.claims.registry import SIMULATED, Claim

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="gate-law",
        statement=(
            "The gate probability that maximises w(χ−λ) + ηH(w) is w* = {gate}, with value {value}; any other w "
            "loses η·KL(w‖w*). η → 0 gives the threshold rule χ > λ, η → ∞ the fair coin."
        ),
        source="KG §2; the loss as a divergence here",
        regime=(
            "any real χ and λ, η > 0, H the binary entropy in nats; at η → 0 the limit on the threshold itself is "
            "{gate_on_threshold}, where the strict rule of the hard gate keeps nothing"
        ),
        rule=SIMULATED,
        formulas={"gate": "σ((χ−λ)/η)", "value": "η·log(1+e^{(χ−λ)/η})", "gate_on_threshold": "1/2"},
    ),
    Claim(
        id="price-rate-duality",
        statement=(
            "A rate and a price are one rule: max{E[wχ] : E w = ρ} = V(ρ) = ∫_{1−ρ}^{1} Q_χ(u)du, concave in ρ "
            "with slope λ = Q_χ(1−ρ), and largest on [P(χ>0), P(χ≥0)]. With the entropy term the optimal rule is "
            "{soft_gate}, and the unpriced rate is E σ(χ/η), not P(χ>0)."
        ),
        source="here; the gate is KG §2",
        regime=(
            "χ with finite mean, expectations over infinitely many samples; at an atom of χ the price is an "
            "interval and the gate draws there. With E w ≤ ρ the value is V(min(ρ, P(χ>0))) and λ ≥ 0. Exactly-k "
            "selection in a finite batch collects less: where χ has a density f > 0 at the price by {smooth_gap} "
            "to first order in 1/B, at a kink of V by a gap of order 1/√B, and inside an atom by an exponentially "
            "small one"
        ),
        rule=SIMULATED,
        formulas={"soft_gate": "σ((χ−λ)/η)", "smooth_gap": "ρ(1−ρ)/(2fB)"},
    ),
    Claim(
        id="quality-cost-frontier",
        statement=(
            "In one symmetric context every gate on the sign of the advantage points along ∇J and rate buys less "
            "noise: the cost of signal c = ρE‖g‖²/‖Eg‖² is at least 1, and zero price attains 1. Raising the "
            "price lowers rate and signal and purifies the kept set; for b ≤ 1/2 a higher price never raises c, and "
            "heating at price zero never lowers it."
        ),
        source="here; the gate is KG §2",
        regime=(
            "one symmetric context, R in {0, 1}, 0 < b < 1, samples gated independently, the draw of the gate "
            "counted as noise; η > 0 along a path of prices. c = 1 for every gate that drops all wrong samples, and "
            "at K = 2, b = ε for all gates. Above b = 1/2 a higher price can raise c and heating at price zero can "
            "lower it (K = 2, b = 0.9, p = 0.3: heating first raises c from 1 to 1.53, then lowers it to 1.19). N "
            "backward passes have efficiency 1/(1+(c−ρ)/N), so a small c does not settle it: for "
            "p near one PG near its best baseline has c−ρ below zero price's ε (0 at K = 2, b = ε; 0.23 against "
            "0.30 at K = 10, p = 0.7, b = 0.14), and far beyond χ₊ a higher price loses rate for "
            "next to no purity"
        ),
        rule=SIMULATED,
    ),
    Claim(
        id="exact-k-or-price",
        statement=(
            "Keeping exactly k = ρB samples has Var_∥ = {batch_var_parallel} and Var_⊥ = {batch_var_perpendicular}, "
            "m and v the mean and variance of min(n, k), n ~ Bin(B, p). As B → ∞ signal and B·Var_⊥ agree with the "
            "price gate at the same rate; B·Var_∥ in general does not."
        ),
        source="here; both forms are used in KG §2",
        regime=(
            "one symmetric context, R in {0, 1}, constant 0 < b < 1; the price gate draws for each sample, at the "
            "price too, so that its rate is ρ. ρ < p: exact-k's Var_∥ vanishes exponentially in B and the price "
            "gate's does not. ρ > p: the gap in B·Var_∥ tends to a limit of no fixed sign, zero on a surface "
            "between. ρ = 1: "
            "both are PG"
        ),
        rule=SIMULATED,
        formulas={
            "batch_var_parallel": "α²(ε−b)²v/B²",
            "batch_var_perpendicular": "b²(K−2)/(K−1)·(k−m)/B²",
        },
    ),
    Claim(
        id="normalised-price-gate",
        statement=(
            "Let g and v be mean and variance of one kept sample's gradient along any direction, m its mean at the "
            "price. Per sample the price gate's sum has variance {price_variance}, the best k = ρB as B → ∞ "
            "{exact_variance}, and the price gate's sum times ρ over the number kept {normalised_variance}, which "
            "tends to {normalised_limit}, the least in every direction. All of what it saves lies along the mean "
            "gradient: across, it equals the price gate, and exact k is the noisier."
        ),
        source="here; both forms of the gate are used in KG §2",
        regime=(
            "independent samples, a gate that decides sample by sample, kept weights of one, h = E[ρB/K; K ≥ 1], "
            "q = (1−ρ)^B; a batch that keeps nothing does not step, and there is no other bias. Exact k: a mean "
            "gradient continuous in the score's rank at the price, so no atom or one whose ties are broken at "
            "random; at an atom's edge the limit is another. At finite B dividing adds (1−ρ)v/B: it pays only where "
            "more than {kept_to_pay} samples are kept, over all directions (traces) the cost of signal less one: 9 "
            "to 83 on MNIST at ρ = 3 %, where 3 are. Under Adam a price gate's step "
            "keeps the factor K/(ρB), of deviation {count_spread}, but it is common to all parameters, a clock: what "
            "dividing gains there is steps at most {longest_step} times as long (B = 100, ρ = 3 %: 1.15), against "
            "noise of the kept samples larger by h (1.23)"
        ),
        rule=SIMULATED,
        formulas={
            "price_variance": "ρv + ρ(1−ρ)g²",
            "exact_variance": "ρv + ρ(1−ρ)(g−m)²",
            "normalised_variance": "ρhv + Bρ²q(1−q)g²",
            "normalised_limit": "ρv",
            "kept_to_pay": "v/g²",
            "count_spread": "√((1−ρ)/(ρB))",
            "longest_step": "√(1 + (1−ρ)/(ρB))",
        },
    ),
    Claim(
        id="optimal-gate",
        statement=(
            "Of all gates of a rate that decide sample by sample, one that keeps the top ρ of a − (x/2)‖g‖² has the "
            "least cost of signal c = {cost_of_signal}, S = E[wa], Q = E[w‖g‖²], a = g·u along the true gradient, "
            "at its own exchange rate x = {exchange}; at most one kind of samples is split, and c ≥ 1. Of those that "
            "weight the kept by 1/w the least noise has w = min(1, s‖g‖)."
        ),
        source="here",
        regime=(
            "independent samples of finitely many kinds, the second moment of one sample and not the variance of a "
            "batch; u is not known to who trains. Delight attains c = 1 in one symmetric context while it keeps "
            "successes alone, but with graded rewards it can cost 29 where the best gate costs 1.3 (K = 10, p = 0.3, "
            "b = 0.65, ρ = 0.1). Iterating x ← {exchange} can end at a gate that reproduces itself and costs "
            "{example_iterated} where the best costs {example_best} (π = (0.8, 0.15, 0.05), U = (1/2, 1/4, 1), "
            "ρ = 0.2)"
        ),
        rule=SIMULATED,
        formulas={
            "cost_of_signal": "ρQ/S²",
            "exchange": "S/Q",
            "example_iterated": "13.80",
            "example_best": "3.58",
        },
    ),
)
