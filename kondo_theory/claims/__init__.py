"""Every claim: what it says, where it comes from, where it holds, its proof, and how it will be judged.

A claim is data, in the module of its family. Its proof is ``kondo_theory.derivations.<id with underscores>``; its
simulation and its measurement live in :mod:`simulations.verification.verify`, which has one entry for each claim
here. The decision rule of a claim was written before anything was measured; changing one is a change that a reader
can see.

Verdicts
--------
``holds``            derivation and simulation agree (and every measured criterion is met), without conditions
``holds in regime``  the same, within the stated regime
``fails``            a published claim misses a measured criterion: the whole interval lies outside it
``contradicted``     ours against ours: a step of the derivation fails, a simulation disagrees with the theory, or a
                     measurement of ours misses a criterion of a claim that this project makes (source ``here``)
``broken``           an exception ended the claim; the reason says which, and where
``undecided``        an interval straddles a criterion, or a simulation is too noisy to fail
``not comparable``   our protocol may differ from the published one; the reason says which criteria were met
``not run``          what was measured is smaller than the rule asks for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from kondo_theory.claims import (
    contexts,
    cost,
    estimators,
    gambling,
    gate,
    geometry,
    off_policy,
    screening,
    temperature,
    tokens,
)
from kondo_theory.claims.measured import devices, language_model, mnist, reversal, reversal_tasks
from kondo_theory.claims.registry import SOURCES, Claim, Criterion, DecisionRule, Verdict
from kondo_theory.words import choice

if TYPE_CHECKING:
    from kondo_theory.derivations.proof import Derivation

__all__ = [
    "CLAIMS",
    "FAMILIES",
    "SOURCES",
    "Claim",
    "Criterion",
    "DecisionRule",
    "Verdict",
    "derive",
    "derived_claim",
    "get_claims",
]

_TITLES = {
    "The gate": gate,
    "One context": geometry,
    "Screening rules": screening,
    "Gambling": gambling,
    "Many contexts": contexts,
    "Data from another policy": off_policy,
    "Estimates from a part of the samples": estimators,
    "What a step costs": cost,
    "Tokens that share an advantage": tokens,
    "The temperature": temperature,
    "Measured on MNIST": mnist,
    "Measured on token reversal": reversal,
    "Measured on other tasks of token reversal": reversal_tasks,
    "Measured on a language model": language_model,
    "Measured on two devices": devices,
}

CLAIMS: Mapping[str, Claim] = {claim.id: claim for family in _TITLES.values() for claim in family.CLAIMS}
"""All claims by id, in the order in which they are verified and printed."""

FAMILIES: Mapping[str, str] = {claim.id: title for title, family in _TITLES.items() for claim in family.CLAIMS}
"""The title of each claim's family, by id."""


def get_claims(ids: Iterable[str] | None = None) -> list[Claim]:
    """Return the claims with the given ids, or all of them.

    Raises
    ------
    ValueError
        If an id is not known; the message lists those that are, and suggests the nearest.
    """
    wanted = list(ids) if ids is not None else list(CLAIMS)
    return [CLAIMS[choice("claim", claim_id, CLAIMS)] for claim_id in dict.fromkeys(wanted)]


def derived_claim(claim_id: str) -> Claim:
    """Return a claim that has a derivation.

    Raises
    ------
    ValueError
        If the id is not known, or the claim is measured and has no derivation.
    """
    (claim,) = get_claims([claim_id])
    if not claim.derived:
        raise ValueError(f"claim {claim_id} is measured, not derived: see kondo verify --claim {claim_id}")
    return claim


def derive(claim_id: str) -> Derivation:
    """Return the checked derivation of a claim; it takes seconds, for every step is checked again.

    Raises
    ------
    ValueError
        As :func:`derived_claim`, before anything is derived. An error of the proof itself passes through as it is.
    """
    found: Derivation = import_module(str(derived_claim(claim_id).derivation_module)).derive()
    return found
