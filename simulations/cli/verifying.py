"""What ``kondo verify`` does with what the user asked for: each claim is written, then printed, when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from simulations.cli.json_files import write_json
from simulations.cli.options import STANDARD_OUTPUT
from simulations.errors import ReportedError
from simulations.results.merging import MeasuredTables
from simulations.verification import report
from simulations.verification.verify import CHECKS, Report, verify

__all__ = ["Growing", "list_claims", "verify_and_report"]


def list_claims() -> list[str]:
    """Return one line a claim: its id, how it is checked, and its source."""
    from kondo_theory.claims import CLAIMS

    lines = []
    for claim in CLAIMS.values():
        check = CHECKS[claim.id]
        parts = {"derived": claim.derived, "simulated": check.simulate, "measured": check.measure}
        lines.append(f"{claim.id:26} {', '.join(name for name, there in parts.items() if there):30} {claim.source}")
    return lines


def verify_and_report(
    preset: str, growing: Growing, *, device: str, claims: Sequence[str], workers: int | None
) -> int:
    """Verify the claims, let the report grow with each that is done, and return the exit code.

    Raises
    ------
    ReportedError
        Once every claim is done, if one could not use what it was given; if the report cannot be written.
    """
    with growing.status:
        try:
            found = verify(
                preset,
                device=device,
                claims=claims,
                workers=workers,
                progress=growing.progress,
                tables=growing.tables,
                each=growing.add,
            )
        except KeyboardInterrupt:
            growing.status.stop()
            growing.interrupted()
            raise
        except ReportedError:
            growing.status.stop()
            growing.finish()
            raise
    growing.finish()
    return found.exit_code


class Growing:
    """The report as it grows: on disk after each claim, and then on the screen.

    Parameters
    ----------
    tables : MeasuredTables
        A user's own, by which claims are judged and from which the page's figures are drawn.
    json_file, page_directory : Path, optional
        Where the JSON and the page are written.
    quiet : bool
        Only the claims whose checks failed are named, in a line each on standard error.
    """

    def __init__(
        self,
        tables: MeasuredTables,
        *,
        json_file: Path | None = None,
        page_directory: Path | None = None,
        quiet: bool = False,
    ) -> None:
        self.tables = tables
        self._file, self._page_directory, self._quiet = json_file, page_directory, quiet
        self._replaces = json_file is not None and json_file.exists()
        self._errors = Console(stderr=True, quiet=quiet)
        self._screen = report.console(stderr=json_file == STANDARD_OUTPUT, quiet=quiet)
        self._report: Report | None = None
        self.status: Status = self._errors.status("verifying")

    def progress(self, text: str) -> None:
        """Say what is being done, and how much is."""
        if self._report is None:
            self.status.update(text)
        else:
            done = f"{len(self._report.outcomes)} of {len(self._report.chosen)}"
            self.status.update(", ".join(filter(None, [f"{done} done", report.time_left(self._report), text])))

    def add(self, found: Report) -> None:
        """Write the report so far, then print its last claim."""
        self._report = found
        if self._file is not None and self._file != STANDARD_OUTPUT:
            write_json(found.to_json(), self._file)
        self.status.stop()  # a live status would take what is printed to standard output for its own
        report.show_outcome(found, self._screen)
        last = found.outcomes[-1]
        if self._quiet and not last.conclusive:
            click.echo(f"kondo: {last.claim.id} is {last.verdict}: {last.reason}", err=True)
        self.status.start()

    def finish(self) -> None:
        """Say what no claim used, print the table of verdicts, name the JSON, and write the page."""
        if self._report is None:
            return
        for path in self.tables.unused:
            self._say(f"no chosen claim is judged by {path}")
        if self._file == STANDARD_OUTPUT:
            write_json(self._report.to_json(), STANDARD_OUTPUT)
        report.show_verdicts(self._report, self._screen)
        if self._file not in (None, STANDARD_OUTPUT):
            self._say(f"{'replaced' if self._replaces else 'wrote'} {self._file}")
        self._write_page(self._report)

    def interrupted(self) -> None:
        """Say what is kept, and write the page of it."""
        if self._report is None:
            return
        kept = f"{len(self._report.outcomes)} of {len(self._report.chosen)} claims are done"
        if self._file == STANDARD_OUTPUT:
            write_json(self._report.to_json(), STANDARD_OUTPUT)
        elif self._file is not None:
            kept += f" and kept in {self._file}"
        self._say(kept)
        self._write_page(self._report)

    def _write_page(self, found: Report) -> None:
        if self._page_directory is None:
            return
        from simulations.report import write_report

        own = None if self.tables.directory is None else self.tables
        with self._errors.status("drawing the figures of the report"):
            page = write_report(found.to_json(), self._page_directory, own)
        self._say(f"the report is {page}")

    def _say(self, text: str) -> None:
        self._errors.print(text, markup=False, soft_wrap=True)
