"""Claims about the gate itself: its law, its price and its rate, and what a backward pass buys."""

from kondo_theory.claims.registry import MEDIAN_RULE, SIMULATED, SIMULATED_RULE, Claim, Criterion, DecisionRule

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
            "noise of the kept samples larger by h (1.23). So on MNIST (784-100-100-10 ReLU network, Adam 1e-3, "
            "1,500 updates at ρ = 3 % of 100) dividing costs updates and ends at a higher error, by more than was "
            "predicted; exact k and the price end alike, as predicted"
        ),
        rule=DecisionRule(
            statistic=SIMULATED_RULE + "; on MNIST, DG-K at ρ = 3 % of batches of 100: " + MEDIAN_RULE,
            undecided="a standard error above the resolution, or an interval that straddles its margin",
            judged_from={"updates": 1_500, "seeds": 10},
            beforehand=False,
            criteria=(
                Criterion(
                    "updates to 10 % error, price(3 %), by the kept / price(3 %)",
                    low=1.0,
                    strict=True,
                    why="exact moments predicted 9 to 14 % less gain, and at most 1.3 times the updates was "
                    "demanded: the interval reached beyond that; what is demanded now was written then",
                ),
                Criterion(
                    "final test error, price(3 %), by the kept − price(3 %) (percentage points)",
                    low=0.0,
                    strict=True,
                    why="half a point at most was predicted and missed; what is demanded now was written then",
                ),
                Criterion(
                    "final test error, DG-K(3 %) − price(3 %) (percentage points)",
                    low=-0.4,
                    high=0.4,
                    why="predicted: exact k gains 0 to 12 % more early and 3 % less late",
                ),
            ),
        ),
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
            "successes alone, but with graded rewards it can cost 29 where the best gate costs 1.3 (K = 10, p = "
            "0.3, b = 0.65, ρ = 0.1). Iterating x ← {exchange} can end at a gate that reproduces itself and costs "
            "{example_iterated} where the best costs {example_best} (π = (0.8, 0.15, 0.05), U = (1/2, 1/4, 1), ρ = "
            "0.2). On MNIST (784-100-100-10 ReLU network, on the path of DG-K(3 %), exact moments) delight, "
            "|advantage| and other rules of the forward pass cost several times the least at 3 %, while a and ‖g‖² "
            "of the last layer alone, which need no backward pass, come near it. Trained with, that gate was "
            "predicted to be no slower to 20 % error; it never gets there: it leaves digits behind, as was "
            "predicted of its end. On token reversal (answers kept whole at 3 %) predictions were missed: midway "
            "delight costs 1.2 to 3.2 times what |advantage| does, late two thirds and less (medians of three "
            "seeds); the drift along the true gradient is |advantage|'s throughout, late six to thirty times "
            "delight's. The least cost of signal is no guide to learning"
        ),
        rule=DecisionRule(
            statistic=SIMULATED_RULE + "; on MNIST, gates at 3 % of batches of 100: " + MEDIAN_RULE,
            undecided="a standard error above the resolution, or an interval that straddles its margin",
            judged_from={"updates": 1_500, "seeds": 10},
            beforehand=False,
            criteria=(
                Criterion(
                    "final test error, last-layer(3 %) − DG-K(3 %) (percentage points)",
                    low=0.0,
                    strict=True,
                    why="predicted: the greedier gate leaves digits behind, as PG does, whose gradient it follows",
                ),
            ),
        ),
        formulas={
            "cost_of_signal": "ρQ/S²",
            "exchange": "S/Q",
            "example_iterated": "13.80",
            "example_best": "3.58",
        },
    ),
    Claim(
        id="gates-under-adam",
        statement=(
            "Adam takes any constant factor out of a gated gradient, and its mean step per unit of learning rate is "
            "{step} in each coordinate, m and s the mean and variance of one sample's. In one context a gate that "
            "keeps successes alone moves all logits by {one_gradient_step}, whatever the baseline; PG moves the "
            "right arm's by {right_step} and those of wrong arms by less, for K ≥ 3 and b ≠ 0. Contexts seen rarely "
            "move as √p under zero price, {sparse_step}."
        ),
        source="here",
        regime=(
            "mean steps at a policy that hardly moves, β₂ → 1 (to first order in 1 − β₂ the derivation has what is "
            "left), gains to first order in the learning rate; the context has one correct arm, R in {0, 1} and "
            "equally likely wrong arms, and by {sparse_step} each of n contexts has logits of its own. Dividing by "
            "the kept lengthens the step of coordinates whose kept samples have v/g² below {kept_pays}, h = E[ρB/N; "
            "N ≥ 1] of the number N kept and q = (1−ρ)^B, and shortens the others: about ρB where q is negligible, "
            "2.29 where 3 of 100 are kept. On MNIST (784-100-100-10 ReLU network, confidence baseline, batch 100, "
            "policies on the path of DG-K(3 %) at 50, 80, 90 and 95 % accuracy): predicted from exact moments over "
            "the images that are trained on, beside what updates gain there on one path. At the protocol's learning "
            "rate gains from 80 % on are less than half of the prediction, noise that the first order leaves out, "
            "and the order stays. It is not the order of learning curves: DG-K(3 %), predicted from a common policy "
            "to gain a fifth to three fifths of what PG does, learns faster than PG"
        ),
        rule=DecisionRule(
            statistic=SIMULATED_RULE
            + "; on MNIST, gains along PG's gradient: "
            + MEDIAN_RULE
            + "; of each seed its worst policy, methods in one rank correlation",
            undecided="a standard error above the resolution, or an interval that straddles its margin",
            judged_from={"seeds": 1, "checkpoints": 4},
            beforehand=False,
            criteria=(
                Criterion(
                    "gain in the limit of small steps less the predicted, standard errors, largest of all methods",
                    high=4.0,
                    why="within 15 % was demanded first, which noise of six copies missed in 5 of 48 cases",
                ),
                Criterion(
                    "gain in the limit of small steps, Adam / predicted, median of all methods",
                    low=0.95,
                    high=1.05,
                    why="written with the one above, when the gains had been seen",
                ),
                Criterion(
                    "rank correlation of predicted gains with those of 20 updates at learning rate 0.0001, lowest",
                    low=0.9,
                    why="predicted: the order of twelve methods but for neighbours",
                ),
                Criterion(
                    "rank correlation of predicted gains with those of 20 updates at learning rate 0.001, lowest",
                    low=0.8,
                    why="predicted: at the protocol's learning rate the order stays, though gains do not",
                ),
                Criterion(
                    "rank correlation with gains at learning rate 0.0001, Adam's prediction − descent's, lowest",
                    low=0.0,
                    strict=True,
                    why="what Adam divides by matters: descent along the mean gradient predicts another order",
                ),
            ),
        ),
        formulas={
            "step": "m/√(m² + s/B)",
            "one_gradient_step": "√(Bρ/(1−ρ+Bρ))",
            "right_step": "1/√(1 + (1−p−b)²/(Bp(1−p)))",
            "sparse_step": "√(Bp/(n−p+Bp))",
            "kept_pays": "(1−q)(1−ρ−q(1−ρ+ρB))/(h−(1−q)²)",
        },
    ),
)
