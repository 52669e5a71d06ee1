"""The claim that what is measured does not depend on where it was."""

from kondo_theory.claims.registry import Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        id="device-agreement",
        statement="Methods learn on a GPU as they do on a CPU: as fast, and to the same error, but for the seeds.",
        source="here",
        regime=(
            "float32 without TF32; MNIST at the published size, and PG and the row gate on token reversal (H = 10, "
            "M = 2, 1,000 updates); one model of GPU; seed by seed the runs differ, for generators do"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "the error of a run, averaged over its evaluations; means over seeds, two independent samples; 95 % "
                "bootstrap intervals (percentile, 10,000 resamples), Welch's standard errors. Written when the "
                "tables had been seen"
            ),
            undecided="an interval that straddles its margin: too few seeds to tell",
            judged_from="quick",
            criteria=(
                Criterion(
                    "largest difference of the two means, standard errors",
                    high=4.0,
                    why="the limit of every simulated check; over all methods",
                ),
                *(
                    Criterion(
                        f"mean error over training, GPU / CPU, {label}, {experiment}",
                        low=0.9,
                        high=1.1,
                        why="a tenth, chosen when the tables had been seen: more would have been noticed",
                    )
                    for label, experiment in (
                        ("DG", "MNIST"),
                        ("DG-K(3 %)", "MNIST"),
                        ("row gate(3 %)", "token reversal"),
                    )
                ),
            ),
        ),
    ),
)
