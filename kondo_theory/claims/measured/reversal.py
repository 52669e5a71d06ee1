"""Claims measured on token reversal: a transformer writes its prompt backwards, rewarded for the whole answer."""

from kondo_theory.claims.registry import MEDIAN_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS", "TASK"]

TASK = (
    "prompts of H tokens from a vocabulary of M, reward the share of right positions, baseline the mean of the 10 "
    "answers to a prompt, 10 prompts a batch, transformer of 3 layers of width 64, Adam 3e-4"
)
_COUNTED = "shares of runs are counted, without an interval"
_FEW = "4 of 5 seeds: one unlucky seed is allowed"
_FEW_OF_ALL = "a fifth of all runs may be unlucky"
_HALF = "no setting may fail as a whole"

_PUBLISHED = {"PG": 0.6, "PPO": 0.3, "PMPO": 0.1}
_SOLVED = {"DG": "DG", "token gate(3 %)": "DG-K"}


def _within_a_factor_of_two(label: str, published: float) -> Criterion:
    return Criterion(
        f"final sequence error, {label}",
        low=published / 2,
        high=min(1.0, 2 * published),
        published=published,
        why="within a factor of two of the published error",
        judged_from={"updates": 1_000, "seeds": 2} if label == "PPO" else None,  # the costliest
    )


def _shares(quantity: str) -> tuple[Criterion, Criterion]:
    return (
        Criterion(quantity, low=0.8, why=_FEW_OF_ALL),
        Criterion(f"{quantity}, worst setting", low=0.5, why=_HALF),
    )


CLAIMS = (
    Claim(
        id="reversal-quality",
        statement=(
            "On token reversal at H = 10, M = 2, DG and DG-K(3 %) end at a sequence error of about 1e-4, where PG "
            "ends at 0.6, PPO at 0.3 and PMPO at 0.1."
        ),
        source="KG §5, DG §5",
        regime=TASK
        + "; 1,000 updates or more; PMPO with one epoch, in which its divergence from the sampler has no gradient; "
        "errors of sampled answers, greedy ones beside them",
        derived=False,
        rule=DecisionRule(
            statistic=MEDIAN_RULE
            + "; a final error is the mean of a seed's last three evaluations, 3,000 answers; a seed reaches an error"
            " at its first evaluation below it; " + _COUNTED,
            undecided="an interval that straddles its margin",
            judged_from={"updates": 1_000, "seeds": 5},
            not_comparable=(
                "the published reward and number of updates are not fully known, and what PG, published as failing, "
                "reaches depends on the reward (`fraction` is judged; rows `at reward` beside it) and the learning "
                "rate; our own results stand beside the published ones"
            ),
            criteria=(
                *(
                    Criterion(
                        f"share of seeds that reach 1 % token error within 1,000 updates, {label}",
                        low=0.8,
                        why="our expectation, not a published one; " + _FEW,
                    )
                    for label in ("PG", "DG", "zero-price", "row gate(3 %)")
                ),
                *(_within_a_factor_of_two(label, error) for label, error in _PUBLISHED.items()),
                *(
                    Criterion(
                        f"final sequence error, {label}",
                        high=1e-3,
                        published=1e-4,
                        why=f"published for {name}; ten times as much, which is what 3,000 answers can see",
                    )
                    for label, name in _SOLVED.items()
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-token-trap",
        statement=(
            "A transformer trained with a fixed-rate gate on tokens stops at the predicted reward p*(ρ, M, T) below "
            "the critical rate and learns above it, as independent tokens do."
        ),
        source="here; KG §5 observes that fixed rates fail at large vocabularies",
        regime=(
            TASK
            + ". Predicted: independent tokens, all right with the same probability, infinitely many groups of 10 "
            "answers; the batch has 10 groups, and noise leaks out of a shallow stall, as near the critical rate"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "a run has stalled if over the last third of its training the sampled training reward has a mean "
                "below 0.9 and a fitted slope below 0.05 per 1,000 updates, and its control has learnt: the row gate "
                "ranked by advantage with the same task, rate, seed, updates and backward tokens. A run has learnt "
                "if the mean training reward of the last three evaluations' batches is 0.9 or more. Predicted is "
                "the first fall through zero, from p = 1/M up, of the drift with the mean of S = 10 answers as the "
                "baseline; of a setting the median over seeds counts, of all the worst setting; the runs that "
                "preset quick trains count with those of the table; " + _COUNTED
            ),
            undecided="an interval, from the best seed to the worst, that straddles its margin",
            judged_from={"updates": 1_000, "seeds": 2},
            criteria=(
                *_shares("share of runs below the critical rate that stall"),
                *_shares("share of runs above the critical rate that learn"),
                Criterion(
                    "|stalled reward − predicted|, worst setting",
                    high=0.05,
                    why=(
                        "every prediction is further than that from no learning (1/M) and from success (1); M = 2, "
                        "H = 10 had been seen once before this was written"
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-row-gate",
        statement="The same budget of backward tokens, spent on whole answers, learns where the token gate stalls.",
        source="here",
        regime=(
            TASK
            + "; the tasks and rates of reversal-token-trap at which the token gate is predicted to stall. With the "
            "mean of few answers as baseline, row delight can have a negative drift near p = 1; the mean field's is "
            "given for each setting. Ranking rows by advantage has none"
        ),
        derived=False,
        rule=DecisionRule(
            statistic="learnt: the mean training reward of the last three evaluations' batches is 0.9 or more; "
            + _COUNTED,
            undecided="never: the runs are counted",
            judged_from={"updates": 1_000, "seeds": 2},
            criteria=(
                *_shares("share of runs that learn, row gate by delight"),
                *_shares("share of runs that learn, row gate by advantage"),
                Criterion(
                    "backward tokens, row gate / token gate, smallest",
                    low=0.95,
                    why="the same budget, to within the rounding of the number kept",
                ),
                Criterion(
                    "backward tokens, row gate / token gate, largest",
                    high=1.05,
                    why="the same budget, to within the rounding of the number kept",
                ),
                Criterion(
                    "final training reward, row gate − token gate, smallest",
                    low=0.2,
                    why="a fifth of the whole reward, in every run, whichever of the two rules ranks the rows",
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-screening",
        statement=(
            "In a transformer too a token gate by an additive rule or by positive surprisal stalls where independent "
            "tokens do, and one by |advantage| learns, to fewer errors than one by advantage."
        ),
        source="here; the rules are those of KG §3",
        regime=(
            TASK + "; four tasks at the rates of reversal-token-trap. Predicted as there, by token-screening with "
            "the mean of 10 answers as the baseline"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "stalled and learnt as in reversal-token-trap, the token gate by advantage as control; a final error "
                "below that of one wrong token in the last three evaluations counts as that; of a setting the "
                "median over seeds counts, of all the worst setting; " + _COUNTED
            ),
            undecided="an interval, from the best seed to the worst, that straddles its margin",
            judged_from={"updates": 1_000, "seeds": 3},
            criteria=(
                *_shares("share of runs by additive and positive surprisal that stall"),
                Criterion(
                    "|stalled reward − predicted|, worst setting",
                    high=0.02,
                    why="every prediction for the additive rule is further than that from no learning, 1/M",
                ),
                *_shares("share of runs by |advantage| that learn"),
                Criterion(
                    "final token error, by advantage / by |advantage|, worst setting",
                    low=2.0,
                    why=(
                        "from a tenth of the tokens wrong down the mean field has |advantage| keep five times as "
                        "much of PG's drift, or more; how far 1,000 updates get is not predicted"
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-physical-cost",
        statement=(
            "A token gate saves less than it keeps: a row with any kept token is processed again, prompt and all. "
            "Keeps cluster in rows, so fewer rows survive than 1 − (1 − ρ)^T; in positions and in FLOPs of training "
            "a row gate saves what it says."
        ),
        source="here; the cost model is KG §4",
        regime=(
            TASK + "; H = 10, M = 2, ρ = 3 %, over whole trainings (that of the token gate stalls); the sampler's "
            "log-probabilities screen"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=MEDIAN_RULE
            + "; predicted for exactly k kept of the batch's tokens, all sets equally likely; of seconds, which are "
            "reported and not judged, medians over rounds of the ratio within a round",
            undecided="an interval that straddles its margin",
            judged_from={"updates": 1_000, "seeds": 5},
            criteria=(
                Criterion(
                    "rows processed, token gate(3 %), measured over predicted for independent keeps",
                    high=1.0,
                    strict=True,
                    why="an answer's tokens share the advantage, so keeps cluster",
                ),
                Criterion(
                    "positions processed over tokens kept, shares of the full step, token gate(3 %)",
                    low=2.0,
                    why="8.8 for independent keeps, 1 if all tokens of a row were kept together",
                ),
                Criterion(
                    "positions processed over tokens kept, shares of the full step, row gate(3 %)",
                    low=0.999,
                    high=1.001,
                    why="exact: a kept row is processed whole, and nothing else is",
                ),
                Criterion(
                    "training FLOPs, row gate(3 %) / PG",
                    low=0.0299,
                    high=0.0301,
                    why="exact: FLOPs of training are in proportion to rows",
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-scaling",
        statement=(
            "A token gate whose fixed rate is above the critical rate of the smallest vocabulary learns that one and "
            "stalls at larger ones, which zero price solves within the same budget; the row gate solves longer "
            "prompts than PG within the same backward rows."
        ),
        source="KG §5; budgets and the row gate here",
        regime=(
            TASK
            + "; solved: sampled token error below 5 % within 10^4 or 10^5 rows, forward or backward (preset paper: "
            "10^6); longest H at M = 2 and largest M at H = 10, by bisection (M = 1 needs no training); at 10^4 rows "
            "there are two evaluations, so that small sizes are a matter of luck; the published longest H (PG 5, "
            "PPO 8, PMPO 12, DG 27, DG-K(3 %) 29) are within 10^6 rows, and what is solved within 10^5 is within 10^6"
        ),
        derived=False,
        rule=DecisionRule(
            statistic="median over seeds with their range"
            "; bisection takes it that what is solved at a size is solved below it, 1, 2 and 4 apart",
            undecided="an interval, from the worse seed to the better, that straddles its margin",
            judged_from={"forward rows": 100_000, "backward rows": 10_000, "seeds": 2},
            criteria=(
                Criterion(
                    "largest M within 100,000 forward rows, token gate(17 %)",
                    low=2,
                    high=4,
                    why=(
                        "the theory of the token trap has it learn M = 2, and stall from M = 5 on with the mean of "
                        "10 answers as baseline, from M = 3 on with the exact one"
                    ),
                ),
                Criterion(
                    "largest M within 100,000 forward rows, zero-price / token gate(17 %)",
                    low=1.5,
                    why=(
                        "a fixed rate is published as too aggressive at large vocabularies, zero price as not; at "
                        "3 % the gate stalls at M = 2 already"
                    ),
                ),
                Criterion(
                    "longest H within 100,000 forward rows, DG / PG",
                    low=1.0,
                    published=5.4,
                    why="not shorter; the published ratio is of ten times the budget",
                ),
                Criterion(
                    "longest H within 10,000 backward rows, row gate(3 %) / PG",
                    low=1.5,
                    published=5.8,
                    why="33 times as many updates; half as long again is demanded",
                ),
            ),
        ),
    ),
)
