"""``kondo derive``."""

from __future__ import annotations

import click

from simulations.cli import completion, options

__all__ = ["derive"]


@click.command(
    epilog=options.examples(
        "kondo derive gate-law",
        "kondo derive gate-law --latex > formulas.tex",
    )
)
@click.argument("claim", shell_complete=completion.claims)
@click.option("--latex", is_flag=True, help="Print the resulting formulas as LaTeX only.")
@click.option("--markdown", is_flag=True, help="Print a page of docs/proofs.")
@options.QUIET
def derive(claim: str, latex: bool, markdown: bool, quiet: bool) -> int:
    """Print the checked derivation of a claim, step by step.

    Exit 0: every step holds. Exit 1: one fails. Exit 2: no such claim, or one that is measured, not derived.
    """
    from importlib import import_module

    from kondo_theory.claims import get_claims
    from simulations.verification import report

    with options.user_input():
        (chosen,) = get_claims([claim])
        if chosen.derivation_module is None:
            raise ValueError(f"claim {claim} is measured, not derived: see kondo verify --claim {claim}")
    derivation = import_module(chosen.derivation_module).derive()
    if latex:
        click.echo(derivation.latex())
    elif markdown:
        from simulations.verification.proof_page import proof_page

        click.echo(proof_page(chosen, derivation), nl=False)
    else:
        report.show_derivation(derivation, report.console(quiet=quiet))
    if quiet and not derivation.ok:
        click.echo(f"kondo: a step of the derivation of {claim} fails", err=True)
    return 0 if derivation.ok else 1
