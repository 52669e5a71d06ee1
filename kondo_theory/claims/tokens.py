"""Claims about tokens that share one advantage: which gates stall, and where."""

from kondo_theory.claims.registry import SIMULATED, SIMULATED_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

_FEW_OF_ALL, _HALF = "a fifth of all runs may be unlucky", "no setting may fail as a whole"
_WORST = "predicted of every gate and policy by two standard errors"
_UNDECIDED = "a standard error above the resolution, or an interval over seeds that straddles its margin"

CLAIMS = (
    Claim(
        id="token-trap",
        statement=(
            "Keeping the top ρ of tokens that share their answer's advantage stalls at low rates: a rare wrong "
            "token in a lucky answer has more delight than a common right one. At every rate below ρ_c(M, T) "
            "training from the uniform policy ends at the first stable zero of the drift, p*(ρ, M, T); just above "
            "ρ_c it learns."
        ),
        source="here; KG §5 observes that fixed rates fail at large vocabularies",
        regime=(
            "T independent tokens, equal p, even wrong mass, exact mean as baseline, large batches and small "
            "steps: the noise of small batches leaks out of a shallow stall, as near ρ_c. All small rates stall "
            "iff T ≥ 5 at M = 2, T ≥ 4 at M = 3 and 4, T ≥ 3 at M = 5 to 47, T ≥ 2 from M = 48 on; T = 1 never "
            "stalls. ρ_c ends the interval of stalling rates that starts at 0; {two_token_critical_rate} at T = 2 "
            "from M = 359 on. Higher rates can stall again (M = 10, T = 32: 0.685 < ρ < 0.977), and as T → ∞ every "
            "rate does but 1/2 and 1. The stall depends on the start: the drift can rise through zero beyond p*, and "
            "from there training learns, as p = 1 stays stable. The drift jumps where atoms of delight change "
            "places, and a fall by a jump stalls too. ρ_c is not monotone in T (in M it nowhere fell). By delight: "
            "other screening rules are in token-screening"
        ),
        rule=SIMULATED,
        formulas={"two_token_critical_rate": "2 − √3"},
    ),
    Claim(
        id="row-gate",
        statement=(
            "Keeping or dropping answers whole has no stall, by any rule whose E[G·A²] stays away from 0 at "
            "policies inside: the drifts of the T right logits sum to T·E[G·A²] ≥ 0. Tokens at zero price have a "
            "positive drift each."
        ),
        source="here",
        regime=(
            "independent tokens (unequal p_t allowed) and the exact mean Σp_t/T as baseline; then row by row, so "
            "in every finite batch. The top share of answers by row delight, advantage or |advantage| is such a "
            "rule; keeping those with exactly one of two tokens right is not, and stalls at the reward 1/2. One "
            "token's "
            "drift may be negative, and for ever under a rule that lets E[G·A²] vanish (from p = (0.25, 0.26) the "
            "answers of least |A| lead to (0, 1)). Autoregressive dependence, a constant baseline or one shared by "
            "prompts of unequal difficulty break it. With the mean of S answers as baseline G·A must not fall with "
            "the row's own reward: ranking rows by advantage is safe, row delight has a shallow stall near p = 1 in "
            "small groups (M = T = 10, ρ = 3 %: for S ≤ 17, none at S = 18). Zero price survives unequal p_t, group "
            "means and deviations, and not a correlated reward"
        ),
        rule=SIMULATED,
    ),
    Claim(
        id="token-dg",
        statement=(
            "DG on tokens that share one advantage stalls in a window of temperatures: as T → ∞ iff η < η_c(M), the "
            "maximum over p of {critical_temperature}, which passes 1 at M = {first_vocabulary}. Cold DG (zero "
            "price) "
            "and hot DG (half of PG) are safe at every finite T."
        ),
        source="here; DG is DG §2",
        regime=(
            "the mean field of token-trap. At finite T the window is computed: empty for short answers (at M = 10 "
            "for T ≤ 13). For long ones its lower end falls like 1/T², whatever M: T² times it tends to at most "
            "{cold_edge} as T → ∞, from above (5.8 at M = 100, T = 32)"
        ),
        rule=SIMULATED,
        formulas={
            "critical_temperature": "½p(1−p)·log((M−1)p/(1−p))",
            "first_vocabulary": "2,634",
            "cold_edge": "4.8",
        },
    ),
    Claim(
        id="token-screening",
        statement=(
            "A token gate at a fixed rate, on tokens that share one advantage, never stalls if it ranks by "
            "|advantage|, advantage or surprisal. By an additive rule it stalls at low rates, as ρ → 0 at log-odds "
            "{additive_log_odds}, by positive surprisal at 1/M. As p → 1 it keeps all of PG's drift by |advantage| "
            "or surprisal, and none of it by delight or advantage."
        ),
        source="here; the rules are those of KG §3, the additive threshold that of KG Prop. 2",
        regime=(
            "the mean field of token-trap. The three that never stall do not with the mean of a group's answers as "
            "baseline either (proved, not simulated); surprisal starts slowly in large vocabularies, with "
            "{surprisal_start} of PG's drift just above 1/M, ρ ≤ 1 − 1/M. Additive: 0 < α < 1, and p* < 1 − 1/T; "
            "rates "
            "near 1 learn, the later the larger M and T (at M = 100, T = 60, ρ = 95 % stalls). Positive surprisal: "
            "rates up to P(wrong, A > 0) at 1/M, about {lucky_wrong_tokens} in a large vocabulary; beyond, it may "
            "stall later. As p → 1: ρ < 1, exact mean; by delight and advantage {late_share_delight} of PG's drift "
            "from p = 1 − 1/T on while ρ ≤ p^T, by |advantage| {late_share_abs_advantage} once 1 − p^T ≤ ρ and 1 − "
            "p < "
            "1/(2T). The random choice, and where all policies are alike the entropy band, keep ρ of it"
        ),
        rule=SIMULATED,
        formulas={
            "additive_log_odds": "α/((1−α)T) − log(M−1)",
            "surprisal_start": "ρ/(M−1)",
            "lucky_wrong_tokens": "(T−1)/M",
            "late_share_delight": "ρT(1−p)/p",
            "late_share_abs_advantage": "1 − (1−ρ)T(1−p)/p",
        },
    ),
    Claim(
        id="autoregressive-rows",
        statement=(
            "Answers kept whole, whose tokens depend on those before: the drifts of the right logits sum to "
            "T·E[G·A²] − E[G·A·(C − T·b)], C the sum of the right tokens' probabilities, positive while E[G·(C − "
            "T·b)²] < T²·E[G·A²]. With logits for each prefix no rule with E[G·A²] > 0 has a stationary point "
            "inside, whatever the sign. Where right tokens share one logit the sum is its drift, and the top "
            "share by row delight can stall: two tokens of two words, odds o, then o·u after a right and o·v "
            "after a wrong one, at o = {stall_odds}."
        ),
        source="here",
        regime=(
            "the sum: any baseline b, the exact mean or a group's, the answer's own reward in it, row by row; "
            "independent tokens have C = E C. The condition asks more than the sign needs, and more with a group's "
            "own mean than with the mean of the others. No stationary point: infinite batches, G a function of the "
            "answer, the baseline between the least and the largest reward; with a group's mean for the top share by "
            "row delight, advantage or |advantage|, and not for every rule. That there is none does not say how fast "
            "training is, nor that the sum rises: at T = 3 it can fall where all answers are kept. One logit a "
            "position: none at T = M = 2, not decided beyond. The stall: u = 1/1000, v = 8, rates from {lowest_rate} "
            "to {highest_rate}, from odds below the drift's next rise; by advantage or |advantage| it learns. Other "
            "sharing: a diagnostic. In the transformer of token reversal the condition is met at every policy that "
            "was looked at, by delight, advantage and |advantage| where they learn, and by positive surprisal, which "
            "at 3 % does not learn at all: there the condition is not enough. Early in the training by delight that "
            "gate's margin is positive and its drift along ∇J negative, each by four standard errors and more. "
            "Single tokens by delight break the identity: where the mean field falls their right logits' drifts sum "
            "to something negative at M = 10, H = 4, and ∇J is opposed at M = 2, H = 10 even where the sum is "
            "positive"
        ),
        rule=DecisionRule(
            statistic=(
                SIMULATED_RULE + "; in the transformer of token reversal, of each seed the worst of the gates and "
                "policies, and of the seeds the median with its bootstrap interval"
            ),
            undecided=_UNDECIDED,
            judged_from={"seeds": 1},
            beforehand=False,
            criteria=(
                Criterion("1 − slope over its standard error, where row gates learn, lowest", low=2.0, why=_WORST),
                Criterion("margin over its standard error, where row gates learn, lowest", low=2.0, why=_WORST),
                Criterion(
                    "share of positive drifts along ∇J, where row gates learn",
                    low=0.9,
                    why="predicted of nine cases in ten: drifts are noisy",
                ),
                Criterion("1 − slope over its standard error, where one does not, lowest", low=2.0, why=_WORST),
                Criterion("margin over its standard error, where one does not, lowest", low=2.0, why=_WORST),
                Criterion(
                    "margin over its standard error, positive-surprisal at ρ=0.03, M = 2, H = 10, first policy",
                    low=2.0,
                    why="written with the next, when the numbers had been seen",
                ),
                Criterion(
                    "drift along ∇J over its standard error, positive-surprisal at ρ=0.03, M = 2, H = 10, "
                    "first policy",
                    high=-2.0,
                    why="at most a tenth of |advantage|'s along its own training was predicted, where three seeds "
                    "cannot tell either from 0: what is demanded was written then",
                ),
            ),
        ),
        formulas={"stall_odds": "(1−1/v)/(1−u)", "lowest_rate": "0.030", "highest_rate": "0.748"},
    ),
    Claim(
        id="stall-escape",
        statement=(
            "A finite batch leaves a stall of the token gate. With all tokens moving together the mean time τ is one "
            "integral over drift f and diffusion D, and log τ grows by S = 2∫|f|/D dz, from the stable to the "
            "unstable zero, for each unit of B over the learning rate. D is the variance over answers of their kept "
            "tokens' pulls less the pull at the price: exactly k are kept. Where wrong tokens of answers with one "
            "wrong token come first and the price is among tokens of right answers, D = {diffusion}, v = "
            "T·p^(T−1)·(1−p), the drift vanishes at ρ = r(p) = {rate_zero}, and below ρ_c = max r the barrier S goes "
            "as (ρ_c − ρ) to the power 3/2."
        ),
        source="here",
        regime=(
            "the mean field of token-trap, small steps, a price inside an atom; where all that is kept is alike D = "
            "0 and S is infinite. The power 3/2 is that of a smooth ρ_c ({four_tokens} at T = 4, M = 3 to 11): where "
            "the drift jumps up there it is 2 (M = T = 5). Free tokens leave sooner, much sooner unless steps are "
            "very small: tokens at the price tie, and chatter over the tie by steps that add to the drift, so that S "
            "is an upper bound of their exponent in the limit of small steps (argued), and no estimate of their "
            "time. Nor is it one under Adam: in the transformer of token reversal (5 seeds, 1,000 updates) the deep "
            "stalls hold, as predicted, and all ten runs leave the first of the shallow ones. At M = 3, H = 6, ρ = "
            "10 % that is none: above its reward copies of a policy gain, in each of three seeds. At M = 5, H = 10, "
            "ρ = 17 % they gain below it, and above it their mean drift is within its error of zero, as it is where "
            "the mean field has more stalls; noise alone takes hundreds of updates to the last rise, about as long "
            "as the runs. Three of five runs at M = 3, predicted to be away after 1,000 updates, are not"
        ),
        rule=DecisionRule(
            statistic=(
                SIMULATED_RULE + "; on token reversal a run has got away if its final training reward is above the "
                "last rise of the mean field's drift, with the mean of 10 answers as baseline, and has held if its "
                "training reward over the last third is within 0.05 of the predicted stall; drift s and noise V of "
                "the reward for each update from copies of a policy, L from the stall to that rise, of each seed the "
                "worse stall, and of the seeds the median with its bootstrap interval; shares of runs are counted"
            ),
            undecided=_UNDECIDED,
            judged_from={"updates": 1_000, "seeds": 5},
            beforehand=False,
            criteria=(
                Criterion(
                    "share of runs in deep stalls that hold",
                    low=0.8,
                    why=_FEW_OF_ALL + "; written before it was measured, as the next: that four of five runs leave "
                    "shallow stalls, by drift sooner than by noise, was predicted too, and was missed",
                ),
                Criterion("share of runs in deep stalls that hold, worst setting", low=0.5, why=_HALF),
            ),
        ),
        formulas={
            "diffusion": "v(1−v)(1−(1+1/T)p)²/T²",
            "rate_zero": "p^(T−1)(1−(1+1/T)p)/(1−p)",
            "four_tokens": "4/27",
        },
    ),
    Claim(
        id="token-rules",
        statement=(
            "On tokens that share one advantage a rule of surprisal, probability or entropy alone sends no position "
            "back: it leaves {blind_share} of PG's drift, w the shares kept of right and wrong tokens; nor does one "
            "that keeps the answers of A > 0, or of largest |A|, whole. By entropy n open positions beside f free "
            "ones get {entropy_share} of PG's drift, or nothing. Improbable tokens of A > 0 are what delight keeps "
            "first. Kept, they make learnt positions beside open ones go back; where they alone are dropped, learnt "
            "positions gain as much; and delight among the rest sends none back. |advantage| weighted by "
            "probability stalls late, as ρ → 0 at {late_stall}."
        ),
        source="here; the rules are those of docs/rules.md, with their sources",
        regime=(
            "the mean field of token-trap, some positions learnt, some free: uniform and not judged. Other rules of "
            "the advantage alone can send a position back where the p differ (p = (0.7, 0.2, 0.2), answers with one "
            "right token kept). Surprisal alone: by probability first {probable_share}, ρ ≤ p; advantages weighted "
            "by απ + 1 − α, no token dropped, {weighted_share}; kept by the percentile of the surprisal to the "
            "power β, as Selective-Backprop does by the loss, {percentile_share}. The policy gradient's loss is the "
            "delight: by it that method stalls from β = 4.3 (M = T = 10). Entropy starves at ρ ≤ f/(n + f), where "
            "nothing of the open positions is kept from 1/M on; with others learnt, not free, it keeps all of PG's "
            "drift at ρ = n/T. By |A|·H the open positions rest where H is too small beside the free ones (n = 4, f "
            "= 6, M = 10, ρ = 10 %: p = 0.924). Learnt: as its p → 1 a position's log-odds move by −E[(N−np−1)₊] of "
            "what PG gives, N ~ Bin(n, p) open ones right, ρ below the share of open tokens with A > 0: "
            "{forgetting_at_four} at n = 4, {forgetting_at_hundred} at n = 100, p = 1/2. Dropped: (1−p)/(M−1) below "
            "the threshold, p not, H below its own, any positions; with all others kept the log-odds move by "
            "{masked_speed}, L = E[A₊ | wrong]. Late stall: {late_condition} > 0; higher rates stall later or not "
            "at all"
        ),
        rule=SIMULATED,
        formulas={
            "blind_share": "(1−p)w_r + p·w_w",
            "entropy_share": "(ρ(n+f)−f)/n",
            "late_stall": "(T+1)/(2T)",
            "probable_share": "ρ(1−p)/p",
            "weighted_share": "1 − α + αp(1−p)M/(M−1)",
            "percentile_share": "p + (1−p)p^β",
            "forgetting_at_four": "1/16",
            "forgetting_at_hundred": "1.53",
            "masked_speed": "1/T + L",
            "late_condition": "α(T²−1)(M−2)/(M−1) − 4T(1−α)",
        },
    ),
    Claim(
        id="all-or-nothing",
        statement=(
            "Where only wholly right answers are paid, and one answer is right, no gate on tokens by delight stalls: "
            "a paid answer has no wrong token. No right logit falls, and that of the least likely right token rises. "
            "The top ρ move a right logit by {low} up to ρ = p^T, then by {middle}, and from ρ = p on by {high}."
        ),
        source="here",
        regime=(
            "T tokens, in the formulas independent and each right with p > 1/M; the signs for any policy with logits "
            "of their own for each beginning, or independent tokens, and any gate that keeps no less of a larger "
            "delight (a rate, a price, DG). Baseline the exact mean, and for the signs a group's too; large batches. "
            "Nothing is learnt before an answer is right, which p^T of them are. Rewards that count parts have the "
            "trap (token-trap), and so have several right answers: where the first word a comes with 9/10 and is "
            "completed with 99/100, b with 1/10 and 1/5, the top 1 % of the tokens move the logit of a by "
            "{two_right_answers}, the gradient by {two_right_gradient}"
        ),
        rule=SIMULATED,
        formulas={
            "low": "ρ(1−p)(1−p^T)",
            "middle": "p^T(1−p)(1−ρ)",
            "high": "p^T((1−p)² + p(ρ−p))",
            "two_right_answers": "−801/500000",
            "two_right_gradient": "711/10000",
        },
    ),
)
