"""Claims about screening rules: which scores rank samples consistently, and what each rule keeps."""

from kondo_theory.claims.registry import SIMULATED, SIMULATED_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

_KEPT = "predicted by the closed form along training at exactly k, errors down to a quarter of those"
_UNDECIDED = "a standard error above the resolution, or an interval over seeds that straddles its margin"

CLAIMS = (
    Claim(
        id="additive-threshold",
        statement=(
            "For p > 1/K the score αU + (1−α)ℓ ranks a rare failure above a common success iff α < α* = {threshold}, "
            "L = {surprisal_gap}, Δ the reward gap. Delight never does while the baseline lies between the "
            "rewards."
        ),
        source="KG Prop. 2; the threshold in closed form and the baseline's side here",
        regime=(
            "one symmetric context, K ≥ 2, Δ > 0, 0 < α < 1; any baseline for the additive score, which never "
            "errs for p ≤ 1/K. Delight needs the baseline on one side only: at or above the lower reward (above "
            "both rewards it still ranks the success first for p > 1/K); below both rewards it can rank the "
            "failure first"
        ),
        rule=SIMULATED,
        formulas={"threshold": "L/(Δ+L)", "surprisal_gap": "log(p(K−1)/(1−p))"},
    ),
    Claim(
        id="additive-never-fixed",
        statement=(
            "No α < 1 is safe for all of learning: the additive rule ranks failures above successes once the odds "
            "p/(1−p) exceed {critical_odds}. For moderate α that comes quickly; for α near 1 astronomically "
            "late, when it has been the advantage rule in all but name. Delight never turns."
        ),
        source="here; from the threshold of KG Prop. 2",
        regime=(
            "one symmetric context, Δ > 0, 0 < α < 1 fixed while p rises from 1/K towards 1. What a turn costs is "
            "bounded by how often a failure is drawn: past it the top of a batch is a failure with probability "
            "1−p^B, which is below 10^−40 at K = 10, α = 0.99, B = 20"
        ),
        rule=SIMULATED,
        formulas={"critical_odds": "e^{αΔ/(1−α)}/(K−1)"},
    ),
    Claim(
        id="screening-at-rate",
        statement=(
            "At rate ρ a rule keeps correct and wrong mass (X, Y): delight and advantage "
            "({correct_first_correct}, {correct_first_wrong}), |advantage| the same iff b < 1/2, surprisal the "
            "reverse iff p > 1/K, the additive score the reverse "
            "iff also α < α*, uniform ({tie_correct}, {tie_wrong}). Signal is {signal} and Var_⊥ is "
            "{var_perpendicular}; delight attains the least cost of signal, 1, for ρ ≤ p."
        ),
        source="here; the rules are those of KG §3",
        regime=(
            "one symmetric context, R in {0, 1}, 0 ≤ b < 1, composition as B → ∞; efficiency for samples kept "
            "independently (exactly-k selection has the same signal and B·Var_⊥ in the limit, not Var_∥). Delight "
            "wins by noise, not by signal: for b > ε a wrong sample moves further along ∇J than a correct one. "
            "With one policy entropy the entropy band is uniform and |advantage|·entropy is |advantage|; "
            "surprisal among positive advantages keeps {correct_first_correct} and nothing wrong"
        ),
        rule=SIMULATED,
        formulas={
            "correct_first_correct": "min(ρ,p)",
            "correct_first_wrong": "(ρ−p)₊",
            "tie_correct": "ρp",
            "tie_wrong": "ρε",
            "signal": "α{X(1−b)ε + Ybp}",
            "var_perpendicular": "Yb²(K−2)/(K−1)",
        },
    ),
    Claim(
        id="answer-rules",
        statement=(
            "Of a group's answers k are kept by their rewards. With the mean of the kept the signal per backward "
            "pass is the variance of their rewards, {kept_mean} at rewards 0 and 1, x of the kept and f of the "
            "group right: the largest variance is best for every group. With the group's mean it is {group_mean}, "
            "more or less by {difference}, and the largest |U| are best, as far as the group's mean is the true "
            "one. The largest |U| have the largest variance too iff the rarer outcome has at most {rarer} answers. "
            "In large groups |advantage| buys {most}, the largest variance {half}, or {quarter} with its own mean, "
            "best-of {first}, chance {even}."
        ),
        source="here; the rules after arXiv:2504.13818 (largest variance) and arXiv:2503.22342 (|advantage|)",
        regime=(
            "one prompt, independent answers, k ≥ 2, G fixed; rewards alone decide. Signal is along the natural "
            "gradient of a tabular policy, or with rewards 0 and 1 along the true gradient of any; large groups "
            "have more than k answers of each outcome, k even. Subsets of largest variance are nested, so that one "
            "score has them all. Kept at random the signal falls short of that of a known mean by 1/G, or by 1/k "
            "with the mean of the kept; in large groups |advantage| with that mean has almost none, in small ones "
            "nearly all (G = 8, k = 4, p = 0.1). At n = {rarer} wrong or right answers two sets of rewards tie. "
            "Delight ranks as the advantage, best-of, while answers of one reward have one surprisal: best where "
            "right answers are rare (of five, two kept, for p < {turn}), worst where they are common. One prompt's "
            "direction is right under every rule, its length against other prompts' is not"
        ),
        rule=SIMULATED,
        formulas={
            "kept_mean": "x(1−x)",
            "group_mean": "x(1−f)(1−p) + (1−x)fp",
            "difference": "(x−f)(x−p)",
            "rarer": "(k+1)/2",
            "most": "max(p,1−p)²",
            "half": "(p²+(1−p)²)/2",
            "quarter": "1/4",
            "first": "(1−p)²",
            "even": "p(1−p)",
            "turn": "0.37",
        },
    ),
    Claim(
        id="prompt-skipping",
        statement=(
            "A group of G answers has no spread with probability q = {idle}. A prompt that is sampled with "
            "probability ξ^z after z such visits in a row is visited in {share} of the epochs for q < ξ, in ever "
            "fewer for q ≥ ξ, and with at most m visits counted in no less than {least}. Forward passes and signal "
            "fall by the same share, prompt by prompt. A prompt without any spread is, after T epochs, expected to "
            "be visited next in {wait} epochs. A gate leaves at least the cost of sampling, {gated} of {full}."
        ),
        source="here; the rule is after GRESO, arXiv:2506.02177",
        regime=(
            "rewards 0 and 1, shares of the long run at a pass rate that stays, the wait of a prompt with q = 1 "
            "from the first epoch on, of others less; sampling costs a, screening s, forward and backward 1 + c of "
            "an answer. What is gained is the mixture's: prompts with less signal a visit are visited less. Without "
            "a cap that starves prompts that do teach (G = 8, ξ = 1/2: every pass rate below {starved} %), and a "
            "prompt that begins to teach is noticed about as late as it had taught nothing, for ξ = 1/2"
        ),
        rule=SIMULATED,
        formulas={
            "idle": "p^G+(1−p)^G",
            "share": "(1−q/ξ)/(1−q)",
            "least": "ξ^m",
            "wait": "1 + T(1−ξ)/ξ",
            "gated": "a+s+ρ(1−q)(1+c)",
            "full": "a+(1−q)(1+c)",
            "starved": "8.30",
        },
    ),
    Claim(
        id="screening-ties",
        statement=(
            "A gate that keeps whatever ties with the k-th score keeps at least k, and more where scores tie. By a "
            "rule of the advantage, on tokens that share it, it keeps an answer whole if and only if fewer than "
            "⌈k/T⌉ of the batch score above it: near p = 1 all but a share {late_loss_advantage} of N answers by "
            "advantage, all but {late_loss_abs_advantage} by |advantage|, n to a prompt. A random choice by equal "
            "scores keeps all: it is the policy gradient. On token reversal that puts it ahead of the advantage; at "
            "exactly k tokens it is far behind."
        ),
        source="here; the code of KG keeps ties within 1e-6 of the k-th; how it draws at random is not known here",
        regime=(
            "independent tokens, all right with probability p, N = P·n answers to P prompts, the mean of a prompt's "
            "own as baseline; ⌈k/T⌉ < n for advantage, 1 < ⌈k/T⌉ ≤ n for |advantage|. Both shares are slopes, for "
            "(1−p)·T·N much below 1: not for the runs by advantage, which end at 1 − p = 0.005. Without ties at the "
            "k-th score it keeps k, and so it does by delight, but for the first policy. On token reversal: H = 10, "
            "M = 2, 3 %, 10 prompts, 10 answers, 1,000 updates"
        ),
        rule=DecisionRule(
            statistic=(
                SIMULATED_RULE
                + "; on token reversal medians over seeds with their bootstrap interval, a final error "
                "the mean of a seed's last three evaluations, ratios within a seed; a final error below that of one "
                "wrong token counts as that. The runs at exactly k and those of the policy gradient, which stand for "
                "the random choice with ties, had been seen before this was written, those with ties had not"
            ),
            undecided=_UNDECIDED,
            judged_from={"updates": 1_000, "seeds": 3},
            criteria=(
                Criterion("share kept with ties, advantage", low=0.06, high=0.2, why=_KEPT),
                Criterion("share kept with ties in the last third, advantage", low=0.1, high=0.35, why=_KEPT),
                Criterion("share kept with ties in the last third, |advantage|", low=0.4, high=0.9, why=_KEPT),
                Criterion("share kept with ties, delight", low=0.0299, high=0.031, why="surprisals hardly ever tie"),
                *(
                    Criterion(
                        f"share kept with ties over the closed form's, {rule}",
                        low=0.8,
                        high=1.25,
                        why="answers to one prompt are not quite independent: within a quarter is predicted",
                    )
                    for rule in ("advantage", "|advantage|")
                ),
                Criterion(
                    "final token error, exactly k over ties kept, advantage",
                    low=1.0,
                    high=4.0,
                    why="predicted: what is kept more has little pull",
                ),
                Criterion(
                    "final token error, exactly k over ties kept, delight", low=0.9, high=1.1, why="the same gate"
                ),
                Criterion(
                    "final token error with ties, advantage over |advantage|",
                    low=5.0,
                    why="predicted: as at exactly k",
                ),
                Criterion(
                    "final token error with ties, advantage over the random choice",
                    low=2.0,
                    why="predicted: the random choice is ahead",
                ),
                Criterion(
                    "final token error at exactly k, advantage over the random choice", high=0.5, why="far behind"
                ),
                Criterion(
                    "backward tokens at exactly k, most over least of the rules", low=1.0, high=1.0, why="equal rates"
                ),
                Criterion(
                    "token error at as many backward tokens, the random choice, ties kept over exactly k",
                    low=1.0,
                    why="at equal cost: ahead by 33 times as many backward tokens, and by nothing else",
                ),
            ),
        ),
        formulas={"late_loss_advantage": "T(N−n+1)(1−p)", "late_loss_abs_advantage": "T(N−n)(1−p)"},
    ),
)
