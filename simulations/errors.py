"""The failure that is not the user's fault and not a bug: no network, no disk, a damaged file."""

__all__ = ["ReportedError", "ResultError"]


class ReportedError(RuntimeError):
    """A failure whose message says all there is to do: the command line prints that line and no traceback."""


class ResultError(ReportedError, ValueError):
    """A table that cannot be read or must not be written; the message names the file and what is allowed."""
