"""``kondo experiment language-model``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from simulations.cli import completion, options
from simulations.cli.experiments import settings_of_a_study, teller, typed, written

__all__ = ["language_model"]


@click.command(
    "language-model",
    epilog=options.examples(
        "kondo experiment language-model --study learning",
        "kondo experiment language-model --method row-gate --rate 0.25 --rule abs-advantage --task spelling",
        "kondo experiment language-model --study cost",
        "kondo experiment language-model --study frozen",
    ),
)
@options.PRESET
@options.study(
    "Named runs: learning (default), methods, tasks, learning-rate; or cost: seconds of a step; frozen, -tasks, "
    "-temperature: what gates would do before training; answers: the first ones, token by token.",
    completion.keys_in(
        "simulations.language_model.studies",
        "STUDIES",
        "cost",
        "frozen",
        "frozen-tasks",
        "frozen-temperature",
        "answers",
    ),
)
@click.option(
    "--only", multiple=True, metavar="LABEL", help="Only this method of the study, as tables name it; repeatable."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A Hugging Face directory with a causal language model. Default: the weights of kondo data fetch.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="reversal-3, -4, -6, spelling, addition-1, -2, digits, or your own module:function; of a study only this "
    "one; repeatable.",
    shell_complete=completion.keys_in("simulations.language_model.tasks", "TASKS"),
)
@click.option(
    "--trainable", metavar="PART", help="all, last-N (blocks) or lora-R (rank). Default: last-6, of a run of its own."
)
@click.option(
    "--method",
    metavar="NAME",
    help="pg, dg, row-gate, token-gate, group-gate.",
    shell_complete=completion.keys_in("simulations.language_model.config", "METHODS"),
)
@click.option("--rate", type=float, help="In (0, 1], of the gates.")
@options.price("the gates")
@click.option(
    "--rule",
    metavar="NAME",
    help="Screening rule of a gate at a rate.",
    shell_complete=completion.keys_in("kondo_theory.screening.rules", "SAMPLE_RULES"),
)
@click.option("--learning-rate", type=float, help="Of AdamW. Default: 3e-4.")
@options.SEEDS
@options.UPDATES
@options.table_of_runs("results/language-model-STUDY-PRESET.parquet")
def language_model(quiet: bool, model: Path | None, **given: Any) -> int:
    """Train a pretrained language model on checkable tasks; resumable.

    A Parquet table, with a JSON sidecar; an unfinished run is kept beside it in FILE.partial: run the same command
    again. With more --seeds it extends a finished table; the very same command has nothing to do.

    Needs the extra lm, and fetches the weights (92 MB) unless there is a --model.
    """
    from simulations.language_model.experiment import plan_language_model, run_language_model
    from simulations.language_model.studies import MEASURED
    from simulations.language_model.summary import summary_table

    if given["study"] in MEASURED:
        return _measured(given, model, quiet=quiet)
    with options.user_input():
        options.require_device(given["device"])
        plan = plan_language_model(**given, model=model)
    with written(plan.out, quiet=quiet, summary=summary_table):
        run_language_model(plan, command=typed(), quiet=quiet)
    return 0


def _measured(given: dict[str, Any], model: Path | None, *, quiet: bool) -> int:
    """Write the table of a study that is no list of runs, and show it."""
    from simulations.language_model import cost, lucky, summary
    from simulations.language_model.frozen import study as frozen
    from simulations.language_model.weights import name_of
    from simulations.results.tables import table_path
    from simulations.verification import report

    name = given["study"]
    shared = settings_of_a_study(name, {key: value for key, value in given.items() if key != "study"})
    preset, out = shared.pop("preset"), shared.pop("out")
    with options.user_input():
        options.require_device(shared["device"])
        name_of(model)
        out = table_path(out, f"language-model-{name}-{preset}")
    write = {"cost": cost.write_table, "answers": lucky.write_table}.get(name) or partial(frozen.write_table, name)
    shown = {"cost": summary.cost_table, "answers": None}.get(name, summary.frozen_table)
    with written(out, quiet=quiet):
        write(preset, out, **shared, model=model, command=typed(), progress=teller(quiet))
        if shown is not None and not quiet:
            report.console().print(shown(out))
    return 0
