"""``kondo experiment reversal``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from simulations.cli import completion, options
from simulations.cli.experiments import settings_of_a_study, teller, typed, written

__all__ = ["reversal"]

_OF_TOKENS = ("positive-advantage", "probability", "weighted-advantage", "no-spurious", "delight-no-spurious")
_OF_GROUPS = ("max-variance", "group-spread")


@click.command(
    epilog=options.examples(
        "kondo experiment reversal --study token-trap",
        "kondo experiment reversal --method row-gate --rate 0.03 --length 6 --seeds 3",
    )
)
@options.PRESET
@options.study(
    "Named runs: quality (default), token-trap, screening, screening-tasks, neighbours, reward, tasks, "
    "speedup, learning-rate, temperature, gambling, protocols, scaling; step-times: seconds of an update; "
    "stale: older, broken and mistaken actors; "
    "stall-noise: drift and noise along stalls; row-gates: what gates on answers do along training; "
    "screening-ties: gates that keep whatever ties with the k-th score.",
    completion.keys_in(
        "simulations.reversal.studies",
        "STUDIES",
        "scaling",
        "step-times",
        "stale",
        "stall-noise",
        "row-gates",
        "screening-ties",
    ),
)
@click.option(
    "--only",
    multiple=True,
    metavar="LABEL",
    help="Only this method of the study, as tables name it, or this protocol of study protocols, or this search of "
    "study scaling, such as 'PG, length'; repeatable.",
)
@options.methods("pg, dg, token-gate, row-gate, ppo, pmpo", "simulations.reversal.config")
@options.rates("the gates")
@options.price("the gates")
@options.temperature("a gate and of dg, beside which a gate at a rate stays hard")
@options.rules("the gates", *_OF_TOKENS, *_OF_GROUPS)
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
    help="fraction (default), prefix, exact, bag; repeatable.",
    shell_complete=completion.keys_in("simulations.reversal.objectives", "REWARDS"),
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="What to write: reverse (default), copy, flip, reverse-flip; repeatable.",
    shell_complete=completion.keys_in("simulations.reversal.objectives", "TASKS"),
)
@click.option(
    "--learning-rate", "learning_rates", multiple=True, type=float, help="Of Adam. Default: 3e-4; repeatable."
)
@options.SEEDS
@options.UPDATES
@options.CAPTURED
@options.table_of_runs("results/reversal-STUDY-PRESET.parquet")
def reversal(quiet: bool, **given: Any) -> int:
    """Train a transformer to write its prompt backwards; resumable.

    A Parquet table, with a JSON sidecar; an unfinished run is kept beside it in FILE.partial: run the same command
    again. With more --seeds it extends a finished table; the very same command has nothing to do.

    Without --method the methods of the claim reversal-quality run, or those of --study.
    """
    from simulations.reversal.experiment import SCALING, plan_reversal, run_reversal
    from simulations.reversal.plan import MEASURED
    from simulations.reversal.protocols import STUDY
    from simulations.reversal.readings.protocols import verdict_table
    from simulations.reversal.summary import scaling_table, summary_table

    if given["study"] in MEASURED:
        return _measured(given, quiet=quiet)
    with options.user_input():
        options.require_device(given["device"])
        plan = plan_reversal(**given)
    summary = {SCALING: scaling_table, STUDY: verdict_table}.get(plan.study or "", summary_table)
    with written(plan.out, quiet=quiet, summary=summary):
        run_reversal(plan, command=typed(), quiet=quiet)
    return 0


def _measured(given: Mapping[str, Any], *, quiet: bool) -> int:
    from simulations.results.tables import table_path
    from simulations.reversal import times
    from simulations.reversal.moments import writing
    from simulations.reversal.stale import study as stale

    study = given["study"]
    shared = settings_of_a_study(study, {name: value for name, value in given.items() if name != "study"})
    preset, out = shared.pop("preset"), shared.pop("out")
    with options.user_input():
        options.require_device(shared["device"])
        out = table_path(out, f"reversal-{study}-{preset}")
    own = {"step-times": times.write_table, "stale": stale.write_table}
    write = own.get(study) or partial(writing.write_table, study)
    with written(out, quiet=quiet, summary=stale.summary_table if study == "stale" else None):
        write(preset, out, **shared, command=typed(), progress=teller(quiet))
    return 0
