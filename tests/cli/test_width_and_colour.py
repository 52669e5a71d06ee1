"""Width and colour follow the terminal, COLUMNS, NO_COLOR and TERM, whether a person or a pipe reads."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from simulations.cli import main as cli

PRINTED = """
from simulations.verification.report import console
console().print("[red]fails[/red] " + "x " * 200)
"""
COLOUR = "\x1b[31m"


def printed(columns=None, **environment):
    """What a terminal of so many columns shows, or a pipe gets."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    environment = {**kept, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-c", PRINTED]
    if columns is None:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    subprocess.run(command, env=environment, stdin=writer, stdout=writer, stderr=writer, check=True)
    os.close(writer)
    text = os.read(reader, 100_000).decode()
    os.close(reader)
    return text


def width(text):
    """The longest line, escapes apart."""
    return max(len(line.rstrip()) for line in text.replace(COLOUR, "").replace("\x1b[0m", "").splitlines())


def test_a_terminal_gives_its_width_and_gets_colour():
    text = printed(72)
    assert 70 <= width(text) <= 72
    assert COLOUR in text


@pytest.mark.parametrize("columns", [None, 100])
def test_columns_is_the_width(columns):
    assert 58 <= width(printed(columns, COLUMNS="60")) <= 60


def test_a_pipe_gets_the_width_of_the_tables_and_no_colour():
    text = printed()
    assert 116 <= width(text) <= 118
    assert "\x1b" not in text
    assert COLOUR in printed(FORCE_COLOR="1")


def test_no_colour_where_it_is_not_wanted():
    assert "\x1b" not in printed(72, NO_COLOR="1")
    assert "\x1b" not in printed(72, TERM="dumb")


@pytest.mark.parametrize("arguments", [["sweep", "--list"], ["--help"]])
def test_commands_and_their_help_are_as_wide_as_columns_says(capsys, monkeypatch, arguments):
    widths = []
    for columns in ("60", "110"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit):
            cli.main(arguments)
        widths.append(max(map(len, capsys.readouterr().out.splitlines())))
    assert widths[0] <= 60 < widths[1] <= 110
