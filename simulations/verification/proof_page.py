"""A derivation as a page of Markdown with formulas: what docs/proofs holds, one page a claim."""

from __future__ import annotations

from kondo_theory.claims import Claim
from kondo_theory.derivations.proof import Derivation

__all__ = ["proof_page"]


def proof_page(claim: Claim, derivation: Derivation) -> str:
    """Return the page: statement, source, assumptions, each step with how it was checked, and the results.

    Formulas are LaTeX between dollar signs, as this version of SymPy prints them.
    """
    lines = [
        f"# {claim.id}",
        f"<!-- Written by `kondo derive {claim.id} --markdown`. -->",
        claim.statement,
        f"Source: {claim.source}. Regime: {claim.regime}",
    ]
    lines.append("## Assumptions\n\n" + "\n".join(f"* {assumption}" for assumption in derivation.assumptions))
    lines.append("## Steps")
    for number, step in enumerate(derivation.steps, start=1):
        because = f" Because {step.argument}" if step.argument else ""
        lines.append(f"{number}. {step.text} [{step.how if step.ok else f'FAILED, {step.how}'}]{because}")
        if step.latex:
            lines.append(_shown(step.latex))
    lines.append("## Results")
    for name, latex in derivation.to_json()["results"].items():
        lines.append(f"`{name}`:")
        lines.append(_shown(latex))
    return "\n\n".join(lines) + "\n"


def _shown(latex: str) -> str:
    return f"   $$\n   {latex}\n   $$"
