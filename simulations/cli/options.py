"""Options that several commands take, each written once, and errors about what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from simulations.cli import completion

__all__ = [
    "CHECKPOINT_SECONDS",
    "DEVICE",
    "OVERWRITE",
    "PRESET",
    "QUIET",
    "SEEDS",
    "STANDARD_OUTPUT",
    "UPDATES",
    "WORKERS",
    "examples",
    "json_file",
    "methods",
    "out",
    "price",
    "rates",
    "require_device",
    "results",
    "rules",
    "study",
    "table_of_runs",
    "temperature",
    "user_input",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

STANDARD_OUTPUT = Path("-")
"""The name of a file that means standard output."""

PRESET = click.option(
    "--preset",
    type=click.Choice(["smoke", "quick", "paper"]),
    default="quick",
    show_default=True,
    help="Sizes: a look, minutes, or the published ones; the protocol is the same.",
)
DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where networks run; auto is a GPU where there is one.",
)
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes; results do not depend on it. Default: one a core, for an experiment on a GPU one.",
)
CAPTURED = click.option(
    "--captured",
    is_flag=True,
    help="Record an update and replay it: on a GPU one launch in place of hundreds. On a CPU it saves nothing.",
)
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace the table that is there.")
QUIET = click.option("--quiet", is_flag=True, help="Print errors, and what another option asks for; nothing else.")
SEEDS = click.option("--seeds", metavar="N|LIST", help="A number of seeds (0 … N−1), or a list: 3,5 or 10-19.")
UPDATES = click.option("--updates", type=click.IntRange(min=1), help="Updates a run. Default: the preset's.")
CHECKPOINT_SECONDS = click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    help="Seconds between checkpoints.",
)


def examples(*lines: str) -> str:
    """Return the end of a command's help: examples, a line each."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def out(metavar: str, default: str) -> Decorator:
    """Return the option of where results are written; ``default`` says where without it."""
    return click.option("--out", type=click.Path(path_type=Path), metavar=metavar, help=f"Default: {default}.")


def results(what: str) -> Decorator:
    """Return the option of a directory of tables; ``what`` says what it is for."""
    return click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help=what)


def json_file(what: str) -> Decorator:
    """Return the option of a file for JSON; ``what`` says when it is written."""
    where = "with - to standard output, and all else to standard error"
    return click.option(
        "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help=f"{what}; {where}."
    )


def rules(of: str, *others: str) -> Decorator:
    """Return the option of screening rules; ``of`` says which methods take one, ``others`` are more."""
    known = completion.keys_in("kondo_theory.screening.rules", "SAMPLE_RULES", *others)
    what = f"Screening rule of {of}; repeatable."
    return click.option("--rule", "rules", multiple=True, metavar="NAME", help=what, shell_complete=known)


def study(what: str, known: completion.Completer) -> Decorator:
    """Return the option of a study; ``what`` names them, and the shell completes those ``known``."""
    return click.option("--study", metavar="NAME", help=what, shell_complete=known)


def methods(names: str, module: str) -> Decorator:
    """Return the option of methods; ``METHODS`` of the module lists them."""
    known = completion.keys_in(module, "METHODS")
    what = f"{names}; repeatable."
    return click.option("--method", "methods", multiple=True, metavar="NAME", help=what, shell_complete=known)


def rates(of: str) -> Decorator:
    """Return the option of gate rates; ``of`` says which methods take one."""
    return click.option("--rate", "rates", multiple=True, type=float, help=f"In (0, 1], of {of}; repeatable.")


def price(of: str) -> Decorator:
    """Return the option of a gate's price; ``of`` says which methods take one."""
    return click.option("--price", type=float, help=f"Of {of}, in delight: reward × nats.")


def temperature(of: str) -> Decorator:
    """Return the option of a temperature, which follows that of the price; ``of`` says which methods take one."""
    return click.option("--temperature", type=float, help=f"Of {of}, in the same unit.")


def table_of_runs(default: str) -> Decorator:
    """Return the options of how a table of runs is made and where it goes; ``default`` says where without --out."""

    def with_all(command: Callable[..., Any]) -> Callable[..., Any]:
        # click shows first what was applied last
        for option in (QUIET, OVERWRITE, out("FILE", default), CHECKPOINT_SECONDS, WORKERS, DEVICE):
            command = option(command)
        return command

    return with_all


@contextmanager
def user_input(*more: type[Exception]) -> Iterator[None]:
    """Turn an error about what the user asked for into one line and exit code 2; only checks of that belong in it.

    A ``ValueError``, ``more`` that these checks raise, and an ``OSError``, where a path cannot even be looked at: its
    name is too long, a directory may not be read.
    """
    kinds: tuple[type[Exception], ...] = (ValueError, *more)
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    except kinds as error:
        raise click.UsageError(str(error)) from error


def require_device(device: str) -> None:
    """Refuse a device that this machine lacks.

    Raises
    ------
    ValueError
        If it lacks it.
    """
    if device == "cuda":  # torch is slow to import: ask it only when the answer can be no
        from simulations.devices import resolve

        resolve(device)
