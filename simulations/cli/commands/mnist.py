"""``kondo experiment mnist``."""

from __future__ import annotations

from typing import Any

import click

from simulations.cli import completion, options
from simulations.cli.experiments import say_written, settings_of_a_study, teller, typed, written_at

__all__ = ["mnist"]


@click.command(
    epilog=options.examples(
        "kondo experiment mnist --method dg-k --rate 0.03 --seeds 3",
        "kondo experiment mnist --study cost",
    )
)
@options.PRESET
@click.option(
    "--study",
    metavar="NAME",
    help="Instead of learning curves: noise, screeners, moments, cost, digits.",
    shell_complete=completion.keys_in("simulations.mnist.studies", "STUDIES"),
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="pg, dg, dg-k, zero-price, gate, screen, cross-entropy; repeatable.",
    shell_complete=completion.keys_in("simulations.mnist.config", "METHODS"),
)
@click.option("--rate", "rates", multiple=True, type=float, help="In (0, 1], of dg-k and screen; repeatable.")
@click.option("--price", type=float, help="Of method gate, in delight: reward × nats.")
@click.option("--temperature", type=float, help="Of methods gate and dg, in the same unit.")
@options.rules("screen")
@click.option("--alpha", type=float, help="Weight of the advantage in the rule additive, in [0, 1].")
@options.SEEDS
@options.UPDATES
@click.option("--learning-rate", type=float, default=1e-3, show_default=True, help="Of Adam.")
@options.DEVICE
@options.WORKERS
@options.CHECKPOINT_SECONDS
@options.out("FILE", "results/mnist-PRESET.parquet; results/mnist-STUDY-PRESET.parquet")
@options.OVERWRITE
@options.QUIET
def mnist(study: str | None, quiet: bool, **given: Any) -> int:
    """Run the MNIST contextual bandit and write a table; resumable.

    A Parquet table, with a JSON sidecar; an unfinished run is kept beside it in FILE.partial: run the same command
    again. With more --seeds it extends a finished table; the very same command has nothing to do.

    Without --method every method of the claim mnist-quality runs: pg, dg, dg-k at 3 %, zero-price, cross-entropy;
    at preset paper dg-k also at 1 %, 10 % and 30 %.

    With --study the sizes are the preset's: noise on delight; cheap screeners; signal and noise in the parameters;
    seconds, bytes and FLOPs of a step; the digits that delight picks.
    """
    if study is not None:
        return _study(study, given, quiet=quiet)
    from simulations.mnist import summary as mnist_summary
    from simulations.mnist.experiment import plan_mnist, run_mnist
    from simulations.results.tables import load
    from simulations.verification import report

    with options.user_input():
        options.require_device(given["device"])
        plan = plan_mnist(**given)
    before = written_at(plan.out)
    table = run_mnist(plan, command=typed(), quiet=quiet)
    if not quiet:
        report.console().print(mnist_summary.summary_table(mnist_summary.summarise(load(table).frame)))
    say_written(table, before, quiet=quiet)
    return 0


def _study(study: str, given: dict[str, Any], *, quiet: bool) -> int:
    from simulations.mnist.studies import plan_study, run_study

    shared = settings_of_a_study(study, given)
    with options.user_input():
        plan = plan_study(study, **shared)
    before = written_at(plan.out)
    table = run_study(plan, typed(), teller(quiet))
    say_written(table, before, quiet=quiet)
    return 0
