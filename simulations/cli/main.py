"""The ``kondo`` command: what it runs, and with which exit code it ends.

A user's mistake ends in one line and exit code 2; a failure of our own keeps its traceback.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from simulations.cli.groups import LazyGroup
from simulations.cli.terminal import safe_streams
from simulations.errors import ReportedError

__all__ = ["kondo", "main"]


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


@click.group(
    cls=LazyGroup,
    helps={
        "verify": "Derive, simulate and measure every claim, and judge it.",
        "report": "Write the page of all claims from the JSON of kondo verify.",
        "derive": "Print the checked derivation of a claim, step by step.",
        "figures": "Draw figures as PDF, PNG and SVG, with their captions.",
        "sweep": "Compute a grid of cells into a directory; run again to resume.",
        "experiment": "Train networks and write their learning curves.",
        "data": "Fetch and check the MNIST images, or a language model's weights.",
        "bench": "Time kernels, training steps and selection on the CPU.",
        "advise": "Say which gate to put on answers that are rewarded as a whole.",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 118},
)
@click.version_option(package_name="kondo-theory")
def kondo() -> None:
    """Theory, simulation and measurement of the Kondo gate.

    Exit code 0: done. 1: a check, a derivation or a cell failed. 2: bad input or no data. 130: interrupted.
    """
