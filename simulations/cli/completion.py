"""What the shell completes: the names of claims, figures, sweeps, methods, rules and studies.

Each function takes click's context, the parameter and what is typed so far. None imports what is heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from simulations.cli import names

__all__ = ["Completer", "claims", "figures", "keys_in", "parameters", "settings", "sweeps"]

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def claims(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of a claim; of one that is derived, where only these can be named."""
    from kondo_theory.claims import CLAIMS

    only_derived = ctx.command.name == "derive"
    return _starting(incomplete, (claim.id for claim in CLAIMS.values() if claim.derived or not only_derived))


def figures(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a figure, which is not named yet."""
    from paper_figs.catalogue import FIGURES

    named = ctx.params.get("names") or ()
    return _starting(incomplete, (name for name in FIGURES if name not in named))


def parameters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the key of a figure's parameter: one that every named figure takes, of any figure where none is."""
    from paper_figs.catalogue import FIGURES

    typed = (*(ctx.params.get("names") or ()), *ctx.args)  # words stay in args where the last option lacks its value
    taken = {name: names.parameters_of(FIGURES[name].function) for name in typed if name in FIGURES}
    every = taken or {name: names.parameters_of(figure.function) for name, figure in FIGURES.items()}
    keys = dict.fromkeys(key for each in every.values() for key in each)
    common = (key for key in keys if all(key in each for each in taken.values()))
    return _starting(incomplete, (f"{key}=" for key in common))


def sweeps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a sweep, and where none begins so, that of a file."""
    found = _starting(incomplete, names.sweeps())
    return found or [CompletionItem(incomplete, type="file")]


def settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the key of a setting: a keyword of the cell of the sweep that is named, of any where none is."""
    known = names.sweeps()
    typed = (ctx.params.get("sweep"), *ctx.args)  # words stay in args where the last option lacks its value still
    cells = [known[word] for word in typed if word in known] or dict.fromkeys(known.values())
    keys = dict.fromkeys(key for each in cells for key in names.parameters_of(each))
    return _starting(incomplete, (f"{key}=" for key in keys))


def keys_in(module: str, variable: str, *others: str) -> Completer:
    """Return what completes the keys of a module's dictionary, and other words."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _starting(incomplete, (*names.keys_of(module, variable), *others))

    return complete
