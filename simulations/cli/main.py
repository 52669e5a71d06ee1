"""The ``kondo`` command.

Heavy imports happen inside the commands, so that ``kondo --help`` answers at once. A user's mistake ends in one line
and exit code 2; a failure of our own keeps its traceback.
"""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from simulations.cli.terminal import safe_streams
from simulations.errors import ReportedError

__all__ = ["kondo", "main"]

PRESETS = click.Choice(["smoke", "quick", "paper"])
DEVICES = click.Choice(["auto", "cpu", "cuda"])


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 a check failed, 2 bad input or no data, 130 interrupted."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)  # a cluster's kill must not leave worker processes behind
    with safe_streams() as failure:
        code = _run(arguments)
        if (error := failure()) is not None:
            click.echo(f"kondo: the output cannot be written: {error.strerror}", err=True)
            code = code or 2
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command line and return its exit code; a failure of our own keeps its traceback."""
    try:
        code: int = kondo.main(args=arguments, prog_name="kondo", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        return _refuse(error.format_message())
    except ReportedError as error:
        return _refuse(str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("kondo: interrupted", err=True)
        return 130
    return code


def _refuse(message: str) -> int:
    """Print what was wrong in one line."""
    click.echo(f"kondo: {' '.join(message.split())}", err=True)
    return 2


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def user_input() -> Iterator[None]:
    """Turn an error about what the user asked for into one line and exit code 2.

    An ``OSError`` too, where a path cannot even be looked at: its name is too long, a directory may not be read.
    """
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 118})
@click.version_option(package_name="kondo-theory")
def kondo() -> None:
    """Theory, simulation and measurement of the Kondo gate."""


@kondo.command()
@click.option("--preset", type=PRESETS, default="quick", show_default=True, help="Sizes; the protocol is the same.")
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only this claim; may be repeated.")
@click.option("--device", type=DEVICES, default="auto", show_default=True, help="Where networks run.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the report here, as it grows; with - to standard output, and all else to standard error.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes on the CPU; results do not depend on it.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Judge by the tables in DIR, measured on another machine say, instead of measuring here.",
)
@click.option("--list", "list_only", is_flag=True, help="List the claims, how each is checked, and its source.")
def verify(
    preset: str,
    claims: tuple[str, ...],
    device: str,
    json_file: Path | None,
    workers: int | None,
    results: Path | None,
    list_only: bool,
) -> int:
    """Derive, simulate and measure every claim, and judge it; each is printed when it is done.

    Exit 0: every check that could be judged was conclusive, whatever it says of published claims. Exit 1: ours
    disagrees with ours (contradicted), an exception ended a claim (broken), or a check was too noisy to decide.
    Exit 2: bad input. Exit 130: interrupted; what is done is kept.
    """
    from kondo_theory.claims import get_claims
    from simulations.cli.verify_command import STANDARD_OUTPUT, list_claims, verify_and_report
    from simulations.results.merging import MeasuredTables
    from simulations.results.tables import require_writable

    if list_only:
        for line in list_claims():
            click.echo(line)
        return 0
    with user_input():
        chosen = [claim.id for claim in get_claims(claims or None)]
        _check_device(device)
        tables = MeasuredTables() if results is None else MeasuredTables.read(results)
        if json_file is not None and json_file != STANDARD_OUTPUT:
            require_writable(json_file, overwrite=True)
    return verify_and_report(
        preset, device=device, claims=chosen, workers=workers, tables=tables, json_file=json_file
    )


@kondo.command()
@click.argument("claim")
@click.option("--latex", is_flag=True, help="Print the resulting formulas as LaTeX only.")
def derive(claim: str, latex: bool) -> int:
    """Print the checked derivation of CLAIM, step by step."""
    from importlib import import_module

    from kondo_theory.claims import get_claims
    from simulations.verification import report

    with user_input():
        (chosen,) = get_claims([claim])
        if chosen.derivation_module is None:
            raise ValueError(f"claim {claim} is measured, not derived: see kondo verify --claim {claim}")
    derivation = import_module(chosen.derivation_module).derive()
    if latex:
        click.echo(derivation.latex())
    else:
        report.show_derivation(derivation, report.console())
    return 0 if derivation.ok else 1


@kondo.command()
@click.argument("names", nargs=-1, metavar="[CLAIM]...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("figures"), show_default=True)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Own tables of sweeps and experiments, in DIR or in directories in it, whatever their names.",
)
@click.option("--list", "list_only", is_flag=True, help="List the figures and what they show.")
def figures(names: tuple[str, ...], out: Path, results: Path | None, list_only: bool) -> int:
    """Draw the figures of the given claims, or all of them, as PDF and PNG, from the committed tables.

    With --results the tables in DIR come first, found by what they hold as in kondo verify: without names the figures
    are drawn that DIR feeds, and a named one that it does not feed is refused. What of such a figure DIR lacks is
    committed; standard error says which. Of several tables of one kind parts (other seeds, methods or cells) are put
    together, and the largest counts; two that are equally large are refused.
    """
    from paper_figs.catalogue import FIGURES
    from paper_figs.drawing import draw

    if list_only:
        for name, figure in FIGURES.items():
            click.echo(f"{name:24} {figure.title}")
        return 0
    with user_input():
        for path in draw(names or None, out, results, lambda text: click.echo(text, err=True)):
            click.echo(f"wrote {path}")
    return 0


@kondo.command()
@click.argument("sweep", metavar="NAME|FILE.toml", required=False)
@click.option("--preset", type=PRESETS, default="quick", show_default=True, help="Sizes; the protocol is the same.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUES", help="Replace an axis: n_arms=2,10; may be repeated."
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; the table does not depend on it.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on the workers of this Dask scheduler.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: results/NAME-PRESET.")
@click.option("--overwrite", is_flag=True, help="Replace the finished table of another grid in DIR.")
@click.option("--dry-run", is_flag=True, help="Count cells, seconds and bytes; write nothing.")
@click.option("--list", "list_only", is_flag=True, help="List the named sweeps.")
def sweep(
    sweep: str | None,
    preset: str,
    settings: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    out: Path | None,
    overwrite: bool,
    dry_run: bool,
    list_only: bool,
) -> int:
    """Compute a named grid, or one's own from a file, into a directory; run again to resume.

    Exit 0: the table is complete. Exit 1: cells failed, all others were computed and kept.
    """
    from simulations.cli import sweep_command as command
    from simulations.sweeps import run
    from simulations.verification import report

    if list_only:
        report.console().print(command.list_sweeps(preset))
        return 0
    if sweep is None:
        raise click.UsageError("name a sweep or a file: see kondo sweep --list")
    with user_input():
        chosen, directory, said = command.choose(sweep, preset, settings, out)
    for line in said:
        click.echo(line, err=True)
    try:
        if dry_run:
            click.echo(command.show_estimate(chosen, directory))
            return 0
        table = run.run_sweep(
            chosen, directory, workers=workers, scheduler=scheduler, overwrite=overwrite, progress=True
        )
    except run.SweepError as error:
        click.echo(f"kondo: {error}", err=True)
        return 1
    click.echo(f"{len(table.frame):,} rows in {table.path}")
    return 0


@kondo.group()
def experiment() -> None:
    """Train networks and write their learning curves."""


@experiment.command()
@click.option("--preset", type=PRESETS, default="quick", show_default=True, help="Updates and seeds.")
@click.option("--study", metavar="NAME", help="Instead of learning curves: noise, screeners, moments, cost, digits.")
@click.option(
    "--method", "methods", multiple=True, metavar="NAME", help="pg, dg, dg-k, zero-price, gate, screen, cross-entropy"
)
@click.option("--rate", "rates", multiple=True, type=float, help="Rate in (0, 1] of dg-k, screen; may be repeated.")
@click.option("--price", type=float, help="Price of method gate.")
@click.option("--temperature", type=float, help="Temperature of methods gate and dg.")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Screening rule of screen; may be repeated.")
@click.option("--alpha", type=float, help="Weight of the advantage in the rule additive.")
@click.option("--seeds", metavar="N|LIST", help="A number of seeds (0 … N−1), or a list such as 3,5 or 10-19.")
@click.option("--updates", type=click.IntRange(min=1), help="Instead of the preset's number.")
@click.option("--learning-rate", type=float, default=1e-3, show_default=True)
@click.option("--device", type=DEVICES, default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; the table does not depend on it.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), default=30, show_default=True, help="Between checkpoints."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: in results/.")
@click.option("--overwrite", is_flag=True, help="Replace an existing table.")
def mnist(study: str | None, **options: Any) -> int:
    """Run the MNIST contextual bandit and write a Parquet table with a JSON sidecar; run again to resume.

    The same command with more --seeds extends a finished table; the very same command has nothing to do.

    Without --method every method of the claim mnist-quality runs: pg, dg, dg-k at 3 %, zero-price, cross-entropy;
    at preset paper dg-k also at 1 %, 10 % and 30 %. An unfinished run is kept beside the table in FILE.partial.

    With --study the sizes are the preset's: noise on delight; cheap screeners; signal and noise in the parameters;
    seconds, bytes and FLOPs of a step; the digits that delight picks.
    """
    if study is not None:
        return _mnist_study(study, options)
    from simulations.mnist import summary as mnist_summary
    from simulations.mnist.experiment import plan_mnist, run_mnist
    from simulations.results.tables import load
    from simulations.verification import report

    with user_input():
        _check_device(options["device"])
        plan = plan_mnist(**options)
    before = _written_at(plan.out)
    table = run_mnist(plan, command=_typed())
    report.console().print(mnist_summary.summary_table(mnist_summary.summarise(load(table).frame)))
    _say_written(table, before)
    return 0


def _mnist_study(study: str, options: dict[str, Any]) -> int:
    from simulations.mnist.studies import plan_study, run_study

    shared = _settings_of_a_study(study, options)
    with user_input():
        plan = plan_study(study, **shared)
    before = _written_at(plan.out)
    table = run_study(plan, _typed(), lambda text: click.echo(text, err=True))
    _say_written(table, before)
    return 0


def _settings_of_a_study(study: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study whose sizes are the preset's takes, and refuse every other flag that was given."""
    context = click.get_current_context()
    shared = ("preset", "device", "out", "overwrite")
    default = click.core.ParameterSource.DEFAULT
    for name in options:
        if name not in (*shared, "study") and context.get_parameter_source(name) is not default:
            flag = next(p.opts[0] for p in context.command.params if p.name == name)
            raise click.UsageError(f"a study has settings of its own, got --study {study} with {flag}")
    return {name: options[name] for name in shared}


@experiment.command()
@click.option("--preset", type=PRESETS, default="quick", show_default=True, help="Updates and seeds.")
@click.option(
    "--study",
    metavar="NAME",
    help=(
        "Named runs: quality (default), token-trap, screening, screening-tasks, reward, learning-rate, scaling; "
        "step-times: seconds of an update."
    ),
)
@click.option("--only", multiple=True, metavar="LABEL", help="Only this method of the study, as tables name it.")
@click.option("--method", "methods", multiple=True, metavar="NAME", help="pg, dg, token-gate, row-gate, ppo, pmpo")
@click.option("--rate", "rates", multiple=True, type=float, help="Rate in (0, 1] of the gates; may be repeated.")
@click.option("--price", type=float, help="Price of the gates.")
@click.option("--temperature", type=float, help="Temperature of a gate at a price, and of dg.")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Screening rule of the gates; may be repeated.")
@click.option("--length", "lengths", multiple=True, type=int, metavar="H", help="Default: 10; may be repeated.")
@click.option("--vocab-size", "vocab_sizes", multiple=True, type=int, metavar="M", help="Default: 2; repeatable.")
@click.option("--reward", "rewards", multiple=True, metavar="NAME", help="fraction (default), prefix, exact")
@click.option("--learning-rate", "learning_rates", multiple=True, type=float, help="Default: 3e-4; may be repeated.")
@click.option("--seeds", metavar="N|LIST", help="A number of seeds (0 … N−1), or a list such as 3,5 or 10-19.")
@click.option("--updates", type=click.IntRange(min=1), help="Instead of the preset's number.")
@click.option("--device", type=DEVICES, default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; the table does not depend on it.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), default=30, show_default=True, help="Between checkpoints."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: results/reversal-STUDY-PRESET.parquet."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing table.")
def reversal(**options: Any) -> int:
    """Train a transformer to write its prompt backwards; write a Parquet table with a JSON sidecar; resumable.

    Without --method the methods of the claim reversal-quality run, or those of --study. An unfinished run is kept
    beside the table in FILE.partial: run the same command again. With more --seeds it extends a finished table; the
    very same command has nothing to do.
    """
    from simulations.results.tables import load
    from simulations.reversal import summary as reversal_summary
    from simulations.reversal.experiment import SCALING, plan_reversal, run_reversal
    from simulations.verification import report

    if options["study"] == "step-times":
        return _step_times(options)
    with user_input():
        _check_device(options["device"])
        plan = plan_reversal(**options)
    before = _written_at(plan.out)
    table = run_reversal(plan, command=_typed())
    summarise = reversal_summary.scaling_table if plan.study == SCALING else reversal_summary.summary_table
    report.console().print(summarise(load(table).frame))
    _say_written(table, before)
    return 0


def _step_times(options: Mapping[str, Any]) -> int:
    from simulations.results.tables import table_path
    from simulations.reversal.times import write_table

    shared = _settings_of_a_study("step-times", options)
    preset, out = shared.pop("preset"), shared.pop("out")
    with user_input():
        _check_device(shared["device"])
        out = table_path(out, f"reversal-step-times-{preset}")
    before = _written_at(out)
    table = write_table(preset, out, **shared, command=_typed(), progress=lambda text: click.echo(text, err=True))
    _say_written(table, before)
    return 0


@kondo.group()
def data() -> None:
    """Fetch and check the MNIST images."""


@data.command()
def fetch() -> int:
    """Fetch what is missing, check every byte, and print where the files are."""
    from simulations.mnist.images import fetch_mnist

    click.echo(f"MNIST is in {fetch_mnist()}")
    return 0


@data.command()
def check() -> int:
    """Check the files in the cache against their hashes: exit 0 if all are good."""
    from simulations.mnist.images import check_mnist

    states = check_mnist()
    for state in states:
        click.echo(f"{state.state:8} {state.path} {state.detail}".rstrip())
    return 0 if all(state.state == "ok" for state in states) else 1


@kondo.command()
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="Interleaved repetitions.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that it runs.")
def bench(repeats: int, quick: bool) -> int:
    """Time the kernels against plain NumPy in one interleaved run; print medians and ratios."""
    from simulations.benchmark import suite as benchmark
    from simulations.verification import report

    rows = benchmark.run(repeats=repeats, quick=quick)
    out = report.console()
    out.print(benchmark.main_table(rows))
    if not quick:  # at small sizes the overhead of a call is all there is to see
        out.print(benchmark.target_table(rows))
    return 0


def _written_at(table: Path) -> int | None:
    return table.stat().st_mtime_ns if table.exists() else None


def _say_written(table: Path, before: int | None) -> None:
    """Say that a table was written, or that the one that was there before was asked for and is complete."""
    if _written_at(table) == before:
        click.echo(f"{table} is complete: nothing to do")
    else:
        click.echo(f"wrote {table} and {table.with_suffix('.json').name}")


def _typed() -> str:
    """Return the command line as it could be typed again, on another machine too: of absolute paths the last part."""
    return shlex.join(["kondo", *(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])])


def _check_device(device: str) -> None:
    if device == "cuda":  # torch is slow to import: ask it only when the answer can be no
        from simulations.devices import resolve

        resolve(device)
