"""Claims measured on token reversal under other protocols, on other tasks, longer prompts and larger vocabularies."""

from kondo_theory.claims.measured.reversal import TASK
from kondo_theory.claims.registry import MEDIAN_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]


def _all_cells(quantity: str, why: str, cells: int = 6) -> Criterion:
    return Criterion(f"{quantity}, of {cells} cells", low=cells, why=why)


CLAIMS = (
    Claim(
        id="reversal-protocols",
        statement=(
            "Some protocol in reach gives the published sequence errors of token reversal at H = 10, M = 2: PG about "
            "0.6, PPO 0.3, PMPO 0.1, DG and DG-K(3 %) 1e-4, in this order."
        ),
        source="KG §5",
        regime=(
            "34 protocols: rewards `prefix`, `fraction` and `exact`; with and without final normalisation; heads "
            "that start at zero and as every linear layer; baselines, the mean of the 10 answers to a prompt and "
            "that of the batch; Adam's learning rate 1e-4, 3e-4, 1e-3; beside them 13 in which DG alone differs, "
            "with the mean of the other answers. 10 prompts × 10 answers a batch, 1,000 updates or more. PPO of 4 "
            "epochs and, under four protocols, of one, and with its divergence in the loss; DG-K is any gate, on "
            "tokens or rows"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "an error is the median over seeds of the mean of three evaluations, 3,000 answers; it may be of "
                "wrong tokens, of answers with any, or one minus the reward, sampled or greedy, one kind for all "
                "five. A figure above 0.01 is reproduced within a factor of two, one of 1e-4 at 1e-3 or below; of "
                "several variants of a method the nearest counts. The protocols with all five in their order at the "
                "end of their runs are counted"
            ),
            undecided="never: protocols are counted",
            judged_from={"updates": 1_000, "seeds": 3, "protocols": 34},
            criteria=(
                Criterion(
                    "protocols with all five figures in their order, at the end of their runs",
                    low=1,
                    why="one is enough; an earlier end, which could be chosen, does not count",
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-speedup",
        statement="What the row gate saves over PG, at one cost of a backward pass, grows as reversal gets harder.",
        source="KG §5",
        regime=(
            TASK
            + "; 3 % of the rows by delight; H = 5, 10, 20 at M = 2, and M = 2, 4 at H = 10; updates to 5 % sampled "
            "token error, interpolated between evaluations. A speed-up at c is N_PG(1 + c)/(N_gate(1 + ρc)), N the "
            "answers sampled: by step-cost it grows with H or M if and only if N_PG/N_gate does. Physical costs "
            "stand beside it: FLOPs counted, and CPU seconds of sampling and training"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=MEDIAN_RULE
            + "; of growth the ratio of a seed's two speed-ups; a seed that never gets there takes infinitely long",
            undecided="an interval that straddles its margin: no growth is not excluded",
            judged_from={"updates": 1_000, "seeds": 5},
            criteria=(
                Criterion(
                    "speed-up at c = 4, row gate(3 %) over PG, smallest setting",
                    low=1.0,
                    why="there is a gain, before it can grow; 4.46 if both need as many answers",
                ),
                Criterion(
                    "growth of the speed-up at c = 4 from H = 5 to H = 20, M = 2",
                    low=1.0,
                    strict=True,
                    why="the interval excludes no growth",
                ),
                Criterion(
                    "growth of the speed-up at c = 4 from M = 2 to M = 4, H = 10",
                    low=1.0,
                    strict=True,
                    why="the interval excludes no growth",
                ),
            ),
        ),
    ),
    Claim(
        id="reversal-tasks",
        statement=(
            "On copying, flipping, reversing and reverse flipping, paid for the right beginning or for the bag of "
            "tokens, DG and zero price make the fewest errors while they train, PG the most, PPO and PMPO in between."
        ),
        source="DG §5",
        regime=(
            TASK.replace("share of right positions", "share of tokens before the first error, or of the right bag")
            + "; H = 10, M = 2, 1,000 updates; flipping writes M − 1 − x for x. By the bag copying is reversing and "
            "flipping is reverse flipping, batch by batch, so that there are six cells; PPO with 4 epochs in two. "
            "Copying and flipping are one problem, answer tokens renamed, for a policy that has embeddings of its "
            "own for answer tokens; this one shares them with the prompt's, so that here it is a statistical matter"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "errors: mean over the evaluations of updates 50 to 1,000 of the share of wrong tokens of sampled "
                "answers, by the bag of those that are not in it; of a cell the medians over seeds are compared, and "
                "the cells counted. Of a task and its flip, by the same reward: differences of the mean over seeds, "
                "averaged over three pairs and five methods, in standard errors from the spread over seeds"
            ),
            undecided="never: cells are counted",
            judged_from={"updates": 1_000, "seeds": 2},
            criteria=(
                _all_cells("DG makes fewer errors than PG", "the published order"),
                _all_cells("zero price makes fewer errors than PG", "the published order"),
                _all_cells("PMPO makes fewer errors than PG", "the published order"),
                _all_cells("DG and zero price make fewer errors than PMPO", "the published order"),
                _all_cells("PPO makes fewer errors than PG", "the published order", 2),
                _all_cells("DG and zero price make fewer errors than PPO", "the published order", 2),
                Criterion(
                    "a task less its flip, in standard errors",
                    low=-3.0,
                    high=3.0,
                    why="one problem up to what the embeddings share; no two experiments agree better by chance",
                ),
            ),
        ),
    ),
)
