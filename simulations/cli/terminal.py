"""Standard output and standard error that a reader's end or an encoding cannot break.

A closed pipe (``| head -1``) is no failure: what is still written is dropped and the command goes on to its own exit
code. A sign that the encoding lacks is written as the nearest plain letters. What cannot be written for another
reason, a full disk say, is an error, but the command ends first what else it has to do.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from simulations.cli.letters import in_plain_letters

__all__ = ["safe_streams"]

_ERRORS = "kondo-plain"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_plain_letters(error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _replace)


class _Safe:
    """A text stream whose writes always succeed; what went wrong first, but for a closed pipe, is in ``failure``."""

    encoding = "utf-8"  # every sign can be written: what the stream's own encoding lacks is replaced below

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._divert(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._divert(error)

    def _divert(self, error: OSError) -> None:
        """Let all that follows, and what is still in buffers, go nowhere."""
        if self.failure is None and not isinstance(error, BrokenPipeError):
            self.failure = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def safe_streams() -> Iterator[Callable[[], OSError | None]]:
    """Make standard output and standard error safe for a while.

    Yields
    ------
    callable
        Writes what is still in buffers and returns why something could not be written, closed pipes apart, or None.
    """
    before = (sys.stdout, sys.stderr)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        # A process can be started without standard output: there is no stream then.
        safe = [_Safe(stream if stream is not None else nowhere) for stream in before]
        policies = [getattr(stream, "errors", None) for stream in before]
        for stream in before:
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors=_ERRORS)
        sys.stdout, sys.stderr = (cast(TextIO, stream) for stream in safe)

        def failure() -> OSError | None:
            for stream in safe:
                stream.flush()
            return next((stream.failure for stream in safe if stream.failure is not None), None)

        try:
            yield failure
        finally:
            failure()
            sys.stdout, sys.stderr = before
            for stream, policy in zip(before, policies, strict=True):
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(errors=policy)
