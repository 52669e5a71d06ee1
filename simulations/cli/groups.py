"""Groups of commands: loaded when they run, with the nearest of a misspelt name, and no option of one value twice."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from kondo_theory.words import nearest

__all__ = ["Group", "LazyGroup"]


class Group(click.Group):
    """A group that suggests the nearest of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names, and the other words."""
        name, names = args[0], self.list_commands(ctx)
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r} among {', '.join(names)}{nearest(name, names)}")
        found, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, click.Group) and not ctx.resilient_parsing:
            _require_once(click.Context(command, parent=ctx, info_name=found), rest)
        return found, command, rest


class LazyGroup(Group):
    """A group whose commands stand in ``simulations.cli.commands``, each in a file that is named like it.

    Parameters
    ----------
    helps : mapping
        Name → the line that the group's help prints of it, in the order in which they are printed. A test compares it
        with the command's own help.
    """

    def __init__(self, *args: Any, helps: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.helps = helps

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(self.helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, from its file."""
        if cmd_name not in self.helps:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"simulations.cli.commands.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the group's help prints of the commands; no file is loaded."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.helps.items()))


def _require_once(ctx: click.Context, args: list[str]) -> None:
    """Refuse an option that is given again and would forget what was given before."""
    _, _, order = ctx.command.make_parser(ctx).parse_args(list(args))
    single = [each for each in order if isinstance(each, click.Option) and not (each.multiple or each.is_flag)]
    for option in single:
        if single.count(option) > 1:
            ctx.fail(f"{option.opts[0]} takes one value, got it {single.count(option)} times")
