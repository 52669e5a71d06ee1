"""Random command lines: exit code 0, 1 or 2, one line for bad input, no traceback, no stray file.

``tests/long/fuzz_command_lines.py`` tries as many as there is time for.
"""

import random

import click
from command_lines import light_work, problem, random_command_line, workplace

from simulations.cli import main as cli


def test_random_command_lines(tmp_path):
    rng, codes = random.Random(20), []
    with workplace(tmp_path), light_work():
        for _ in range(400):
            arguments = random_command_line(rng)
            assert not (found := problem(arguments, tmp_path)), (arguments, found)
            codes.append(arguments[0])
    assert len(set(codes)) >= 7, "every command was tried"


def test_negative_control_the_fuzzer_sees_what_may_not_be(tmp_path, monkeypatch):
    def run(behaviour):
        monkeypatch.setattr(cli, "main", behaviour)
        return problem(["verify"], tmp_path)

    def stray(arguments):
        (tmp_path / "x").write_text("")
        raise SystemExit(2)

    def two_lines(arguments):
        click.echo("kondo: a\nb", err=True)
        raise SystemExit(2)

    def silent(arguments):
        raise SystemExit(0)

    def crash(arguments):
        raise KeyError("x")

    def odd(arguments):
        raise SystemExit(3)

    assert "not one line" in run(two_lines)
    assert "not one line" in run(stray)
    assert "not a word" in run(silent)
    assert "KeyError" in run(crash)
    assert "exit code 3" in run(odd)

    def late(arguments):
        (tmp_path / "y" / "z").mkdir(parents=True)
        click.echo("kondo: no", err=True)
        raise SystemExit(2)

    assert run(late).startswith("stray: ")
    assert list(tmp_path.iterdir()) == [], "what was found is cleared away"
