"""``kondo experiment mnist``."""

from __future__ import annotations

from typing import Any

import click

from simulations.cli import completion, options
from simulations.cli.experiments import settings_of_a_study, teller, typed, written

__all__ = ["mnist"]


@click.command(
    epilog=options.examples(
        "kondo experiment mnist --method dg-k --rate 0.03 --seeds 3",
        "kondo experiment mnist --study cost",
    )
)
@options.PRESET
@options.study(
    "Instead of learning curves: noise, screeners, cascade, moments, temperature, cost, gamble, stale, digits, "
    "batch.",
    completion.keys_in("simulations.mnist.studies", "STUDIES"),
)
@options.methods("pg, dg, dg-k, zero-price, gate, screen, cross-entropy", "simulations.mnist.config")
@options.rates("dg-k and screen")
@options.price("method gate")
@options.temperature("methods gate and dg, and of dg-k without these")
@options.rules("screen")
@click.option("--alpha", type=float, help="Weight of the advantage in the rule additive, in [0, 1].")
@options.SEEDS
@options.UPDATES
@options.CAPTURED
@click.option("--learning-rate", type=float, default=1e-3, show_default=True, help="Of Adam.")
@options.table_of_runs("results/mnist-PRESET.parquet; results/mnist-STUDY-PRESET.parquet")
def mnist(study: str | None, quiet: bool, **given: Any) -> int:
    """Run the MNIST contextual bandit and write a table; resumable.

    A Parquet table, with a JSON sidecar; an unfinished run is kept beside it in FILE.partial: run the same command
    again. With more --seeds it extends a finished table; the very same command has nothing to do.

    Without --method every method of the claim mnist-quality runs: pg, dg, dg-k at 3 %, zero-price, cross-entropy;
    at preset paper dg-k also at 1 %, 10 % and 30 %.

    With --study the sizes are the preset's: noise on delight; cheap screeners, and windows on their scores; signal
    and noise in the parameters; soft gates and DG over temperatures; seconds, bytes and FLOPs of a step; an action
    that gambles; older and broken actors;
    the digits that delight picks.
    """
    if study is not None:
        return _study(study, given, quiet=quiet)
    from simulations.mnist.experiment import plan_mnist, run_mnist
    from simulations.mnist.summary import summarise, summary_table

    with options.user_input():
        options.require_device(given["device"])
        plan = plan_mnist(**given)
    with written(plan.out, quiet=quiet, summary=lambda curves: summary_table(summarise(curves))):
        run_mnist(plan, command=typed(), quiet=quiet)
    return 0


def _study(study: str, given: dict[str, Any], *, quiet: bool) -> int:
    from simulations.mnist.studies import plan_study, run_study

    shared = settings_of_a_study(study, given)
    with options.user_input():
        plan = plan_study(study, **shared)
    with written(plan.out, quiet=quiet):
        run_study(plan, typed(), teller(quiet))
    return 0
