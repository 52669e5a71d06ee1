"""docs/proofs has the proofs as they are: every sentence, formula and result of them."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from derived_claims import DERIVED, derived

from kondo_theory.claims import CLAIMS
from simulations.verification.proof_page import proof_page

PAGES = Path(__file__).resolve().parents[2] / "docs" / "proofs"
WRITTEN_BY = "1.14.0"
"""The version of SymPy that wrote the pages: another may print a formula in another order."""


@pytest.mark.parametrize("claim", DERIVED)
def test_the_page_is_the_proof(claim):
    if version("sympy") != WRITTEN_BY:
        pytest.skip(f"the pages were written by SymPy {WRITTEN_BY}")
    page = (PAGES / f"{claim}.md").read_text(encoding="utf-8")
    renew = f"kondo derive {claim} --markdown > docs/proofs/{claim}.md"
    assert page == proof_page(CLAIMS[claim], derived(claim)), renew


def test_there_is_a_page_for_every_proof_and_no_other():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(DERIVED)


@pytest.mark.parametrize("change", [{"text": "other words"}, {"latex": "x"}, {"kind": "argued"}, {"ok": False}])
def test_negative_control_a_changed_step_is_another_page(change):
    proof = derived("gate-law")
    first, *rest = proof.steps
    changed = replace(proof, steps=(replace(first, **change), *rest))
    assert proof_page(CLAIMS["gate-law"], changed) != proof_page(CLAIMS["gate-law"], proof)
