"""``kondo advise``: text, JSON, and what it refuses."""

import json

import pytest
from click.testing import CliRunner

from simulations.cli.main import kondo


def run(*arguments):
    return CliRunner().invoke(kondo, ["advise", *arguments], standalone_mode=False)


def test_text_and_json_say_the_same(tmp_path):
    found = run("--vocab", "10", "--tokens", "10", "--json", str(tmp_path / "advice.json"))
    written = json.loads((tmp_path / "advice.json").read_text())
    assert written["stalls"] is True
    stall = next(line for line in found.output.splitlines() if line.startswith("top tokens by delight"))
    assert f"at a reward of {written['options'][0]['stalls_at']:.3g} " in stall
    assert f"Use: {written['recommended']['gate']}." in found.output


def test_json_to_standard_output_is_json_alone():
    found = run("--vocab", "2", "--tokens", "1", "--json", "-", "--quiet")
    assert json.loads(found.stdout)["recommended"]["gate"] == "top answers by delight"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vocab", "1", "--tokens", "3"), "1 is not in the range x>=2"),
        (("--vocab", "10", "--tokens", "3", "--rate", "0"), "rate must be in (0, 1], got 0.0"),
        (
            ("--vocab", "10", "--tokens", "3", "--start-reward", "0.01"),
            r"start must be in [1/M, 1) = [0.1, 1), got 0.01",
        ),
        (("--tokens", "3"), "Missing option '--vocab'"),
    ],
)
def test_bad_settings_are_one_line(arguments, message):
    error = run(*arguments).exception
    assert message in error.format_message()
    assert error.exit_code == 2
