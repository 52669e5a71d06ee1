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
            "M = 2, 1,000 updates); one model of GPU. Of PG, zero price and DG-K(30 %), some of whose seeds hardly "
            "learn on either device, and of five seeds of PG on token reversal, only differences of half the error "
            "or more would be seen"
        ),
        derived=False,
        rule=DecisionRule(
            statistic=(
                "the error of a run, averaged over its evaluations, and over its last five (token reversal: three); "
                "means over seeds, paired by seed, for a seed's initial weights are the same on both; Student's 95 % "
                "interval of the logarithm of their ratio"
            ),
            undecided="an interval that straddles its margin: too few seeds to tell",
            judged_from={"updates": 1_000, "seeds": 5},
            beforehand=False,
            criteria=(
                Criterion(
                    "largest difference of the two means, standard errors",
                    high=4.0,
                    why="the limit of every simulated check; over all methods",
                ),
                *(
                    Criterion(
                        f"{measure}, GPU / CPU, {label}, {experiment}",
                        low=0.9,
                        high=1.1,
                        why="a tenth, which the seeds of this method can tell",
                        judged_from={"updates": 3_000, "seeds": 10} if experiment == "MNIST" else None,
                    )
                    for label, experiment in (
                        ("DG", "MNIST"),
                        ("DG-K(1 %)", "MNIST"),
                        ("DG-K(3 %)", "MNIST"),
                        ("DG-K(10 %)", "MNIST"),
                        ("cross-entropy", "MNIST"),
                        ("row gate(3 %)", "token reversal"),
                    )
                    for measure in ("mean error over training", "final error")
                ),
            ),
        ),
    ),
)
