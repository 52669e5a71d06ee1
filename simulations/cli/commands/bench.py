"""``kondo bench``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import options

__all__ = ["bench"]


@click.command()
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="Interleaved repetitions.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that it runs.")
@options.json_file("Also write the rows here: times in seconds and microseconds, memory in bytes")
@options.QUIET
def bench(repeats: int, quick: bool, json_file: Path | None, quiet: bool) -> int:
    """Time kernels, training steps and selection on the CPU.

    Kernels against plain NumPy; steps of MNIST, of token reversal and of a language model's answers, gated and in
    full; the top k of 10^7 scores; compilation. All variants run in turn, so that a drifting machine slows them
    alike; medians, ratios and what docs/speed.md promises are printed.
    """
    from dataclasses import asdict

    from simulations.benchmark import suite as benchmark
    from simulations.cli.json_files import write_json
    from simulations.results.atomic import require_writable
    from simulations.resuming.runs import progress_bar
    from simulations.verification import report

    to_output = json_file == options.STANDARD_OUTPUT
    with options.user_input():
        if json_file is not None and not to_output:
            require_writable(json_file, overwrite=True)
    with progress_bar("bench", benchmark.steps(repeats), quiet=quiet) as shown:
        rows = benchmark.run(repeats=repeats, quick=quick, progress=shown)
    out = report.console(stderr=to_output, quiet=quiet)
    out.print(benchmark.main_table(rows))
    if not quick:  # at small sizes the overhead of a call is all there is to see
        out.print(benchmark.target_table(rows))
    if json_file is not None:
        write_json([asdict(row) for row in rows], json_file)
    return 0
