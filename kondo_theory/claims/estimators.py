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
            "price has a smaller mean squared error than every such gate of its rate, above it the best of them has. "
            "With the c of highest score kept for certain and k − c draws by score among the others the noise is "
            "{top_kept}, v the variance of one such draw: less than that of k draws wherever the c kept have c/k of "
            "all scores or more."
        ),
        source=(
            "here; weights after Horvitz and Thompson; masks on tokens after arXiv 2603.06619, the top for certain "
            "after winner-take-all column–row sampling"
        ),
        regime=(
            "independent samples, w known exactly and positive wherever there is a gradient; the cost of signal is "
            "that of one sample; B counts forward samples, p ≤ 1/2, 0 < b < 1, and zero price's mean is taken as it "
            "is, (1−b)∇J: divided by 1 − b it has no bias and the smaller error at every B, which "
            "other contexts do not allow. Q is the others' share of the scores. "
            "With graded rewards neither kind is always ahead: delight at 10 % can cost 29 where the best unbiased "
            "gate costs 4.0 and the best gate 1.3 (K = 10, p = 0.3, b = 0.65). Masks on an answer's tokens with "
            "weight 1/p: cutting it after a random token adds to the noise of independent masks that of pairs of "
            "tokens, and one p for all cuts drops answers whole; independent masks save no forward pass. The "
            "effective sample size of the weights, {effective} of the samples for two kinds, is at most the rate "
            "and is largest for the gate that keeps at random, whatever the noise"
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
            "{zero_price}, D² = 1+(K−2)/(Kp²), u the share of the dropped that is drawn, with weight 1/u; the blend "
            "is PG with the baseline ab/(1−b+ab), times 1−b+ab."
        ),
        source="here; after bias–variance optimised training",
        regime=(
            "B independent samples; variances and covariance are traces, of the batch's mean; the closed form: one "
            "correct arm, equally likely wrong ones, R in {0, 1}, constant 0 < b < 1. At u = 1 every sample is "
            "backpropagated: the blend buys error, not passes. With a in [0, 1] PG alone is best, at every B, where "
            "d̄·∇J ≥ Q, d̄ the mean of what one dropped sample would add and Q its second moment: for zero price "
            "where b ≤ {pg_below}. The gate alone is best where B‖d̄‖² is no more than what d̄ has against the kept "
            "mean, which zero price never meets; but it nearly is while Bp² is small, and as B → ∞ PG is. An a "
            "that is estimated from other samples pays beside PG only while it is nearer to the best a than one is, "
            "beside the gate than zero is; where p is estimated the relative error of a is {slope} times that of p "
            "as p → 0, and there the gate alone is the safer. Estimated from the batch itself a depends on the "
            "gradients, and nothing here holds exactly"
        ),
        rule=SIMULATED,
        formulas={
            "weight": "(β²+v−c)/(β²+V+v−2c)",
            "zero_price": "(B+1/b−1)/(B−1+D²/(uε))",
            "pg_below": "ε/D²",
            "slope": "2",
        },
    ),
)
