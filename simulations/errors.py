"""The failure that is not the user's fault and not a bug: no network, no disk, a damaged file."""

__all__ = ["InputError", "ReportedError", "ResultError"]


class ReportedError(RuntimeError):
    """A failure whose message says all there is to do: the command line prints that line and no traceback."""


class ResultError(ReportedError, ValueError):
    """A table that cannot be read or must not be written; the message names the file and what is allowed."""


class InputError(ReportedError, ValueError):
    """What the user asked for is not allowed, or not there; the message says what was wrong and what is allowed."""
