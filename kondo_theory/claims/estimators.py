"""Claims about estimates of the policy gradient from a part of the samples."""

from kondo_theory.claims.registry import SIMULATED, Claim

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="unbiased-gates",
        statement=(
            "A gate that weights what it keeps by 1/w keeps the mean gradient and adds E[(1/w − 1)‖g‖²] to its "
            "noise, so that its cost of signal is at least (E‖g‖)²/‖∇J‖² at every rate; in one symmetric context "
            "that is {least_cost}, D = {ratio}, where zero price has one. Below B = {crossing} samples a batch zero "
            "price has a smaller mean squared error than every such gate of its rate, above it the best of them "
            "has. With the c of highest score kept for certain and k − c draws by score among the others the noise "
            "is {top_kept}, v the variance of one such draw: no more than that of k draws wherever the c kept have "
            "c/k of all scores or more."
        ),
        source=(
            "here; weights after Horvitz and Thompson; masks on tokens after arXiv 2603.06619, the top for certain "
            "after winner-take-all column–row sampling"
        ),
        regime=(
            "independent samples, w known exactly and positive wherever there is a gradient; the cost of signal is "
            "that of one sample; B counts forward samples, p ≤ 1/2, 0 < b < 1, and zero price's mean is taken as it "
            "is, (1−b)∇J: divided by 1 − b it has no bias and no larger an error at every B, which other contexts "
            "do not allow. Q is the others' share of the scores. With graded rewards neither gates of weight 1/w "
            "nor gates without weights are always ahead: delight at 10 % can cost 29 where the best unbiased gate "
            "costs 4.0 and the best gate 1.3 (K = 10, p = 0.3, b = 0.65). Masks on an answer's tokens with weight "
            "1/p: cutting it after a random token adds to the noise of independent masks that of pairs of tokens "
            "(less where their gradients oppose), and one p for all cuts drops answers whole; independent masks "
            "save no forward pass. The effective sample size of the weights, {effective} of the samples for two "
            "kinds, is at most the rate and is largest for the gate that keeps at random, whatever the noise"
        ),
        rule=SIMULATED,
        formulas={
            "least_cost": "(1−b+bD)²",
            "ratio": "√(1+(K−2)/(Kp²))",
            "crossing": "(D²+2D(1−b)/b)/p − 2/b + 1",
            "top_kept": "Q²v/(k−c)",
            "effective": "1/(p/w₊+ε/w₋)",
        },
    ),
    Claim(
        id="least-error-blend",
        statement=(
            "Of the blends a·PG + (1−a)·gated of one batch's gradients, β the gated one's bias, V and v the "
            "variances of both and c their covariance, a = {weight} has the least mean squared error, and an a that "
            "is off by δ has δ²E‖PG − gated‖² more. For zero price in one symmetric context that is a = "
            "{zero_price}, D² = 1+(K−2)/(Kp²), u the share of the dropped that is drawn, with weight 1/u; at u = 1 "
            "the blend is PG with the baseline ab/(1−b+ab), times 1−b+ab."
        ),
        source="here; after bias–variance optimised training",
        regime=(
            "B independent samples; variances and covariance are traces, of the batch's mean; the closed form: one "
            "correct arm, equally likely wrong ones, R in {0, 1}, constant 0 < b < 1. At u = 1 every sample is "
            "backpropagated: the blend buys error, not passes. With a in [0, 1] PG alone is best, at every B, where "
            "d̄·∇J ≥ Q, d̄ the mean of what one dropped sample would add and Q its second moment: for zero price "
            "where b ≤ u·{pg_below}. The gate alone is best where B‖d̄‖² is no more than what d̄ has against the "
            "kept mean. Zero price never meets that, but with K ≥ 3 it is nearly best while Bp² and p²/b are small; "
            "as B → ∞ PG is the best. An a that is estimated from other samples pays beside PG only while it is "
            "nearer to the best a than one is, beside the gate than zero is; where p is estimated the relative "
            "error of a is, with K ≥ 3, {slope} times that of p as p → 0, and there the gate alone is the safer. "
            "Estimated from the batch itself a depends on the gradients, and nothing here holds exactly"
        ),
        rule=SIMULATED,
        formulas={
            "weight": "(β²+v−c)/(β²+V+v−2c)",
            "zero_price": "(B+1/b−1)/(B−1+D²/(uε))",
            "pg_below": "ε/D²",
            "slope": "2",
        },
    ),
    Claim(
        id="optimal-baseline",
        statement=(
            "The noise E‖g‖²/(E g·u)² of a gate that does not change with the baseline, u along ∇J, is least at "
            "b = {best}, n₀ to n₂ the means of w‖φ‖² times R², R and one, s₀ and s₁ those of wφ·u times R and one; "
            "PG has s₁ = 0. In one symmetric context that is PG's baseline, {drawn}, for every gate that is drawn, "
            "whatever its w₊ and w₋, with the cost of signal {cost}, D = {ratio}; soft weights have {soft}, and DG "
            "at a baseline of its own has the noise {dg_noise}, PG's at PG's. Zero price has {zero_price_noise} at "
            "every b. The largest certain gain of an L-smooth J is that of the learning rate ∇J·E ĝ/(L·E‖ĝ‖²): L "
            "times it is {step_zero_price} for zero price and {step_pg} for PG at its best baseline."
        ),
        source="here; PG's baseline is the classical one, the step after OBLR-PO",
        regime=(
            "independent samples; noise of one sample, not of a batch; no baseline is best where what is kept has "
            "one reward; the formula is for n₂s₀ > n₁s₁. Variance alone is no measure: a gate that keeps nothing has "
            "none. If the gate's probabilities change with b, the formula with the gate held fixed does not find the "
            "best b: for σ(χ/0.3) it gives the cost of signal {moving_fixed}, and b = 0.6 gives {moving_other} (K = "
            "10, p = 0.3). DG's own is one solution of w₊(1−b)/(w₋b) = pD²/ε, for small η of several or next to one "
            "(0.7·10⁻¹⁰ below at η = 0.1, K = 10, p = 0.3). The best gate of weight 1/w has the least cost of signal "
            "where b is a median of the reward weighted by ‖φ‖, which is zero for right or wrong: there it keeps "
            "successes alone. Symmetric context: one correct arm, R in {0, 1}, 0 < b < 1; B samples a batch. The "
            "gain is a lower bound; the mean reward of a softmax policy is ½-smooth in its logits for rewards in [0, "
            "1]"
        ),
        rule=SIMULATED,
        formulas={
            "best": "(n₁s₀−n₀s₁)/(n₂s₀−n₁s₁)",
            "drawn": "Kpε/(Kp+K−2)",
            "cost": "(pw₊+εw₋)/(pw₊+εw₋/D²)",
            "ratio": "√(1+(K−2)/(Kp²))",
            "soft": "w₊ε/(w₊ε+w₋pD²)",
            "dg_noise": "1/(p+ε/D²)",
            "zero_price_noise": "1/p",
            "step_zero_price": "Bp/((1−b)(Bp+ε))",
            "step_pg": "Bp(Kp+K−2)/(Bp(Kp+K−2)+ε(K−2))",
            "moving_fixed": "1.34",
            "moving_other": "1.06",
        },
    ),
)
