"""What the commands of all experiments over ranks share: options, and how a rank ends.

Bad input ends in one line of rank 0 and exit code 2, as for ``kondo``; a rank that lost another says so in one line,
and ends with exit code 1.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from simulations.devices import DEVICES
from simulations.errors import InputError, ReportedError
from simulations.ranks.placing import LostRankError
from simulations.ranks.running import SharedError

__all__ = ["main", "rank_options", "typed"]

_OPTIONS = (
    click.option("--updates", type=click.IntRange(min=1), default=1000, show_default=True),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    click.option("--eval-every", type=click.IntRange(min=1), default=50, show_default=True, help="Updates."),
    click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True),
    click.option("--shard", is_flag=True, help="Shard parameters (FSDP2); without it each rank has a copy (DDP)."),
    click.option(
        "--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="cpu: gloo; cuda: nccl."
    ),
    click.option("--out", type=click.Path(path_type=Path), required=True, help="The table, PATH.parquet."),
    click.option("--overwrite", is_flag=True, help="Replace a table that is there."),
    click.option(
        "--checkpoint-seconds",
        type=click.FloatRange(min=0),
        default=30.0,
        show_default=True,
        help="Between checkpoints beside the table, from which the same command goes on; at evaluations.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        help="Seconds that a rank waits for the others before it ends.",
    ),
)


def rank_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all experiments share."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def typed(module: str) -> str:
    """Return what the user typed, for the table's sidecar; torchrun's own part is not known here."""
    return shlex.join(["-m", module, *sys.argv[1:]])


def main(command: click.Command, module: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a rank and exit: 0 done, 1 another rank was lost, 2 bad input or a failure with a message of its own."""
    signal.signal(signal.SIGTERM, _terminated)
    first = os.environ.get("RANK", "0") == "0"
    try:
        command.main(args=arguments, prog_name=f"python -m {module}", standalone_mode=False)
    except LostRankError as error:
        _say(module, str(error))
        sys.stdout.flush()
        os._exit(1)  # what is left of the group would wait for the rank that is gone
    except (click.ClickException, SharedError, InputError) as error:
        if first:
            _say(module, error.format_message() if isinstance(error, click.ClickException) else str(error))
        sys.exit(2)
    except ReportedError as error:
        _say(module, str(error))
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _say(module, "interrupted")
        sys.exit(130)
    sys.exit(0)


def _say(module: str, message: str) -> None:
    click.echo(f"{module}: {' '.join(message.split())}", err=True)


def _terminated(signum: int, frame: object) -> NoReturn:
    rank = os.environ.get("RANK", "0")
    raise LostRankError(f"rank {rank} ends: it was terminated, as torchrun does when another rank fails")
