"""Claims measured on the MNIST contextual bandit."""

from kondo_theory.claims.registry import MEDIAN_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="mnist-quality",
        statement=(
            "On the MNIST bandit DG-K(3 %) matches DG's test error at equal forward passes, beats PG's, and reaches "
            "an error with a small fraction of the backward passes."
        ),
        source="KG §3",
        regime=(
            "784-100-100-10 ReLU network, confidence baseline, Adam 1e-3, batch 100, 3,000 updates or more; the "
            "final error is the mean of the last five evaluations"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=MEDIAN_RULE
            + "; backward samples to an error are those of the first evaluation at or below it, and a seed of PG that"
            " never gets there counts with all it has spent, which can only understate the ratio; a seed of DG-K that"
            " never gets there counts as a ratio of 0",
            undecided="an interval that straddles its margin; below 3,000 updates or 10 seeds the claim is not run",
            judged_from="quick",
            criteria=(
                Criterion(
                    "final test error, DG-K(3 %) − DG (percentage points)",
                    high=1.0,
                    published=0.0,
                    why="'matches': no more than one point worse, a third of the published final error of about 3 %",
                ),
                Criterion(
                    "final test error, DG-K(3 %) − PG (percentage points)",
                    high=0.0,
                    strict=True,
                    why="strictly better than PG",
                ),
                Criterion(
                    "backward samples to 10 % error, PG / DG-K(3 %), at least",
                    low=10.0,
                    published=100.0,
                    why="published as about two orders of magnitude; one is demanded",
                ),
                Criterion(
                    "backward samples to 5 % error, PG / DG-K(3 %), at least",
                    low=10.0,
                    published=100.0,
                    why="published as about two orders of magnitude; one is demanded",
                ),
            ),
        ),
    ),
)
