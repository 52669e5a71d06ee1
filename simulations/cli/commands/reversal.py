"""``kondo experiment reversal``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from simulations.cli import completion, options
from simulations.cli.experiments import say_written, settings_of_a_study, teller, typed, written_at

__all__ = ["reversal"]


@click.command(
    epilog=options.examples(
        "kondo experiment reversal --study token-trap",
        "kondo experiment reversal --method row-gate --rate 0.03 --length 6 --seeds 3",
    )
)
@options.PRESET
@click.option(
    "--study",
    metavar="NAME",
    help=(
        "Named runs: quality (default), token-trap, screening, screening-tasks, reward, learning-rate, scaling; "
        "step-times: seconds of an update."
    ),
    shell_complete=completion.keys_in("simulations.reversal.studies", "STUDIES", "scaling", "step-times"),
)
@click.option(
    "--only", multiple=True, metavar="LABEL", help="Only this method of the study, as tables name it; repeatable."
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="pg, dg, token-gate, row-gate, ppo, pmpo; repeatable.",
    shell_complete=completion.keys_in("simulations.reversal.config", "METHODS"),
)
@click.option("--rate", "rates", multiple=True, type=float, help="In (0, 1], of the gates; repeatable.")
@click.option("--price", type=float, help="Of the gates, in delight: reward × nats.")
@click.option("--temperature", type=float, help="Of a gate at a price and of dg, in the same unit.")
@options.rules("the gates")
@click.option(
    "--length", "lengths", multiple=True, type=int, metavar="H", help="Tokens an answer. Default: 10; repeatable."
)
@click.option(
    "--vocab-size", "vocab_sizes", multiple=True, type=int, metavar="M", help="Tokens. Default: 2; repeatable."
)
@click.option(
    "--reward",
    "rewards",
    multiple=True,
    metavar="NAME",
    help="fraction (default), prefix, exact; repeatable.",
    shell_complete=completion.keys_in("simulations.reversal.objectives", "REWARDS"),
)
@click.option(
    "--learning-rate", "learning_rates", multiple=True, type=float, help="Of Adam. Default: 3e-4; repeatable."
)
@options.SEEDS
@options.UPDATES
@options.DEVICE
@options.WORKERS
@options.CHECKPOINT_SECONDS
@options.out("FILE", "results/reversal-STUDY-PRESET.parquet")
@options.OVERWRITE
@options.QUIET
def reversal(quiet: bool, **given: Any) -> int:
    """Train a transformer to write its prompt backwards; resumable.

    A Parquet table, with a JSON sidecar; an unfinished run is kept beside it in FILE.partial: run the same command
    again. With more --seeds it extends a finished table; the very same command has nothing to do.

    Without --method the methods of the claim reversal-quality run, or those of --study.
    """
    from simulations.results.tables import load
    from simulations.reversal import summary as reversal_summary
    from simulations.reversal.experiment import SCALING, plan_reversal, run_reversal
    from simulations.verification import report

    if given["study"] == "step-times":
        return _step_times(given, quiet=quiet)
    with options.user_input():
        options.require_device(given["device"])
        plan = plan_reversal(**given)
    before = written_at(plan.out)
    table = run_reversal(plan, command=typed(), quiet=quiet)
    if not quiet:
        summarise = reversal_summary.scaling_table if plan.study == SCALING else reversal_summary.summary_table
        report.console().print(summarise(load(table).frame))
    say_written(table, before, quiet=quiet)
    return 0


def _step_times(given: Mapping[str, Any], *, quiet: bool) -> int:
    from simulations.results.tables import table_path
    from simulations.reversal.times import write_table

    settings = {name: value for name, value in given.items() if name != "study"}
    shared = settings_of_a_study("step-times", settings)
    preset, out = shared.pop("preset"), shared.pop("out")
    with options.user_input():
        options.require_device(shared["device"])
        out = table_path(out, f"reversal-step-times-{preset}")
    before = written_at(out)
    table = write_table(preset, out, **shared, command=typed(), progress=teller(quiet))
    say_written(table, before, quiet=quiet)
    return 0
