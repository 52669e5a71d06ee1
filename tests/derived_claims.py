"""Every claim's derivation, derived once a process, with the identities that it recorded on the way.

While ``make mutate`` asks which tests reach a function, each test derives anew: a cache would hide all but the first.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from unittest import mock

import sympy as sp
from carried_out_once import carried_out_once

from kondo_theory.claims import CLAIMS
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["DERIVED", "Identity", "derived", "identities"]

DERIVED = [claim.id for claim in CLAIMS.values() if claim.derived]

Identity = tuple[str, sp.Expr, sp.Expr]  # text, left, right


def derived(claim: str) -> Derivation:
    """Return the derivation of a claim."""
    return _recorded(claim)[0]


def identities(claim: str) -> tuple[Identity, ...]:
    """Return the two sides of each identity as they were written, before anything was carried out."""
    return _recorded(claim)[1]


def _recorded(claim: str) -> tuple[Derivation, tuple[Identity, ...]]:
    return (_derive if os.environ.get("MUTANT_UNDER_TEST") == "stats" else _derived_once)(claim)


def _derive(claim: str) -> tuple[Derivation, tuple[Identity, ...]]:
    found: list[Identity] = []
    identity = Proof.identity

    def record(self: Proof, text: str, left: sp.Expr, right: sp.Expr, latex: str = "") -> sp.Expr:
        found.append((text, sp.sympify(left), sp.sympify(right)))
        return identity(self, text, left, right, latex)

    with mock.patch.object(Proof, "identity", record), carried_out_once():
        derivation = importlib.import_module(CLAIMS[claim].derivation_module).derive()
    return derivation, tuple(found)


_derived_once = cache(_derive)
