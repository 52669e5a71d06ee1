"""stall-escape: simulation and theory agree; a wrong diffusion, drift or selection contradicts the claim."""

from dataclasses import replace

import numpy as np
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.token_trap.rows import binomial_masses, token_atoms
from kondo_theory.token_trap.stall_escape import diffusion, escape_time
from simulations.verification.checks import Context
from simulations.verification.checks.tokens import stall_escape as checks
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def verdict(rows):
    """Of the simulation alone: what is measured on token reversal has made-up worlds of its own."""
    claim = CLAIMS["stall-escape"]
    return judge(replace(claim, rule=replace(claim.rule, criteria=())), True, rows, [])[0]


def failed(rows):
    return {row.quantity.split(",")[0] for row in rows if row.within is False}


@pytest.fixture
def short(monkeypatch):
    """One place and one cheap run, whose mean takes a second."""
    monkeypatch.setattr(checks, "NOISE", checks.NOISE[:1])
    monkeypatch.setattr(checks, "ESCAPES", [(2, 5, 400, 258, 14.0, 200)])
    monkeypatch.setattr(checks, "N_BATCHES", {"smoke": 3_000})
    monkeypatch.setattr(checks, "SHIFT", 0.0)


def without_influence(p, T, M, rate):
    """Return the variance of the kept pulls as of a gate that decides token by token, atoms at their mean share."""
    atoms = token_atoms(np.array([p]), T, M)
    order = np.argsort(-atoms.score[0])
    before = np.concatenate([[0.0], np.cumsum(atoms.mass[0][order])[:-1]])
    share = np.empty(order.size)
    share[order] = np.clip((rate - before) / atoms.mass[0][order], 0, 1)
    counts, mass = binomial_masses(T, np.array([p]))
    answer = np.zeros(T + 1)
    pull = share * atoms.pull[0]
    answer[1:] += pull[:T] * counts[1:] / T
    answer[:-1] += pull[T:] * (T - counts[:-1]) / T
    return float(mass[0] @ answer**2 - (mass[0] @ answer) ** 2)


def test_the_simulation_agrees(monkeypatch):
    monkeypatch.setattr(checks, "NOISE", checks.NOISE[:1])
    monkeypatch.setattr(checks, "ESCAPES", [(400, 2, 400, 212, 3.0, 1_000)])
    rows = checks.stall_escape(SMOKE)
    assert verdict(rows) == CLAIMS["stall-escape"].success
    assert len(rows) == 2


@pytest.mark.control("stall-escape")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "wrong", [without_influence, lambda *at: 2 * diffusion(*at)], ids=["no influence of exactly k", "double"]
)
def test_negative_control_a_wrong_diffusion_contradicts_the_claim(wrong):
    rows = checks.stall_escape(SMOKE, wrong)
    assert verdict(rows) == "contradicted"
    assert "noise" in failed(rows)


@pytest.mark.control("stall-escape")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("batches", [2.0, 0.5], ids=["half the diffusion", "double"])
def test_negative_control_a_wrong_diffusion_gives_a_wrong_time(batches):
    rows = checks.stall_escape(SMOKE, time=lambda rate, M, T, B, h: escape_time(rate, M, T, batches * B, h))
    assert verdict(rows) == "contradicted"
    assert "log time" in failed(rows)
