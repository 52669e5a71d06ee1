"""What a command loads: ``kondo --help`` nothing but click, and no command another command's file."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from simulations.cli.groups import LazyGroup
from simulations.cli.main import kondo

LOADED = """
import json, sys
before = set(sys.modules)
from simulations.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print(json.dumps([ended.code, sorted(set(sys.modules) - before)]))
"""
COMMANDS = "simulations.cli.commands."


def loaded(*arguments):
    """Run the command in a process of its own; return the modules that it loaded."""
    run = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    code, modules = json.loads(run.stdout.splitlines()[-1])
    assert code == 0
    return modules


def foreign(modules):
    """Those that are neither Python's nor click's nor our own small ones."""
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"click"}


def test_help_loads_click_and_a_few_small_files():
    modules = loaded("--help")
    assert foreign(modules) == {"simulations", "kondo_theory"}
    assert {name for name in modules if name.startswith(("simulations", "kondo_theory"))} == {
        "kondo_theory",
        "kondo_theory.words",
        "simulations",
        "simulations.cli",
        "simulations.cli.groups",
        "simulations.cli.letters",
        "simulations.cli.main",
        "simulations.cli.terminal",
        "simulations.errors",
    }


def test_negative_control_what_is_loaded_is_seen():
    assert foreign(loaded("figures", "--list")) > {"simulations", "kondo_theory"}


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["verify", "--help"], {"verify"}),
        (["report", "--help"], {"report"}),
        (["experiment", "--help"], {"experiment"}),
        (["experiment", "mnist", "--help"], {"experiment", "mnist"}),
        (["data", "--help"], {"data"}),
    ],
)
def test_a_commands_file_is_loaded_when_its_help_is_asked(arguments, files):
    modules = loaded(*arguments)
    assert {name.removeprefix(COMMANDS) for name in modules if name.startswith(COMMANDS)} == files
    assert foreign(modules) == {"simulations", "kondo_theory"}


def commands(group, path=()):
    """Yield every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command, group
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = list(commands(kondo))


@pytest.mark.parametrize(("path", "command", "group"), EVERY, ids=[" ".join(path) for path, *_ in EVERY])
def test_help_is_short_and_complete(path, command, group):
    first = command.help.splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 72
    if isinstance(group, LazyGroup):
        assert group.helps[path[-1]] == first, "the group's help says the same"
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.opts[0]} of {' '.join(path)} has no help"
            has_default = isinstance(option.default, str | int | float | Path) and not option.is_flag
            assert not has_default or option.show_default, f"{option.opts[0]} of {' '.join(path)} hides its default"


def test_an_option_reads_the_same_in_every_command():
    shared = {}
    for _, command, _ in EVERY:
        for option in command.params:
            if isinstance(option, click.Option):
                shared.setdefault(option.opts[0], set()).add(type(option.type))
    assert {flag: types for flag, types in shared.items() if len(types) > 1} == {}
