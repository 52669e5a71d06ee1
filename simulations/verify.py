"""``kondo verify``: derive, simulate and measure every claim, and judge it by the rule that the claim carries.

``CHECKS`` has one entry for each claim of :mod:`kondo_theory.claims` (a test demands it) and names the functions that
simulate and measure it; they are imported when they are needed, so that a claim without a network needs no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kondo_theory.claims import Claim, Verdict, get_claims
from simulations.checks import Context, Progress
from simulations.merging import PRESETS, MeasuredTables
from simulations.statistics import Measured, Simulated

__all__ = ["CHECKS", "PRESETS", "Check", "Outcome", "Report", "judge", "verify"]


@dataclass(frozen=True)
class Check:
    """Dotted names ``module:function`` of a claim's simulation and measurement; each takes a ``Context``."""

    simulate: str | None = None
    measure: str | None = None


CHECKS: dict[str, Check] = {
    "gate-law": Check(simulate="simulations.checks.gate:gate_law"),
    "price-rate-duality": Check(simulate="simulations.checks.gate:price_rate_duality"),
    "quality-cost-frontier": Check(simulate="simulations.checks.frontier:quality_cost_frontier"),
    "exact-k-or-price": Check(simulate="simulations.checks.frontier:exact_k_or_price"),
    "zero-price-geometry": Check(simulate="simulations.checks.geometry:zero_price_geometry"),
    "dg-noise-ratio": Check(
        simulate="simulations.checks.delightful:dg_noise_ratio",
        measure="simulations.checks.delightful:dg_cosine_gap",
    ),
    "baseline-dependence": Check(simulate="simulations.checks.geometry:baseline_dependence"),
    "forward-efficiency": Check(simulate="simulations.checks.geometry:forward_efficiency"),
    "graded-rewards": Check(simulate="simulations.checks.graded:graded_rewards"),
    "backward-passes-to-align": Check(simulate="simulations.checks.alignment:backward_passes_to_align"),
    "learning-time": Check(simulate="simulations.checks.learning:learning_time"),
    "additive-threshold": Check(simulate="simulations.checks.screening:additive_threshold_turn"),
    "additive-never-fixed": Check(simulate="simulations.checks.screening:additive_never_fixed"),
    "screening-at-rate": Check(simulate="simulations.checks.composition:screening_at_rate"),
    "gambling-false-positives": Check(simulate="simulations.checks.gambling:gambling_false_positives"),
    "gambling-fixed-point": Check(simulate="simulations.checks.gambling:gambling_fixed_point"),
    "gambling-dg-floor": Check(simulate="simulations.checks.gambling:gambling_dg_floor"),
    "gambling-top-rate": Check(simulate="simulations.checks.gambling:gambling_top_rate"),
    "equal-noise": Check(simulate="simulations.checks.gambling:equal_noise"),
    "context-allocation": Check(simulate="simulations.checks.contexts:context_allocation"),
    "step-cost": Check(simulate="simulations.checks.cost:step_cost"),
    "approximate-delight": Check(simulate="simulations.checks.cost:approximate_delight"),
    "token-trap": Check(simulate="simulations.checks.tokens:token_trap"),
    "row-gate": Check(simulate="simulations.checks.tokens:row_gate"),
    "token-dg": Check(simulate="simulations.checks.tokens:token_dg"),
    "token-screening": Check(simulate="simulations.checks.tokens:token_screening"),
    "mnist-quality": Check(measure="simulations.checks.mnist:quality"),
    "mnist-decomposition": Check(measure="simulations.checks.mnist_moments:decomposition"),
    "mnist-screening": Check(measure="simulations.checks.mnist_moments:screening"),
    "mnist-savings": Check(measure="simulations.checks.mnist_cost:savings"),
    "mnist-approximate-delight": Check(measure="simulations.checks.mnist_approximate:approximate_delight"),
    "reversal-quality": Check(measure="simulations.checks.reversal:quality"),
    "reversal-token-trap": Check(measure="simulations.checks.reversal:token_trap"),
    "reversal-row-gate": Check(measure="simulations.checks.reversal:row_gate"),
    "reversal-screening": Check(measure="simulations.checks.reversal_screening:screening"),
    "reversal-physical-cost": Check(measure="simulations.checks.reversal_cost:physical_cost"),
    "reversal-scaling": Check(measure="simulations.checks.reversal_scaling:scaling"),
    "device-agreement": Check(measure="simulations.checks.devices:device_agreement"),
}


@dataclass(frozen=True)
class Outcome:
    """One claim with all that was found, and the verdict."""

    claim: Claim
    derived: bool | None
    simulated: Sequence[Simulated]
    measured: Sequence[Measured]
    verdict: Verdict
    reason: str

    @property
    def conclusive(self) -> bool:
        """False if our own theory and simulation disagree, or a check was too noisy to decide."""
        agree = self.derived is not False and all(row.within for row in self.simulated)
        return agree and self.verdict != "undecided"

    def to_json(self) -> dict[str, Any]:
        """Return the claim's entry in the JSON report."""
        return {
            "id": self.claim.id,
            "statement": self.claim.statement,
            "source": self.claim.source,
            "regime": self.claim.regime,
            "derived": None if self.derived is None else {"ok": self.derived},
            "simulated": [row.to_json() for row in self.simulated],
            "measured": [row.to_json() for row in self.measured],
            "verdict": self.verdict,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Report:
    """The outcome of a whole run of ``kondo verify``."""

    preset: str
    device: str
    commit: str
    versions: dict[str, str]
    outcomes: Sequence[Outcome]

    @property
    def exit_code(self) -> int:
        """0 if every check that the preset can judge was conclusive, whatever the verdicts; else 1."""
        return 0 if all(outcome.conclusive for outcome in self.outcomes) else 1

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON value."""
        head = {"preset": self.preset, "device": self.device, "commit": self.commit, "versions": self.versions}
        return head | {"claims": [outcome.to_json() for outcome in self.outcomes]}


def verify(
    preset: str = "quick",
    *,
    device: str = "auto",
    claims: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Progress = lambda _: None,
    tables: MeasuredTables | None = None,
) -> Report:
    """Verify the claims and return the report.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        Sizes; the protocol is the same.
    device : {"auto", "cpu", "cuda"}
        Where networks run.
    claims : iterable of str, optional
        Ids; all claims by default.
    workers : int, optional
        Processes for experiments on the CPU, by default one a core. Results do not depend on it.
    progress : callable
        Called with a short text before each part.
    tables : MeasuredTables, optional
        Measured elsewhere: a claim that finds its table here is judged by it, at the table's sizes.

    Raises
    ------
    ValueError
        If the preset, the device or a claim is unknown, or the device is absent.
    """
    from simulations.devices import available_cores, describe, resolve
    from simulations.results import provenance

    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    chosen = get_claims(claims)
    resolved = resolve(device)
    cores = available_cores() if resolved.type == "cpu" else 1
    context = Context(preset, resolved.type, workers or cores, progress, tables or MeasuredTables())
    outcomes = [_verify_claim(claim, context) for claim in chosen]
    record = provenance(describe(resolved))
    return Report(preset, record["device"], record["commit"], record["versions"], outcomes)


def _verify_claim(claim: Claim, context: Context) -> Outcome:
    check = CHECKS[claim.id]
    derived = None
    if claim.derivation_module is not None:
        context.progress(f"{claim.id}: deriving")
        derived = importlib.import_module(claim.derivation_module).derive().ok
    simulated = measured = ()
    if check.simulate is not None:
        context.progress(f"{claim.id}: simulating")
        simulated = load_function(check.simulate)(context)
    if check.measure is not None:
        context.progress(f"{claim.id}: measuring")
        measured = load_function(check.measure)(context)
    verdict, reason = judge(claim, derived, simulated, measured, context.preset)
    return Outcome(claim, derived, simulated, measured, verdict, reason)


def judge(
    claim: Claim, derived: bool | None, simulated: Sequence[Simulated], measured: Sequence[Measured], preset: str
) -> tuple[Verdict, str]:
    """Apply the claim's decision rule and say why.

    Our own theory comes first: a failed derivation, or a simulation that contradicts it, fails the claim whatever was
    measured. Then each measured criterion is judged by its whole interval; where the rule says why the published
    protocol may be another one, what they say goes into the reason.
    """
    if derived is False:
        return "fails", "a step of the derivation failed"
    wrong = [row.quantity for row in simulated if row.within is False]
    if wrong:
        return "fails", f"{len(wrong)} of {len(simulated)} simulated quantities disagree, first {wrong[0]}"
    noisy = [row.quantity for row in simulated if row.within is None]
    if noisy:
        return "undecided", f"{len(noisy)} simulated quantities are too noisy to fail, first {noisy[0]}"
    support = f"{len(simulated)} simulated quantities agree" if simulated else ""
    if not claim.rule.criteria:
        return claim.success, support
    smallest = min((row.preset or preset for row in measured), key=PRESETS.index, default=preset)
    if PRESETS.index(smallest) < PRESETS.index(claim.rule.judged_from):
        return "not run", f"preset {smallest} is too small to judge the criteria: use {claim.rule.judged_from}"
    verdict, reason = _judge_criteria(claim, measured, support)
    if claim.rule.not_comparable:
        return "not comparable", f"{claim.rule.not_comparable}; by the criteria alone: {verdict}, {reason}"
    return verdict, reason


def _judge_criteria(claim: Claim, measured: Sequence[Measured], support: str) -> tuple[Verdict, str]:
    rows = {row.quantity: row for row in measured}
    for criterion in claim.rule.criteria:
        if criterion.quantity not in rows:  # a slip of ours, not a verdict
            raise RuntimeError(
                f"claim {claim.id} demands a quantity that its measurement lacks: {criterion.quantity}"
            )
    verdicts = {str(c): c.judge(rows[c.quantity].low, rows[c.quantity].high) for c in claim.rule.criteria}
    for outcome in ("fails", "undecided"):
        named = [criterion for criterion, found in verdicts.items() if found == outcome]
        if named:
            hold = sum(found == "holds" for found in verdicts.values())
            rest = f"{hold} of {len(verdicts)} hold"
            return outcome, f"{'missed' if outcome == 'fails' else 'open'}: {'; '.join(named)} ({rest})"
    return claim.success, "; ".join(filter(None, [support, f"all {len(verdicts)} measured criteria are met"]))


def load_function(name: str) -> Callable[[Context], Any]:
    """Return the function behind ``module:function``."""
    module, function = name.split(":")
    loaded: Callable[[Context], Any] = getattr(importlib.import_module(module), function)
    return loaded
