"""Claims about the gambling pathology: when a lucky bad arm takes the gate in, and for how long."""

from kondo_theory.claims.registry import MEDIAN_RULE, SIMULATED, SIMULATED_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

_SETTING = "one context, arm 1 pays 0, arm 2 pays −Δ + σξ, ξ ~ N(0, 1), played with probability x; b = E R; r = σ/Δ"
_LIMIT = "fixed points are those of the expected update: small steps or large batches"

_BIDS = "predicted 0.85 and 1.00 of the first policy, and no less of a learnt one"
_LEARNT = "predicted 0.85 against 0.66 of the first policy, and what is learnt bids little by delight"
_UNLEARNT = "predicted 1.00 while the zero prompt is not learnt, which its noise prevents"
_EQUAL = "predicted one half: noise on all prompts takes no budget"
_NOTHING = "no drift is left: 0.5 is a coin"
_REST = "independent tokens, Δ = 1/H, rest at "

CLAIMS = (
    Claim(
        id="gambling-false-positives",
        statement=(
            "Zero price keeps a losing gamble with probability {probability} < {largest}: increasing in x and r, "
            "less "
            "than {bound}, and near {largest} for large r or x near 1."
        ),
        source="KG Prop. 3; bounds and monotonicity here",
        regime=f"{_SETTING}; 0 < x < 1; exponentially small for small r only while x stays away from 1",
        rule=SIMULATED,
        formulas={"probability": "Φ(−(1−x)/r)", "largest": "½", "bound": "½e^{−(1−x)²/2r²}"},
    ),
    Claim(
        id="gambling-fixed-point",
        statement=(
            "At zero price the gambling arm keeps a share x*(r) > 0 for good, the one stable zero of "
            "f = x − h(1−x, r), if r < {critical_noise_ratio}; if r ≥ {critical_noise_ratio} it wins from "
            "everywhere. "
            "PG has no such floor."
        ),
        source="here",
        regime=(
            f"{_SETTING}; h(m, r) = E[U₊] of U ~ N(−m, r²), so f = {{drift}}; x* ~ {{small_noise}} as r → 0; the "
            f"same "
            f"x* with one gambling arm and K − 1 equally likely safe ones; {_LIMIT}"
        ),
        rule=SIMULATED,
        formulas={
            "critical_noise_ratio": "√(2π)",
            "drift": "x − rφ((1−x)/r) + (1−x)Φ(−(1−x)/r)",
            "small_noise": "r³φ(1/r)",
        },
    ),
    Claim(
        id="gambling-dg-floor",
        statement=(
            "Under DG the gambling arm keeps a share x*(r, η) > 0 for every r and η, the one zero of the drift, and "
            "stable: there is a floor and no critical noise. For U ~ N(−m, r²), E[Uσ(Uℓ/η)] > 0 iff ℓ > {threshold}."
        ),
        source="here",
        regime=(
            f"{_SETTING}; η and U in units of Δ; as r → 0, x* ~ {{warm_floor}} for η > 1/4 only, and x* ~ "
            f"{{cold_floor}} "
            f"for η < 1/4; 1 − x* ~ {{large_noise_gap}} as r → ∞, so a floor near 1; {_LIMIT}"
        ),
        rule=SIMULATED,
        formulas={
            "threshold": "2ηm/r²",
            "warm_floor": "e^{−2η/r²}",
            "cold_floor": "2(2πη)²cos(2πη)/sin²(2πη)·r³φ(1/r)",
            "large_noise_gap": "4η/r²",
        },
    ),
    Claim(
        id="gambling-top-rate",
        statement=(
            "At rate ρ < 1 the gambling arm is never driven out: the drift is towards it near x = 0 for every r. Its "
            "lowest share has ρx* ~ h(1, r) as r → 0, and the corner x = 1 attracts if r > {corner_noise_ratio} and "
            "repels if r is smaller: up to ρ = {safest_rate} a smaller rate has the higher floor at small r and "
            "resists "
            "the corner longer."
        ),
        source="here",
        regime=(
            f"{_SETTING}; B → ∞ at fixed ρ, ties at the atom broken at random; not simply ordered: an attracting "
            "corner can coexist with a stable interior point, so it does not always win, and at small ρ two stable "
            "interior points coexist (ρ = 1 %, r = 0.365); above ρ = {safest_rate} larger rates resist the corner "
            "longer; the gambling arm wins from everywhere only where the corner attracts, and then there is no "
            f"interior point at all; {_LIMIT}"
        ),
        rule=SIMULATED,
        formulas={"corner_noise_ratio": "1/φ(Φ⁻¹(1−ρ))", "safest_rate": "½"},
    ),
    Claim(
        id="equal-noise",
        statement=(
            "With the same noise on both arms zero price drifts to the better arm from everywhere; DG keeps one "
            "stable "
            "floor x* in (0, 1/2) for every r and η; top-ρ repels from x = 0 if g(1/r) > I(ρ) and is attracted by it "
            "if g(1/r) < I(ρ), g(s) = φ(s) − sΦ(−s), I = φ∘Φ⁻¹."
        ),
        source="here",
        regime=(
            "two arms, rewards σξ and −Δ + σξ, b = E R, r = σ/Δ; top-ρ with B → ∞ keeps a floor for certain only "
            "above "
            "that noise ratio ({floor_ratio_at_3_percent} at ρ = 3 %, {floor_ratio_at_10_percent} at ρ = 10 %, none "
            "at "
            "ρ = 1/2); below it x = 0 attracts, alone or beside a stable interior point; x = 1 always repels; "
            f"{_LIMIT}"
        ),
        rule=SIMULATED,
        formulas={"floor_ratio_at_3_percent": "0.91", "floor_ratio_at_10_percent": "1.74"},
    ),
    Claim(
        id="noise-aware-gate",
        statement=(
            "Keeping the top ρ by |advantage| drifts to the better arm from everywhere, at any noise and rate, and "
            "does not stall on tokens either: luck is kept on both sides. So does zero price where a second draw of "
            "the reward decides, under any noise. A margin, U > κσ, only lowers the floor, and the gambling arm "
            "still wins from r = {margin_critical_noise} on."
        ),
        source="here; by |advantage| tokens do not stall by token-screening",
        regime=(
            f"{_SETTING}. By |advantage|: noise symmetric with one peak, on any arms; b the exact mean or, with one "
            "gambling arm among equal ones, that of a group, and U divided by the group's spread or not (alone, "
            "dividing mends nothing). A lottery takes it in; importance weights stand it, as a second draw does, "
            "which must be independent. Out of a policy that gambles already it is slow: f ~ (1−x)ρ times what a "
            "kept extreme is worth, {extremes_efficiency} samples of PG where noise drowns the gap, Φ(−c) = ρ/2. "
            "Without noise, above p = ½, it needs about {passes_to_align} backward passes for a cosine c₀, delight "
            "one, and noisy contexts take the places of the others. By |delight| there is no floor, but tokens "
            "stall. Groups kept whole by any rule do not. On MNIST, where action 0 gambles on the other digits at "
            "σ = 2 (784-100-100-10 ReLU network, Adam 1e-3, batch 100, 3,000 updates): with the confidence baseline, "
            "which is no mean of the rewards, |advantage| drives the gambles out and yet ends on one digit, where it "
            "was predicted to learn; it learns with the value as baseline. The second draw learns with either"
        ),
        rule=DecisionRule(
            statistic=SIMULATED_RULE + "; on MNIST: " + MEDIAN_RULE,
            undecided="a standard error above the resolution, or an interval that straddles its margin",
            judged_from={"updates": 3_000, "seeds": 3},
            beforehand=False,
            criteria=(
                Criterion(
                    "gambles at the end, DG-K(3 %) (percent)",
                    low=50.0,
                    why="delight is taken in: most answers end as gambles, of a tenth at the start",
                ),
                Criterion(
                    "gambles at the end, abs-advantage(3 %) (percent)",
                    high=5.0,
                    why="no floor: at most half of the uniform policy's tenth is left, and falling",
                ),
                Criterion(
                    "gambles at the end, DG-K(3 %), second draw (percent)",
                    high=5.0,
                    why="no floor either, at the same margin",
                ),
                Criterion(
                    "final test error, DG-K(3 %) − DG-K(3 %), second draw (percentage points)",
                    low=30.0,
                    why="delight is taken in on nine images of ten; a third of that is demanded",
                ),
                Criterion(
                    "final test error, DG-K(3 %) − abs-advantage(3 %), value baseline (percentage points)",
                    low=30.0,
                    why="the same margin, where the baseline is a mean; written when the other one had missed it",
                ),
            ),
        ),
        formulas={
            "margin_critical_noise": "√(2π)e^{κ²/2}",
            "extremes_efficiency": "1 + cφ(c)/Φ(−c)",
            "passes_to_align": "(K−2)/(Kp²)·c₀²/(1−c₀²)",
        },
    ),
    Claim(
        id="gambling-transformer",
        statement=(
            "Where a share s of the prompts is easy and its reward noisy, a gate at a fixed rate spends its budget "
            "on luck: from the noise r = {shut_out} on the others get nothing by delight, in units of their largest "
            "delight over ℓ, the surprisal of the easy ones; by |advantage| from {shut_out_abs} on, in units of "
            "their largest. Learning the easy prompts, ℓ → 0, protects the first, while the price is above 0, and "
            "not the second. PG, DG and zero price share no budget; DG follows noise as an entropy of weight "
            "{entropy_weight}."
        ),
        source="here; the share of zero prompts and their noise are knobs of the code released with KG",
        regime=(
            "noise Gaussian and independent of the answer, of mean advantage 0 and one surprisal in the easy "
            "prompts; infinite batches; none shuts the others out by delight if ρ ≥ s/2, by |advantage| if ρ ≥ s. "
            "DG to second order in the advantage, in units of what a right arm pays more; it rests where the odds of "
            "a wrong arm to the right one are {soft_odds}, and noise keeps the gate by delight from learning the "
            "easy prompts in the same way. A true gamble, noise on one bad arm, has at a price λ > 0 that other "
            "contexts set a floor of about {priced_floor}, at any noise. On token reversal: H = 6, M = 2, 5 of 10 "
            "prompts all zeros, 300 updates"
        ),
        rule=DecisionRule(
            statistic=(
                f"{SIMULATED_RULE}; on token reversal {MEDIAN_RULE}; a final error is the mean of a seed's last "
                "three evaluations of sampled tokens, on prompts drawn as ever, clean, or on the zero prompt; shares "
                "are of all kept tokens of a training. One demand more, that DG's zero error at σ = 0.4 lies between "
                "0.03 and 0.2, for independent tokens rest at 0.11, was open at 0.030 (0.029 to 0.031), and was "
                "dropped when the numbers had been seen"
            ),
            undecided="a standard error above the resolution, or an interval over seeds that straddles its margin",
            judged_from={"updates": 300, "seeds": 2},
            criteria=(
                Criterion("noisy share of the kept, rows by |advantage|(25 %), σ = 0.4", low=0.75, why=_BIDS),
                Criterion("noisy share of the kept, rows by |advantage|(25 %), σ = 1", low=0.99, why=_BIDS),
                Criterion(
                    "noisy share of the kept, rows by |advantage|(25 %) − rows by delight(25 %), σ = 0.4",
                    low=0.05,
                    why=_LEARNT,
                ),
                Criterion("noisy share of the kept, rows by delight(3 %), σ = 1", low=0.9, why=_UNLEARNT),
                Criterion(
                    "noisy share of the kept, rows by |advantage|(25 %), equal noise", low=0.4, high=0.6, why=_EQUAL
                ),
                Criterion("final clean error, rows by |advantage|(25 %), σ = 1", low=0.4, why=_NOTHING),
                Criterion("final clean error, rows by delight(3 %), σ = 1", low=0.4, why=_NOTHING),
                Criterion("final clean error, rows by delight(3 %), σ = 0.4", low=0.3, why="nearly nothing is left"),
                Criterion(
                    "final clean error, rows by |advantage|(25 %) − rows by delight(25 %), σ = 1",
                    low=0.05,
                    why="what is learnt bids little by delight",
                ),
                *(
                    Criterion(
                        f"final clean error, {label}, σ = 0.4 − σ = 0",
                        high=0.15,
                        why="not taken in; a seed may leave the plateau a little later",
                    )
                    for label in ("PG", "DG", "zero-price", "token gate(30 %)")
                ),
                Criterion("final zero error, DG, σ = 1", low=0.3, why=_REST + "0.42"),
                Criterion("final zero error, PG, σ = 0.4", high=0.05, why="no rest point"),
                Criterion("final zero error, zero-price, σ = 0.4", high=0.05, why="no rest point"),
                Criterion("final clean error, DG, equal noise", low=0.03, high=0.25, why=_REST + "0.11"),
            ),
        ),
        formulas={
            "shut_out": "1/Φ⁻¹(1−ρ/s)",
            "shut_out_abs": "1/Φ⁻¹(1−ρ/(2s))",
            "entropy_weight": "r²/(4η)",
            "soft_odds": "e^{−2η/r²}",
            "priced_floor": "√λ",
        },
    ),
)
